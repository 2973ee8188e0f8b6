//! Rows of which only some columns were fetched.

use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;

use minicbor::Decoder;
use serde::ser::{Error as _, SerializeMap};
use serde::{Serialize, Serializer};
use smallvec::SmallVec;

use super::column::Column;
use super::expr::Selector;
use super::set::{QuerySet, by_key, one, rows};
use super::shape::Path;
use crate::model::meta::Kind;
use crate::model::{Field, Model};
use crate::wire::{DecodeError, array, null};
use crate::{Error, Result};

/// What `values` and `only` take: a column, or a tuple of up to 12.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no list of columns of `{M}`",
    label = "expected a column of `{M}`, or a tuple of up to 12",
    note = "a column of a related model is `{M}::relation().to(Other::column())`"
)]
pub trait Columns<M> {
    /// One row.
    type Row;
    #[doc(hidden)]
    fn each(&self, words: &mut SmallVec<[u64; 8]>);
    #[doc(hidden)]
    fn decode(d: &mut Decoder<'_>) -> Result<Self::Row, DecodeError>;
}

impl<M, T: Field> Columns<M> for Column<M, T> {
    type Row = T;
    fn each(&self, words: &mut SmallVec<[u64; 8]>) {
        words.push(self.path.word());
    }
    fn decode(d: &mut Decoder<'_>) -> Result<T, DecodeError> {
        T::decode(d)
    }
}

macro_rules! tuples {
    ($(($($name:ident)+))*) => {$(
        impl<M, $($name: Field),+> Columns<M> for ($(Column<M, $name>,)+) {
            type Row = ($($name,)+);
            fn each(&self, words: &mut SmallVec<[u64; 8]>) {
                #[allow(non_snake_case)]
                let ($($name,)+) = self;
                $(words.push($name.path.word());)+
            }
            fn decode(d: &mut Decoder<'_>) -> Result<Self::Row, DecodeError> {
                Ok(($($name::decode(d)?,)+))
            }
        }
    )*};
}
tuples! {
    (A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E F) (A B C D E F G) (A B C D E F G H)
    (A B C D E F G H I) (A B C D E F G H I J) (A B C D E F G H I J K) (A B C D E F G H I J K L)
}

/// A query for some columns, as tuples. See [`QuerySet::values`].
#[must_use = "a query does nothing until it is sent: end it with .all().await, .first().await or .get(…).await"]
#[derive(Debug)]
pub struct Values<M, C> {
    set: QuerySet<M>,
    words: SmallVec<[u64; 8]>,
    of: PhantomData<C>,
}

impl<M: Model, C: Columns<M>> Values<M, C> {
    pub(super) fn new(set: QuerySet<M>, columns: C) -> Self {
        let mut words = SmallVec::new();
        columns.each(&mut words);
        Values { set, words, of: PhantomData }
    }

    /// All rows.
    ///
    /// # Errors
    /// Those of any query.
    pub async fn all(self) -> Result<Vec<C::Row>> {
        let bytes = self.set.select(&self.words).await?;
        rows(&bytes, |d| {
            array(d)?;
            C::decode(d)
        })
    }

    /// The first row, or none.
    ///
    /// # Errors
    /// Those of any query.
    pub async fn first(mut self) -> Result<Option<C::Row>> {
        self.set = self.set.limit(1);
        Ok(self.all().await?.pop())
    }

    /// The last row, or none.
    ///
    /// # Errors
    /// Those of any query.
    pub async fn last(mut self) -> Result<Option<C::Row>> {
        self.set = self.set.reverse();
        self.first().await
    }

    /// The one row with this key, or that meets this condition.
    ///
    /// # Errors
    /// [`Error::NotFound`] for none, [`Error::Multiple`] for more than one, and those of any query.
    pub async fn get(mut self, which: impl Selector<M>) -> Result<C::Row> {
        self.set = self.set.filter(which.into_expr()).limit(2);
        one::<M, _>(&mut self.all().await?)
    }
}

/// A query for some columns, as [`Partial`] rows. See [`QuerySet::only`].
#[must_use = "a query does nothing until it is sent: end it with .all().await, .first().await or .get(…).await"]
#[derive(Debug)]
pub struct Only<M> {
    set: QuerySet<M>,
    words: SmallVec<[u64; 8]>,
}

impl<M: Model> Only<M> {
    pub(super) fn new(set: QuerySet<M>, columns: &impl Columns<M>) -> Self {
        let mut words = SmallVec::new();
        words.push(Path::field(M::meta().key).word());
        columns.each(&mut words);
        let key = words[0];
        let mut first = true;
        words.retain(|word| *word != key || std::mem::take(&mut first));
        Only { set, words }
    }

    /// All rows.
    ///
    /// # Errors
    /// Those of any query.
    pub async fn all(self) -> Result<Vec<Partial<M>>> {
        let bytes: Rc<[u8]> = self.set.select(&self.words).await?.into();
        let fields: Rc<[u64]> = self.words.as_slice().into();
        rows(&bytes, |d| {
            let start = d.position();
            d.skip()?;
            Ok(Partial { bytes: bytes.clone(), start, fields: fields.clone(), of: PhantomData })
        })
    }

    /// The first row, or none.
    ///
    /// # Errors
    /// Those of any query.
    pub async fn first(mut self) -> Result<Option<Partial<M>>> {
        self.set = self.set.limit(1);
        Ok(self.all().await?.pop())
    }

    /// The one row with this key, or that meets this condition.
    ///
    /// # Errors
    /// [`Error::NotFound`] for none, [`Error::Multiple`] for more than one, and those of any query.
    pub async fn get(mut self, which: impl Selector<M>) -> Result<Partial<M>> {
        self.set = self.set.filter(which.into_expr()).limit(2);
        one::<M, _>(&mut self.all().await?)
    }
}

/// A row of `M` of which only some fields were fetched.
///
/// It is a type of its own, so that no function that needs a whole `M` can be given half of one, and saving it cannot
/// overwrite what was never read. All rows of a query share one buffer; a field is decoded when it is asked for.
/// In JSON it is an object of the fields that were fetched, with `author.name` for those of related models.
///
/// ```
/// # use covet::prelude::*;
/// # #[derive(Model)] struct Post { id: Id<Post>, title: String, body: String }
/// # async fn f() -> Result<()> {
/// for post in Post::objects().only(Post::title()).all().await? {
///     let title: String = post.get(Post::title())?;
///     assert!(post.get(Post::body()).is_err()); // Deferred: names the field
///     let whole: Post = post.load().await?;     // a query, and it looks like one
/// }
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Partial<M> {
    bytes: Rc<[u8]>,
    start: usize,
    fields: Rc<[u64]>,
    of: PhantomData<fn() -> M>,
}

impl<M: Model> Partial<M> {
    fn field(&self, index: usize) -> Result<Decoder<'_>, DecodeError> {
        let mut d = Decoder::new(&self.bytes);
        d.set_position(self.start);
        array(&mut d)?;
        for _ in 0..index {
            d.skip()?;
        }
        Ok(d)
    }

    /// A field that was fetched.
    ///
    /// # Errors
    /// [`Error::Deferred`] when it was not.
    pub fn get<T: Field>(&self, column: Column<M, T>) -> Result<T> {
        match self.fields.iter().position(|word| *word == column.path.word()) {
            Some(index) => Ok(T::decode(&mut self.field(index)?)?),
            None => Err(Error::Deferred { model: M::meta().name, field: column.path.describe(M::meta()) }),
        }
    }

    /// The primary key.
    ///
    /// # Errors
    /// When the row is malformed.
    pub fn key(&self) -> Result<M::Key> {
        Ok(M::Key::decode(&mut self.field(0)?)?)
    }

    /// Fetches the whole row.
    ///
    /// # Errors
    /// Those of [`Model::get`].
    pub async fn load(&self) -> Result<M> {
        by_key(&self.key()?, None).await
    }
}

impl<M: Model> fmt::Debug for Partial<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.fields.iter().map(|word| Path::of_word(*word).describe(M::meta()));
        write!(f, "Partial<{}>", M::meta().name)?;
        f.debug_list().entries(names).finish()
    }
}

impl<M: Model> Serialize for Partial<M> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut d = self.field(0).map_err(S::Error::custom)?;
        let mut map = serializer.serialize_map(Some(self.fields.len()))?;
        for word in &*self.fields {
            let path = Path::of_word(*word);
            let kind = path.meta(M::meta()).kind;
            map.serialize_entry(&path.describe(M::meta()), &Untyped::read(kind, &mut d).map_err(S::Error::custom)?)?;
        }
        map.end()
    }
}

/// A value of which only the kind is known, for JSON; the same text as the typed field gives.
enum Untyped<'b> {
    Null,
    Bool(bool),
    Int(i64),
    Real(f64),
    Text(&'b str),
    Owned(String),
    Json(serde_json::Value),
}

impl<'b> Untyped<'b> {
    fn read(kind: Kind, d: &mut Decoder<'b>) -> Result<Self, DecodeError> {
        use crate::model::Binary;
        use crate::{Date, DateTime, Duration, Time, Utc};
        if null(d)? {
            return Ok(Untyped::Null);
        }
        /// The text of a type that is a text in JSON.
        fn text<T: Field>(d: &mut Decoder<'_>) -> Result<String, DecodeError> {
            let value = serde_json::to_value(crate::model::AsJson(&T::decode(d)?));
            match value {
                Ok(serde_json::Value::String(text)) => Ok(text),
                _ => Err(DecodeError::message("not a text in JSON")),
            }
        }
        Ok(match kind {
            Kind::Boolean => Untyped::Bool(d.bool()?),
            Kind::Int16 | Kind::Int32 | Kind::Int64 => Untyped::Int(d.i64()?),
            Kind::Float32 | Kind::Float64 => Untyped::Real(f64::decode(d)?),
            Kind::Json | Kind::Array(..) => {
                Untyped::Json(serde_json::from_str(d.str()?).map_err(|e| DecodeError::message(e.to_string()))?)
            }
            Kind::Binary => Untyped::Owned(text::<Binary>(d)?),
            Kind::DateTime => Untyped::Owned(text::<DateTime<Utc>>(d)?),
            Kind::Date => Untyped::Owned(text::<Date>(d)?),
            Kind::Time => Untyped::Owned(text::<Time>(d)?),
            Kind::Duration => Untyped::Owned(text::<Duration>(d)?),
            Kind::Uuid => Untyped::Owned(text::<uuid::Uuid>(d)?),
            Kind::Decimal { .. }
            | Kind::Varchar(_)
            | Kind::Text
            | Kind::Enumeration(_)
            | Kind::Email
            | Kind::Url
            | Kind::Slug(_)
            | Kind::IpAddress => Untyped::Text(d.str()?),
        })
    }
}

impl Serialize for Untyped<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Untyped::Null => serializer.serialize_none(),
            Untyped::Bool(value) => serializer.serialize_bool(*value),
            Untyped::Int(value) => serializer.serialize_i64(*value),
            Untyped::Real(value) => serializer.serialize_f64(*value),
            Untyped::Text(text) => serializer.serialize_str(text),
            Untyped::Owned(text) => serializer.serialize_str(text),
            Untyped::Json(value) => value.serialize(serializer),
        }
    }
}
