//! SQLSTATE (<https://www.postgresql.org/docs/current/errcodes-appendix.html>) as [`DbError`], in the words that SQLite's driver
//! uses for the same.

use sqlx_core::error::Error;
use sqlx_postgres::{PgDatabaseError, PgSeverity};

use crate::DbError;
use crate::remote::Fate;

/// A failure, sorted.
pub(super) struct Failure {
    pub(super) error: DbError,
    pub(super) fate: Fate,
    /// A prepared statement met a schema that has changed since, or a server that knows it no more.
    pub(super) outdated: bool,
}

impl Failure {
    /// A failure of ours, after which the connection is as good as before.
    pub(super) fn ours(error: DbError) -> Self {
        Self { error, fate: Fate::Lives, outdated: false }
    }

    pub(super) fn from_sqlx(error: Error, sql: &str) -> Self {
        match error {
            Error::Database(error) => match error.try_downcast_ref::<PgDatabaseError>() {
                Some(error) => Self::from_server(error, sql),
                None => Self::ours(DbError::BadQuery(error.to_string())),
            },
            Error::Encode(error) | Error::Decode(error) => Self::ours(DbError::BadQuery(error.to_string())),
            Error::Configuration(error) => Self::ours(DbError::BadQuery(format!("database url: {error}"))),
            other => Self { error: DbError::Unavailable(other.to_string()), fate: Fate::Lost, outdated: false },
        }
    }

    fn from_server(error: &PgDatabaseError, sql: &str) -> Self {
        let fatal = matches!(error.severity(), PgSeverity::Fatal | PgSeverity::Panic);
        let fate = match error.code() {
            _ if fatal => Fate::Dead,
            "40001" | "40P01" => Fate::Doomed,
            _ => Fate::Lives,
        };
        let outdated = match error.code() {
            // "cached plan must not change result type"; its code is that of everything not supported.
            "0A000" => error.routine() == Some("RevalidateCachedQuery"),
            "26000" => true,
            _ => false,
        };
        let error = if fatal { DbError::Unavailable(error.message().to_owned()) } else { meaning(error, sql) };
        Self { error, fate, outdated }
    }
}

fn meaning(error: &PgDatabaseError, sql: &str) -> DbError {
    let message = || error.message().to_owned();
    match error.code() {
        "23505" => DbError::UniqueViolation(columns(error)),
        "23P01" => DbError::UniqueViolation(constraint(error)),
        "23503" | "23001" => DbError::ForeignKeyViolation(columns(error)),
        "23502" => DbError::NotNullViolation(match (error.table(), error.column()) {
            (Some(table), Some(column)) => format!("{table}.{column}"),
            _ => message(),
        }),
        "23514" => DbError::CheckViolation(error.constraint().map_or_else(message, str::to_owned)),
        // A value longer, or a number or moment larger, than its column; a trigger; WITH CHECK OPTION.
        "22001" | "22003" | "22008" | "P0001" | "44000" => DbError::CheckViolation(message()),
        "40001" | "40P01" | "55P03" => DbError::Conflict(message()),
        // By our own cancellation, or by command_timeout.
        "57014" => DbError::Timeout,
        code => match code.get(..2).unwrap_or_default() {
            // Connection, log-in, resources, operator, system, the server's own faults.
            "08" | "28" | "3D" | "53" | "57" | "58" | "XX" => DbError::Unavailable(message()),
            "25" => DbError::Unavailable(message()),
            "54" => DbError::TooLarge(message()),
            _ => DbError::BadQuery(format!("{} in: {sql}", error.message())),
        },
    }
}

/// `posts.author_id, posts.slug` from the error's detail, `Key (author_id, slug)=(…) …`, whose words may be in any language.
/// Over an expression `index 'posts_lower'`, as SQLite says.
fn columns(error: &PgDatabaseError) -> String {
    let listed = error.detail().and_then(|detail| {
        let (before, _) = detail.split_once(")=(")?;
        before.split_once('(').map(|(_, columns)| columns)
    });
    let (Some(table), Some(listed)) = (error.table(), listed) else {
        return constraint(error);
    };
    let is_foreign = error.code().starts_with("23503") || error.code() == "23001";
    // Of a row that is still pointed to, the detail names the columns of the table pointed to.
    if is_foreign && !error.message().contains("insert or update") {
        return constraint(error);
    }
    let mut named = Vec::new();
    for column in listed.split(", ") {
        match plain(column) {
            Some(column) => named.push(format!("{table}.{column}")),
            None => return format!("index '{}'", error.constraint().unwrap_or("?")),
        }
    }
    named.join(", ")
}

/// A column's name without its quotes; `None` for an expression.
fn plain(column: &str) -> Option<String> {
    if let Some(quoted) = column.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        return Some(quoted.replace("\"\"", "\""));
    }
    let is_name = column.chars().all(|character| character.is_alphanumeric() || matches!(character, '_' | '$'));
    is_name.then(|| column.to_owned())
}

fn constraint(error: &PgDatabaseError) -> String {
    match (error.table(), error.constraint()) {
        (Some(table), Some(constraint)) => format!("{table} ({constraint})"),
        (None, Some(constraint)) => constraint.to_owned(),
        _ => error.message().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn expressions_are_told_from_names() {
        for (text, name) in [
            ("slug", Some("slug")),
            ("\"Order\"\"s\"", Some("Order\"s")),
            ("lower(slug)", None),
            ("žluť_1", Some("žluť_1")),
        ] {
            assert_eq!(plain(text).as_deref(), name);
        }
    }
}
