//! The trait behind a model's fields, and the scalar types that implement it.

use std::net::IpAddr;

use chrono::{DateTime, NaiveDate, NaiveTime, SubsecRound, TimeDelta, Timelike, Utc};
use minicbor::Decoder;
use serde::{Serialize, Serializer};
use uuid::Uuid;

use super::meta::{Kind, Target};
use crate::wire::{DecodeError, null, put};
use crate::{Decimal, Json};

/// A Rust type that a model's field may have.
///
/// | Rust | column | crosses the wall as |
/// |---|---|---|
/// | `bool` | boolean | bool |
/// | `i16`, `i32`, `i64` | integer | int |
/// | `u16`, `u32` | the next wider integer, with a rule of the table that it is not negative | int |
/// | `f32`, `f64` | real | float; NaN and infinities are refused by the host |
/// | [`Decimal`] | exact decimal, `digits = 18, scale = 2` unless `#[field(digits, scale)]` says otherwise | text |
/// | `String` | varchar with `#[field(max_length = n)]`, else text | text |
/// | [`Email`](super::Email), [`Url`](super::Url), [`Slug`](super::Slug) | text, checked | text |
/// | [`IpAddr`] | text in its canonical form | text |
/// | `Vec<T>` of an [`Element`](super::Element) | JSON array | text |
/// | [`Binary`](super::Binary), `Vec<u8>` | blob | bytes |
/// | `DateTime<Utc>` | timestamp with time zone, microseconds | int |
/// | [`Date`](crate::Date), [`Time`](crate::Time), [`Duration`](crate::Duration) | | int |
/// | [`Json<T>`](crate::Json) | JSON | text |
/// | `Uuid` | uuid | 16 bytes |
/// | an enum with `#[derive(Choices)]` | enumeration | text |
/// | [`Id<M>`](super::Id) | primary key that the database numbers | int |
/// | [`ForeignKey<M>`](super::ForeignKey) | the key of an `M` | as that key |
/// | `Option<T>` of these | nullable | null, or as `T` |
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a field of a model",
    label = "not a field type",
    note = "write one of: bool, i16, i32, i64, u16, u32, f32, f64, Decimal, String, Email, Url, Slug, IpAddr, Binary, DateTime<Utc>, Date, Time, Duration, Json<T>, Uuid, Vec<T>, Id<Self>, ForeignKey<M>, OneToOne<M>, an enum with #[derive(Choices)], or an Option of these"
)]
pub trait Field: Sized {
    /// The type that is compared and assigned: the field's own, without `Option`.
    type Bare: Scalar;
    /// The field's own type, nullable: what it becomes behind a relation that may be null.
    type Nullable: Field<Bare = Self::Bare>;

    /// What the column holds.
    const KIND: Kind;
    /// True for `Option`.
    const NULLABLE: bool = false;
    /// True for `Id`: primary key, numbered by the database.
    const AUTO: bool = false;
    /// The numbers that the type holds, where its column holds more; the database enforces them.
    const RANGE: Option<(i64, i64)> = None;
    /// The model that a `ForeignKey` points to.
    const TARGET: Option<Target> = None;

    /// Writes the value as one CBOR item.
    fn encode(&self, out: &mut Vec<u8>);

    /// Reads what [`encode`](Field::encode) or the host wrote.
    ///
    /// # Errors
    /// When the next item is not of this kind.
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError>;

    /// The value, unless it is null.
    fn bare(&self) -> Option<&Self::Bare>;

    /// How the field appears in JSON.
    ///
    /// # Errors
    /// Those of the serializer.
    fn json<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;

    /// Why the value cannot be stored, known before the host is asked.
    ///
    /// # Errors
    /// The reason, for people.
    fn ready(&self) -> Result<(), &'static str> {
        Ok(())
    }

    /// Hands a related row, which `select_related` fetched, to the relation that it belongs to.
    #[doc(hidden)]
    fn attach(&mut self, path: &[u8], d: &mut Decoder<'_>) -> Result<(), DecodeError> {
        let _ = path;
        d.skip()
    }
}

/// A field type that is never null.
#[diagnostic::on_unimplemented(message = "`{Self}` is not a plain value of a field")]
pub trait Scalar: Field {}

/// Types with an order that the database knows: `gt`, `gte`, `lt`, `lte`, `range`.
#[diagnostic::on_unimplemented(
    message = "columns of `{Self}` have no order",
    label = "`gt`, `gte`, `lt`, `lte` and `range` need numbers, text, dates or times",
    note = "compare with `eq`, `ne` or `is_in`"
)]
pub trait Ordered: Scalar {}

/// Types that are text: `contains`, `startswith`, `endswith`, `iexact`, `regex` and their `i…` forms.
#[diagnostic::on_unimplemented(
    message = "columns of `{Self}` are not text",
    label = "`contains`, `startswith`, `endswith`, `regex` and the `i…` look-ups need text",
    note = "text is String, Email or Url; compare others with `eq`, `gt`, `lt`, `range` or `is_in`"
)]
pub trait Textual: Scalar {}

/// Types to calculate with: `add`, `sub`, `mul` in an update.
#[diagnostic::on_unimplemented(
    message = "columns of `{Self}` are not numbers",
    label = "`add`, `sub` and `mul` need a number",
    note = "write `set(…)` with the new value"
)]
pub trait Numeric: Scalar {}

/// Types with a calendar day: `year`, `month`, `day`, `week_day`.
#[diagnostic::on_unimplemented(
    message = "columns of `{Self}` have no date",
    label = "`year`, `month`, `day` and `week_day` need DateTime<Utc> or Date"
)]
pub trait HasDate: Scalar {}

/// Types with a time of day: `hour`, `minute`, `second`.
#[diagnostic::on_unimplemented(
    message = "columns of `{Self}` have no time of day",
    label = "`hour`, `minute` and `second` need DateTime<Utc> or Time"
)]
pub trait HasTime: Scalar {}

/// Types that `auto_now` and `auto_now_add` can fill.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be filled by auto_now",
    label = "auto_now and auto_now_add need DateTime<Utc>, Date or Time"
)]
pub trait Now: Field {
    /// As this moment, the same for all fields of a row.
    fn at(moment: DateTime<Utc>) -> Self;
}

/// The lines that are the same in every scalar.
macro_rules! scalar {
    ($($ty:ty: $kind:expr, [$($marker:ident),*], |$value:ident, $out:ident| $encode:expr, |$d:ident| $decode:expr, |$this:ident, $s:ident| $json:expr;)*) => {$(
        impl Field for $ty {
            type Bare = Self;
            type Nullable = Option<Self>;
            const KIND: Kind = $kind;
            #[inline]
            fn encode(&self, $out: &mut Vec<u8>) {
                let $value = self;
                let _ = $encode;
            }
            #[inline]
            fn decode($d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
                $decode
            }
            #[inline]
            fn bare(&self) -> Option<&Self> {
                Some(self)
            }
            fn json<S: Serializer>(&self, $s: S) -> Result<S::Ok, S::Error> {
                let $this = self;
                $json
            }
        }
        impl Scalar for $ty {}
        $(#[diagnostic::do_not_recommend] impl $marker for $ty {})*
    )*};
}
pub(crate) use scalar;

scalar! {
    bool: Kind::Boolean, [], |v, out| put(out).bool(*v), |d| d.bool(), |v, s| v.serialize(s);
    i16: Kind::Int16, [Ordered, Numeric], |v, out| put(out).i16(*v), |d| d.i16(), |v, s| v.serialize(s);
    i32: Kind::Int32, [Ordered, Numeric], |v, out| put(out).i32(*v), |d| d.i32(), |v, s| v.serialize(s);
    i64: Kind::Int64, [Ordered, Numeric], |v, out| put(out).i64(*v), |d| d.i64(), |v, s| v.serialize(s);
    IpAddr: Kind::IpAddress, [Ordered, Textual], |v, out| put(out).str(&v.to_string()), |d| parse(d, "an IP address"), |v, s| v.serialize(s);
    f32: Kind::Float32, [Ordered, Numeric], |v, out| put(out).f32(*v), |d| real(d).map(|v| v as f32), |v, s| v.serialize(s);
    f64: Kind::Float64, [Ordered, Numeric], |v, out| put(out).f64(*v), |d| real(d), |v, s| v.serialize(s);
    Decimal: Kind::Decimal { digits: 18, scale: 2 }, [Ordered, Numeric],
        |v, out| put(out).str(&v.to_plain_string()), |d| parse(d, "a decimal"), |v, s| s.collect_str(&v.to_plain_string());
    String: Kind::Text, [Ordered, Textual], |v, out| put(out).str(v), |d| d.str().map(String::from), |v, s| v.serialize(s);
    DateTime<Utc>: Kind::DateTime, [Ordered, HasDate, HasTime], |v, out| put(out).i64(v.timestamp_micros()),
        |d| DateTime::from_timestamp_micros(d.i64()?).ok_or_else(|| DecodeError::message("date out of range")), |v, s| v.serialize(s);
    NaiveDate: Kind::Date, [Ordered, HasDate], |v, out| put(out).i32(v.to_epoch_days()),
        |d| NaiveDate::from_epoch_days(d.i32()?).ok_or_else(|| DecodeError::message("date out of range")), |v, s| v.serialize(s);
    NaiveTime: Kind::Time, [Ordered, HasTime], |v, out| put(out).i64(micros(v)), |d| time(d.i64()?), |v, s| v.serialize(s);
    TimeDelta: Kind::Duration, [Ordered],
        |v, out| put(out).i64(v.num_microseconds().unwrap_or(if v.num_seconds() < 0 { i64::MIN } else { i64::MAX })),
        |d| d.i64().map(TimeDelta::microseconds), |v, s| s.collect_str(v);
    Uuid: Kind::Uuid, [Ordered], |v, out| put(out).bytes(v.as_bytes()),
        |d| Uuid::from_slice(d.bytes()?).map_err(|_| DecodeError::message("a UUID has 16 bytes")), |v, s| v.serialize(s);
    Vec<u8>: Kind::Binary, [], |v, out| put(out).bytes(v), |d| d.bytes().map(<[u8]>::to_vec), |v, s| s.collect_str(&super::text::Base64(v));
}

/// Whole numbers that are never negative, in the next wider column: the databases agree on signed ones only.
macro_rules! unsigned {
    ($($ty:ty: $kind:ident;)*) => {$(
        impl Field for $ty {
            type Bare = Self;
            type Nullable = Option<Self>;
            const KIND: Kind = Kind::$kind;
            const RANGE: Option<(i64, i64)> = Some((0, <$ty>::MAX as i64));
            #[inline]
            fn encode(&self, out: &mut Vec<u8>) {
                let _ = put(out).u64(u64::from(*self));
            }
            #[inline]
            fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
                <$ty>::try_from(d.i64()?).map_err(|_| DecodeError::message("number out of range"))
            }
            #[inline]
            fn bare(&self) -> Option<&Self> {
                Some(self)
            }
            fn json<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.serialize(serializer)
            }
        }
        impl Scalar for $ty {}
        #[diagnostic::do_not_recommend]
        impl Ordered for $ty {}
        #[diagnostic::do_not_recommend]
        impl Numeric for $ty {}
    )*};
}

unsigned! {
    u16: Int32;
    u32: Int64;
}

/// The host writes what its driver gave: a whole number in a real column may come as any width of float.
#[inline]
fn real(d: &mut Decoder<'_>) -> Result<f64, DecodeError> {
    use minicbor::data::Type;
    match d.datatype()? {
        Type::F16 | Type::F32 => d.f32().map(f64::from),
        Type::F64 => d.f64(),
        _ => d.i64().map(|v| v as f64),
    }
}

fn parse<T: std::str::FromStr>(d: &mut Decoder<'_>, what: &'static str) -> Result<T, DecodeError> {
    d.str()?.parse().map_err(|_| DecodeError::message(format!("not {what}")))
}

fn micros(time: &NaiveTime) -> i64 {
    // A leap second counts as the last microsecond before it: the column has none.
    let nanos = time.nanosecond().min(999_999_999);
    i64::from(time.num_seconds_from_midnight()) * 1_000_000 + i64::from(nanos / 1_000)
}

fn time(micros: i64) -> Result<NaiveTime, DecodeError> {
    u32::try_from(micros.div_euclid(1_000_000))
        .ok()
        .and_then(|seconds| {
            let nanos = micros.rem_euclid(1_000_000) as u32 * 1_000;
            NaiveTime::from_num_seconds_from_midnight_opt(seconds, nanos)
        })
        .ok_or_else(|| DecodeError::message("time of day out of range"))
}

impl<T: Field<Bare = T> + Scalar> Field for Option<T> {
    type Bare = T;
    type Nullable = Self;
    const KIND: Kind = T::KIND;
    const NULLABLE: bool = true;
    const RANGE: Option<(i64, i64)> = T::RANGE;
    const TARGET: Option<Target> = T::TARGET;

    #[inline]
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Some(value) => value.encode(out),
            None => {
                let _ = put(out).null();
            }
        }
    }

    #[inline]
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(if null(d)? { None } else { Some(T::decode(d)?) })
    }

    fn bare(&self) -> Option<&T> {
        self.as_ref()
    }

    fn json<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Some(value) => value.json(serializer),
            None => serializer.serialize_none(),
        }
    }

    fn ready(&self) -> Result<(), &'static str> {
        self.as_ref().map_or(Ok(()), T::ready)
    }

    fn attach(&mut self, path: &[u8], d: &mut Decoder<'_>) -> Result<(), DecodeError> {
        match self {
            Some(value) => value.attach(path, d),
            None => d.skip(),
        }
    }
}

impl<T: Serialize + serde::de::DeserializeOwned> Field for Json<T> {
    type Bare = Self;
    type Nullable = Option<Self>;
    const KIND: Kind = Kind::Json;

    fn encode(&self, out: &mut Vec<u8>) {
        // A value that serde_json refuses (a map with keys that are no text) is stored as null and refused by the host.
        let text = serde_json::to_string(&self.0);
        let _ = match text {
            Ok(text) => put(out).str(&text).map(|_| ()),
            Err(_) => put(out).null().map(|_| ()),
        };
    }

    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let text = d.str()?;
        serde_json::from_str(text).map(Json).map_err(|e| DecodeError::message(e.to_string()))
    }

    fn bare(&self) -> Option<&Self> {
        Some(self)
    }

    fn json<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<T: Serialize + serde::de::DeserializeOwned> Scalar for Json<T> {}

impl Now for DateTime<Utc> {
    fn at(moment: DateTime<Utc>) -> Self {
        moment
    }
}
impl Now for NaiveDate {
    fn at(moment: DateTime<Utc>) -> Self {
        moment.date_naive()
    }
}
impl Now for NaiveTime {
    fn at(moment: DateTime<Utc>) -> Self {
        moment.time()
    }
}
impl<T: Now + Field<Bare = T> + Scalar> Now for Option<T> {
    fn at(moment: DateTime<Utc>) -> Self {
        Some(T::at(moment))
    }
}

/// The present moment to the microsecond, as it is stored: what `create` returns is what a later query finds.
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}

/// A field as it appears in JSON; `#[derive(Model)]` serializes through it.
#[derive(Debug)]
pub struct AsJson<'a, T>(pub &'a T);

impl<T: Field> Serialize for AsJson<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.json(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round<T: Field + PartialEq + std::fmt::Debug>(value: T) {
        let mut bytes = Vec::new();
        value.encode(&mut bytes);
        let mut d = Decoder::new(&bytes);
        assert_eq!(T::decode(&mut d).unwrap(), value);
        assert_eq!(d.position(), bytes.len(), "{value:?} is one item");
    }

    #[test]
    fn every_scalar_comes_back_as_it_went() {
        round(true);
        round(i16::MIN);
        round(i32::MAX);
        round(i64::MIN);
        round(1.5f32);
        round(-0.1f64);
        round("-12345678901234567890.05".parse::<Decimal>().unwrap());
        round(String::from("größer"));
        round(DateTime::from_timestamp_micros(1_700_000_000_123_456).unwrap());
        round(NaiveDate::from_ymd_opt(1969, 12, 31).unwrap());
        round(NaiveTime::from_hms_micro_opt(23, 59, 59, 999_999).unwrap());
        round(TimeDelta::microseconds(-1));
        round(Uuid::from_u128(7));
        round(vec![0u8, 255]);
        round(Json(vec![1, 2, 3]));
        round(u16::MAX);
        round(u32::MAX);
        round("2001:db8::1".parse::<IpAddr>().unwrap());
        round(None::<i64>);
        round(Some(String::from("x")));
    }

    #[test]
    fn a_decimal_keeps_its_scale_and_never_uses_an_exponent() {
        for text in ["0.00", "100000000000000000000", "0.000001", "-12.50"] {
            let mut bytes = Vec::new();
            text.parse::<Decimal>().unwrap().encode(&mut bytes);
            assert_eq!(Decoder::new(&bytes).str().unwrap(), text);
        }
    }
}
