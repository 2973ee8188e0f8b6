//! New rows, one or many, and their primary keys.
//!
//! Many rows are one statement with many groups of values, as many as fit the protocol's count of placeholders and the
//! server's largest packet. Keys that the database makes come back by `RETURNING`, which MariaDB has; MySQL tells only that of
//! one row, so there each row is a statement.

use super::bind::{IGNORE, MAX_PLACEHOLDERS, bind, bind_rows, weight};
use super::connection::{Connection, no_rows};
use crate::wire::{self, Cells, write};
use crate::{DbError, InsertKey, Kind, Statement, Value};

/// The server's own name of a primary key that is one integer.
const RETURNING: &str = " RETURNING _rowid";
/// The most bytes of values in one statement, also where the server takes larger packets.
const MAX_BYTES: usize = 4 << 20;

/// Stores the rows and appends their keys. Several rows need a transaction.
pub(super) async fn insert(
    connection: &mut Connection,
    statement: &Statement,
    mut rows: &[Vec<Value>],
    key: InsertKey,
    out: &mut Vec<u8>,
) -> Result<(), DbError> {
    let several = match key {
        InsertKey::Generated => connection.about().capabilities.returning(),
        InsertKey::Param(_) => true,
    };
    while !rows.is_empty() {
        let (chunk, later) = rows.split_at(chunk_length(connection, rows));
        rows = later;
        if several && chunk.len() > 1 && insert_chunk(connection, statement, chunk, key, out).await? {
            continue;
        }
        for row in chunk {
            insert_row(connection, statement, row, key, out).await?;
        }
    }
    Ok(())
}

/// Stores one row and appends its primary key, null where the statement ignored it.
async fn insert_row(
    connection: &mut Connection,
    statement: &Statement,
    row: &[Value],
    key: InsertKey,
    out: &mut Vec<u8>,
) -> Result<(), DbError> {
    // Looked up first: nothing may fail once the row is stored.
    let given = given_key(row, key)?;
    // The mark before its values is a comment to the server.
    match connection.exchange(statement.sql(), bind(statement, row)?, no_rows).await {
        Ok(done) if done.rows_affected() == 0 => write_key(None, out),
        Ok(done) => match given {
            Some(key) => write_key(Some(&key), out),
            None => write_key(Some(&Value::Int(generated(done.last_insert_id())?)), out),
        },
        Err(DbError::UniqueViolation(_)) if ignores(statement) => write_key(None, out),
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Stores several rows by one statement. False where they must go one by one: nothing is stored then.
async fn insert_chunk(
    connection: &mut Connection,
    statement: &Statement,
    rows: &[Vec<Value>],
    key: InsertKey,
    out: &mut Vec<u8>,
) -> Result<bool, DbError> {
    for row in rows {
        given_key(row, key)?;
    }
    let Some(mut bound) = bind_rows(statement, rows)? else {
        return Ok(false);
    };
    let start = out.len();
    let mut returned = 0;
    let done = match key {
        InsertKey::Generated => {
            bound.sql.to_mut().push_str(RETURNING);
            let take = |row: &sqlx_mysql::MySqlRow| {
                returned += 1;
                row.write(0, Kind::Int, out)
            };
            connection.exchange(statement.sql(), bound, take).await.map(drop)
        }
        InsertKey::Param(_) => connection.exchange(statement.sql(), bound, no_rows).await.map(drop),
    };
    match done {
        Ok(()) => {}
        // The whole statement is undone; the rows that conflict are found one by one.
        Err(DbError::UniqueViolation(_)) if ignores(statement) => {
            out.truncate(start);
            return Ok(false);
        }
        Err(error) => return Err(error),
    }
    match key {
        InsertKey::Generated if returned != rows.len() => Err(DbError::BadQuery(format!(
            "the insert of {} rows returned {returned} keys: something ignores rows",
            rows.len()
        ))),
        InsertKey::Generated => Ok(true),
        InsertKey::Param(_) => {
            for row in rows {
                write_key(given_key(row, key)?.as_ref(), out);
            }
            Ok(true)
        }
    }
}

/// How many of the rows, at least one, go into the next statement.
fn chunk_length(connection: &Connection, rows: &[Vec<Value>]) -> usize {
    let columns = rows.first().map_or(1, Vec::len).max(1);
    let room = MAX_BYTES.min(connection.about().max_packet / 2);
    let mut bytes = 0;
    let fits = rows.iter().take(MAX_PLACEHOLDERS / columns).take_while(|row| {
        bytes += weight(row);
        bytes <= room
    });
    fits.count().max(1)
}

fn ignores(statement: &Statement) -> bool {
    statement.sql().contains(IGNORE)
}

fn given_key(row: &[Value], key: InsertKey) -> Result<Option<Value>, DbError> {
    match key {
        InsertKey::Generated => Ok(None),
        InsertKey::Param(at) => match row.get(at) {
            Some(value) => Ok(Some(value.clone())),
            None => {
                let values = row.len();
                Err(DbError::BadQuery(format!("the primary key is value {at} of a row that has {values} values")))
            }
        },
    }
}

fn generated(id: u64) -> Result<i64, DbError> {
    i64::try_from(id).map_err(|_| DbError::BadQuery(format!("the new key {id} is more than 64 bits with a sign hold")))
}

fn write_key(key: Option<&Value>, out: &mut Vec<u8>) {
    match key {
        Some(key) => wire::value(key, out),
        None => write(out, |cbor| cbor.null().map(drop)),
    }
}
