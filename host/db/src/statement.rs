//! SQL text that was planned once and runs many times.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crate::Kind;

/// How a statement uses the database, as its planner proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// A read proven short (primary or unique key, small limit on an index): may run on the thread that asks.
    ShortRead,
    /// Any other read.
    Read,
    /// Anything that changes rows.
    Write,
}

/// A run of columns that belong together: a model's own, or those of one joined relation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Group {
    /// The columns, in the order of the statement.
    pub kinds: Vec<Kind>,
    /// Encoded as an array of its own; otherwise its values lie in the row itself.
    pub nested: bool,
    /// Only of nested groups: null where its first column (the primary key) is `NULL`.
    pub optional: bool,
}

impl Group {
    /// Columns whose values lie in the row itself.
    #[must_use]
    pub fn flat(kinds: Vec<Kind>) -> Self {
        Self { kinds, nested: false, optional: false }
    }

    /// Columns that make one item of the row; `optional` where the relation may be null.
    #[must_use]
    pub fn nested(kinds: Vec<Kind>, optional: bool) -> Self {
        Self { kinds, nested: true, optional }
    }
}

/// What one placeholder takes. Databases that type their parameters need it where the value is null or a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Param {
    /// The kind of the value, or of each value of the list.
    pub kind: Kind,
    /// Bound as a list: [`crate::Value::List`].
    pub list: bool,
}

impl Param {
    /// One value.
    #[must_use]
    pub const fn one(kind: Kind) -> Self {
        Self { kind, list: false }
    }

    /// A list of values.
    #[must_use]
    pub const fn list(kind: Kind) -> Self {
        Self { kind, list: true }
    }
}

/// SQL text with the kinds of its columns. Clones share one identity, by which connections find their prepared form
/// without looking at the text: make one per plan, not one per call.
#[derive(Clone)]
pub struct Statement(Arc<Inner>);

struct Inner {
    id: u64,
    sql: Arc<str>,
    /// As PostgreSQL's driver sends it; made at its first use.
    postgres: OnceLock<Arc<str>>,
    batch: Option<Statement>,
    params: Vec<Param>,
    columns: Vec<Group>,
    access: Access,
    width: usize,
    items: u64,
}

/// Identities are never reused, so a retired plan cannot be mistaken for a new one.
static NEXT_ID: AtomicU64 = AtomicU64::new(1);

impl Statement {
    /// A statement of `sql` whose rows are laid out as `columns`. Nothing is prepared yet.
    #[must_use]
    pub fn new(sql: impl Into<String>, columns: Vec<Group>, access: Access) -> Self {
        Self::typed(sql, Vec::new(), columns, access)
    }

    /// As [`new`](Self::new), with what each placeholder takes, in their order. SQLite does not look at it; PostgreSQL and
    /// MySQL bind by it, and refuse a call whose values do not match it.
    #[must_use]
    pub fn typed(sql: impl Into<String>, params: Vec<Param>, columns: Vec<Group>, access: Access) -> Self {
        let width = columns.iter().map(|group| group.kinds.len()).sum();
        let items = columns.iter().map(|group| if group.nested { 1 } else { group.kinds.len() as u64 }).sum();
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        let (postgres, batch) = (OnceLock::new(), None);
        Self(Arc::new(Inner { id, sql: Arc::from(sql.into()), postgres, batch, params, columns, access, width, items }))
    }

    /// The SQL text.
    #[must_use]
    pub fn sql(&self) -> &str {
        &self.0.sql
    }

    /// The SQL text, shared.
    #[must_use]
    pub fn text(&self) -> &Arc<str> {
        &self.0.sql
    }

    /// The text that is sent to PostgreSQL, made once.
    pub(crate) fn postgres_text(&self, make: impl FnOnce(&Self) -> Arc<str>) -> &Arc<str> {
        self.0.postgres.get_or_init(|| make(self))
    }

    /// Adds the form of this statement that answers many calls at once, for drivers to which a query is an exchange with a server.
    ///
    /// For statements with one parameter, a single value. `batch` takes the list of their values (`… = ANY($1)`) and yields, in
    /// its first column, the value that the row answers, and behind it the columns of this statement. Rows of one value must come
    /// in the order in which this statement yields them.
    #[must_use]
    pub fn with_batch(self, batch: Statement) -> Self {
        let Inner { id, sql, params, columns, access, width, items, .. } = &*self.0;
        Self(Arc::new(Inner {
            id: *id,
            sql: Arc::clone(sql),
            postgres: OnceLock::new(),
            batch: Some(batch),
            params: params.clone(),
            columns: columns.clone(),
            access: *access,
            width: *width,
            items: *items,
        }))
    }

    /// Its form for many calls at once.
    #[must_use]
    pub fn batch(&self) -> Option<&Statement> {
        self.0.batch.as_ref()
    }

    /// What each placeholder takes, in their order.
    #[must_use]
    pub fn params(&self) -> &[Param] {
        &self.0.params
    }

    /// The layout of a row.
    #[must_use]
    pub fn columns(&self) -> &[Group] {
        &self.0.columns
    }

    /// What the planner proved about it.
    #[must_use]
    pub fn access(&self) -> Access {
        self.0.access
    }

    /// The identity that clones share.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.0.id
    }

    /// Columns that the SQL must yield.
    #[must_use]
    pub fn width(&self) -> usize {
        self.0.width
    }

    /// Items in the CBOR array of a row: a nested group is one.
    #[must_use]
    pub fn items(&self) -> u64 {
        self.0.items
    }
}

impl fmt::Debug for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Statement")
            .field("id", &self.0.id)
            .field("sql", &self.0.sql)
            .field("columns", &self.0.columns)
            .field("access", &self.0.access)
            .finish()
    }
}
