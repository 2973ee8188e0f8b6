//! Exact decimals: text on the wire, integers or ordered text in SQLite. No float is ever involved.
//!
//! SQLite has no decimal type. Up to [`INTEGER_DIGITS`] digits the unscaled value is an INTEGER, which compares exactly
//! and lets `SUM`, `+` and `-` work in SQL. Above that it is TEXT whose byte order is the numeric order.

use crate::{DbError, Value};

/// Up to so many digits a decimal is stored as a scaled INTEGER: 10^18 - 1 is the largest all-nines value below 2^63.
pub const INTEGER_DIGITS: u8 = 18;

/// The most digits a decimal may have: 10^38 - 1 is the largest all-nines value below 2^127.
pub const MAX_DIGITS: u8 = 38;

/// Why a text is not a decimal of its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// Not `[+-]digits[.digits]`.
    #[error("is not a decimal number such as -12.50")]
    Syntax,
    /// More digits before the point than `digits - scale`, or more than 38 in all.
    #[error("has more digits before the point than its column holds")]
    TooManyDigits,
    /// More digits behind the point than the column holds; they are not rounded away in silence.
    #[error("has more digits behind the point than its column holds")]
    TooManyPlaces,
}

/// Reads `-12.5` as the unscaled value of a column of `digits` digits, `scale` of them behind the point: -1250 at scale 2.
///
/// # Errors
/// Anything but `[+-]digits[.digits]` and values that the column cannot hold exactly. Trailing zeros never count as excess.
pub fn parse_decimal(text: &str, digits: u8, scale: u8) -> Result<i128, DecimalError> {
    let (negative, rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let (whole, places) = rest.split_once('.').unwrap_or((rest, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let has_point = whole.len() < rest.len();
    if !all_digits(whole) || !all_digits(places) || whole.is_empty() || (has_point && places.is_empty()) {
        return Err(DecimalError::Syntax);
    }
    let places = places.trim_end_matches('0');
    if places.len() > usize::from(scale) {
        return Err(DecimalError::TooManyPlaces);
    }
    let whole = whole.trim_start_matches('0');
    if whole.len() > usize::from(digits.min(MAX_DIGITS).saturating_sub(scale)) {
        return Err(DecimalError::TooManyDigits);
    }
    let padding = usize::from(scale) - places.len();
    let digits = whole.bytes().chain(places.bytes()).chain(std::iter::repeat_n(b'0', padding));
    let unscaled = digits.fold(0_i128, |sum, digit| sum * 10 + i128::from(digit - b'0'));
    Ok(if negative { -unscaled } else { unscaled })
}

/// Writes an unscaled value as `-12.50`, always with `scale` digits behind the point. Room for any `i128` is in `buffer`.
pub(crate) fn write_decimal(unscaled: i128, scale: u8, buffer: &mut DecimalBuffer) -> &str {
    let scale = usize::from(scale.min(MAX_DIGITS));
    let mut rest = unscaled.unsigned_abs();
    let mut at = buffer.len();
    let mut written = 0;
    while rest > 0 || written <= scale {
        if written == scale && scale > 0 {
            at -= 1;
            buffer[at] = b'.';
        }
        at -= 1;
        buffer[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        written += 1;
    }
    if unscaled < 0 {
        at -= 1;
        buffer[at] = b'-';
    }
    std::str::from_utf8(&buffer[at..]).unwrap_or_default()
}

/// 39 digits of an `i128`, sign, point, and a zero before the point.
pub(crate) type DecimalBuffer = [u8; 48];

/// An unscaled value as text: -1250 at scale 2 is `-12.50`.
#[must_use]
pub fn format_decimal(unscaled: i128, scale: u8) -> String {
    write_decimal(unscaled, scale, &mut [0; 48]).to_owned()
}

/// The stored text of a decimal with more than [`INTEGER_DIGITS`] digits: `1` and the digits padded with zeros, or `0`
/// and their nine's complement where the value is negative. Byte order is numeric order within one column.
#[must_use]
pub fn ordered_text(unscaled: i128, digits: u8) -> String {
    let digits = usize::from(digits.min(MAX_DIGITS));
    let plain = format!("{:0digits$}", unscaled.unsigned_abs());
    if unscaled < 0 {
        std::iter::once('0').chain(plain.bytes().map(|digit| char::from(b'9' - (digit - b'0')))).collect()
    } else {
        format!("1{plain}")
    }
}

/// Reads what [`ordered_text`] wrote; `None` for anything else.
#[must_use]
pub fn parse_ordered(text: &[u8], digits: u8) -> Option<i128> {
    let (sign, rest) = text.split_first()?;
    if rest.len() != usize::from(digits) || digits > MAX_DIGITS || !rest.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = |flip: bool| {
        rest.iter().fold(0_i128, |sum, digit| {
            let digit = digit - b'0';
            sum * 10 + i128::from(if flip { 9 - digit } else { digit })
        })
    };
    match sign {
        b'1' => Some(value(false)),
        b'0' => Some(-value(true)),
        _ => None,
    }
}

/// Checks that a decimal has no more digits than its column, so that stored values always compare as numbers.
pub(crate) fn check_digits(unscaled: i128, digits: u8, scale: u8) -> Result<(), DbError> {
    let fits = (1..=MAX_DIGITS).contains(&digits)
        && scale <= digits
        && unscaled.unsigned_abs() < 10_u128.pow(u32::from(digits));
    if fits {
        return Ok(());
    }
    Err(DbError::BadQuery(format!(
        "decimal {} does not fit a column of {digits} digits, {scale} behind the point",
        format_decimal(unscaled, scale)
    )))
}

/// A decimal as a bound value.
impl Value {
    /// The decimal that `text` says, for a column of `digits` digits, `scale` of them behind the point.
    ///
    /// # Errors
    /// As [`parse_decimal`].
    pub fn decimal(text: &str, digits: u8, scale: u8) -> Result<Self, DecimalError> {
        Ok(Self::Decimal { unscaled: parse_decimal(text, digits, scale)?, digits, scale })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LARGEST: i128 = 10_i128.pow(38) - 1;

    #[test]
    fn decimals_are_written_with_all_places() {
        for (unscaled, scale, text) in [
            (0, 0, "0"),
            (0, 2, "0.00"),
            (5, 2, "0.05"),
            (-5, 2, "-0.05"),
            (-1250, 2, "-12.50"),
            (1250, 0, "1250"),
            (LARGEST, 38, "0.99999999999999999999999999999999999999"),
            (-LARGEST, 0, "-99999999999999999999999999999999999999"),
        ] {
            assert_eq!(format_decimal(unscaled, scale), text);
        }
        assert_eq!(format_decimal(i128::MIN, 38), "-1.70141183460469231731687303715884105728");
    }

    #[test]
    fn only_exact_decimals_are_read() {
        assert_eq!(parse_decimal("-12.5", 6, 2), Ok(-1250));
        assert_eq!(parse_decimal("+0012.500000", 6, 2), Ok(1250));
        assert_eq!(parse_decimal("-0", 1, 0), Ok(0));
        assert_eq!(parse_decimal("0.1", 1, 1), Ok(1));
        for bad in ["", "-", ".", "1.", ".5", "1e5", " 1", "1 ", "--1", "1.2.3", "NaN", "١"] {
            assert_eq!(parse_decimal(bad, 38, 10), Err(DecimalError::Syntax), "{bad:?}");
        }
        assert_eq!(parse_decimal("12.345", 6, 2), Err(DecimalError::TooManyPlaces));
        assert_eq!(parse_decimal("12345", 6, 2), Err(DecimalError::TooManyDigits));
    }

    #[test]
    fn foreign_texts_are_not_ordered_decimals() {
        for bad in [&b""[..], b"1", b"2000", b"1-12", b"10000", b"1 12"] {
            assert_eq!(parse_ordered(bad, 3), None, "{bad:?}");
        }
        assert!(check_digits(1000, 3, 0).is_err());
        assert!(check_digits(-999, 3, 0).is_ok());
    }

    proptest! {
        #[test]
        fn byte_order_of_stored_text_is_numeric_order(a in -LARGEST..=LARGEST, b in -LARGEST..=LARGEST, shift in 0_u32..38) {
            let (a, b) = (a / 10_i128.pow(shift), b / 10_i128.pow(shift));
            prop_assert_eq!(ordered_text(a, 38).cmp(&ordered_text(b, 38)), a.cmp(&b));
            prop_assert_eq!(parse_ordered(ordered_text(a, 38).as_bytes(), 38), Some(a));
        }

        #[test]
        fn text_round_trips(unscaled in -LARGEST..=LARGEST, scale in 0_u8..=38) {
            prop_assert_eq!(parse_decimal(&format_decimal(unscaled, scale), 38, scale), Ok(unscaled));
        }
    }
}
