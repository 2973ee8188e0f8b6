//! PostgreSQL's binary form of NUMERIC: digits to the base 10,000, no float in between.
//!
//! Four 16-bit integers, then the digits: how many digits; the weight, the power of 10,000 of the first; the sign, `0x0000`,
//! `0x4000` for negative, else NaN or an infinity; how many decimal places are shown
//! (`numeric_recv` in PostgreSQL's `src/backend/utils/adt/numeric.c`).

const NEGATIVE: u16 = 0x4000;

/// Decimal digits a digit.
const GROUP: i32 = 4;

/// A number as it came from the server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Numeric<'a> {
    negative: bool,
    /// Power of 10,000 of the first digit.
    weight: i32,
    digits: &'a [u8],
}

impl<'a> Numeric<'a> {
    /// `None` for NaN, infinities and what is not a number.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let (head, digits) = bytes.split_first_chunk::<8>()?;
        let [n0, n1, w0, w1, s0, s1, _, _] = *head;
        let negative = match u16::from_be_bytes([s0, s1]) {
            0 => false,
            NEGATIVE => true,
            _ => return None,
        };
        let count = usize::from(u16::from_be_bytes([n0, n1]));
        let weight = i32::from(i16::from_be_bytes([w0, w1]));
        (digits.len() == count * 2).then_some(Self { negative, weight, digits })
    }

    /// Its digits with the power of ten of each, largest first.
    fn digits(self) -> impl Iterator<Item = (u16, i32)> {
        let (pairs, _) = self.digits.as_chunks::<2>();
        pairs.iter().zip(0..).map(move |(pair, at)| (u16::from_be_bytes(*pair), (self.weight - at) * GROUP))
    }

    /// The number times `10^scale`; `None` where that is not whole or too large.
    pub(super) fn unscaled(self, scale: u8) -> Option<i128> {
        let mut sum = 0_i128;
        for (digit, power) in self.digits() {
            let power = power + i32::from(scale);
            let digit = i128::from(digit);
            let part = if let Ok(power) = u32::try_from(power) {
                if digit == 0 { 0 } else { digit.checked_mul(10_i128.checked_pow(power)?)? }
            } else {
                let divisor = 10_i128.pow(power.unsigned_abs().min(GROUP.unsigned_abs()));
                if digit % divisor != 0 {
                    return None;
                }
                digit / divisor
            };
            sum = sum.checked_add(part)?;
        }
        Some(if self.negative { -sum } else { sum })
    }

    /// The nearest float.
    pub(super) fn to_f64(self) -> Option<f64> {
        let mut text = String::with_capacity(8 + self.digits.len() * 3);
        text.push_str(if self.negative { "-0" } else { "0" });
        let mut end = 0;
        for (digit, power) in self.digits() {
            text.push_str(&format!("{digit:04}"));
            end = power;
        }
        text.push_str(&format!("e{end}"));
        text.parse().ok()
    }
}

/// Writes `unscaled / 10^scale`.
pub(super) fn write(unscaled: i128, scale: u8, out: &mut Vec<u8>) {
    let scale = u32::from(scale.min(crate::MAX_DIGITS));
    let one = 10_u128.pow(scale);
    let (mut whole, places) = (unscaled.unsigned_abs() / one, unscaled.unsigned_abs() % one);
    // Digits before the point, last first; 10^39 has ten.
    let mut digits = Vec::with_capacity(20);
    while whole > 0 {
        digits.push((whole % 10_000) as u16);
        whole /= 10_000;
    }
    let mut weight = digits.len() as i16 - 1;
    digits.reverse();
    for from in (0..scale).step_by(4) {
        let digit = match scale - from {
            left @ 4.. => places / 10_u128.pow(left - 4) % 10_000,
            left => places % 10_u128.pow(left) * 10_u128.pow(4 - left),
        };
        digits.push(digit as u16);
    }
    // The server's own form has no zeros at the ends.
    while digits.last() == Some(&0) {
        digits.pop();
    }
    let zeros = digits.iter().take_while(|digit| **digit == 0).count();
    weight -= zeros as i16;
    let digits = digits.get(zeros..).unwrap_or_default();
    let sign = if unscaled < 0 { NEGATIVE } else { 0 };
    let weight = if digits.is_empty() { 0 } else { weight };
    for part in [digits.len() as u16, weight.cast_unsigned(), sign, scale as u16] {
        out.extend_from_slice(&part.to_be_bytes());
    }
    digits.iter().for_each(|digit| out.extend_from_slice(&digit.to_be_bytes()));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(unscaled: i128, scale: u8) -> Vec<u8> {
        let mut out = Vec::new();
        write(unscaled, scale, &mut out);
        out
    }

    #[test]
    fn the_forms_are_the_servers_own() {
        // As `numeric_send` gives them.
        assert_eq!(written(0, 2), [0, 0, 0, 0, 0, 0, 0, 2]);
        assert_eq!(written(-1250, 2), [0, 2, 0, 0, 0x40, 0, 0, 2, 0, 12, 0x13, 0x88]);
        assert_eq!(written(1, 6), [0, 1, 0xff, 0xfe, 0, 0, 0, 6, 0, 100]);
        assert_eq!(written(120_000_000, 0), [0, 2, 0, 2, 0, 0, 0, 0, 0, 1, 0x07, 0xd0]);
    }

    #[test]
    fn what_does_not_fit_is_none() {
        assert!(Numeric::read(&[0, 0, 0, 0, 0xc0, 0, 0, 0]).is_none(), "NaN");
        assert!(Numeric::read(&[0, 2, 0, 0, 0, 0, 0, 0, 0, 1]).is_none(), "cut off");
        assert!(Numeric::read(&[]).is_none());
        let third = written(3333, 4);
        assert_eq!(Numeric::read(&third).unwrap().unscaled(2), None);
        assert_eq!(Numeric::read(&[0, 1, 0x7f, 0xff, 0, 0, 0, 0, 0, 1]).unwrap().unscaled(0), None);
        assert_eq!(Numeric::read(&written(-1250, 2)).unwrap().to_f64(), Some(-12.5));
        assert_eq!(Numeric::read(&written(0, 2)).unwrap().to_f64(), Some(0.0));
    }

    proptest! {
        #[test]
        fn decimals_round_trip(unscaled in -10_i128.pow(38) + 1..10_i128.pow(38), shift in 0_u32..38, scale in 0_u8..=38) {
            let unscaled = unscaled / 10_i128.pow(shift);
            let bytes = written(unscaled, scale);
            let number = Numeric::read(&bytes).unwrap();
            prop_assert_eq!(number.unscaled(scale), Some(unscaled));
            let text = crate::format_decimal(unscaled, scale);
            prop_assert_eq!(number.to_f64(), text.parse().ok());
        }
    }
}
