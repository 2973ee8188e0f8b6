//! Models: structs that are rows.

mod array;
pub(crate) mod field;
mod foreign_key;
mod hooks;
mod id;
pub mod meta;
pub mod money;
pub(crate) mod related;
mod text;

use std::fmt;
use std::hash::Hash;

use minicbor::Decoder;
use serde::Serializer;

pub use self::array::Element;
pub use self::field::{AsJson, Field, HasDate, HasTime, Now, Numeric, Ordered, Scalar, Textual};
pub use self::foreign_key::{ForeignKey, OneToOne, Relation};
pub use self::hooks::Hooks;
pub use self::id::Id;
pub use self::related::{Keeps, Many, ManyToMany, Related};
pub use self::text::{Binary, Email, InvalidText, Slug, Url};
use crate::query::{self, Deleted, FieldList, QuerySet};
use crate::wire::DecodeError;
use crate::{Error, Result};
use meta::ModelMeta;

/// What may be a primary key: `Id<Self>`, `i64`, `i32`, `String` or `Uuid`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a primary key",
    label = "not a key type",
    note = "write `pub id: Id<Self>` for a key that the database numbers, or use i64, i32, String or Uuid with #[field(primary_key)]"
)]
pub trait Key: Field<Bare = Self> + Scalar + Clone + Eq + Hash + fmt::Debug + fmt::Display + 'static {
    /// False for an [`Id`] that is not saved yet.
    fn is_set(&self) -> bool {
        true
    }
}

impl<M: 'static> Key for Id<M> {
    fn is_set(&self) -> bool {
        self.is_saved()
    }
}
impl Key for i64 {}
impl Key for i32 {}
impl Key for String {}
impl Key for uuid::Uuid {}

/// A struct whose instances are rows of a table. Write `#[derive(Model)]`.
///
/// ```
/// use covet::prelude::*;
///
/// #[derive(Model)]
/// #[model(table = "posts", ordering = "-views", index(published, created_at))]
/// pub struct Post {
///     pub id: Id<Post>,
///     #[field(max_length = 200)]
///     pub title: String,
///     pub published: bool,
///     pub views: i64,
///     #[field(auto_now_add)]
///     pub created_at: DateTime<Utc>,
/// }
///
/// # async fn f() -> Result<()> {
/// let mut post = Post::objects()
///     .create(Post { id: Id::unsaved(), title: "On looms".into(), published: true, views: 0, created_at: Utc::now() })
///     .await?;
/// post.views += 1;
/// post.save().await?;
/// let popular = Post::objects().filter(Post::views().gte(100)).order_by(Post::title()).all().await?;
/// # Ok(()) }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a model",
    label = "not a model",
    note = "write `#[derive(Model)]` above the struct"
)]
#[allow(async_fn_in_trait)] // A guest has one thread: nobody needs these futures to be Send.
pub trait Model: Hooks + Sized + 'static {
    /// The primary key's type.
    type Key: Key;

    /// The model as data.
    #[doc(hidden)]
    fn meta() -> &'static ModelMeta;

    /// The primary key's value.
    fn key(&self) -> &Self::Key;

    #[doc(hidden)]
    fn set_key(&mut self, key: Self::Key);

    /// Reads the model's own fields; the array's header has been read.
    #[doc(hidden)]
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError>;

    #[doc(hidden)]
    fn encode_field(&self, field: u8, out: &mut Vec<u8>);

    #[doc(hidden)]
    fn attach(&mut self, field: u8, path: &[u8], d: &mut Decoder<'_>) -> Result<(), DecodeError>;

    #[doc(hidden)]
    fn to_json<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;

    /// Fills `auto_now` and, for a new row, `auto_now_add`.
    #[doc(hidden)]
    fn touch(&mut self, new: bool);

    /// Checks `min`, `max`, `min_length`, `choices` and `validate` of every field.
    ///
    /// # Errors
    /// [`Error::Invalid`] for the first field that breaks its rule.
    fn check(&self) -> Result<()>;

    /// Checks the rules of every field, then those of [`Hooks::clean`]. `create` and `save` call it.
    ///
    /// # Errors
    /// [`Error::Invalid`] for the first rule that is broken.
    fn full_clean(&self) -> Result<()> {
        self.check()?;
        self.clean()
    }

    /// All rows, to be narrowed down.
    fn objects() -> QuerySet<Self> {
        QuerySet::new()
    }

    /// The row with this key. The cheapest query there is: on SQLite it never suspends.
    ///
    /// # Errors
    /// [`Error::NotFound`], and those of any query.
    async fn get(key: impl Into<Self::Key>) -> Result<Self> {
        query::by_key(&key.into(), None).await
    }

    /// Stores the row: a new one when its key is not set, else all its fields.
    ///
    /// With a key that the program chooses (no `Id`) the row is updated, and inserted where it did not exist.
    /// `auto_now` and `auto_now_add` fields are filled.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the row of a set `Id` is gone; [`Error::Invalid`] for a value that its field refuses;
    /// violations of constraints; those of any query.
    async fn save(&mut self) -> Result<()> {
        query::save(self, None).await
    }

    /// Stores these fields only (and `auto_now` ones), of a row that exists.
    ///
    /// # Errors
    /// As [`save`](Model::save).
    async fn save_fields(&mut self, fields: impl FieldList<Self>) -> Result<()> {
        query::save_fields(self, fields, None).await
    }

    /// Deletes the row, and what goes along with it by the rules of `on_delete`. Says how many rows went, by model.
    ///
    /// # Errors
    /// [`Error::ForeignKeyViolation`] names the relation whose rows protect it; then nothing was deleted. Those of any query.
    async fn delete(&self) -> Result<Deleted> {
        query::delete(self, None).await
    }

    /// Reads the row anew, and forgets what was loaded for its relations.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the row is gone, and those of any query.
    async fn refresh(&mut self) -> Result<()> {
        *self = query::by_key(self.key(), None).await?;
        Ok(())
    }
}

/// For derived code: the error of a field's rule.
#[doc(hidden)]
pub fn refused(field: &'static str, reason: impl fmt::Display) -> Error {
    Error::invalid(field, reason.to_string())
}
