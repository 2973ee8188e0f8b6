//! Relations: the key of another model's row, and that row once it is loaded.

use std::fmt;

use minicbor::Decoder;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::field::{Field, Scalar};
use super::meta::{Kind, Target};
use super::{Key as _, Model};
use crate::Result;
use crate::wire::{DecodeError, array, null};

/// Points to an `M` by its key. Holds the row itself once `select_related` or [`load`](ForeignKey::load) fetched it.
///
/// There is no silent query: [`get`](ForeignKey::get) is `None` until somebody loaded the row. In JSON it is the
/// object when loaded, else the key.
///
/// ```
/// # use covet::prelude::*;
/// # #[derive(Model, Clone, Debug)] struct Author { id: Id<Author>, name: String }
/// # #[derive(Model)] struct Post { id: Id<Post>, author: ForeignKey<Author> }
/// # async fn f(author: Author) -> Result<()> {
/// let post = Post { id: Id::unsaved(), author: (&author).into() };
/// let post = Post::objects().select_related(Post::author()).get(post.id).await?;
/// let name = post.author.get().map(|author| &author.name);
/// # Ok(()) }
/// ```
pub struct ForeignKey<M: Model> {
    key: M::Key,
    row: Option<Box<M>>,
}

/// A [`ForeignKey`] that no two rows share, so that an `M` has one of this model at most. The macro goes by the name: the
/// field is unique.
pub type OneToOne<M> = ForeignKey<M>;

impl<M: Model> ForeignKey<M> {
    /// To the row with this key, not loaded.
    pub fn to(key: impl Into<M::Key>) -> Self {
        ForeignKey { key: key.into(), row: None }
    }

    /// The key that is stored.
    pub fn key(&self) -> &M::Key {
        &self.key
    }

    /// A copy of the key that is stored.
    pub fn id(&self) -> M::Key {
        self.key.clone()
    }

    /// The row, if it is loaded. Never asks the database.
    pub fn get(&self) -> Option<&M> {
        self.row.as_deref()
    }

    /// The row, if it is loaded, to change it.
    pub fn get_mut(&mut self) -> Option<&mut M> {
        self.row.as_deref_mut()
    }

    /// The row, if it is loaded, for the caller to keep.
    pub fn into_row(self) -> Option<M> {
        self.row.map(|row| *row)
    }

    /// Fetches the row, unless it is there, and keeps it. In a loop over rows use `select_related`: one query for all.
    ///
    /// # Errors
    /// [`NotFound`](crate::Error::NotFound) when the row is gone, and those of any query.
    pub async fn load(&mut self) -> Result<&mut M> {
        let row = match self.row.take() {
            Some(row) => row,
            None => Box::new(M::get(self.key.clone()).await?),
        };
        Ok(self.row.insert(row))
    }
}

impl<M: Model> From<&M> for ForeignKey<M> {
    fn from(row: &M) -> Self {
        ForeignKey { key: row.key().clone(), row: None }
    }
}
impl<M: Model> From<M> for ForeignKey<M> {
    fn from(row: M) -> Self {
        ForeignKey { key: row.key().clone(), row: Some(Box::new(row)) }
    }
}
impl<M: Model, K> From<super::Id<K>> for ForeignKey<M>
where
    M::Key: From<super::Id<K>>,
{
    fn from(id: super::Id<K>) -> Self {
        ForeignKey::to(id)
    }
}

macro_rules! from_key {
    ($($key:ty),*) => {$(
        impl<M: Model> From<$key> for ForeignKey<M>
        where
            M::Key: From<$key>,
        {
            fn from(key: $key) -> Self {
                ForeignKey::to(key)
            }
        }
    )*};
}
from_key!(i64, i32, String, uuid::Uuid);

impl<'a, M: Model> From<&'a str> for ForeignKey<M>
where
    M::Key: From<&'a str>,
{
    fn from(key: &'a str) -> Self {
        ForeignKey::to(key)
    }
}

impl<M: Model + Clone> Clone for ForeignKey<M> {
    fn clone(&self) -> Self {
        ForeignKey { key: self.key.clone(), row: self.row.clone() }
    }
}
/// Equal keys; whether the rows are loaded does not matter.
impl<M: Model> PartialEq for ForeignKey<M> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}
impl<M: Model> Eq for ForeignKey<M> {}
impl<M: Model> Default for ForeignKey<M>
where
    M::Key: Default,
{
    fn default() -> Self {
        ForeignKey { key: M::Key::default(), row: None }
    }
}
impl<M: Model + fmt::Debug> fmt::Debug for ForeignKey<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.row {
            Some(row) => row.fmt(f),
            None => write!(f, "ForeignKey({:?})", self.key),
        }
    }
}
impl<M: Model> Serialize for ForeignKey<M> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.json(serializer)
    }
}
/// From the key.
impl<'de, M: Model> Deserialize<'de> for ForeignKey<M>
where
    M::Key: Deserialize<'de>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(ForeignKey { key: M::Key::deserialize(deserializer)?, row: None })
    }
}

impl<M: Model> Field for ForeignKey<M> {
    type Bare = Self;
    type Nullable = Option<Self>;
    const KIND: Kind = <M::Key as Field>::KIND;
    const TARGET: Option<Target> = Some(M::meta);

    #[inline]
    fn encode(&self, out: &mut Vec<u8>) {
        self.key.encode(out);
    }
    #[inline]
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(ForeignKey { key: M::Key::decode(d)?, row: None })
    }
    fn bare(&self) -> Option<&Self> {
        Some(self)
    }
    fn json<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.row {
            Some(row) => row.to_json(serializer),
            None => self.key.json(serializer),
        }
    }
    fn ready(&self) -> Result<(), &'static str> {
        match self.key.is_set() {
            true => Ok(()),
            false => Err("points to a row that is not saved: save it first, then take its key"),
        }
    }
    fn attach(&mut self, path: &[u8], d: &mut Decoder<'_>) -> Result<(), DecodeError> {
        match (path.split_first(), &mut self.row) {
            (None, _) => {
                if !null(d)? {
                    array(d)?;
                    self.row = Some(Box::new(M::decode(d)?));
                }
                Ok(())
            }
            (Some((field, rest)), Some(row)) => row.attach(*field, rest, d),
            (Some(_), None) => d.skip(),
        }
    }
}
impl<M: Model> Scalar for ForeignKey<M> {}

/// A column that leads to another model.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a relation",
    label = "expected a ForeignKey column",
    note = "`select_related` and `to` follow ForeignKey<M> and Option<ForeignKey<M>> columns; other columns are fetched anyway"
)]
pub trait Relation: Field {
    /// The model pointed to.
    type Target: Model;
    /// What a field of the target is, seen through this relation: nullable when the relation is.
    type Through<T: Field>: Field<Bare = T::Bare>;
}
impl<M: Model> Relation for ForeignKey<M> {
    type Target = M;
    type Through<T: Field> = T;
}
impl<M: Model> Relation for Option<ForeignKey<M>> {
    type Target = M;
    type Through<T: Field> = T::Nullable;
}
