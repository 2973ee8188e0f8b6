//! Names with texts (the path's parameters, a query, a form) as any type that serde knows. Each error names its field.

use std::borrow::Cow;
use std::fmt;

use http::StatusCode;
use serde::de::{self, DeserializeSeed, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use crate::Error;

pub(super) struct Fields<'de> {
    /// Fields of one name stand together, at the place of the first.
    fields: Vec<(Cow<'de, str>, Vec<Cow<'de, str>>)>,
    positional: bool,
}

impl<'de> Fields<'de> {
    pub(super) fn positional(pairs: impl Iterator<Item = (&'de str, &'de str)>) -> Self {
        let fields = pairs.map(|(name, text)| (name.into(), vec![text.into()])).collect();
        Fields { fields, positional: true }
    }

    pub(super) fn urlencoded(bytes: &'de [u8]) -> Self {
        let mut fields: Vec<(Cow<'de, str>, Vec<Cow<'de, str>>)> = Vec::new();
        for (name, text) in form_urlencoded::parse(bytes) {
            match fields.iter_mut().find(|(n, _)| *n == name) {
                Some((_, texts)) => texts.push(text),
                None => fields.push((name, vec![text])),
            }
        }
        Fields { fields, positional: false }
    }

    fn single<T>(self, read: impl FnOnce(Text<'de>) -> Result<T, FieldError>) -> Result<T, FieldError> {
        let count = self.fields.len();
        match (self.fields.into_iter().next(), count, self.positional) {
            (Some((name, texts)), 1, true) => read(Text(texts)).map_err(|error| error.of(&name)),
            (_, _, true) => {
                Err(FieldError::message(format!("the path has {count} parameters: take them as a tuple or a struct")))
            }
            (_, _, false) => Err(FieldError::message("take the fields as a struct or a map")),
        }
    }
}

pub(super) fn reject(status: StatusCode, code: &'static str, error: FieldError) -> Error {
    Error::rejected(status, code, error.field, error.reason)
}

/// What does not fit, and in which field.
#[derive(Debug)]
pub(super) struct FieldError {
    pub(super) field: Option<String>,
    pub(super) reason: String,
}

impl FieldError {
    fn message(reason: impl Into<String>) -> Self {
        FieldError { field: None, reason: reason.into() }
    }

    fn of(mut self, field: &str) -> Self {
        self.field.get_or_insert_with(|| field.to_owned());
        self
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}
impl std::error::Error for FieldError {}
impl de::Error for FieldError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        FieldError::message(message.to_string())
    }
    fn missing_field(field: &'static str) -> Self {
        FieldError { field: Some(field.into()), reason: "is missing".into() }
    }
    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        FieldError { field: Some(field.into()), reason: format!("is unknown; known are {expected:?}") }
    }
}

/// The one parameter of a path may be taken without a struct around it.
macro_rules! single {
    ($($name:ident)*) => {$(
        fn $name<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
            self.single(|text| text.$name(visitor))
        }
    )*};
}

impl<'de> de::Deserializer<'de> for Fields<'de> {
    type Error = FieldError;

    single! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_f32 deserialize_f64 deserialize_char deserialize_str deserialize_string
        deserialize_bytes deserialize_byte_buf deserialize_option deserialize_identifier
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        match (self.positional, self.fields.len()) {
            (true, 1) => self.single(|text| text.deserialize_any(visitor)),
            _ => self.deserialize_map(visitor),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        visitor.visit_unit()
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        visitor.visit_map(Members { rest: self.fields.into_iter(), open: None })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, FieldError> {
        self.deserialize_map(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        visitor.visit_seq(Positions { rest: self.fields.into_iter() })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, FieldError> {
        match (self.positional, self.fields.len()) {
            (true, found) if found != len => {
                Err(FieldError::message(format!("the path has {found} parameters, and the handler takes {len}")))
            }
            _ => self.deserialize_seq(visitor),
        }
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, FieldError> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, FieldError> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, FieldError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, FieldError> {
        self.single(|text| text.deserialize_enum(name, variants, visitor))
    }
}

type Entries<'de> = std::vec::IntoIter<(Cow<'de, str>, Vec<Cow<'de, str>>)>;

struct Members<'de> {
    rest: Entries<'de>,
    open: Option<(Cow<'de, str>, Vec<Cow<'de, str>>)>,
}

impl<'de> de::MapAccess<'de> for Members<'de> {
    type Error = FieldError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, FieldError> {
        self.open = self.rest.next();
        match &self.open {
            Some((name, _)) => seed.deserialize(Text(vec![name.clone()])).map(Some),
            None => Ok(None),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, FieldError> {
        let (name, texts) = self.open.take().unwrap_or_default();
        seed.deserialize(Text(texts)).map_err(|error| error.of(&name))
    }
}

struct Positions<'de> {
    rest: Entries<'de>,
}

impl<'de> de::SeqAccess<'de> for Positions<'de> {
    type Error = FieldError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, FieldError> {
        match self.rest.next() {
            Some((name, texts)) => seed.deserialize(Text(texts)).map(Some).map_err(|error| error.of(&name)),
            None => Ok(None),
        }
    }
}

/// The texts of one field; whoever wants one gets the last.
struct Text<'de>(Vec<Cow<'de, str>>);

impl<'de> Text<'de> {
    fn last(mut self) -> Cow<'de, str> {
        self.0.pop().unwrap_or_default()
    }
}

macro_rules! parsed {
    ($($name:ident $visit:ident $ty:ty;)*) => {$(
        fn $name<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
            let text = self.last();
            match text.trim().parse::<$ty>() {
                Ok(value) => visitor.$visit(value),
                Err(error) => Err(FieldError::message(format!("{text:?} is not acceptable: {error}"))),
            }
        }
    )*};
}

impl<'de> de::Deserializer<'de> for Text<'de> {
    type Error = FieldError;

    parsed! {
        deserialize_i8 visit_i8 i8; deserialize_i16 visit_i16 i16; deserialize_i32 visit_i32 i32;
        deserialize_i64 visit_i64 i64; deserialize_i128 visit_i128 i128;
        deserialize_u8 visit_u8 u8; deserialize_u16 visit_u16 u16; deserialize_u32 visit_u32 u32;
        deserialize_u64 visit_u64 u64; deserialize_u128 visit_u128 u128;
        deserialize_f32 visit_f32 f32; deserialize_f64 visit_f64 f64;
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        match self.last() {
            Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
            Cow::Owned(text) => visitor.visit_string(text),
        }
    }

    /// A ticked box of a form says `on`.
    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        match self.last().as_ref() {
            "true" | "1" | "on" | "yes" => visitor.visit_bool(true),
            "false" | "0" | "off" | "no" | "" => visitor.visit_bool(false),
            text => Err(FieldError::message(format!("{text:?} is neither true nor false"))),
        }
    }

    /// An empty text is nothing: so browsers send a field of a form that was left empty.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        match self.0.last() {
            None => visitor.visit_none(),
            Some(text) if text.is_empty() => visitor.visit_none(),
            Some(_) => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, FieldError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        visitor.visit_seq(de::value::SeqDeserializer::new(self.0.into_iter().map(|text| Text(vec![text]))))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, FieldError> {
        let text: de::value::CowStrDeserializer<'_, FieldError> = self.last().into_deserializer();
        visitor.visit_enum(text)
    }

    forward_to_deserialize_any! {
        char str string bytes byte_buf unit unit_struct tuple tuple_struct map struct identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, FieldError> for Text<'de> {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize, Debug, PartialEq)]
    #[serde(rename_all = "lowercase")]
    enum Sort {
        New,
        Old,
    }

    #[derive(Deserialize, Debug, PartialEq)]
    struct Search {
        q: String,
        page: Option<u32>,
        #[serde(default)]
        tag: Vec<String>,
        #[serde(default)]
        exact: bool,
        sort: Option<Sort>,
    }

    fn search(query: &str) -> Result<Search, FieldError> {
        Search::deserialize(Fields::urlencoded(query.as_bytes()))
    }

    #[test]
    fn a_query_becomes_a_struct() {
        let found = search("q=a+b%26c&tag=x&page=2&tag=y&exact=on&sort=old&other=1").unwrap();
        let tag = vec!["x".into(), "y".into()];
        assert_eq!(found, Search { q: "a b&c".into(), page: Some(2), tag, exact: true, sort: Some(Sort::Old) });
        assert_eq!(search("q=&page=").unwrap().page, None);
    }

    #[test]
    fn each_error_names_its_field() {
        for (query, field) in
            [("", "q"), ("q=a&page=two", "page"), ("q=a&sort=up", "sort"), ("q=a&exact=maybe", "exact")]
        {
            assert_eq!(search(query).unwrap_err().field.as_deref(), Some(field), "{query}");
        }
    }

    #[test]
    fn parameters_of_a_path_go_by_position_or_by_name() {
        let fields = || Fields::positional([("year", "2025"), ("slug", "looms")].into_iter());
        assert_eq!(<(u16, String)>::deserialize(fields()).unwrap(), (2025, "looms".into()));
        #[derive(Deserialize, Debug, PartialEq)]
        struct Article {
            slug: String,
            year: u16,
        }
        assert_eq!(Article::deserialize(fields()).unwrap(), Article { slug: "looms".into(), year: 2025 });
        assert_eq!(i64::deserialize(Fields::positional([("id", "7")].into_iter())).unwrap(), 7);
        let error = i64::deserialize(Fields::positional([("id", "x")].into_iter())).unwrap_err();
        assert_eq!(error.field.as_deref(), Some("id"));
        assert!(<(u16, String, u8)>::deserialize(fields()).unwrap_err().reason.contains("2 parameters"));
    }

    #[test]
    fn digits_keep_their_zeros_where_text_is_wanted() {
        assert_eq!(String::deserialize(Fields::positional([("code", "007")].into_iter())).unwrap(), "007");
    }
}
