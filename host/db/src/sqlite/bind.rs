//! Values into placeholders.

use std::rc::Rc;

use rusqlite::types::{ToSql, ToSqlOutput, Value as Stored, ValueRef};

use super::errors::from_sqlite;
use crate::decimal::check_digits;
use crate::{DbError, INTEGER_DIGITS, Value, ordered_text};

/// From this size on a bound value is let go right after its statement instead of at the statement's next run.
const LARGE: usize = 4096;

/// Binds all of `params`. Answers whether the bindings should be cleared after use.
#[inline]
pub(super) fn bind(statement: &mut rusqlite::Statement<'_>, params: &[Value]) -> Result<bool, DbError> {
    let mut clear = false;
    for (at, value) in params.iter().enumerate() {
        clear |= match value {
            Value::List(_) => true,
            Value::Text(text) => text.len() >= LARGE,
            Value::Bytes(bytes) => bytes.len() >= LARGE,
            _ => false,
        };
        let bound = match value {
            Value::List(values) => {
                let stored: Result<Vec<Stored>, DbError> = values.iter().map(stored).collect();
                statement.raw_bind_parameter(at + 1, Rc::new(stored?))
            }
            Value::Decimal { unscaled, digits, scale } => {
                statement.raw_bind_parameter(at + 1, decimal(*unscaled, *digits, *scale)?)
            }
            plain => statement.raw_bind_parameter(at + 1, Plain(plain)),
        };
        bound.map_err(from_sqlite)?;
    }
    Ok(clear)
}

/// Values that SQLite takes as they are, without a copy of ours.
struct Plain<'a>(&'a Value);

impl ToSql for Plain<'_> {
    #[inline]
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Bool(value) => ValueRef::Integer(i64::from(*value)),
            Value::Int(value) => ValueRef::Integer(*value),
            Value::Real(value) => ValueRef::Real(*value),
            Value::Text(value) => ValueRef::Text(value.as_bytes()),
            Value::Bytes(value) => ValueRef::Blob(value),
            Value::Uuid(value) => ValueRef::Blob(value),
            // Decimals and lists are bound by `bind` itself.
            Value::Null | Value::Decimal { .. } | Value::List(_) => ValueRef::Null,
        }))
    }
}

fn stored(value: &Value) -> Result<Stored, DbError> {
    Ok(match value {
        Value::Null => Stored::Null,
        Value::Bool(value) => Stored::Integer(i64::from(*value)),
        Value::Int(value) => Stored::Integer(*value),
        Value::Real(value) => Stored::Real(*value),
        Value::Text(value) => Stored::Text(value.clone()),
        Value::Bytes(value) => Stored::Blob(value.clone()),
        Value::Uuid(value) => Stored::Blob(value.to_vec()),
        Value::Decimal { unscaled, digits, scale } => decimal(*unscaled, *digits, *scale)?,
        Value::List(_) => {
            return Err(DbError::BadQuery("a list in a list cannot be bound".to_owned()));
        }
    })
}

/// See [`crate::decimal`] for the two ways to store a decimal.
fn decimal(unscaled: i128, digits: u8, scale: u8) -> Result<Stored, DbError> {
    check_digits(unscaled, digits, scale)?;
    Ok(match i64::try_from(unscaled) {
        Ok(small) if digits <= INTEGER_DIGITS => Stored::Integer(small),
        _ => Stored::Text(ordered_text(unscaled, digits)),
    })
}
