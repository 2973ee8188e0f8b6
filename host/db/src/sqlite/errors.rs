//! SQLite's extended result codes (<https://www.sqlite.org/rescode.html>) as [`DbError`].

use rusqlite::ffi;

use crate::DbError;

pub(super) fn from_sqlite(error: rusqlite::Error) -> DbError {
    match error {
        rusqlite::Error::SqliteFailure(failure, message) => {
            let message = message.unwrap_or_else(|| failure.to_string());
            from_code(failure.extended_code, message)
        }
        rusqlite::Error::SqlInputError { error, msg, sql, .. } => match error.extended_code & 0xff {
            ffi::SQLITE_ERROR => DbError::BadQuery(format!("{msg} in: {sql}")),
            _ => from_code(error.extended_code, msg),
        },
        rusqlite::Error::ExecuteReturnedResults => {
            DbError::BadQuery("the statement returned rows; run it as a query".to_owned())
        }
        other => DbError::BadQuery(other.to_string()),
    }
}

fn from_code(extended: i32, message: String) -> DbError {
    match extended {
        ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => {
            DbError::UniqueViolation(constraint(&message))
        }
        // ON DELETE RESTRICT is a trigger to SQLite; only the message tells.
        ffi::SQLITE_CONSTRAINT_TRIGGER if message.starts_with("FOREIGN KEY") => {
            DbError::ForeignKeyViolation(constraint(&message))
        }
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => DbError::ForeignKeyViolation(constraint(&message)),
        ffi::SQLITE_CONSTRAINT_NOTNULL => DbError::NotNullViolation(constraint(&message)),
        // The state that this transaction read has been overwritten meanwhile.
        ffi::SQLITE_BUSY_SNAPSHOT => DbError::Conflict(message),
        _ => match extended & 0xff {
            ffi::SQLITE_CONSTRAINT => DbError::CheckViolation(constraint(&message)),
            ffi::SQLITE_BUSY | ffi::SQLITE_INTERRUPT => DbError::Timeout,
            ffi::SQLITE_LOCKED => DbError::Conflict(message),
            ffi::SQLITE_TOOBIG => DbError::TooLarge(format!(
                "{message}: SQLite's limit for a text, a binary or a row is 1,000,000,000 bytes; store large files elsewhere"
            )),
            ffi::SQLITE_ERROR | ffi::SQLITE_RANGE | ffi::SQLITE_MISMATCH | ffi::SQLITE_AUTH | ffi::SQLITE_MISUSE => {
                DbError::BadQuery(message)
            }
            _ => DbError::Unavailable(message),
        },
    }
}

/// `UNIQUE constraint failed: posts.slug` → `posts.slug`. A foreign key's message names nothing and stays whole.
fn constraint(message: &str) -> String {
    message.split_once("constraint failed: ").map_or(message, |(_, name)| name).to_owned()
}

pub(super) fn closed() -> DbError {
    DbError::Unavailable("the database was closed".to_owned())
}
