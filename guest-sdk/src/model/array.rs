//! Fields with several values: `Vec<T>`.

use minicbor::Decoder;
use serde::Serializer;
use serde::ser::SerializeSeq;
use serde_json::Value;

use super::field::{AsJson, Field, Scalar};
use super::meta::{self, Kind};
use crate::wire::{DecodeError, put};
use crate::{Date, DateTime, Utc, Uuid};

/// What a `Vec` that is a field may hold.
#[diagnostic::on_unimplemented(
    message = "a field cannot be a `Vec` of `{Self}`",
    label = "not an element type",
    note = "write a Vec of bool, i16, i32, i64, f64, String, DateTime<Utc>, Date or Uuid; Vec<u8> is bytes, and Json<Vec<T>> takes any T that serde knows"
)]
pub trait Element: Field {
    #[doc(hidden)]
    const ELEMENT: meta::Element;
    #[doc(hidden)]
    fn to_json(&self) -> Value;
    #[doc(hidden)]
    fn from_json(value: &Value) -> Option<Self>;
}

macro_rules! elements {
    ($($ty:ty: $element:ident, |$value:ident| $to:expr, |$json:ident| $from:expr;)*) => {$(
        impl Element for $ty {
            const ELEMENT: meta::Element = meta::Element::$element;
            fn to_json(&self) -> Value {
                let $value = self;
                $to
            }
            fn from_json($json: &Value) -> Option<Self> {
                $from
            }
        }
    )*};
}

elements! {
    bool: Boolean, |v| Value::from(*v), |j| j.as_bool();
    i16: Int16, |v| Value::from(*v), |j| j.as_i64()?.try_into().ok();
    i32: Int32, |v| Value::from(*v), |j| j.as_i64()?.try_into().ok();
    i64: Int64, |v| Value::from(*v), |j| j.as_i64();
    f64: Float64, |v| Value::from(*v), |j| j.as_f64();
    String: Text, |v| Value::from(v.as_str()), |j| j.as_str().map(String::from);
    DateTime<Utc>: Datetime, |v| Value::from(v.timestamp_micros()), |j| DateTime::from_timestamp_micros(j.as_i64()?);
    Date: Date, |v| Value::from(v.to_epoch_days()), |j| Date::from_epoch_days(j.as_i64()?.try_into().ok()?);
    Uuid: Uuid, |v| Value::from(v.hyphenated().to_string()), |j| j.as_str()?.parse().ok();
}

impl<T: Element> Field for Vec<T> {
    type Bare = Self;
    type Nullable = Option<Self>;
    const KIND: Kind = Kind::Array(T::ELEMENT, None);

    fn encode(&self, out: &mut Vec<u8>) {
        let list = Value::Array(self.iter().map(Element::to_json).collect());
        let _ = put(out).str(&list.to_string());
    }

    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let list: Vec<Value> = serde_json::from_str(d.str()?).map_err(|e| DecodeError::message(e.to_string()))?;
        list.iter()
            .map(|value| T::from_json(value).ok_or_else(|| DecodeError::message(format!("{value} in an array"))))
            .collect()
    }

    fn bare(&self) -> Option<&Self> {
        Some(self)
    }

    fn json<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.len()))?;
        for value in self {
            list.serialize_element(&AsJson(value))?;
        }
        list.end()
    }
}

impl<T: Element> Scalar for Vec<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    fn round<T: Element + PartialEq + std::fmt::Debug>(list: Vec<T>, text: &str) {
        let mut bytes = Vec::new();
        list.encode(&mut bytes);
        assert_eq!(Decoder::new(&bytes).str().unwrap(), text);
        assert_eq!(Vec::<T>::decode(&mut Decoder::new(&bytes)).unwrap(), list);
    }

    #[test]
    fn lists_cross_as_json_and_come_back() {
        round(vec![1_i64, i64::MIN], "[1,-9223372036854775808]");
        round(vec![String::from("a\"b"), String::new()], r#"["a\"b",""]"#);
        round(vec![true], "[true]");
        round(vec![Date::from_epoch_days(-1).unwrap()], "[-1]");
        round(vec![Uuid::from_u128(1)], r#"["00000000-0000-0000-0000-000000000001"]"#);
        round(Vec::<f64>::new(), "[]");
        let mut bytes = Vec::new();
        let _ = put(&mut bytes).str("[1,null]");
        assert!(Vec::<i64>::decode(&mut Decoder::new(&bytes)).unwrap_err().to_string().contains("null"));
    }

    #[test]
    fn in_json_each_value_is_what_it_is_as_a_field() {
        let days = vec![Date::from_epoch_days(0).unwrap()];
        assert_eq!(serde_json::to_string(&AsJson(&days)).unwrap(), r#"["1970-01-01"]"#);
    }
}
