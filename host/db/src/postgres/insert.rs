//! Rows into a table: any number in one statement, by arrays of their columns.
//!
//! The statement takes a list for each column (`INSERT INTO t (a, b) SELECT * FROM UNNEST($1, $2) … RETURNING "id"`), and the
//! driver turns rows into columns. A statement that takes single values is run once a row instead.

use super::bind::Bound;
use super::connection::Connection;
use crate::remote::Remote;
use crate::wire::{self, Cells, write};
use crate::{DbError, InsertKey, Statement, Value};

/// Rows in one statement: enough that the exchange costs nothing beside them, few enough that memory stays small.
const CHUNK_ROWS: usize = 10_000;
/// Bytes of text and binary in one statement; one row may be larger.
const CHUNK_BYTES: usize = 32 << 20;

const MARK: &str = "SAVEPOINT covet_rows";
const KEEP: &str = "RELEASE SAVEPOINT covet_rows";
const UNDO: &str = "ROLLBACK TO SAVEPOINT covet_rows; RELEASE SAVEPOINT covet_rows";

/// Whether it takes more than one statement.
pub(super) fn is_many(statement: &Statement, rows: &[Vec<Value>]) -> bool {
    rows.len() > 1 && (!takes_lists(statement) || may_ignore(statement) || chunk(rows) < rows.len())
}

/// Stores rows; appends a key for each.
pub(super) async fn insert(
    connection: &mut Connection,
    statement: &Statement,
    mut rows: &[Vec<Value>],
    key: InsertKey,
    out: &mut Vec<u8>,
) -> Result<(), DbError> {
    check(statement, rows, key)?;
    while !rows.is_empty() {
        let size = if takes_lists(statement) { chunk(rows) } else { 1 };
        let (now, later) = rows.split_at(size);
        if now.len() > 1 && may_ignore(statement) {
            halves(connection, statement, now, key, out).await?;
        } else {
            let stored = store(connection, statement, now, key, out).await?;
            if now.len() > 1 && stored != now.len() {
                let (wanted, sql) = (now.len(), statement.sql());
                return Err(DbError::BadQuery(format!(
                    "{stored} of {wanted} rows were stored; a trigger or rule refused the rest: {sql}"
                )));
            }
            if stored == 0 {
                write(out, |cbor| cbor.null().map(drop));
            }
        }
        rows = later;
    }
    Ok(())
}

/// Of a statement that may ignore rows the server may say only how many it stored. All or none is clear; else the rows are stored
/// by halves, and so on: some `log2` statements for each row that was ignored.
async fn halves(
    connection: &mut Connection,
    statement: &Statement,
    rows: &[Vec<Value>],
    key: InsertKey,
    out: &mut Vec<u8>,
) -> Result<(), DbError> {
    // In the order of the rows: of two that exclude each other the first is stored.
    let mut left = vec![rows];
    while let Some(rows) = left.pop() {
        let before = out.len();
        if rows.len() > 1 {
            connection.control(MARK).await?;
        }
        let stored = store(connection, statement, rows, key, out).await?;
        if rows.len() > 1 && stored != 0 && stored != rows.len() {
            connection.control(UNDO).await?;
            out.truncate(before);
            let (first, second) = rows.split_at(rows.len() / 2);
            left.extend([second, first]);
            continue;
        }
        if rows.len() > 1 {
            connection.control(KEEP).await?;
        }
        if stored == 0 {
            rows.iter().for_each(|_| write(out, |cbor| cbor.null().map(drop)));
        }
    }
    Ok(())
}

/// One statement. Answers how many rows it stored; appends the keys where it stored all of them.
async fn store(
    connection: &mut Connection,
    statement: &Statement,
    rows: &[Vec<Value>],
    key: InsertKey,
    out: &mut Vec<u8>,
) -> Result<usize, DbError> {
    let before = out.len();
    let kind = wire::first_kind(statement);
    let columns = (0..statement.params().len()).map(|at| Bound::Column(rows, at));
    let mut given = rows.iter();
    let answer = connection
        .exchange(statement, columns, u64::MAX, |row| match (key, given.next()) {
            // A statement may answer for every row, with null for those that it ignored.
            (InsertKey::Param(at), Some(values)) if !row.is_null(0)? => {
                values.get(at).into_iter().for_each(|value| wire::value(value, out));
                Ok(())
            }
            _ => row.write(0, kind, out),
        })
        .await?;
    let stored = usize::try_from(answer.changed).unwrap_or(usize::MAX);
    if stored != rows.len() {
        out.truncate(before);
        return Ok(stored);
    }
    match key {
        _ if answer.rows == answer.changed => {}
        // Without RETURNING: the caller knows its keys.
        InsertKey::Param(at) if answer.rows == 0 => {
            rows.iter().filter_map(|row| row.get(at)).for_each(|value| wire::value(value, out));
        }
        _ => return Err(DbError::BadQuery(format!("the insert returns no primary keys: {}", statement.sql()))),
    }
    Ok(stored)
}

/// Before anything is sent: every row has its values, and its key.
fn check(statement: &Statement, rows: &[Vec<Value>], key: InsertKey) -> Result<(), DbError> {
    let wants = statement.params().len();
    if let Some(row) = rows.iter().find(|row| row.len() != wants) {
        let (given, sql) = (row.len(), statement.sql());
        return Err(DbError::BadQuery(format!("{given} parameters for {wants} placeholders in: {sql}")));
    }
    match key {
        InsertKey::Param(at) if at >= wants => {
            Err(DbError::BadQuery(format!("the primary key is value {at} of a row that has {wants} values")))
        }
        _ => Ok(()),
    }
}

fn takes_lists(statement: &Statement) -> bool {
    !statement.params().is_empty() && statement.params().iter().all(|param| param.list)
}

/// Where the words stand in a text literal, an insert only takes a savepoint more than it needs.
fn may_ignore(statement: &Statement) -> bool {
    statement.sql().contains("ON CONFLICT")
}

/// How many of the first rows make one statement.
fn chunk(rows: &[Vec<Value>]) -> usize {
    let mut bytes = 0_usize;
    let fits = rows.iter().take(CHUNK_ROWS).take_while(|row| {
        let size = row.iter().map(|value| match value {
            Value::Text(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
            _ => 16,
        });
        bytes += size.sum::<usize>();
        bytes <= CHUNK_BYTES
    });
    fits.count().max(1)
}
