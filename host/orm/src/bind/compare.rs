//! One CBOR item becomes a value to compare with: what a filter, a range, a list or a prefix asks for.
//!
//! A value that its field could never hold is no error here; it matches nothing.

use covet_db::Value;
use minicbor::decode::Decoder;

use super::array::canonical;
use super::text::canonical_ip;
use super::value::{
    DATES, DAY, MAX_LIST, MAX_PATTERN, Refusal, Rounding, float_item, int_item, is_null, misfit, quote, store,
    text_item, value,
};
use crate::schema::{DecimalSpec, Kind};
use crate::{Dialect, decimal};

/// Reads one item that is compared with a field of `kind`. `None`: no value of the field can equal it.
pub(super) fn compare(
    dialect: Dialect,
    kind: &Kind,
    rounding: Rounding,
    decoder: &mut Decoder<'_>,
) -> Result<Option<Value>, Refusal> {
    Ok(Some(match kind {
        Kind::Int16 | Kind::Int32 | Kind::Int64 | Kind::Duration => Value::Int(int_item(decoder)?),
        Kind::Datetime | Kind::Date => {
            let (first, last) = calendar(kind);
            let at = int_item(decoder)?;
            return Ok(match rounding {
                Rounding::Never if !(first..=last).contains(&at) => None,
                // Just before the calendar begins is the furthest that every database can write.
                Rounding::Below => Some(Value::Int(at.saturating_sub(1).clamp(first - 1, last))),
                _ => Some(Value::Int(at.clamp(first - 1, last))),
            });
        }
        Kind::Float32 => {
            let number = float_item(decoder)?;
            let stored = f64::from(number as f32);
            // A float32 field holds the rounded number; past its range the exact one is as good.
            Value::Real(if stored.is_finite() { stored } else { number })
        }
        Kind::Varchar(_) | Kind::Slug(_) | Kind::Text | Kind::Enumeration(_) | Kind::Url => {
            Value::Text(text_item(decoder)?.to_owned())
        }
        // Compared in the form in which it is stored; what has no such form equals nothing that is.
        Kind::IpAddress => match canonical_ip(text_item(decoder)?) {
            Ok(address) => Value::Text(address),
            Err(_) => return Ok(None),
        },
        Kind::Array(spec) => match canonical(*spec, text_item(decoder)?) {
            Ok(array) => Value::Text(array),
            Err(_) => return Ok(None),
        },
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
                return Ok((rounding != Rounding::Never).then(|| beyond(dialect, *spec, unscaled < 0)));
            }
            Value::Decimal { unscaled, digits: spec.digits, scale: spec.scale }
        }
        Kind::Boolean | Kind::Float64 | Kind::Binary | Kind::Uuid | Kind::Time | Kind::Json => {
            return store(kind, decoder).map(Some);
        }
    }))
}

/// First and last value of a date or datetime.
fn calendar(kind: &Kind) -> (i64, i64) {
    if matches!(kind, Kind::Date) { DATES } else { (DATES.0 * DAY, (DATES.1 + 1) * DAY - 1) }
}

/// A value just past every decimal of the field, on the side asked for; on SQLite in the form that is stored.
fn beyond(dialect: Dialect, spec: DecimalSpec, negative: bool) -> Value {
    let past = decimal::ten_to(spec.digits);
    match dialect {
        Dialect::Sqlite if spec.digits <= decimal::INTEGER_DIGITS => {
            let past = i64::try_from(past).unwrap_or(i64::MAX);
            Value::Int(if negative { -past } else { past })
        }
        // Stored texts begin with 0 or 1.
        Dialect::Sqlite => Value::Text(if negative { String::new() } else { "2".to_owned() }),
        Dialect::Postgres | Dialect::MySql => {
            Value::Decimal { unscaled: if negative { -past } else { past }, digits: spec.digits + 1, scale: spec.scale }
        }
    }
}

/// A value that nothing stored in a field of `kind` equals.
pub(super) fn unmatched(dialect: Dialect, kind: &Kind) -> Value {
    match kind {
        Kind::Decimal(spec) => beyond(dialect, *spec, true),
        Kind::Datetime | Kind::Date => Value::Int(calendar(kind).0 - 1),
        _ => Value::Text(String::new()),
    }
}

/// Reads the array of an `in`.
pub(super) fn list(dialect: Dialect, kind: &Kind, decoder: &mut Decoder<'_>) -> Result<Value, Refusal> {
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
        values.extend(compare(dialect, kind, Rounding::Never, decoder)?);
    }
    Ok(Value::List(values))
}

/// Reads one end of the array of a `range`.
pub(super) fn bound(dialect: Dialect, kind: &Kind, second: bool, decoder: &mut Decoder<'_>) -> Result<Value, Refusal> {
    let at = decoder.clone();
    if !matches!(decoder.array(), Ok(Some(2))) {
        return Err(misfit("an array of two, [from, to]", &at));
    }
    if let Kind::Datetime | Kind::Date = kind {
        return moments(kind, second, decoder);
    }
    let mut end = |rounding| {
        not_null(decoder)?;
        Ok(compare(dialect, kind, rounding, decoder)?.unwrap_or_else(|| unmatched(dialect, kind)))
    };
    let low = end(Rounding::Ceiling)?;
    if second { end(Rounding::Floor) } else { Ok(low) }
}

/// One end of a range of moments, both brought into the calendar; a range that misses it becomes an empty one.
fn moments(kind: &Kind, second: bool, decoder: &mut Decoder<'_>) -> Result<Value, Refusal> {
    let (first, last) = calendar(kind);
    not_null(decoder)?;
    let low = int_item(decoder)?;
    not_null(decoder)?;
    let high = int_item(decoder)?;
    let (low, high) =
        if low > last || high < first { (last, first) } else { (low.clamp(first, last), high.clamp(first, last)) };
    Ok(Value::Int(if second { high } else { low }))
}

fn not_null(decoder: &Decoder<'_>) -> Result<(), Refusal> {
    if is_null(decoder) { Err(value("an end of a range must not be null: use gte or lte")) } else { Ok(()) }
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

/// The pattern of LIKE for texts that begin with `prefix`, escaped by `|`.
pub(super) fn prefix_pattern(prefix: &str) -> String {
    let mut pattern = String::with_capacity(prefix.len() + 1);
    for letter in prefix.chars() {
        if matches!(letter, '%' | '_' | '|') {
            pattern.push('|');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

/// The last unit of `kind` (day or microsecond) before a year. A year outside the calendar begins after everything.
pub(super) fn before_year(kind: &Kind, year: i64) -> i64 {
    if (1..=9999).contains(&year) { year_start(kind, year) - 1 } else { calendar(kind).1 }
}

/// The last unit of a year; one outside the calendar ends before everything.
pub(super) fn end_of_year(kind: &Kind, year: i64) -> i64 {
    if (1..=9999).contains(&year) { year_start(kind, year + 1) - 1 } else { calendar(kind).0 - 1 }
}

/// First unit of a year from 1 to 10000.
fn year_start(kind: &Kind, year: i64) -> i64 {
    let before = year - 1;
    let days = before * 365 + before / 4 - before / 100 + before / 400 + DATES.0;
    if matches!(kind, Kind::Date) { days } else { days * DAY }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_year_is_a_range_of_days_and_microseconds() {
        let year = |kind: Kind, year: i64| (before_year(&kind, year), end_of_year(&kind, year));
        assert_eq!(year(Kind::Date, 1970), (-1, 364));
        assert_eq!(year(Kind::Date, 2024), (19_722, 20_088));
        assert_eq!(year(Kind::Datetime, 1969), (-365 * DAY - 1, -1));
        assert_eq!(year(Kind::Date, 1), (DATES.0 - 1, DATES.0 + 364));
        assert_eq!(year(Kind::Date, 9999).1, DATES.1);
        for none in [i64::MIN, 0, 10_000, i64::MAX] {
            assert_eq!(year(Kind::Date, none), (DATES.1, DATES.0 - 1));
        }
    }

    #[test]
    fn a_pattern_means_its_letters() {
        assert_eq!(prefix_pattern("100%_a|b\\"), "100|%|_a||b\\%");
        assert_eq!(prefix_pattern(""), "%");
    }

    fn compared(kind: &Kind, rounding: Rounding, at: i64) -> Option<Value> {
        let bytes = minicbor::to_vec(at).unwrap();
        compare(Dialect::MySql, kind, rounding, &mut Decoder::new(&bytes)).unwrap()
    }

    #[test]
    fn moments_outside_the_calendar_are_compared_from_its_edge() {
        let (first, last) = calendar(&Kind::Datetime);
        for far in [i64::MIN, first - 1] {
            assert_eq!(compared(&Kind::Datetime, Rounding::Floor, far), Some(Value::Int(first - 1)));
            assert_eq!(compared(&Kind::Datetime, Rounding::Below, far), Some(Value::Int(first - 1)));
        }
        for far in [i64::MAX, last + 1] {
            assert_eq!(compared(&Kind::Datetime, Rounding::Floor, far), Some(Value::Int(last)));
            assert_eq!(compared(&Kind::Datetime, Rounding::Below, far), Some(Value::Int(last)));
        }
        assert_eq!(compared(&Kind::Datetime, Rounding::Below, last), Some(Value::Int(last - 1)));
        assert_eq!(compared(&Kind::Date, Rounding::Never, DATES.1 + 1), None);
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
