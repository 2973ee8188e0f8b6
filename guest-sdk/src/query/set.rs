//! `Post::objects()`: a query, built step by step and sent by its last word.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use minicbor::Decoder;
use smallvec::SmallVec;

use super::column::{Column, Order};
use super::deleted::Deleted;
use super::expr::{Condition, Selector};
use super::plan::{run, run_by_key};
use super::prefetch::{self, Prefetch, Prefetches};
use super::shape::{Level, Path, Shape, Verb, Words, all_of, flag, negate, ordered};
use super::transaction::{Transaction, Tx};
use super::values::{Columns, Only, Values};
use crate::model::meta::LinkMeta;
use crate::model::{Field, Model, Relation};
use crate::wire::{Array, DecodeError, array};
use crate::{Error, Result};

/// A query on rows of `M`. Building it costs no host call and, for small queries, one allocation; the words at its end
/// (`all`, `get`, `count`, …) are `async` and cross to the host once.
///
/// Clone it to use its beginning twice.
#[must_use = "a query does nothing until it is sent: end it with .all().await, .get(…).await, .count().await, …"]
pub struct QuerySet<M> {
    pub(super) filter: Words,
    pub(super) params: Array,
    order: SmallVec<[u64; 2]>,
    pub(super) related: SmallVec<[u64; 2]>,
    pub(super) prefetch: Vec<Prefetch<M>>,
    flags: u8,
    limit: Option<u64>,
    offset: Option<u64>,
    pub(super) tx: Option<Tx>,
    cache: Option<Box<(String, Duration)>>,
    of: PhantomData<fn() -> M>,
}

impl<M> Clone for QuerySet<M> {
    fn clone(&self) -> Self {
        QuerySet {
            filter: self.filter.clone(),
            params: self.params.clone(),
            order: self.order.clone(),
            related: self.related.clone(),
            prefetch: self.prefetch.clone(),
            flags: self.flags,
            limit: self.limit,
            offset: self.offset,
            tx: self.tx.clone(),
            cache: self.cache.clone(),
            of: PhantomData,
        }
    }
}

impl<M> fmt::Debug for QuerySet<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuerySet")
            .field("model", &std::any::type_name::<M>())
            .field("filter", &format_args!("{:x?}", self.filter))
            .finish_non_exhaustive()
    }
}

impl<M: Model> QuerySet<M> {
    pub(crate) fn new() -> Self {
        QuerySet {
            filter: Words::new(),
            params: Array::new(),
            order: SmallVec::new(),
            related: SmallVec::new(),
            prefetch: Vec::new(),
            flags: 0,
            limit: None,
            offset: None,
            tx: None,
            cache: None,
            of: PhantomData,
        }
    }

    fn narrow(mut self, words: Words, params: Array) -> Self {
        if self.filter.is_empty() {
            self.filter = words;
            self.params = params;
        } else {
            self.filter.extend_from_slice(&words);
            self.filter.push(all_of(2));
            self.params.append(params);
        }
        self
    }

    /// Rows that meet the condition, and all conditions before.
    pub fn filter(self, condition: impl Condition<M>) -> Self {
        let expr = condition.into_expr();
        self.narrow(expr.words, expr.params)
    }

    /// Rows that do not meet the condition (a field that is null does not meet it).
    pub fn exclude(self, condition: impl Condition<M>) -> Self {
        let mut expr = condition.into_expr();
        expr.words.push(negate());
        self.narrow(expr.words, expr.params)
    }

    /// Orders by one column or by a tuple of them; replaces the model's own ordering. Called again it adds what
    /// decides between equals.
    pub fn order_by(mut self, order: impl OrderBy<M>) -> Self {
        order.each(&mut |word| self.order.push(word));
        self
    }

    /// The other way round.
    pub fn reverse(mut self) -> Self {
        self.flags ^= flag::REVERSE;
        self
    }

    /// At most so many rows.
    pub fn limit(mut self, rows: u64) -> Self {
        self.limit = Some(rows);
        self
    }

    /// Leaves out the first so many rows.
    pub fn offset(mut self, rows: u64) -> Self {
        self.offset = Some(rows);
        self
    }

    /// Equal rows once; together with [`values`](QuerySet::values).
    pub fn distinct(mut self) -> Self {
        self.flags |= flag::DISTINCT;
        self
    }

    /// Fetches the rows that these relations point to in the same query, with a JOIN: one column, or a tuple of them;
    /// `Post::author().then(Author::country())` also fetches what lies on the way.
    pub fn select_related(mut self, relations: impl Related<M>) -> Self {
        relations.each(&mut |word| relate(&mut self.related, Path::of_word(word)));
        self
    }

    /// Fetches rows that belong to those of this query in the same crossing, with one database query more for each level:
    /// `Author::posts()`, `Author::posts().with(query)`, or a tuple of these. They lie in the fields of that name,
    /// [`Related`](crate::model::Related).
    pub fn prefetch_related(mut self, relations: impl Prefetches<M>) -> Self {
        relations.each(&mut |prefetch| self.prefetch.push(prefetch));
        self
    }

    /// What keeps this query from being a level of another one.
    pub(super) fn refused_below(&self) -> Option<&'static str> {
        if self.offset.is_some() {
            Some("an offset is none for each row: filter, or order and limit")
        } else if self.flags & flag::DISTINCT != 0 {
            Some("each row is fetched once anyway: drop distinct")
        } else {
            None
        }
    }

    /// This query as a level of another one, with its parameters.
    pub(super) fn into_level(mut self, link: &'static LinkMeta) -> (Level, Array) {
        if let Some(limit) = self.limit {
            self.params.int(limit);
        }
        let level = Level {
            parent: None,
            link,
            filter: self.filter,
            order: self.order,
            related: self.related,
            reverse: self.flags & flag::REVERSE != 0,
            limited: self.limit.is_some(),
        };
        (level, self.params)
    }

    /// Runs the query inside this transaction.
    pub fn using(mut self, tx: &Transaction) -> Self {
        self.tx = Some(tx.inner());
        self
    }

    /// Keeps the rows of `all`, `first` and `get` in the host's cache for so long, under a name that the statistics show.
    /// Queries of another shape or with other parameters never share an entry, even under the same name; nor do
    /// builds of the plugin whose models differ. Of many that miss at once, one asks the database. Inside a
    /// transaction, and where name and parameters make more than 512 bytes, the cache is left aside.
    pub fn cache(mut self, key: impl Into<String>, ttl: Duration) -> Self {
        self.cache = Some(Box::new((key.into(), ttl)));
        self
    }

    /// Fetches these columns only, as a tuple of their types (or one type, for one column). Columns of related models
    /// are reached with `to`.
    ///
    /// ```
    /// # use covet::prelude::*;
    /// # #[derive(Model)] struct Author { id: Id<Author>, name: String }
    /// # #[derive(Model)] struct Post { id: Id<Post>, title: String, author: ForeignKey<Author> }
    /// # async fn f() -> Result<()> {
    /// let titles: Vec<String> = Post::objects().values(Post::title()).all().await?;
    /// let rows: Vec<(String, String)> =
    ///     Post::objects().values((Post::title(), Post::author().to(Author::name()))).all().await?;
    /// # Ok(()) }
    /// ```
    #[doc(alias = "values_list")]
    pub fn values<C: Columns<M>>(self, columns: C) -> Values<M, C> {
        Values::new(self, columns)
    }

    /// Fetches these columns only, as [`Partial`](super::Partial) rows: to ask one for another field is an error that
    /// names it, never a default. The primary key always comes along.
    pub fn only<C: Columns<M>>(self, columns: C) -> Only<M> {
        Only::new(self, &columns)
    }

    pub(super) async fn select(mut self, fields: &[u64]) -> Result<Vec<u8>> {
        let mut flags = self.flags;
        if let Some(limit) = self.limit {
            flags |= flag::LIMIT;
            self.params.int(limit);
        }
        if let Some(offset) = self.offset {
            flags |= flag::OFFSET;
            self.params.int(offset);
        }
        let mut shape = Shape::new(M::meta(), Verb::Select, flags, &self.filter, &self.order, &self.related, fields);
        if !self.prefetch.is_empty() {
            if !fields.is_empty() {
                return Err(Error::BadQuery(
                    "values and only fetch no rows that others belong to: drop prefetch_related".into(),
                ));
            }
            shape = shape.with_levels(prefetch::levels(&self.prefetch, &mut self.params)?);
        }
        match self.cache {
            Some(cache) if self.tx.is_none() => cached(*cache, shape, self.params).await,
            _ => run(shape, self.params, self.tx.as_ref()).await,
        }
    }

    /// All rows.
    ///
    /// # Errors
    /// Those of any query: see [`Error`].
    pub async fn all(mut self) -> Result<Vec<M>> {
        let related = std::mem::take(&mut self.related);
        self.related = related.clone();
        let prefetch = self.prefetch.clone();
        let bytes = self.select(&[]).await?;
        rows(&bytes, |d| row(d, &related, &prefetch))
    }

    /// The first row, or none.
    ///
    /// # Errors
    /// Those of any query.
    pub async fn first(self) -> Result<Option<M>> {
        Ok(self.limit(1).all().await?.pop())
    }

    /// The last row, or none; where there is no order at all, by primary key.
    ///
    /// # Errors
    /// Those of any query.
    pub async fn last(self) -> Result<Option<M>> {
        self.reverse().first().await
    }

    /// The one row with this key, or that meets this condition (and those before).
    ///
    /// # Errors
    /// [`Error::NotFound`] for none, [`Error::Multiple`] for more than one, and those of any query.
    pub async fn get(self, which: impl Selector<M>) -> Result<M> {
        let expr = which.into_expr();
        let mut rows = self.narrow(expr.words, expr.params).limit(2).all().await?;
        one::<M, M>(&mut rows)
    }

    /// How many rows.
    ///
    /// # Errors
    /// Those of any query.
    pub async fn count(self) -> Result<u64> {
        let shape = Shape::new(M::meta(), Verb::Count, 0, &self.filter, &[], &[], &[]);
        let bytes = run(shape, self.params, self.tx.as_ref()).await?;
        Ok(Decoder::new(&bytes).u64()?)
    }

    /// Is there any? Cheaper than `count`.
    ///
    /// # Errors
    /// Those of any query.
    pub async fn exists(self) -> Result<bool> {
        let shape = Shape::new(M::meta(), Verb::Exists, 0, &self.filter, &[], &[], &[]);
        let bytes = run(shape, self.params, self.tx.as_ref()).await?;
        Ok(Decoder::new(&bytes).bool()?)
    }

    /// Deletes the rows, and what goes along with them by the rules of `on_delete`; returns how many, by model. Order, limit and
    /// offset are refused.
    ///
    /// # Errors
    /// [`Error::ForeignKeyViolation`] names the relation whose rows protect one; then nothing was deleted. Those of any query.
    pub async fn delete(self) -> Result<Deleted> {
        self.whole("delete")?;
        let shape = Shape::new(M::meta(), Verb::Delete, 0, &self.filter, &[], &[], &[]);
        let bytes = run(shape, self.params, self.tx.as_ref()).await?;
        Deleted::read(&bytes)
    }

    /// Updates and deletions concern all rows of a filter: a limit would be silently ignored, so it is an error.
    pub(super) fn whole(&self, verb: &str) -> Result<()> {
        if self.limit.is_some() || self.offset.is_some() {
            return Err(Error::BadQuery(format!(
                "{verb} takes no limit and no offset: select the keys first, then filter with is_in"
            )));
        }
        Ok(())
    }
}

/// The row with this key; the hot path.
pub(crate) async fn by_key<M: Model>(key: &M::Key, tx: Option<&Tx>) -> Result<M> {
    let mut params = Array::new();
    key.encode(params.item());
    let bytes = run_by_key(M::meta(), params, tx).await?;
    let mut d = Decoder::new(&bytes);
    match array(&mut d)? {
        0 => Err(Error::NotFound(M::meta().name.into())),
        _ => Ok(row(&mut d, &[], &[])?),
    }
}

pub(super) fn one<M: Model, T>(rows: &mut Vec<T>) -> Result<T> {
    match (rows.pop(), rows.is_empty()) {
        (Some(row), true) => Ok(row),
        (None, _) => Err(Error::NotFound(M::meta().name.into())),
        (Some(_), false) => Err(Error::Multiple(M::meta().name.into())),
    }
}

/// An array of rows.
pub(super) fn rows<T>(bytes: &[u8], mut row: impl FnMut(&mut Decoder<'_>) -> Result<T, DecodeError>) -> Result<Vec<T>> {
    let mut d = Decoder::new(bytes);
    let count = array(&mut d)?;
    // A row takes a byte at least: a count past that is not believed before its rows are there.
    let mut rows = Vec::with_capacity(count.min(bytes.len() as u64) as usize);
    for _ in 0..count {
        rows.push(row(&mut d)?);
    }
    Ok(rows)
}

/// The model's own fields, then the related rows in the order they were asked for, then those that belong to it.
pub(super) fn row<M: Model>(d: &mut Decoder<'_>, related: &[u64], prefetch: &[Prefetch<M>]) -> Result<M, DecodeError> {
    array(d)?;
    let mut row = M::decode(d)?;
    for path in related {
        let steps = Path::of_word(*path).steps();
        row.attach(steps[0], &steps[1..], d)?;
    }
    for prefetch in prefetch {
        prefetch.attach(&mut row, d)?;
    }
    Ok(row)
}

/// Each prefix before its extension, each once.
fn relate(related: &mut SmallVec<[u64; 2]>, path: Path) {
    if let Some(parent) = path.parent() {
        relate(related, parent);
    }
    if !related.contains(&path.word()) {
        related.push(path.word());
    }
}

async fn cached((name, ttl): (String, Duration), shape: Shape, params: Array) -> Result<Vec<u8>> {
    use std::fmt::Write;
    /// The host's limit for a key.
    const KEY_BYTES: usize = 512;
    let params = params.finish();
    let mut key = name;
    let _ = write!(key, "?{:016x}", fingerprint(&shape));
    // All of the parameters, not a hash of them: a client may have chosen them.
    for byte in &params {
        let _ = write!(key, "{byte:02x}");
    }
    let params = Array::from_finished(params);
    if key.len() > KEY_BYTES || super::transaction::current().is_some() {
        return run(shape, params, None).await;
    }
    crate::cache::get_or_compute_bytes(&key, ttl, async || run(shape, params, None).await).await
}

/// A number for the shape and the models that its rows are read into, the same in every instance and build that agrees
/// on them. Made once an instance and shape.
fn fingerprint(shape: &Shape) -> u64 {
    use std::cell::RefCell;
    use std::collections::HashMap;
    thread_local! {
        static KNOWN: RefCell<HashMap<Box<[u64]>, u64>> = RefCell::new(HashMap::new());
    }
    if let Some(known) = KNOWN.with_borrow(|known| known.get(shape.words()).copied()) {
        return known;
    }
    let fingerprint = shape.fingerprint();
    KNOWN.with_borrow_mut(|known| known.insert(shape.words().into(), fingerprint));
    fingerprint
}

/// What `order_by` takes: a column, `column.desc()`, or a tuple of these.
#[diagnostic::on_unimplemented(
    message = "rows of `{M}` cannot be ordered by `{Self}`",
    label = "expected a column of `{M}`, `column.desc()`, or a tuple of these"
)]
pub trait OrderBy<M> {
    #[doc(hidden)]
    fn each(&self, words: &mut dyn FnMut(u64));
}
impl<M, T> OrderBy<M> for Column<M, T> {
    fn each(&self, words: &mut dyn FnMut(u64)) {
        words(ordered(self.path, false));
    }
}
impl<M> OrderBy<M> for Order<M> {
    fn each(&self, words: &mut dyn FnMut(u64)) {
        words(self.word);
    }
}
impl<M> OrderBy<M> for Vec<Order<M>> {
    fn each(&self, words: &mut dyn FnMut(u64)) {
        self.iter().for_each(|order| words(order.word));
    }
}

/// What `select_related` takes: a relation, or a tuple of them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a relation of `{M}`",
    label = "expected a ForeignKey column of `{M}`, or a tuple of these",
    note = "write `.select_related({M}::relation())`, or `{M}::relation().then(Other::relation())`"
)]
pub trait Related<M> {
    #[doc(hidden)]
    fn each(&self, paths: &mut dyn FnMut(u64));
}
impl<M, R: Relation> Related<M> for Column<M, R> {
    fn each(&self, paths: &mut dyn FnMut(u64)) {
        paths(self.path.word());
    }
}

macro_rules! tuples {
    ($(($($name:ident)+))*) => {$(
        impl<M, $($name: OrderBy<M>),+> OrderBy<M> for ($($name,)+) {
            fn each(&self, words: &mut dyn FnMut(u64)) {
                #[allow(non_snake_case)]
                let ($($name,)+) = self;
                $($name.each(words);)+
            }
        }
        impl<M, $($name: Related<M>),+> Related<M> for ($($name,)+) {
            fn each(&self, paths: &mut dyn FnMut(u64)) {
                #[allow(non_snake_case)]
                let ($($name,)+) = self;
                $($name.each(paths);)+
            }
        }
    )*};
}
tuples! { (A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E F) (A B C D E F G) (A B C D E F G H) }
