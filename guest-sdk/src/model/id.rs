//! Keys that the database numbers.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::str::FromStr;

use minicbor::Decoder;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::field::{Field, Ordered, Scalar};
use super::meta::Kind;
use crate::wire::{DecodeError, put};

/// The key of an `M`, numbered by the database; or [unsaved](Id::unsaved). 8 bytes.
///
/// An `Id<Author>` cannot be mistaken for an `Id<Post>`. In JSON it is a number, or null when unsaved.
pub struct Id<M>(i64, PhantomData<fn() -> M>);

impl<M> Id<M> {
    /// The one value that no row has.
    const UNSAVED: i64 = i64::MIN;

    /// Of a row that is not stored yet; `create` and `save` replace it by the database's number.
    pub const fn unsaved() -> Self {
        Id(Self::UNSAVED, PhantomData)
    }

    /// Of the row with this number.
    pub const fn of(number: i64) -> Self {
        Id(number, PhantomData)
    }

    /// The number; `None` when unsaved.
    pub const fn get(self) -> Option<i64> {
        match self.0 {
            Self::UNSAVED => None,
            number => Some(number),
        }
    }

    /// True once the row is stored.
    pub const fn is_saved(self) -> bool {
        self.0 != Self::UNSAVED
    }
}

impl<M> Default for Id<M> {
    fn default() -> Self {
        Id::unsaved()
    }
}
impl<M> Clone for Id<M> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<M> Copy for Id<M> {}
impl<M> PartialEq for Id<M> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<M> Eq for Id<M> {}
impl<M> PartialOrd for Id<M> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<M> Ord for Id<M> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}
impl<M> Hash for Id<M> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}
impl<M> fmt::Debug for Id<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.get() {
            Some(number) => write!(f, "Id({number})"),
            None => f.write_str("Id(unsaved)"),
        }
    }
}
impl<M> fmt::Display for Id<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.get() {
            Some(number) => number.fmt(f),
            None => f.write_str("unsaved"),
        }
    }
}
impl<M> From<i64> for Id<M> {
    fn from(number: i64) -> Self {
        Id::of(number)
    }
}
impl<M> From<i32> for Id<M> {
    fn from(number: i32) -> Self {
        Id::of(number.into())
    }
}
impl<M> From<u32> for Id<M> {
    fn from(number: u32) -> Self {
        Id::of(number.into())
    }
}
impl<M> From<&Id<M>> for Id<M> {
    fn from(id: &Id<M>) -> Self {
        *id
    }
}
impl<M> FromStr for Id<M> {
    type Err = std::num::ParseIntError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Id::of)
    }
}
impl<M> Serialize for Id<M> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.get().serialize(serializer)
    }
}
impl<'de, M> Deserialize<'de> for Id<M> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::<i64>::deserialize(deserializer)?.map_or_else(Id::unsaved, Id::of))
    }
}

impl<M> Field for Id<M> {
    type Bare = Self;
    type Nullable = Option<Self>;
    const KIND: Kind = Kind::Int64;
    const AUTO: bool = true;

    #[inline]
    fn encode(&self, out: &mut Vec<u8>) {
        let _ = match self.get() {
            Some(number) => put(out).i64(number).map(|_| ()),
            None => put(out).null().map(|_| ()),
        };
    }
    #[inline]
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        d.i64().map(Id::of)
    }
    fn bare(&self) -> Option<&Self> {
        Some(self)
    }
    fn json<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.serialize(serializer)
    }
}
impl<M> Scalar for Id<M> {}
impl<M> Ordered for Id<M> {}
