//! What the databases' DDL says differently, one module a dialect.

use covet_db::Value;

use crate::Dialect;
use crate::catalog::Entry;
use crate::schema::{Field, Kind, OnDelete};

impl Dialect {
    pub(super) fn forms(self) -> &'static dyn Forms {
        match self {
            Dialect::Sqlite => &super::sqlite::Sqlite,
            Dialect::Postgres => &super::postgres::Postgres,
            Dialect::MySql => &super::mysql::MySql,
        }
    }
}

/// The forms of one dialect. Names are plain identifiers by the catalog's word, so that quoting them needs no escapes.
pub(super) trait Forms: Sync {
    fn dialect(&self) -> Dialect;

    /// A name between the dialect's quotes.
    fn name(&self, name: &str) -> String {
        format!("\"{name}\"")
    }

    /// The type of a field's column.
    fn column_type(&self, field: &Field) -> String;

    /// What stands behind the type of a primary key.
    fn key(&self, field: &Field) -> &'static str;

    /// A checked value as SQL text, in its stored form.
    fn literal(&self, kind: &Kind, value: &Value) -> String;

    /// The same as a column's default.
    fn default(&self, kind: &Kind, value: &Value) -> String {
        self.literal(kind, value)
    }

    /// Whether a default that the database tells of is this one.
    fn is_default(&self, kind: &Kind, value: &Value, told: &str) -> bool;

    /// A condition that the column's values must meet: what its type lets through, but not its kind.
    fn check(&self, column: &str, field: &Field) -> Option<String>;

    /// Whether a column of this declared type holds the field's values in their stored form. Stricter than what the database
    /// would take: a `decimal(10, 2)` read as `decimal(10, 3)` would be ten times too small.
    fn accepts(&self, field: &Field, declared: &str) -> bool;

    /// A column of an index.
    fn indexed(&self, field: &Field, descending: bool) -> String {
        format!("{}{}", self.name(&field.column), if descending { " DESC" } else { "" })
    }

    /// Whether the indexes stand within CREATE TABLE.
    fn indexes_within(&self) -> bool {
        false
    }

    /// Whether references stand with their columns, also those to tables that come later.
    fn references_within(&self) -> bool {
        false
    }

    /// What stands behind the parenthesis of CREATE TABLE.
    fn table_options(&self) -> &'static str {
        ""
    }

    /// What makes a table impossible here.
    fn limits(&self, _entry: &Entry) -> Vec<Limit> {
        Vec::new()
    }
}

/// A limit of the database that a model breaks.
pub(super) struct Limit {
    /// Empty when the whole table is at fault.
    pub column: String,
    pub what: String,
    pub way_out: String,
}

/// SQL's words for what a delete does.
pub(super) fn on_delete(action: OnDelete) -> &'static str {
    match action {
        OnDelete::Cascade => "CASCADE",
        OnDelete::Protect => "RESTRICT",
        OnDelete::SetNull => "SET NULL",
        // What these do is the host's work, in the transaction of the deletion; for all others the database refuses.
        OnDelete::Restrict | OnDelete::SetDefault | OnDelete::SetValue | OnDelete::DoNothing => "NO ACTION",
    }
}

/// A declared type in capitals: its name, and the numbers in brackets behind it.
pub(super) fn split_type(declared: &str) -> (String, Vec<u32>) {
    let declared = declared.to_ascii_uppercase();
    let (name, rest) = declared.split_once('(').unwrap_or((&declared, ""));
    let (arguments, suffix) = rest.split_once(')').unwrap_or((rest, ""));
    let numbers = arguments.split(',').filter_map(|number| number.trim().parse().ok()).collect();
    (format!("{}{}", name.trim_end(), suffix.trim_end()).trim().to_owned(), numbers)
}

/// A default without the parentheses around it.
pub(super) fn bare(text: &str) -> &str {
    let mut text = text.trim();
    while let Some(inner) = text.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')) {
        text = inner.trim();
    }
    text
}

/// Characters that a field of text may have, where there is a limit.
pub(super) fn longest(kind: &Kind) -> Option<usize> {
    match kind {
        Kind::Varchar(limit) => Some(*limit as usize),
        Kind::Enumeration(values) => Some(values.iter().map(|value| value.chars().count()).max().unwrap_or(1).max(1)),
        Kind::Email => Some(crate::bind::MAX_EMAIL),
        Kind::Url => Some(crate::bind::MAX_URL),
        Kind::Slug(limit) => Some(*limit as usize),
        Kind::IpAddress => Some(crate::bind::MAX_IP),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_split_into_name_and_numbers() {
        let split = |declared: &str| split_type(declared);
        assert_eq!(split("decimal(10,2)"), ("DECIMAL".to_owned(), vec![10, 2]));
        assert_eq!(split("character varying(200)"), ("CHARACTER VARYING".to_owned(), vec![200]));
        assert_eq!(split("timestamp(6) with time zone"), ("TIMESTAMP WITH TIME ZONE".to_owned(), vec![6]));
        assert_eq!(split("bigint(20) unsigned"), ("BIGINT UNSIGNED".to_owned(), vec![20]));
        assert_eq!(split("TEXT"), ("TEXT".to_owned(), vec![]));
        assert_eq!(split(""), (String::new(), vec![]));
    }
}
