//! One unit of work on one connection.

use std::hash::{Hash, Hasher};

use rustc_hash::FxHasher;

use super::{Fate, Remote};
use crate::wire::{self, ArrayHead, write};
use crate::{Access, DbError, InsertKey, Statement, Value, Work};

/// Outside a transaction: atomic by itself, or between BEGIN and COMMIT.
pub(super) async fn alone<C: Remote>(connection: &mut C, work: &Work) -> Result<Vec<u8>, DbError> {
    if !is_many::<C>(work) {
        return perform(connection, work).await;
    }
    // Most get-or-creates get: no transaction for those.
    if let Work::GetOrCreate { find, find_params, .. } = work
        && let Some(answer) = found(connection, find, find_params).await?
    {
        return Ok(answer);
    }
    connection.begin(None, "").await?;
    match perform(connection, work).await {
        Ok(answer) => {
            connection.commit().await?;
            Ok(answer)
        }
        Err(error) => {
            if matches!(connection.fate(), Fate::Lives | Fate::Doomed) {
                // Where it fails the connection is given up, which rolls back as well.
                let ended = connection.rollback().await;
                // A plain insert, which knows nothing of the lock, was faster.
                if let Work::GetOrCreate { find, find_params, .. } = work
                    && matches!((&error, ended), (DbError::UniqueViolation(_), Ok(())))
                    && let Some(answer) = found(connection, find, find_params).await?
                {
                    return Ok(answer);
                }
            }
            Err(error)
        }
    }
}

/// Whether it takes several statements, or may fail after its one statement is done: then only a transaction or a savepoint
/// undoes it wholly.
pub(super) fn is_many<C: Remote>(work: &Work) -> bool {
    match work {
        Work::Query { statement, .. } | Work::Scalar { statement, .. } => statement.access() == Access::Write,
        Work::Execute { .. } => false,
        Work::Insert { statement, rows, .. } => C::is_many(statement, rows),
        Work::GetOrCreate { .. } => true,
    }
}

/// Runs `work` and answers with its CBOR. The transaction, where one is needed, is the caller's.
pub(crate) async fn perform<C: Remote>(connection: &mut C, work: &Work) -> Result<Vec<u8>, DbError> {
    let mut out = Vec::new();
    match work {
        Work::Query { statement, params, max_rows } => {
            let head = ArrayHead::reserve(&mut out, *max_rows);
            let found = connection.rows(statement, params, *max_rows, &mut out).await?;
            if found > *max_rows {
                return Err(wire::too_many_rows(*max_rows));
            }
            head.set(&mut out, found);
        }
        Work::Scalar { statement, params } => connection.scalar(statement, params, &mut out).await?,
        Work::Execute { statement, params } => {
            let changed = connection.execute(statement, params).await?;
            write(&mut out, |cbor| cbor.u64(changed).map(drop));
        }
        Work::Insert { statement, rows, key } => {
            write(&mut out, |cbor| cbor.array(rows.len() as u64).map(drop));
            if !rows.is_empty() {
                connection.insert(statement, rows, *key, &mut out).await?;
            }
        }
        Work::GetOrCreate { find, find_params, insert, insert_params, reload, key } => {
            return get_or_create(connection, (find, find_params), (insert, insert_params, *key), reload).await;
        }
    }
    Ok(out)
}

/// Of any number at once, one creates: they take turns by a lock on what they look for. A unique constraint would do the same
/// only for columns that have one.
async fn get_or_create<C: Remote>(
    connection: &mut C,
    (find, find_params): (&Statement, &[Value]),
    (insert, insert_params, key): (&Statement, &Vec<Value>, InsertKey),
    reload: &Statement,
) -> Result<Vec<u8>, DbError> {
    connection.lock(lock_key(find, find_params)).await?;
    if let Some(found) = found(connection, find, find_params).await? {
        return Ok(found);
    }
    let mut stored = Vec::new();
    match connection.insert(insert, std::slice::from_ref(insert_params), key, &mut stored).await {
        Ok(()) => {}
        // The row exists, though this transaction, which sees an older state, did not find it.
        Err(error @ DbError::UniqueViolation(_)) if !C::FAILURE_SPREADS && connection.fate() == Fate::Lives => {
            return found(connection, &C::of_now(find), find_params).await?.ok_or(error);
        }
        Err(error) => return Err(error),
    }
    let Some(key) = wire::key(&stored, insert, insert_params, key) else {
        // Somebody else, without the lock, was faster.
        return found(connection, find, find_params).await?.ok_or_else(|| {
            DbError::BadQuery("get_or_create: the insert ignored a conflict, but the filter finds no row".to_owned())
        });
    };
    let mut out = Vec::new();
    write(&mut out, |cbor| cbor.array(2)?.bool(true).map(drop));
    match connection.rows(reload, &[key], 1, &mut out).await? {
        1 => Ok(out),
        _ => Err(DbError::BadQuery("get_or_create: the new row cannot be read back by its primary key".to_owned())),
    }
}

/// The answer of a get-or-create whose row exists, `[false, row]`; `None` where there is none.
async fn found<C: Remote>(connection: &mut C, find: &Statement, params: &[Value]) -> Result<Option<Vec<u8>>, DbError> {
    let mut out = Vec::new();
    write(&mut out, |cbor| cbor.array(2)?.bool(false).map(drop));
    match connection.rows(find, params, 1, &mut out).await? {
        0 => Ok(None),
        1 => Ok(Some(out)),
        _ => Err(DbError::BadQuery("get_or_create: more than one row matches its filter".to_owned())),
    }
}

/// The same on every host: by the statement's text, not by its number. Two filters of one number only wait for each other.
fn lock_key(find: &Statement, params: &[Value]) -> i64 {
    let mut hasher = FxHasher::default();
    find.sql().hash(&mut hasher);
    for value in params {
        wire::hash(value, &mut hasher);
    }
    i64::from_ne_bytes(hasher.finish().to_ne_bytes())
}
