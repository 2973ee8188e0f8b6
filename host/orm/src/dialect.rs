//! What the three databases say differently. Planning speaks of lookups; a dialect has the words for them.
//!
//! Everything common to SQL goes through sea-query's one AST. What is not, stands behind `Words`, one module a dialect.

mod sqlite;

use sea_query::{DeleteStatement, Expr, InsertStatement, SelectStatement, UpdateStatement, Values};

use crate::QueryError;
use crate::schema::Kind;
use crate::shape::Lookup;

/// A database's SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    Sqlite,
    Postgres,
    MySql,
}

impl Dialect {
    /// # Errors
    /// `BadQuery` for a dialect that this build has no words for.
    pub(crate) fn words(self) -> Result<&'static dyn Words, QueryError> {
        match self {
            Dialect::Sqlite => Ok(&sqlite::Sqlite),
            Dialect::Postgres | Dialect::MySql => {
                Err(QueryError::bad(format!("{self:?} is not among the databases of this build: use SQLite")))
            }
        }
    }
}

/// The words of one dialect. Placeholders within are sea-query values, numbered by slot.
pub(crate) trait Words: Sync {
    fn select(&self, statement: &SelectStatement) -> (String, Values);
    fn insert(&self, statement: &InsertStatement) -> (String, Values);
    fn update(&self, statement: &UpdateStatement) -> (String, Values);
    fn delete(&self, statement: &DeleteStatement) -> (String, Values);

    /// Whether `OFFSET` needs a `LIMIT` before it; then the number that means none.
    fn no_limit(&self) -> Option<i64>;
    /// Equality that holds between nulls and is never null itself.
    fn same(&self, left: Expr, right: Expr) -> Expr;
    /// Membership in a list bound to one placeholder.
    fn member(&self, left: Expr, list: Expr) -> Expr;
    /// `needle` is bound as text; for `folded` it is lower case already.
    fn contains(&self, text: Expr, needle: Expr, folded: bool) -> Expr;
    /// Begins with `needle`, any case; the needle is lower case already.
    fn begins_folded(&self, text: Expr, needle: Expr) -> Expr;
    /// `needle` occurs twice, in this order, bound as bytes.
    fn ends(&self, text: Expr, needle: Expr, again: Expr, folded: bool) -> Expr;
    /// Equal in lower case.
    fn same_folded(&self, text: Expr, needle: Expr) -> Expr;
    /// `(?i)` stands in the pattern where any case matches.
    fn matches(&self, text: Expr, pattern: Expr) -> Expr;
    /// A part of a date or time in UTC. Only of kinds that have it.
    fn part(&self, kind: &Kind, part: Lookup, moment: Expr) -> Expr;
    /// A decimal's product with a decimal of the same scale, rounded half away from zero; past 64 bits it must fail the
    /// column's check. `factor` occurs once a call of the closure.
    fn decimal_product(&self, column: Expr, factor: &mut dyn FnMut() -> Expr, scale: u8) -> Expr;
}
