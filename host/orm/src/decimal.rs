//! Exact decimals: text to scaled integers and back, never through a float.
//!
//! `covet-db` owns the stored forms ([`covet_db::INTEGER_DIGITS`]). Here is what comparisons need besides: where a number with
//! more digits than its field lies between those that the field can hold.

use crate::schema::DecimalSpec;

pub use covet_db::{INTEGER_DIGITS, MAX_DIGITS};

/// Longest text that is looked at, in bytes.
pub const MAX_TEXT: usize = 128;

/// A parsed decimal, scaled to its field: the exact number is `floor` or lies between `floor` and `floor + 1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// Largest scaled integer that isn't above the number.
    pub floor: i128,
    /// False: digits behind `scale` were not zero.
    pub exact: bool,
}

/// Why a text is no decimal of its field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Not `-?digits[.digits]`.
    Syntax,
    /// More than 38 digits: below everything (`true`: negative) or above.
    Range { negative: bool },
}

/// 10 to the `power`, for powers up to 38.
pub fn ten_to(power: u8) -> i128 {
    10_i128.saturating_pow(u32::from(power))
}

/// Reads `-12.50` (optional sign, digits, optionally a point and more digits) scaled by 10^`scale`.
///
/// # Errors
/// [`Refused`]; exponents, spaces and separators are refused.
pub fn parse(text: &str, scale: u8) -> Result<Parsed, Refused> {
    if text.len() > MAX_TEXT {
        return Err(Refused::Syntax);
    }
    let (negative, digits) = match text.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        all => (false, all),
    };
    let mut magnitude: i128 = 0;
    let mut exact = true;
    let mut seen_point = false;
    let (mut whole, mut behind) = (0_usize, 0_usize);
    for byte in digits {
        match byte {
            b'0'..=b'9' => {
                if seen_point {
                    behind += 1;
                } else {
                    whole += 1;
                }
                let digit = i128::from(byte - b'0');
                if behind > usize::from(scale) {
                    exact &= digit == 0;
                    continue;
                }
                magnitude = magnitude
                    .checked_mul(10)
                    .and_then(|shifted| shifted.checked_add(digit))
                    .ok_or(Refused::Range { negative })?;
            }
            b'.' if !seen_point => seen_point = true,
            _ => return Err(Refused::Syntax),
        }
    }
    if whole == 0 || (seen_point && behind == 0) {
        return Err(Refused::Syntax);
    }
    let missing = usize::from(scale).saturating_sub(behind);
    for _ in 0..missing {
        magnitude = magnitude.checked_mul(10).ok_or(Refused::Range { negative })?;
    }
    let floor = match (negative, exact) {
        (false, _) => magnitude,
        (true, true) => -magnitude,
        (true, false) => -magnitude - 1,
    };
    Ok(Parsed { floor, exact })
}

/// True when `unscaled` has at most the field's digits.
pub fn fits(unscaled: i128, spec: DecimalSpec) -> bool {
    unscaled.unsigned_abs() < ten_to(spec.digits).unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_scaled_without_loss() {
        assert_eq!(parse("-12.50", 2), Ok(Parsed { floor: -1250, exact: true }));
        assert_eq!(parse("7", 3), Ok(Parsed { floor: 7000, exact: true }));
        assert_eq!(parse("1.500", 1), Ok(Parsed { floor: 15, exact: true }));
        assert_eq!(parse("1.005", 2), Ok(Parsed { floor: 100, exact: false }));
        assert_eq!(parse("-1.005", 2), Ok(Parsed { floor: -101, exact: false }));
        let all = "9".repeat(38);
        assert_eq!(parse(&all, 0).map(|parsed| parsed.floor), Ok(ten_to(38) - 1));
    }

    #[test]
    fn what_is_no_decimal_is_refused() {
        for text in ["", "-", ".", ".5", "5.", "1e3", " 1", "1,0", "1.2.3", "--1", "٣", &"1".repeat(200)] {
            assert_eq!(parse(text, 2), Err(Refused::Syntax), "{text:?}");
        }
        assert_eq!(parse(&"9".repeat(40), 0), Err(Refused::Range { negative: false }));
        assert_eq!(parse(&format!("-{}", "9".repeat(40)), 0), Err(Refused::Range { negative: true }));
    }
}
