//! What the three databases say differently. Planning speaks of lookups; a dialect has the words for them.
//!
//! Everything common to SQL goes through sea-query's one AST. What is not, stands behind `Words`, one module a dialect. A word
//! means the same in each: cases fold by Unicode, texts compare by their bytes, parts of dates are those of UTC, and a number
//! that outgrows its column is an error, never another number. Where a database can't quite, its module says so.

mod functions;
mod mysql;
mod postgres;
mod sqlite;

use covet_db::Kind as Stored;
use sea_query::{DeleteStatement, Expr, NullOrdering, SelectStatement, UpdateStatement, Values};

use crate::bind::Code;
use crate::schema::Kind;
use crate::shape::Lookup;

pub(crate) use functions::{Functions, Typed};

/// A database's SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    Sqlite,
    Postgres,
    MySql,
}

impl Dialect {
    /// Its name as people write it.
    pub fn label(self) -> &'static str {
        match self {
            Dialect::Sqlite => "SQLite",
            Dialect::Postgres => "PostgreSQL",
            Dialect::MySql => "MySQL",
        }
    }

    pub(crate) fn words(self) -> &'static dyn Words {
        match self {
            Dialect::Sqlite => &sqlite::Sqlite,
            Dialect::Postgres => &postgres::Postgres,
            Dialect::MySql => &mysql::MySql,
        }
    }
}

impl From<covet_db::Dialect> for Dialect {
    fn from(dialect: covet_db::Dialect) -> Dialect {
        match dialect {
            covet_db::Dialect::Sqlite => Dialect::Sqlite,
            covet_db::Dialect::Postgres => Dialect::Postgres,
            covet_db::Dialect::MySql => Dialect::MySql,
        }
    }
}

/// Makes a placeholder that `Code` fills from the comparison's parameter; each call makes one more.
pub(crate) type Fill<'a> = dyn FnMut(Code) -> Expr + 'a;

/// An insert of rows that give the same columns.
pub(crate) struct Insertion<'a> {
    pub table: &'a str,
    /// Each column with the kind of its placeholder, in the order of the placeholders.
    pub columns: &'a [(&'a str, Stored)],
    /// The primary key's column.
    pub key: &'a str,
    /// Rows that a unique constraint refuses are left out.
    pub ignore_conflicts: bool,
    /// As [`covet_db::Work::Insert`] takes it; else one row.
    pub many: bool,
}

/// The words of one dialect. Placeholders within are sea-query values, numbered by slot.
pub(crate) trait Words: Sync + Functions {
    fn dialect(&self) -> Dialect;

    fn select(&self, statement: &SelectStatement) -> (String, Values);
    fn update(&self, statement: &UpdateStatement) -> (String, Values);
    fn delete(&self, statement: &DeleteStatement) -> (String, Values);
    /// Placeholders in the order of the columns.
    fn insert(&self, insertion: &Insertion<'_>) -> String;

    /// Whether `OFFSET` needs a `LIMIT` before it; then the number that means none.
    fn no_limit(&self) -> Option<i64>;
    /// What an ordering must say so that nulls come first ascending and last descending; none where that is so anyway.
    fn nulls(&self, descending: bool) -> Option<NullOrdering>;
    /// Makes a query of a table's keys fit to stand in an update or delete of that table.
    fn apart(&self, keys: SelectStatement, key: &str) -> SelectStatement;

    /// Equality that holds between nulls. With `total` it is never null itself, and an index need not serve it.
    fn same(&self, left: Expr, code: Code, fill: &mut Fill<'_>, total: bool) -> Expr;
    /// Membership in a list bound to one placeholder. With `total` it is null only where `left` is, also for an empty list.
    fn member(&self, left: Expr, list: Expr, total: bool) -> Expr;
    /// `needle` is bound as text; for `folded` it is folded already.
    fn contains(&self, text: Expr, needle: Expr, folded: bool) -> Expr;
    /// Begins with the parameter, in such words that an index serves.
    fn begins(&self, text: Expr, fill: &mut Fill<'_>) -> Expr;
    /// Begins with `needle`, any case; the needle is folded already.
    fn begins_folded(&self, text: Expr, needle: Expr) -> Expr;
    /// `needle` occurs twice, in this order.
    fn ends(&self, text: Expr, needle: Expr, again: Expr, folded: bool) -> Expr;
    /// Equal, any case; the needle is folded already.
    fn same_folded(&self, text: Expr, needle: Expr) -> Expr;
    /// `(?i)` stands in the pattern where any case matches.
    fn matches(&self, text: Expr, pattern: Expr) -> Expr;
    /// A part of a date or time in UTC, 64 bits. Only of kinds that have it.
    fn part(&self, kind: &Kind, part: Lookup, moment: Expr) -> Expr;
}

/// Names between a dialect's quotes; the catalog lets only plain identifiers in.
fn listed<'a>(names: impl Iterator<Item = &'a str>, quote: char) -> String {
    let quoted: Vec<String> = names.map(|name| format!("{quote}{name}{quote}")).collect();
    quoted.join(", ")
}
