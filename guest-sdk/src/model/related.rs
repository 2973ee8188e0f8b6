//! Relations to many rows: those that point to a row, and those that a table between joins to it.

use std::fmt;
use std::marker::PhantomData;

use minicbor::Decoder;
use serde::{Serialize, Serializer};

use super::meta::LinkMeta;
use super::{Field, Model};
use crate::query::{Column, Expr, Prefetch, QuerySet};
use crate::wire::DecodeError;
use crate::{Error, Result};

/// The rows of `M` that belong to a row, as a field of its model. It is no column: the rows are there once
/// [`prefetch_related`](QuerySet::prefetch_related) fetched them, and until then asking for them is an error that says so,
/// never a silent query. 8 bytes.
///
/// In JSON it is an array once fetched, and left out before.
///
/// ```
/// # use covet::prelude::*;
/// #[derive(Model, Debug)]
/// #[model(default)]
/// struct Author {
///     id: Id<Author>,
///     name: String,
///     posts: Related<Post>, // named as the `related_name` of the relation
/// }
///
/// #[derive(Model, Debug)]
/// struct Post {
///     id: Id<Post>,
///     title: String,
///     #[field(related_name = "posts")]
///     author: ForeignKey<Author>,
/// }
///
/// # async fn f() -> Result<()> {
/// for author in Author::objects().prefetch_related(Author::posts()).all().await? {
///     for post in author.posts.rows()? {
///         log::info!("{}: {}", author.name, post.title);
///     }
/// }
/// # Ok(()) }
/// ```
pub struct Related<M> {
    #[expect(clippy::box_collection, reason = "one word in every instance of the model, where a Vec would take three")]
    rows: Option<Box<Vec<M>>>,
}

/// Rows of `M` that are joined to those of this model by a table between. As a field of a model it is no column: the table is
/// made beside it, or named by `#[field(through = Model)]`. See [`Related`] for how its rows are fetched.
pub type ManyToMany<M> = Related<M>;

impl<M: Model> Related<M> {
    /// The rows.
    ///
    /// # Errors
    /// [`Error::NotPrefetched`] when they were not fetched.
    pub fn rows(&self) -> Result<&[M]> {
        self.loaded().ok_or(Error::NotPrefetched { model: M::meta().name })
    }

    /// The rows, if they were fetched.
    pub fn loaded(&self) -> Option<&[M]> {
        self.rows.as_deref().map(Vec::as_slice)
    }

    /// The rows, if they were fetched, for the caller to keep.
    pub fn into_rows(self) -> Option<Vec<M>> {
        self.rows.map(|rows| *rows)
    }
}

impl<M> Related<M> {
    /// Not fetched; what a new row has.
    pub const fn absent() -> Self {
        Related { rows: None }
    }

    pub(crate) fn fill(&mut self, rows: Vec<M>) {
        self.rows = Some(Box::new(rows));
    }
}

impl<M> Default for Related<M> {
    fn default() -> Self {
        Related::absent()
    }
}
impl<M: Clone> Clone for Related<M> {
    fn clone(&self) -> Self {
        Related { rows: self.rows.clone() }
    }
}
impl<M: PartialEq> PartialEq for Related<M> {
    fn eq(&self, other: &Self) -> bool {
        self.rows == other.rows
    }
}
impl<M: fmt::Debug> fmt::Debug for Related<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.rows {
            Some(rows) => rows.fmt(f),
            None => f.write_str("Related(absent)"),
        }
    }
}
impl<M: Model> Serialize for Related<M> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeSeq;
        /// A row through its model, which need not implement `Serialize` itself.
        struct Row<'a, M>(&'a M);
        impl<M: Model> Serialize for Row<'_, M> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.0.to_json(serializer)
            }
        }
        let rows = self.loaded().unwrap_or_default();
        let mut list = serializer.serialize_seq(Some(rows.len()))?;
        for row in rows {
            list.serialize_element(&Row(row))?;
        }
        list.end()
    }
}

/// A relation from a row of `M` to many of `T`: what `Author::posts()` returns, made by `related_name` or by a
/// [`ManyToMany`] field. `NAME` stands for its name, by which the field is found that keeps its rows.
pub struct Many<M, T, const NAME: u64> {
    link: &'static LinkMeta,
    of: PhantomData<fn() -> (M, T)>,
}

impl<M, T, const NAME: u64> Clone for Many<M, T, NAME> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<M, T, const NAME: u64> Copy for Many<M, T, NAME> {}
impl<M, T, const NAME: u64> fmt::Debug for Many<M, T, NAME> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Many({})", self.link.steps().join("."))
    }
}

impl<M: Model, T: Model, const NAME: u64> Many<M, T, NAME> {
    /// For `#[derive(Model)]`.
    #[doc(hidden)]
    pub const fn new(link: &'static LinkMeta) -> Self {
        Many { link, of: PhantomData }
    }

    pub(crate) fn link(self) -> &'static LinkMeta {
        self.link
    }

    /// A column of these rows: `Author::posts().to(Post::title())`. In a filter a row of `M` is found as often as one of them
    /// matches, as in Django: add [`distinct`](QuerySet::distinct) to have it once. Where there are none the column is null.
    pub fn to<C: Field>(self, column: Column<T, C>) -> Column<M, C::Nullable> {
        column.behind(self.link)
    }

    /// Rows of `M` that have none of these.
    pub fn is_empty(self) -> Expr<M> {
        self.key().is_null()
    }

    /// Rows of `M` that have some of these, each as often as it has.
    pub fn exist(self) -> Expr<M> {
        self.key().is_not_null()
    }

    /// Rows of `M` among whose these is the one with this key.
    pub(crate) fn is(self, key: &T::Key) -> Expr<M> {
        Expr::exact(self.key(), |out| Field::encode(key, out))
    }

    fn key(self) -> Column<M, <T::Key as Field>::Nullable> {
        Column::<T, T::Key>::at(T::meta().key).behind(self.link)
    }

    /// These rows as the query says: filtered, ordered, limited for each row of `M`, with what belongs to them in turn.
    ///
    /// ```
    /// # use covet::prelude::*;
    /// # #[derive(Model, Debug)] struct Author { id: Id<Author>, posts: Related<Post> }
    /// # #[derive(Model, Debug)] struct Post { id: Id<Post>, views: i64, #[field(related_name = "posts")] author: ForeignKey<Author> }
    /// # async fn f() -> Result<()> {
    /// let best = Post::objects().filter(Post::views().gt(10)).order_by(Post::views().desc()).limit(3);
    /// let authors = Author::objects().prefetch_related(Author::posts().with(best)).all().await?;
    /// # Ok(()) }
    /// ```
    pub fn with(self, rows: QuerySet<T>) -> Prefetch<M>
    where
        M: Keeps<NAME, Row = T>,
    {
        Prefetch::of(self, rows)
    }
}

/// A model with a field for the rows of a relation to many.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no field to keep these rows in",
    label = "add a field of the relation's name: `posts: Related<Post>`",
    note = "the field is named as the `related_name` of the relation that points to `{Self}`"
)]
pub trait Keeps<const NAME: u64>: Model {
    /// The rows' model.
    type Row: Model;
    /// The field.
    #[doc(hidden)]
    fn place(&mut self) -> &mut Related<Self::Row>;
}

/// Reads an array of rows into their place.
pub(crate) fn fill<M: Keeps<NAME>, const NAME: u64>(
    row: &mut M,
    d: &mut Decoder<'_>,
    read: &dyn Fn(&mut Decoder<'_>) -> Result<M::Row, DecodeError>,
) -> Result<(), DecodeError> {
    let count = crate::wire::array(d)?;
    let left = d.input().len().saturating_sub(d.position());
    let mut rows = Vec::with_capacity(count.min(left as u64) as usize);
    for _ in 0..count {
        rows.push(read(d)?);
    }
    row.place().fill(rows);
    Ok(())
}
