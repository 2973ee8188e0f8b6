//! One unit of work on one connection. Deadlines and transactions are the caller's; so is undoing a unit of several
//! statements that failed halfway (see [`is_many`]).

use super::connection::Connection;
use super::errors::from_sqlite;
use crate::wire::{self, ArrayHead, Cells, write};
use crate::{DbError, InsertKey, Statement, Value, Work};

/// Whether it takes several statements: then it needs a transaction or a savepoint to be atomic. SQLite itself undoes a
/// single statement that fails.
pub(super) fn is_many(work: &Work) -> bool {
    match work {
        Work::Insert { rows, .. } => rows.len() != 1,
        Work::GetOrCreate { .. } => true,
        Work::Query { .. } | Work::Scalar { .. } | Work::Execute { .. } => false,
    }
}

/// Runs `work` and answers with its CBOR.
#[inline]
pub(super) fn perform(connection: &mut Connection, work: &Work) -> Result<Vec<u8>, DbError> {
    match work {
        Work::Query { statement, params, max_rows } => query(connection, statement, params, *max_rows),
        Work::Scalar { statement, params } => scalar(connection, statement, params),
        Work::Execute { statement, params } => {
            let changed = execute(connection, statement, params)?;
            let mut out = Vec::with_capacity(9);
            write(&mut out, |cbor| cbor.u64(changed as u64).map(drop));
            Ok(out)
        }
        Work::Insert { statement, rows, key } => insert(connection, statement, rows, *key),
        Work::GetOrCreate { find, find_params, insert, insert_params, reload, key } => {
            if let Some(found) = found(connection, find, find_params)? {
                return Ok(found);
            }
            let Some(key) = insert_row(connection, insert, insert_params, *key)? else {
                return Err(DbError::BadQuery(
                    "get_or_create: the insert ignored a conflict, but the filter finds no row".to_owned(),
                ));
            };
            let mut out = Vec::new();
            write(&mut out, |cbor| cbor.array(2)?.bool(true).map(drop));
            match rows(connection, reload, &[key], Shape::Plain, 1, &mut out)? {
                1 => Ok(out),
                _ => Err(DbError::BadQuery(
                    "get_or_create: the new row cannot be read back by its primary key".to_owned(),
                )),
            }
        }
    }
}

#[inline]
fn query(
    connection: &mut Connection,
    statement: &Statement,
    params: &[Value],
    max_rows: u64,
) -> Result<Vec<u8>, DbError> {
    let mut out = Vec::new();
    let found = rows(connection, statement, params, Shape::Array, max_rows, &mut out)?;
    if found > max_rows {
        return Err(wire::too_many_rows(max_rows));
    }
    Ok(out)
}

/// Whether rows are written as one array, or one after the other as they are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Array,
    Plain,
}

/// Appends at most `most` rows. Answers how many there are; `most + 1` says that there are more.
#[inline]
fn rows(
    connection: &mut Connection,
    statement: &Statement,
    params: &[Value],
    shape: Shape,
    most: u64,
    out: &mut Vec<u8>,
) -> Result<u64, DbError> {
    let max_bytes = connection.max_result_bytes;
    let (prepared, clear) = connection.bound(statement, params)?;
    out.reserve(prepared.answer_size.max(64));
    let head = (shape == Shape::Array).then(|| ArrayHead::reserve(out, most));
    let collected = collect(&mut prepared.statement, statement, most, max_bytes, out);
    if clear {
        prepared.statement.clear_bindings();
    }
    let found = collected?;
    if let Some(head) = head {
        head.set(out, found.min(most));
    }
    prepared.answer_size = out.len();
    Ok(found)
}

#[inline]
fn collect(
    prepared: &mut rusqlite::Statement<'_>,
    statement: &Statement,
    most: u64,
    max_bytes: usize,
    out: &mut Vec<u8>,
) -> Result<u64, DbError> {
    let mut found = 0;
    // Dropping `rows` resets the statement, which ends its read transaction.
    let mut rows = prepared.raw_query();
    while let Some(row) = rows.next().map_err(from_sqlite)? {
        found += 1;
        if found > most {
            break;
        }
        wire::row(statement, row, out)?;
        if out.len() > max_bytes {
            return Err(wire::too_many_bytes(max_bytes));
        }
    }
    Ok(found)
}

fn scalar(connection: &mut Connection, statement: &Statement, params: &[Value]) -> Result<Vec<u8>, DbError> {
    let (prepared, clear) = connection.bound(statement, params)?;
    let mut out = Vec::with_capacity(prepared.answer_size.max(9));
    let mut rows = prepared.statement.raw_query();
    match rows.next().map_err(from_sqlite)? {
        Some(row) => row.write(0, wire::first_kind(statement), &mut out)?,
        None => write(&mut out, |cbor| cbor.null().map(drop)),
    }
    drop(rows);
    if clear {
        prepared.statement.clear_bindings();
    }
    prepared.answer_size = out.len();
    Ok(out)
}

fn execute(connection: &mut Connection, statement: &Statement, params: &[Value]) -> Result<usize, DbError> {
    let (prepared, clear) = connection.bound(statement, params)?;
    let changed = prepared.statement.raw_execute();
    if clear {
        prepared.statement.clear_bindings();
    }
    changed.map_err(from_sqlite)
}

fn insert(
    connection: &mut Connection,
    statement: &Statement,
    rows: &[Vec<Value>],
    key: InsertKey,
) -> Result<Vec<u8>, DbError> {
    let mut out = Vec::with_capacity(9 + rows.len() * 5);
    write(&mut out, |cbor| cbor.array(rows.len() as u64).map(drop));
    for row in rows {
        match insert_row(connection, statement, row, key)? {
            Some(key) => wire::value(&key, &mut out),
            None => write(&mut out, |cbor| cbor.null().map(drop)),
        }
    }
    Ok(out)
}

/// Stores one row and answers with its primary key; `None` where the statement ignored it.
fn insert_row(
    connection: &mut Connection,
    statement: &Statement,
    row: &[Value],
    key: InsertKey,
) -> Result<Option<Value>, DbError> {
    // Looked up first: nothing may fail once the row is stored.
    let given = match key {
        InsertKey::Generated => None,
        InsertKey::Param(at) => match row.get(at) {
            Some(value) => Some(value.clone()),
            None => {
                let values = row.len();
                return Err(DbError::BadQuery(format!(
                    "the primary key is value {at} of a row that has {values} values"
                )));
            }
        },
    };
    if execute(connection, statement, row)? == 0 {
        return Ok(None);
    }
    Ok(Some(given.unwrap_or_else(|| Value::Int(connection.sqlite().last_insert_rowid()))))
}

/// The answer of a get-or-create whose row exists, `[false, row]`; `None` where there is none.
pub(super) fn found(
    connection: &mut Connection,
    find: &Statement,
    params: &[Value],
) -> Result<Option<Vec<u8>>, DbError> {
    let mut out = Vec::new();
    write(&mut out, |cbor| cbor.array(2)?.bool(false).map(drop));
    match rows(connection, find, params, Shape::Plain, 1, &mut out)? {
        0 => Ok(None),
        1 => Ok(Some(out)),
        _ => Err(DbError::BadQuery("get_or_create: more than one row matches its filter".to_owned())),
    }
}
