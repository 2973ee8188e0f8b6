//! One CBOR item becomes one database value, as the place it goes to demands.

use covet_db::Value;
use minicbor::data::Type;
use minicbor::decode::Decoder;

use super::{array, compare, json, text};
use crate::schema::{DecimalSpec, Kind};
use crate::{Dialect, decimal};

/// Most values of one `in` list.
pub const MAX_LIST: usize = 10_000;
/// Longest regular expression, bytes.
pub const MAX_PATTERN: usize = 1_000;
/// Days of 0001-01-01 and 9999-12-31: what all three databases and the common languages can hold.
pub(super) const DATES: (i64, i64) = (-719_162, 2_932_896);
pub(super) const DAY: i64 = 86_400_000_000;

/// Why an item was refused.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It is not of the right CBOR type, or is malformed: a fault of the query.
    Misfit(String),
    /// The field doesn't take this value.
    Value(String),
}

pub(super) fn value(reason: impl Into<String>) -> Refusal {
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
    /// Of whole units: `x >= 7` and `x < 7` are `x > 6` and `x <= 6`.
    Below,
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
    /// Text looked for within the field; folded when any case will do. On MySQL always as bytes, on PostgreSQL never.
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
    /// The pattern of LIKE for such texts, escaped by `|`.
    PrefixPattern,
    /// Bounds of a year, for a date or a datetime: the last unit before it, and its own last.
    YearLow,
    YearHigh,
    /// Part of a date or time.
    Part,
    /// Bool of `isnull`.
    Flag,
    /// A count of rows, at most so many.
    Rows {
        most: i64,
    },
    /// Not from the parameters at all.
    Constant(Value),
    /// Nor this: the present moment, the same for all placeholders of a call.
    Now,
}

impl Code {
    /// The planner's own: it reads no parameter.
    pub(crate) fn is_own(&self) -> bool {
        matches!(self, Code::Constant(_) | Code::Now)
    }
}

pub(super) fn misfit(expected: &str, decoder: &Decoder<'_>) -> Refusal {
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

pub(super) fn text_item<'b>(decoder: &mut Decoder<'b>) -> Result<&'b str, Refusal> {
    let at = decoder.clone();
    decoder.str().map_err(|_| misfit("text (UTF-8, of definite length)", &at))
}

pub(super) fn bytes_item<'b>(decoder: &mut Decoder<'b>) -> Result<&'b [u8], Refusal> {
    let at = decoder.clone();
    decoder.bytes().map_err(|_| misfit("bytes (of definite length)", &at))
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

pub(super) fn float_item(decoder: &mut Decoder<'_>) -> Result<f64, Refusal> {
    let at = decoder.clone();
    let number = match decoder.datatype() {
        Ok(Type::F16) => half_item(decoder),
        Ok(Type::F32) => decoder.f32().map(f64::from).ok(),
        Ok(Type::F64) => decoder.f64().ok(),
        // Languages with one number type send 3.0 as 3; only what a float holds exactly is taken.
        Ok(Type::U8 | Type::U16 | Type::U32 | Type::U64 | Type::I8 | Type::I16 | Type::I32 | Type::I64) => {
            let whole = int_item(decoder)?;
            if whole.unsigned_abs() > 1 << 53 {
                return Err(value("is an int that no float holds exactly: send it as a float"));
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
            return Some(if mantissa == 0.0 { f64::INFINITY } else { f64::NAN });
        }
        _ => (mantissa + 1024.0) * 2_f64.powi(exponent - 25),
    };
    Some(if bits >> 15 == 1 { -magnitude } else { magnitude })
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
            Ok(Value::Decimal { unscaled, digits: spec.digits, scale: spec.scale })
        }
        Kind::Varchar(limit) => Ok(Value::Text(short_text(decoder, *limit)?.to_owned())),
        Kind::Slug(limit) => {
            let text = short_text(decoder, *limit)?;
            text::check_slug(text).map_err(Refusal::Value)?;
            Ok(Value::Text(text.to_owned()))
        }
        Kind::IpAddress => text::canonical_ip(text_item(decoder)?).map(Value::Text).map_err(Refusal::Value),
        Kind::Array(spec) => array::canonical(*spec, text_item(decoder)?).map(Value::Text).map_err(Refusal::Value),
        Kind::Text => Ok(Value::Text(text_item(decoder)?.to_owned())),
        Kind::Enumeration(values) => {
            let text = text_item(decoder)?;
            if !values.iter().any(|one| one == text) {
                return Err(value(format!("{} is none of its values: {}", quote(text), listing(values))));
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
            json::normal(text).map(Value::Text).map_err(Refusal::Value)
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
                return Err(value(format!("{at} is no time of day: from 0 to 86399999999 microseconds")));
            }
            Ok(Value::Int(at))
        }
    }
}

/// Reads one item that the database answered with for a field of `kind`. What was stored by an older rule is no fault here.
pub(crate) fn stored(kind: &Kind, decoder: &mut Decoder<'_>) -> Result<Value, Refusal> {
    // The dialect has a say in values past the field's range only, of which there are none.
    match compare::compare(Dialect::Sqlite, kind, Rounding::Never, decoder)? {
        Some(value) => Ok(value),
        None => Err(value("is past what its field holds")),
    }
}

/// A text of at most `limit` characters.
fn short_text<'b>(decoder: &mut Decoder<'b>, limit: u32) -> Result<&'b str, Refusal> {
    let text = text_item(decoder)?;
    let limit = limit as usize;
    // Bytes bound characters from above, so most texts need no count.
    if text.len() > limit {
        let length = text.chars().count();
        if length > limit {
            return Err(value(format!("has {length} characters, at most {limit} fit")));
        }
    }
    Ok(text)
}

fn ranged(decoder: &mut Decoder<'_>, least: i64, most: i64, kind: &str) -> Result<Value, Refusal> {
    let number = int_item(decoder)?;
    if number < least || number > most {
        return Err(value(format!("{number} is past what {kind} holds: from {least} to {most}")));
    }
    Ok(Value::Int(number))
}

fn in_calendar(at: i64, first: i64, last: i64) -> Result<Value, Refusal> {
    if at < first || at > last {
        return Err(value(format!("{at} is outside the years 0001 to 9999 (from {first} to {last})")));
    }
    Ok(Value::Int(at))
}

fn uuid(decoder: &mut Decoder<'_>) -> Result<Value, Refusal> {
    let bytes = bytes_item(decoder)?;
    <[u8; 16]>::try_from(bytes)
        .map(Value::Uuid)
        .map_err(|_| value(format!("a UUID has 16 bytes, this has {}", bytes.len())))
}

pub(super) fn exact_decimal(text: &str, spec: DecimalSpec) -> Result<i128, Refusal> {
    let room = || format!("{} digits, {} of them behind the point", spec.digits, spec.scale);
    match decimal::parse(text, spec.scale) {
        Ok(parsed) if !parsed.exact => {
            Err(value(format!("{} has more digits behind the point than fit: {}", quote(text), room())))
        }
        Ok(parsed) if decimal::fits(parsed.floor, spec) => Ok(parsed.floor),
        Ok(_) | Err(decimal::Refused::Range { .. }) => {
            Err(value(format!("{} has more digits than fit: {}", quote(text), room())))
        }
        Err(decimal::Refused::Syntax) => Err(value(format!("{} is not a decimal: write it as -12.50", quote(text)))),
    }
}

/// A text in an error: quoted and cut to 40 characters.
pub(super) fn quote(text: &str) -> String {
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
