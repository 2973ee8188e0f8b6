//! One CBOR item becomes one database value, as the place it goes to demands.

use covet_db::Value;
use minicbor::data::Type;
use minicbor::decode::Decoder;

use super::text;
use crate::decimal;
use crate::schema::{DecimalSpec, Kind};

/// Most values of one `in` list.
pub const MAX_LIST: usize = 10_000;
/// Longest regular expression, bytes.
pub const MAX_PATTERN: usize = 1_000;
/// Days of 0001-01-01 and 9999-12-31: what all three databases and the common languages can hold.
const DATES: (i64, i64) = (-719_162, 2_932_896);
const DAY: i64 = 86_400_000_000;

/// Why an item was refused.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It is not of the right CBOR type, or is malformed: a fault of the query.
    Misfit(String),
    /// The field doesn't take this value.
    Value(String),
}

fn value(reason: impl Into<String>) -> Refusal {
    Refusal::Value(reason.into())
}

/// What to do with a decimal that has more digits behind the point than its field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rounding {
    /// Equality: nothing can match.
    Never,
    /// `x > 1.005` and `x <= 1.005` over hundredths are `x > 1.00` and `x <= 1.00`.
    Floor,
    /// `x >= 1.005` and `x < 1.005` over hundredths are `x >= 1.01` and `x < 1.01`.
    Ceiling,
}

/// How a parameter becomes the value of one placeholder.
#[derive(Clone, Debug)]
pub(crate) enum Code {
    /// To be stored: every constraint of the field holds.
    Store,
    /// To be compared with the field: right type, but a value that the field could not hold simply matches nothing.
    Compare(Rounding),
    /// Array of such, for `in`.
    List,
    /// First or second item of an array of two, for `range`.
    Bound {
        second: bool,
    },
    /// Text looked for within the field; in lower case when `folded`.
    Needle {
        folded: bool,
        bytes: bool,
    },
    /// Regular expression; for any case when `folded`.
    Pattern {
        folded: bool,
    },
    /// Bounds of all texts that begin with the parameter, in byte order.
    PrefixLow,
    PrefixHigh,
    /// Bounds of a year, for a date or a datetime.
    YearLow,
    YearHigh,
    /// Part of a date or time.
    Part,
    /// Bool of `isnull`.
    Flag,
    /// Operand of add, subtract, multiply.
    Delta,
    /// A count of rows, at most so many.
    Rows {
        most: i64,
    },
    /// Not from the parameters at all.
    Constant(Value),
}

fn misfit(expected: &str, decoder: &Decoder<'_>) -> Refusal {
    let got = match decoder.datatype() {
        Ok(Type::Null | Type::Undefined) => "null".to_owned(),
        Ok(other) => other.to_string(),
        Err(_) => "the end of the parameters".to_owned(),
    };
    Refusal::Misfit(format!("expected {expected}, got {got}"))
}

/// True when the next item is null (or undefined).
pub(super) fn is_null(decoder: &Decoder<'_>) -> bool {
    matches!(decoder.input().get(decoder.position()), Some(0xf6 | 0xf7))
}

fn text_item<'b>(decoder: &mut Decoder<'b>) -> Result<&'b str, Refusal> {
    let at = decoder.clone();
    decoder
        .str()
        .map_err(|_| misfit("text (UTF-8, of definite length)", &at))
}

pub(super) fn bytes_item<'b>(decoder: &mut Decoder<'b>) -> Result<&'b [u8], Refusal> {
    let at = decoder.clone();
    decoder
        .bytes()
        .map_err(|_| misfit("bytes (of definite length)", &at))
}

pub(super) fn int_item(decoder: &mut Decoder<'_>) -> Result<i64, Refusal> {
    let at = decoder.clone();
    decoder.i64().map_err(|_| match at.datatype() {
        Ok(Type::U64 | Type::I64 | Type::Int) => {
            value("is past 64 bits: from -9223372036854775808 to 9223372036854775807")
        }
        _ => misfit("an int", &at),
    })
}

pub(super) fn bool_item(decoder: &mut Decoder<'_>) -> Result<bool, Refusal> {
    let at = decoder.clone();
    decoder.bool().map_err(|_| misfit("a bool", &at))
}

fn float_item(decoder: &mut Decoder<'_>) -> Result<f64, Refusal> {
    let at = decoder.clone();
    let number = match decoder.datatype() {
        Ok(Type::F16) => half_item(decoder),
        Ok(Type::F32) => decoder.f32().map(f64::from).ok(),
        Ok(Type::F64) => decoder.f64().ok(),
        // Languages with one number type send 3.0 as 3; only what a float holds exactly is taken.
        Ok(
            Type::U8
            | Type::U16
            | Type::U32
            | Type::U64
            | Type::I8
            | Type::I16
            | Type::I32
            | Type::I64,
        ) => {
            let whole = int_item(decoder)?;
            if whole.unsigned_abs() > 1 << 53 {
                return Err(value(
                    "is an int that no float holds exactly: send it as a float",
                ));
            }
            Some(whole as f64)
        }
        _ => None,
    };
    match number {
        Some(number) if number.is_finite() => Ok(number),
        Some(_) => Err(value("must be finite: NaN and infinities are not stored")),
        None => Err(misfit("a float", &at)),
    }
}

/// A float of 16 bits, which encoders that shorten send for 1.5 (RFC 8949, appendix D).
fn half_item(decoder: &mut Decoder<'_>) -> Option<f64> {
    let at = decoder.position();
    let bytes: [u8; 2] = decoder.input().get(at + 1..at + 3)?.try_into().ok()?;
    decoder.set_position(at + 3);
    let bits = u16::from_be_bytes(bytes);
    let (exponent, mantissa) = (i32::from(bits >> 10 & 0x1f), f64::from(bits & 0x3ff));
    let magnitude = match exponent {
        0 => mantissa * 2_f64.powi(-24),
        31 => {
            return Some(if mantissa == 0.0 {
                f64::INFINITY
            } else {
                f64::NAN
            });
        }
        _ => (mantissa + 1024.0) * 2_f64.powi(exponent - 25),
    };
    Some(if bits >> 15 == 1 {
        -magnitude
    } else {
        magnitude
    })
}

/// Reads one item that is to be stored in a field of `kind`; null is the caller's business.
pub(crate) fn store(kind: &Kind, decoder: &mut Decoder<'_>) -> Result<Value, Refusal> {
    match kind {
        Kind::Boolean => Ok(Value::Bool(bool_item(decoder)?)),
        Kind::Int16 => ranged(decoder, i64::from(i16::MIN), i64::from(i16::MAX), "int16"),
        Kind::Int32 => ranged(decoder, i64::from(i32::MIN), i64::from(i32::MAX), "int32"),
        Kind::Int64 | Kind::Duration => Ok(Value::Int(int_item(decoder)?)),
        Kind::Float64 => Ok(Value::Real(float_item(decoder)?)),
        Kind::Float32 => {
            let number = float_item(decoder)? as f32;
            if number.is_infinite() {
                return Err(value("is past what float32 holds: use float64"));
            }
            Ok(Value::Real(f64::from(number)))
        }
        Kind::Decimal(spec) => {
            let unscaled = exact_decimal(text_item(decoder)?, *spec)?;
            Ok(Value::Decimal {
                unscaled,
                digits: spec.digits,
                scale: spec.scale,
            })
        }
        Kind::Varchar(limit) => {
            let text = text_item(decoder)?;
            let limit = *limit as usize;
            // Bytes bound characters from above, so most texts need no count.
            if text.len() > limit {
                let length = text.chars().count();
                if length > limit {
                    return Err(value(format!(
                        "has {length} characters, at most {limit} fit"
                    )));
                }
            }
            Ok(Value::Text(text.to_owned()))
        }
        Kind::Text => Ok(Value::Text(text_item(decoder)?.to_owned())),
        Kind::Enumeration(values) => {
            let text = text_item(decoder)?;
            if !values.iter().any(|one| one == text) {
                return Err(value(format!(
                    "{} is none of its values: {}",
                    quote(text),
                    listing(values)
                )));
            }
            Ok(Value::Text(text.to_owned()))
        }
        Kind::Email => {
            let text = text_item(decoder)?.to_lowercase();
            text::check_email(&text).map_err(Refusal::Value)?;
            Ok(Value::Text(text))
        }
        Kind::Url => {
            let text = text_item(decoder)?;
            text::check_url(text).map_err(Refusal::Value)?;
            Ok(Value::Text(text.to_owned()))
        }
        Kind::Json => {
            let text = text_item(decoder)?;
            text::check_json(text).map_err(Refusal::Value)?;
            Ok(Value::Text(text.to_owned()))
        }
        Kind::Binary => Ok(Value::Bytes(bytes_item(decoder)?.to_vec())),
        Kind::Uuid => uuid(decoder),
        Kind::Datetime => {
            let (first, last) = (DATES.0 * DAY, (DATES.1 + 1) * DAY - 1);
            in_calendar(int_item(decoder)?, first, last)
        }
        Kind::Date => in_calendar(int_item(decoder)?, DATES.0, DATES.1),
        Kind::Time => {
            let at = int_item(decoder)?;
            if !(0..DAY).contains(&at) {
                return Err(value(format!(
                    "{at} is no time of day: from 0 to 86399999999 microseconds"
                )));
            }
            Ok(Value::Int(at))
        }
    }
}

fn ranged(decoder: &mut Decoder<'_>, least: i64, most: i64, kind: &str) -> Result<Value, Refusal> {
    let number = int_item(decoder)?;
    if number < least || number > most {
        return Err(value(format!(
            "{number} is past what {kind} holds: from {least} to {most}"
        )));
    }
    Ok(Value::Int(number))
}

fn in_calendar(at: i64, first: i64, last: i64) -> Result<Value, Refusal> {
    if at < first || at > last {
        return Err(value(format!(
            "{at} is outside the years 0001 to 9999 (from {first} to {last})"
        )));
    }
    Ok(Value::Int(at))
}

fn uuid(decoder: &mut Decoder<'_>) -> Result<Value, Refusal> {
    let bytes = bytes_item(decoder)?;
    <[u8; 16]>::try_from(bytes)
        .map(Value::Uuid)
        .map_err(|_| value(format!("a UUID has 16 bytes, this has {}", bytes.len())))
}

fn exact_decimal(text: &str, spec: DecimalSpec) -> Result<i128, Refusal> {
    let room = || {
        format!(
            "{} digits, {} of them behind the point",
            spec.digits, spec.scale
        )
    };
    match decimal::parse(text, spec.scale) {
        Ok(parsed) if !parsed.exact => Err(value(format!(
            "{} has more digits behind the point than fit: {}",
            quote(text),
            room()
        ))),
        Ok(parsed) if decimal::fits(parsed.floor, spec) => Ok(parsed.floor),
        Ok(_) | Err(decimal::Refused::Range { .. }) => Err(value(format!(
            "{} has more digits than fit: {}",
            quote(text),
            room()
        ))),
        Err(decimal::Refused::Syntax) => Err(value(format!(
            "{} is not a decimal: write it as -12.50",
            quote(text)
        ))),
    }
}

/// Reads one item that is compared with a field of `kind`. `None`: no value of the field can equal it.
pub(super) fn compare(
    kind: &Kind,
    rounding: Rounding,
    decoder: &mut Decoder<'_>,
) -> Result<Option<Value>, Refusal> {
    Ok(Some(match kind {
        Kind::Int16
        | Kind::Int32
        | Kind::Int64
        | Kind::Duration
        | Kind::Datetime
        | Kind::Date
        | Kind::Time => Value::Int(int_item(decoder)?),
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
                    return Err(value(format!(
                        "{} is not a decimal: write it as -12.50",
                        quote(text)
                    )));
                }
                Err(decimal::Refused::Range { negative }) => decimal::Parsed {
                    floor: if negative { i128::MIN + 1 } else { i128::MAX },
                    exact: true,
                },
            };
            if !parsed.exact && rounding == Rounding::Never {
                return Ok(None);
            }
            let up = !parsed.exact && rounding == Rounding::Ceiling;
            let unscaled = parsed.floor.saturating_add(i128::from(up));
            if !decimal::fits(unscaled, *spec) {
                return Ok(beyond(*spec, unscaled < 0, rounding));
            }
            Value::Decimal {
                unscaled,
                digits: spec.digits,
                scale: spec.scale,
            }
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
        Value::Text(if negative {
            String::new()
        } else {
            "2".to_owned()
        })
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
        return Err(value(format!(
            "has {length} values, `in` takes at most {MAX_LIST}: ask in several queries"
        )));
    }
    // Each value takes a byte at least, so the bytes at hand bound what is reserved.
    let left = decoder.input().len().saturating_sub(decoder.position());
    let mut values = Vec::with_capacity(length.min(left));
    for _ in 0..length {
        if is_null(decoder) {
            return Err(value(
                "null equals nothing, so `in` does not take it: use isnull",
            ));
        }
        values.extend(compare(kind, Rounding::Never, decoder)?);
    }
    Ok(Value::List(values))
}

/// Reads one end of the array of a `range`.
pub(super) fn bound(
    kind: &Kind,
    second: bool,
    decoder: &mut Decoder<'_>,
) -> Result<Value, Refusal> {
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
    Ok(Value::Text(if folded {
        format!("(?i){text}")
    } else {
        text.to_owned()
    }))
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
    Value::Int(if matches!(kind, Kind::Date) {
        days
    } else {
        days * DAY
    })
}

/// Reads the operand of add, subtract or multiply on a field of `kind`.
pub(super) fn delta(kind: &Kind, decoder: &mut Decoder<'_>) -> Result<Value, Refusal> {
    match kind {
        Kind::Float32 | Kind::Float64 => Ok(Value::Real(float_item(decoder)?)),
        Kind::Decimal(spec) => {
            let unscaled = exact_decimal(text_item(decoder)?, *spec)?;
            Ok(Value::Decimal {
                unscaled,
                digits: spec.digits,
                scale: spec.scale,
            })
        }
        _ => Ok(Value::Int(int_item(decoder)?)),
    }
}

/// A text in an error: quoted and cut to 40 characters.
fn quote(text: &str) -> String {
    let mut cut: String = text.chars().take(40).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    format!("{cut:?}")
}

fn listing(values: &[String]) -> String {
    let mut names: Vec<&str> = values.iter().take(12).map(String::as_str).collect();
    if values.len() > names.len() {
        names.push("…");
    }
    names.join(", ")
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
        assert_eq!(
            year_start(&Kind::Datetime, 1969, false),
            Value::Int(-365 * DAY)
        );
        assert_eq!(year_start(&Kind::Date, 1, false), Value::Int(DATES.0));
        assert_eq!(year_start(&Kind::Date, 9999, true), Value::Int(DATES.1 + 1));
        assert_eq!(
            year_start(&Kind::Date, i64::MAX, false),
            Value::Int(i64::MAX)
        );
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
