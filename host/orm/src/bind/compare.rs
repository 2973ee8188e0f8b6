//! One CBOR item becomes a value to compare with: what a filter, a range, a list or a prefix asks for.
//!
//! A value that its field could never hold is no error here; it matches nothing.

use covet_db::Value;
use minicbor::decode::Decoder;

use super::value::{
    DATES, DAY, MAX_LIST, MAX_PATTERN, Refusal, Rounding, exact_decimal, float_item, int_item, is_null, misfit, quote,
    store, text_item, value,
};
use crate::decimal;
use crate::schema::{DecimalSpec, Kind};

/// Reads one item that is compared with a field of `kind`. `None`: no value of the field can equal it.
pub(super) fn compare(kind: &Kind, rounding: Rounding, decoder: &mut Decoder<'_>) -> Result<Option<Value>, Refusal> {
    Ok(Some(match kind {
        Kind::Int16 | Kind::Int32 | Kind::Int64 | Kind::Duration | Kind::Datetime | Kind::Date | Kind::Time => {
            Value::Int(int_item(decoder)?)
        }
        Kind::Float32 => {
            let number = float_item(decoder)?;
            let stored = f64::from(number as f32);
            // A float32 field holds the rounded number; past its range the exact one is as good.
            Value::Real(if stored.is_finite() { stored } else { number })
        }
        Kind::Varchar(_) | Kind::Text | Kind::Enumeration(_) | Kind::Url | Kind::Json => {
            Value::Text(text_item(decoder)?.to_owned())
        }
        Kind::Email => Value::Text(text_item(decoder)?.to_lowercase()),
        Kind::Decimal(spec) => {
            let text = text_item(decoder)?;
            let parsed = match decimal::parse(text, spec.scale) {
                Ok(parsed) => parsed,
                Err(decimal::Refused::Syntax) => {
                    return Err(value(format!("{} is not a decimal: write it as -12.50", quote(text))));
                }
                Err(decimal::Refused::Range { negative }) => {
                    decimal::Parsed { floor: if negative { i128::MIN + 1 } else { i128::MAX }, exact: true }
                }
            };
            if !parsed.exact && rounding == Rounding::Never {
                return Ok(None);
            }
            let up = !parsed.exact && rounding == Rounding::Ceiling;
            let unscaled = parsed.floor.saturating_add(i128::from(up));
            if !decimal::fits(unscaled, *spec) {
                return Ok(beyond(*spec, unscaled < 0, rounding));
            }
            Value::Decimal { unscaled, digits: spec.digits, scale: spec.scale }
        }
        Kind::Boolean | Kind::Float64 | Kind::Binary | Kind::Uuid => {
            return store(kind, decoder).map(Some);
        }
    }))
}

/// A stored value just past every decimal of the field, on the side asked for.
fn beyond(spec: DecimalSpec, negative: bool, rounding: Rounding) -> Option<Value> {
    if rounding == Rounding::Never {
        return None;
    }
    Some(if spec.digits <= decimal::INTEGER_DIGITS {
        let past = i64::try_from(decimal::ten_to(spec.digits)).unwrap_or(i64::MAX);
        Value::Int(if negative { -past } else { past })
    } else {
        // Stored texts begin with 0 or 1.
        Value::Text(if negative { String::new() } else { "2".to_owned() })
    })
}

/// A value that nothing stored in a field of `kind` equals.
pub(super) fn unmatched(kind: &Kind) -> Value {
    match kind {
        Kind::Decimal(spec) if spec.digits <= decimal::INTEGER_DIGITS => Value::Int(i64::MIN),
        _ => Value::Text(String::new()),
    }
}

/// Reads the array of an `in`.
pub(super) fn list(kind: &Kind, decoder: &mut Decoder<'_>) -> Result<Value, Refusal> {
    let at = decoder.clone();
    let length = match decoder.array() {
        Ok(Some(length)) => usize::try_from(length).unwrap_or(usize::MAX),
        _ => return Err(misfit("an array (of definite length)", &at)),
    };
    if length > MAX_LIST {
        return Err(value(format!("has {length} values, `in` takes at most {MAX_LIST}: ask in several queries")));
    }
    // Each value takes a byte at least, so the bytes at hand bound what is reserved.
    let left = decoder.input().len().saturating_sub(decoder.position());
    let mut values = Vec::with_capacity(length.min(left));
    for _ in 0..length {
        if is_null(decoder) {
            return Err(value("null equals nothing, so `in` does not take it: use isnull"));
        }
        values.extend(compare(kind, Rounding::Never, decoder)?);
    }
    Ok(Value::List(values))
}

/// Reads one end of the array of a `range`.
pub(super) fn bound(kind: &Kind, second: bool, decoder: &mut Decoder<'_>) -> Result<Value, Refusal> {
    let at = decoder.clone();
    if !matches!(decoder.array(), Ok(Some(2))) {
        return Err(misfit("an array of two, [from, to]", &at));
    }
    if is_null(decoder) {
        return Err(value("an end of a range must not be null: use gte or lte"));
    }
    let low = compare(kind, Rounding::Ceiling, decoder)?;
    if !second {
        return Ok(low.unwrap_or_else(|| unmatched(kind)));
    }
    if is_null(decoder) {
        return Err(value("an end of a range must not be null: use gte or lte"));
    }
    Ok(compare(kind, Rounding::Floor, decoder)?.unwrap_or_else(|| unmatched(kind)))
}

/// Reads a text that is looked for.
pub(super) fn needle<'b>(decoder: &mut Decoder<'b>) -> Result<&'b str, Refusal> {
    text_item(decoder)
}

/// Reads a regular expression; whether it is one, the database says.
pub(super) fn pattern(folded: bool, decoder: &mut Decoder<'_>) -> Result<Value, Refusal> {
    let text = text_item(decoder)?;
    if text.len() > MAX_PATTERN {
        return Err(value(format!(
            "a regular expression has at most {MAX_PATTERN} bytes, this one has {}",
            text.len()
        )));
    }
    Ok(Value::Text(if folded { format!("(?i){text}") } else { text.to_owned() }))
}

/// The least value above all texts that begin with `prefix`: the prefix with its last character that has a successor raised.
/// Where there is none, a blob, which SQLite sorts after all text.
pub(super) fn after_prefix(prefix: &str) -> Value {
    let mut head: Vec<char> = prefix.chars().collect();
    while let Some(last) = head.pop() {
        let next = match last {
            '\u{D7FF}' => Some('\u{E000}'),
            other => char::from_u32(u32::from(other).saturating_add(1)),
        };
        if let Some(next) = next {
            head.push(next);
            return Value::Text(head.into_iter().collect());
        }
    }
    Value::Bytes(Vec::new())
}

/// First moment of a year in the unit of `kind` (days or microseconds); a year outside the calendar has none that matches.
pub(super) fn year_start(kind: &Kind, year: i64, next: bool) -> Value {
    if !(1..=9999).contains(&year) {
        // From the greatest to the least: empty.
        return Value::Int(if next { i64::MIN } else { i64::MAX });
    }
    let before = year - 1 + i64::from(next);
    let days = before * 365 + before / 4 - before / 100 + before / 400 + DATES.0;
    Value::Int(if matches!(kind, Kind::Date) { days } else { days * DAY })
}

/// Reads the operand of add, subtract or multiply on a field of `kind`.
pub(super) fn delta(kind: &Kind, decoder: &mut Decoder<'_>) -> Result<Value, Refusal> {
    match kind {
        Kind::Float32 | Kind::Float64 => Ok(Value::Real(float_item(decoder)?)),
        Kind::Decimal(spec) => {
            let unscaled = exact_decimal(text_item(decoder)?, *spec)?;
            Ok(Value::Decimal { unscaled, digits: spec.digits, scale: spec.scale })
        }
        _ => Ok(Value::Int(int_item(decoder)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_year_is_a_range_of_days_and_microseconds() {
        assert_eq!(year_start(&Kind::Date, 1970, false), Value::Int(0));
        assert_eq!(year_start(&Kind::Date, 1970, true), Value::Int(365));
        assert_eq!(year_start(&Kind::Date, 2024, false), Value::Int(19_723));
        assert_eq!(year_start(&Kind::Date, 2024, true), Value::Int(20_089));
        assert_eq!(year_start(&Kind::Datetime, 1969, false), Value::Int(-365 * DAY));
        assert_eq!(year_start(&Kind::Date, 1, false), Value::Int(DATES.0));
        assert_eq!(year_start(&Kind::Date, 9999, true), Value::Int(DATES.1 + 1));
        assert_eq!(year_start(&Kind::Date, i64::MAX, false), Value::Int(i64::MAX));
    }

    #[test]
    fn a_prefix_ends_where_the_next_text_begins() {
        assert_eq!(after_prefix("ab"), Value::Text("ac".into()));
        assert_eq!(after_prefix("a\u{10FFFF}"), Value::Text("b".into()));
        assert_eq!(after_prefix("\u{D7FF}"), Value::Text("\u{E000}".into()));
        assert_eq!(after_prefix(""), Value::Bytes(Vec::new()));
        assert_eq!(after_prefix("\u{10FFFF}"), Value::Bytes(Vec::new()));
    }
}
