//! The rows that belong to one row: `author.posts()`, `post.tags()`.

use std::fmt;

use super::column::Column;
use super::deleted::Deleted;
use super::expr::{Condition, Selector};
use super::set::QuerySet;
use super::transaction::transaction;
use super::write::Assignments;
use crate::model::{Field, ForeignKey, Many, Model};
use crate::{Error, Result};

/// The words that both kinds of sets pass on to their query.
macro_rules! forwarded {
    () => {
        /// A query for these rows, to be narrowed down, ordered, limited.
        pub fn query(&self) -> QuerySet<T> {
            self.rows.clone()
        }

        /// Those that meet the condition.
        pub fn filter(&self, condition: impl Condition<T>) -> QuerySet<T> {
            self.query().filter(condition)
        }

        /// Those that do not meet the condition.
        pub fn exclude(&self, condition: impl Condition<T>) -> QuerySet<T> {
            self.query().exclude(condition)
        }

        /// All of them.
        ///
        /// # Errors
        /// Those of any query.
        pub async fn all(&self) -> Result<Vec<T>> {
            self.query().all().await
        }

        /// The one of them with this key, or that meets this condition.
        ///
        /// # Errors
        /// As [`QuerySet::get`].
        pub async fn get(&self, which: impl Selector<T>) -> Result<T> {
            self.query().get(which).await
        }

        /// The first, or none.
        ///
        /// # Errors
        /// Those of any query.
        pub async fn first(&self) -> Result<Option<T>> {
            self.query().first().await
        }

        /// The last, or none.
        ///
        /// # Errors
        /// Those of any query.
        pub async fn last(&self) -> Result<Option<T>> {
            self.query().last().await
        }

        /// How many.
        ///
        /// # Errors
        /// Those of any query.
        pub async fn count(&self) -> Result<u64> {
            self.query().count().await
        }

        /// Is there any?
        ///
        /// # Errors
        /// Those of any query.
        pub async fn exists(&self) -> Result<bool> {
            self.query().exists().await
        }

        /// Changes all of them in one statement, as [`QuerySet::update`].
        ///
        /// # Errors
        /// As there.
        pub async fn update(&self, changes: impl Assignments<T>) -> Result<u64> {
            self.query().update(changes).await
        }

        /// Deletes all of them, as [`QuerySet::delete`].
        ///
        /// # Errors
        /// As there.
        pub async fn delete(&self) -> Result<Deleted> {
            self.query().delete().await
        }
    };
}

/// The rows of `T` that point to one row of `M`: what `author.posts()` returns.
///
/// ```
/// # use covet::prelude::*;
/// # #[derive(Model, Debug)] #[model(default)] struct Author { id: Id<Author>, name: String }
/// # #[derive(Model, Debug)] #[model(default)] struct Post { id: Id<Post>, title: String, draft: bool, #[field(related_name = "posts")] author: ForeignKey<Author> }
/// # async fn f(author: Author) -> Result<()> {
/// let post = author.posts().create(Post { title: "On looms".into(), ..Post::default() }).await?; // author is set
/// let drafts = author.posts().filter(Post::draft()).order_by(Post::title()).all().await?;
/// let many = author.posts().count().await?;
/// # Ok(()) }
/// ```
pub struct PointingRows<M: Model, T> {
    owner: M::Key,
    rows: QuerySet<T>,
    point: fn(&mut T, ForeignKey<M>),
}

impl<M: Model, T> fmt::Debug for PointingRows<M, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rows that point to {} {}", M::meta().name, self.owner)
    }
}

impl<M: Model, T: Model> PointingRows<M, T> {
    /// For `#[derive(Model)]`.
    #[doc(hidden)]
    pub fn new<F>(owner: &M, by: Column<T, F>, point: fn(&mut T, ForeignKey<M>)) -> Self
    where
        F: Field<Bare = ForeignKey<M>>,
    {
        let rows = T::objects().filter(by.eq(ForeignKey::<M>::from(owner)));
        PointingRows { owner: owner.key().clone(), rows, point }
    }

    forwarded!();

    fn pointed(&self, mut row: T) -> T {
        (self.point)(&mut row, ForeignKey::to(self.owner.clone()));
        row
    }

    /// Stores a new row that points to this one.
    ///
    /// # Errors
    /// As [`QuerySet::create`].
    pub async fn create(&self, row: T) -> Result<T> {
        T::objects().create(self.pointed(row)).await
    }

    /// Stores new rows that point to this one, as [`QuerySet::bulk_create`].
    ///
    /// # Errors
    /// As there.
    pub async fn bulk_create(&self, rows: impl IntoIterator<Item = T>) -> Result<Vec<T::Key>> {
        T::objects().bulk_create(rows.into_iter().map(|row| self.pointed(row))).await
    }

    /// The one of these rows that meets the condition, or else `new`, stored so that it points to this one.
    ///
    /// # Errors
    /// As [`QuerySet::get_or_create`].
    pub async fn get_or_create(&self, condition: impl Condition<T>, new: T) -> Result<(T, bool)> {
        self.query().get_or_create(condition, self.pointed(new)).await
    }
}

/// The rows of `T` that a table between, `L`, joins to one row of `M`: what `post.tags()` returns.
///
/// ```
/// # use covet::prelude::*;
/// # #[derive(Model, Debug)] #[model(default)] struct Tag { id: Id<Tag>, name: String }
/// # #[derive(Model, Debug)] #[model(default)] struct Post { id: Id<Post>, title: String, tags: ManyToMany<Tag> }
/// # async fn f(post: Post, loom: Tag, card: Tag) -> Result<()> {
/// post.tags().add([loom.id, card.id]).await?;
/// post.tags().remove([loom.id]).await?;
/// post.tags().set([card.id]).await?;
/// let tags = post.tags().all().await?;
/// post.tags().clear().await?;
/// # Ok(()) }
/// ```
pub struct JoinedRows<M: Model, T: Model, L> {
    owner: M::Key,
    rows: QuerySet<T>,
    between: Between<M, T, L>,
}

/// A table between, seen from one of its ends.
#[doc(hidden)]
pub struct Between<M: Model, T: Model, L> {
    pub by: Column<L, ForeignKey<M>>,
    pub onward: Column<L, ForeignKey<T>>,
    pub make: Make<M, T, L>,
    /// Of a model's relation to itself: the other way round, which is kept alike.
    pub mirrored: Option<Make<M, T, L>>,
    pub mirror: Option<Mirror<M, T, L>>,
}

/// Makes a row of a table between.
type Make<M, T, L> = fn(ForeignKey<M>, ForeignKey<T>) -> L;
/// The two relations of a table between, the other way round.
type Mirror<M, T, L> = (Column<L, ForeignKey<T>>, Column<L, ForeignKey<M>>);

impl<M: Model, T: Model, L> fmt::Debug for JoinedRows<M, T, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rows joined to {} {}", M::meta().name, self.owner)
    }
}

impl<M: Model, T: Model, L: Model> JoinedRows<M, T, L> {
    /// For `#[derive(Model)]`. `back`: from a row of `T` to those of `M`.
    #[doc(hidden)]
    pub fn new<const NAME: u64>(owner: &M, back: Many<T, M, NAME>, between: Between<M, T, L>) -> Self {
        let rows = T::objects().filter(back.is(owner.key()));
        JoinedRows { owner: owner.key().clone(), rows, between }
    }

    forwarded!();

    fn here(&self) -> ForeignKey<M> {
        ForeignKey::to(self.owner.clone())
    }

    fn links(&self) -> QuerySet<L> {
        L::objects().filter(self.between.by.eq(self.here()))
    }

    /// Joins these rows; those that are joined already stay so.
    ///
    /// # Errors
    /// [`Error::ForeignKeyViolation`] for a key of no row, and those of any query.
    pub async fn add<K: Into<T::Key>>(&self, keys: impl IntoIterator<Item = K>) -> Result<()> {
        let mut links = Vec::new();
        for key in keys {
            let key: T::Key = key.into();
            let there = || ForeignKey::to(key.clone());
            links.push((self.between.make)(self.here(), there()));
            links.extend(self.between.mirrored.map(|mirrored| mirrored(self.here(), there())));
        }
        L::objects().bulk_create_ignoring_conflicts(links).await?;
        Ok(())
    }

    /// Lets go of these rows, which stay. Returns how many were joined.
    ///
    /// # Errors
    /// Those of any query.
    pub async fn remove<K: Into<T::Key>>(&self, keys: impl IntoIterator<Item = K>) -> Result<u64> {
        let keys: Vec<ForeignKey<T>> = keys.into_iter().map(|key| ForeignKey::to(key)).collect();
        let between = &self.between;
        let mut gone = self.links().filter(between.onward.is_in(keys.iter())).delete().await?.rows();
        if let Some((by, onward)) = between.mirror {
            let mirrored = L::objects().filter(onward.eq(self.here()) & by.is_in(keys.iter()));
            gone = gone.max(mirrored.delete().await?.rows());
        }
        Ok(gone)
    }

    /// Lets go of all rows, which stay. Returns how many were joined.
    ///
    /// # Errors
    /// Those of any query.
    pub async fn clear(&self) -> Result<u64> {
        let mut gone = self.links().delete().await?.rows();
        if let Some((_, onward)) = self.between.mirror {
            gone = gone.max(L::objects().filter(onward.eq(self.here())).delete().await?.rows());
        }
        Ok(gone)
    }

    /// Joins these rows and no others, in one transaction: what is joined already is left alone.
    ///
    /// # Errors
    /// As [`add`](JoinedRows::add).
    pub async fn set<K: Into<T::Key>>(&self, keys: impl IntoIterator<Item = K>) -> Result<()> {
        let mut wanted: Vec<T::Key> = keys.into_iter().map(Into::into).collect();
        transaction(async |_| {
            let there: Vec<ForeignKey<T>> = self.links().values(self.between.onward).all().await?;
            let gone = there.iter().map(ForeignKey::id).filter(|key| !wanted.contains(key));
            let gone: Vec<T::Key> = gone.collect();
            wanted.retain(|key| !there.iter().any(|there| there.key() == key));
            if !gone.is_empty() {
                self.remove(gone).await?;
            }
            if !wanted.is_empty() {
                self.add(std::mem::take(&mut wanted)).await?;
            }
            Ok::<_, Error>(())
        })
        .await
    }

    /// Stores a new row and joins it.
    ///
    /// # Errors
    /// As [`QuerySet::create`].
    pub async fn create(&self, row: T) -> Result<T> {
        transaction(async |_| {
            let row = T::objects().create(row).await?;
            self.add([row.key().clone()]).await?;
            Ok(row)
        })
        .await
    }
}
