//! MySQL's and MariaDB's error numbers (<https://mariadb.com/kb/en/mariadb-error-code-reference/>) as [`DbError`].

use sqlx_core::error::Error;
use sqlx_mysql::MySqlDatabaseError;

use crate::DbError;
use crate::remote::Fate;

/// A failure, sorted.
pub(super) struct Failure {
    pub(super) meaning: Meaning,
    pub(super) fate: Fate,
}

/// What a failure says.
pub(super) enum Meaning {
    /// All is said.
    Told(DbError),
    /// A unique index refused the row: its columns are to be looked up.
    Duplicate(Index),
}

/// A unique index as the message names it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Index {
    /// As the message or the statement says; a trigger may have written elsewhere.
    pub(super) table: Option<String>,
    pub(super) name: String,
}

/// How much a lock that was not to be had in time undoes (`innodb_rollback_on_timeout`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LockWait {
    UndoesStatement,
    UndoesAll,
}

pub(super) fn from_sqlx(error: Error, sql: &str, lock_wait: LockWait) -> Failure {
    let told = |error, fate| Failure { meaning: Meaning::Told(error), fate };
    match error {
        Error::Database(error) => match error.try_downcast_ref::<MySqlDatabaseError>() {
            Some(error) => Failure { meaning: meaning(error, sql), fate: fate(error, lock_wait) },
            None => told(DbError::BadQuery(error.to_string()), Fate::Lives),
        },
        Error::Encode(error) | Error::Decode(error) => told(DbError::BadQuery(error.to_string()), Fate::Lives),
        // Counted by sqlx after it has noted that an answer is due: the connection is of no more use.
        Error::Protocol(text) if text.starts_with("prepared statement expected") => {
            told(DbError::BadQuery(format!("{text} in: {sql}")), Fate::Dead)
        }
        other => told(DbError::Unavailable(other.to_string()), Fate::Lost),
    }
}

/// Why there is no connection.
pub(super) fn of_login(error: Error) -> DbError {
    match from_sqlx(error, "", LockWait::UndoesStatement).meaning {
        Meaning::Told(DbError::BadQuery(text)) => DbError::Unavailable(text),
        Meaning::Told(error) => error,
        Meaning::Duplicate(index) => DbError::Unavailable(index.name),
    }
}

fn fate(error: &MySqlDatabaseError, lock_wait: LockWait) -> Fate {
    match error.number() {
        // Deadlock; a row read before has changed (innodb_snapshot_isolation).
        1213 | 1020 => Fate::Doomed,
        1205 if lock_wait == LockWait::UndoesAll => Fate::Doomed,
        // Shutdown, aborted, packet errors, killed, idle for too long.
        1053 | 1079 | 1152..=1161 | 1184 | 1927 | 4031 => Fate::Dead,
        _ => Fate::Lives,
    }
}

/// What the server said about `sql`.
fn meaning(error: &MySqlDatabaseError, sql: &str) -> Meaning {
    let message = error.message();
    let with_table = |column: Option<&str>| match (column, table_of(sql)) {
        (Some(column), Some(table)) => format!("{table}.{column}"),
        (Some(column), None) => column.to_owned(),
        (None, _) => message.to_owned(),
    };
    Meaning::Told(match error.number() {
        1022 | 1062 | 1169 | 1586 | 1859 => match duplicate(message, sql) {
            Some(index) => return Meaning::Duplicate(index),
            None => DbError::UniqueViolation(message.to_owned()),
        },
        1216 | 1217 | 1451 | 1452 | 1761 | 1762 => {
            DbError::ForeignKeyViolation(foreign_key(message).unwrap_or_else(|| message.to_owned()))
        }
        // Column 'title' cannot be null; Field 'title' doesn't have a default value
        1048 | 1263 | 1364 => DbError::NotNullViolation(with_table(between(message, "'", "'"))),
        // CONSTRAINT `x` failed for `db`.`posts`; Check constraint 'x' is violated.
        4025 if error.code() == Some("23000") => {
            DbError::CheckViolation(between(message, "`", "`").unwrap_or(message).to_owned())
        }
        3819 => DbError::CheckViolation(between(message, "'", "'").unwrap_or(message).to_owned()),
        // SIGNAL, which triggers speak with; a value longer or larger than its column, or none of its kind.
        1644 | 1264 | 1265 | 1366 | 1406 | 1441 | 1690 => DbError::CheckViolation(message.to_owned()),
        // Interrupted by KILL QUERY, or by the server's own limit of time: MariaDB's, MySQL's.
        1317 | 1969 | 3024 => DbError::Timeout,
        // Lock wait, deadlock, row changed, NOWAIT.
        1205 | 1213 | 1020 | 3572 => DbError::Conflict(message.to_owned()),
        1153 => DbError::TooLarge(format!(
            "{message}: raise max_allowed_packet of the server, or store large files elsewhere"
        )),
        // Full or out of memory, too many connections, no access, no such database, read-only, gone.
        1021
        | 1030
        | 1037
        | 1038
        | 1040
        | 1041
        | 1044
        | 1045
        | 1049
        | 1053
        | 1079
        | 1114
        | 1129
        | 1130
        | 1152
        | 1154..=1161
        | 1184
        | 1203
        | 1226
        | 1290
        | 1836
        | 1927
        | 4031 => DbError::Unavailable(message.to_owned()),
        _ if error.code().is_some_and(|state| state.starts_with("08")) => DbError::Unavailable(message.to_owned()),
        _ if sql.is_empty() => DbError::BadQuery(message.to_owned()),
        _ => DbError::BadQuery(format!("{message} in: {sql}")),
    })
}

/// `Duplicate entry 'a' for key 'slug'`; MySQL since 8.0.19 says `'posts.slug'`. The entry may hold anything, so the key is
/// looked for from the end.
fn duplicate(message: &str, sql: &str) -> Option<Index> {
    let (_, key) = message.rsplit_once("for key '")?;
    let key = key.trim_end().trim_end_matches('.').strip_suffix('\'')?;
    Some(match key.split_once('.') {
        Some((table, name)) => Index { table: Some(table.to_owned()), name: name.to_owned() },
        None => Index { table: table_of(sql), name: key.to_owned() },
    })
}

/// ``… (`db`.`posts`, CONSTRAINT `x` FOREIGN KEY (`author_id`) REFERENCES …)`` → `posts.author_id`.
fn foreign_key(message: &str) -> Option<String> {
    let (before, after) = message.rsplit_once(", CONSTRAINT `")?;
    let table = before.rsplit('`').nth(1)?;
    let columns = between(after, "FOREIGN KEY (", ")")?;
    let columns: Vec<String> =
        columns.split(", ").map(|column| format!("{table}.{}", column.trim_matches('`'))).collect();
    Some(columns.join(", "))
}

fn between<'a>(text: &'a str, open: &str, close: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(open)?;
    rest.split_once(close).map(|(inner, _)| inner)
}

/// The table that an INSERT, UPDATE or DELETE writes.
fn table_of(sql: &str) -> Option<String> {
    let mut words = sql.split_whitespace();
    let verb = words.next()?.to_ascii_uppercase();
    let named = match verb.as_str() {
        "UPDATE" => words.next()?,
        "INSERT" | "REPLACE" | "DELETE" => {
            words.find(|word| word.eq_ignore_ascii_case("INTO") || word.eq_ignore_ascii_case("FROM"))?;
            words.next()?
        }
        _ => return None,
    };
    let named = named.split('(').next().unwrap_or(named);
    let table = named.rsplit('.').next().unwrap_or(named).trim_matches('`');
    (!table.is_empty()).then(|| table.to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed test is how it speaks")]
mod tests {
    use super::*;

    #[test]
    fn duplicates_name_their_index() {
        let index = |message, sql| duplicate(message, sql).unwrap();
        let found =
            index("Duplicate entry 'for key 'x'' for key 'slug'", "INSERT /*ignore*/ INTO `posts` (`a`) VALUES (?)");
        assert_eq!(found, Index { table: Some("posts".into()), name: "slug".into() });
        let found = index("Duplicate entry '1' for key 'posts.PRIMARY'", "UPDATE other SET a = 1");
        assert_eq!(found, Index { table: Some("posts".into()), name: "PRIMARY".into() });
        assert_eq!(duplicate("Duplicate entry", ""), None);
    }

    #[test]
    fn foreign_keys_name_their_columns() {
        let message = "Cannot add or update a child row: a foreign key constraint fails (`x`.`u`, CONSTRAINT `u_1` \
                       FOREIGN KEY (`a`, `b`) REFERENCES `t` (`id`, `c`) ON DELETE CASCADE)";
        assert_eq!(foreign_key(message).unwrap(), "u.a, u.b");
        assert_eq!(foreign_key("a foreign key constraint fails"), None);
    }

    #[test]
    fn written_tables_are_told_from_the_statement() {
        for (sql, table) in [
            ("INSERT INTO posts(slug) VALUES (?)", Some("posts")),
            ("insert into `db`.`posts` (slug) values (?)", Some("posts")),
            ("UPDATE `posts` SET a = 1", Some("posts")),
            ("DELETE FROM posts WHERE 1", Some("posts")),
            ("SELECT 1", None),
            ("", None),
        ] {
            assert_eq!(table_of(sql).as_deref(), table, "{sql}");
        }
    }
}
