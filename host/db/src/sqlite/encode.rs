//! From SQLite's row straight into the row buffer, no value in between.

use rusqlite::Row;
use rusqlite::types::ValueRef;

use super::errors::from_sqlite;
use crate::wire::{Cells, decimal, write};
use crate::{DbError, INTEGER_DIGITS, Kind, parse_ordered};

impl Cells for Row<'_> {
    #[inline]
    fn is_null(&self, at: usize) -> Result<bool, DbError> {
        Ok(matches!(self.get_ref(at).map_err(from_sqlite)?, ValueRef::Null))
    }

    #[inline]
    fn write(&self, at: usize, kind: Kind, out: &mut Vec<u8>) -> Result<(), DbError> {
        let value = self.get_ref(at).map_err(from_sqlite)?;
        if stored(kind, value, out) { Ok(()) } else { Err(unexpected(self, at, kind, value)) }
    }
}

/// Writes a stored value; false when it is not what its kind is stored as.
#[inline]
fn stored(kind: Kind, value: ValueRef<'_>, out: &mut Vec<u8>) -> bool {
    match (kind, value) {
        (_, ValueRef::Null) => write(out, |cbor| cbor.null().map(drop)),
        (Kind::Int | Kind::Timestamp | Kind::Date | Kind::Time | Kind::Duration, ValueRef::Integer(value)) => {
            write(out, |cbor| cbor.i64(value).map(drop));
        }
        (Kind::Text | Kind::Json, ValueRef::Text(bytes)) => {
            // SQLite stores any bytes as text; the wire promises UTF-8.
            let Ok(text) = std::str::from_utf8(bytes) else {
                return false;
            };
            write(out, |cbor| cbor.str(text).map(drop));
        }
        (Kind::Bool, ValueRef::Integer(value @ (0 | 1))) => write(out, |cbor| cbor.bool(value == 1).map(drop)),
        (Kind::Real, ValueRef::Real(value)) => write(out, |cbor| cbor.f64(value).map(drop)),
        // Whole numbers in a column without REAL affinity, and those of SUM.
        #[expect(clippy::cast_precision_loss, reason = "what CAST(x AS REAL) does")]
        (Kind::Real, ValueRef::Integer(value)) => write(out, |cbor| cbor.f64(value as f64).map(drop)),
        (Kind::Bytes, ValueRef::Blob(bytes)) => write(out, |cbor| cbor.bytes(bytes).map(drop)),
        (Kind::Uuid, ValueRef::Blob(bytes)) if bytes.len() == 16 => write(out, |cbor| cbor.bytes(bytes).map(drop)),
        (Kind::Decimal { digits, scale }, ValueRef::Integer(value)) if digits <= INTEGER_DIGITS => {
            decimal(i128::from(value), scale, out);
        }
        (Kind::Decimal { digits, scale }, ValueRef::Text(text)) if digits > INTEGER_DIGITS => {
            let Some(unscaled) = parse_ordered(text, digits) else {
                return false;
            };
            decimal(unscaled, scale, out);
        }
        _ => return false,
    }
    true
}

#[cold]
fn unexpected(row: &Row<'_>, at: usize, kind: Kind, value: ValueRef<'_>) -> DbError {
    const SHOWN: usize = 40;
    let name = row.as_ref().column_name(at).unwrap_or("?").to_owned();
    let found = match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(value) => format!("INTEGER {value}"),
        ValueRef::Real(value) => format!("REAL {value}"),
        ValueRef::Text(text) => {
            let shown: String = String::from_utf8_lossy(text).chars().take(SHOWN).collect();
            let valid = if std::str::from_utf8(text).is_ok() { "" } else { " that is not UTF-8" };
            format!("TEXT {shown:?}{valid}")
        }
        ValueRef::Blob(bytes) => format!("BLOB of {} bytes", bytes.len()),
    };
    let wanted = match kind {
        Kind::Bool => "INTEGER 0 or 1".to_owned(),
        Kind::Int | Kind::Timestamp | Kind::Date | Kind::Time | Kind::Duration => "INTEGER".to_owned(),
        Kind::Real => "REAL".to_owned(),
        Kind::Text | Kind::Json => "TEXT".to_owned(),
        Kind::Bytes => "BLOB".to_owned(),
        Kind::Uuid => "BLOB of 16 bytes".to_owned(),
        Kind::Decimal { digits, .. } if digits <= INTEGER_DIGITS => "INTEGER (scaled)".to_owned(),
        Kind::Decimal { digits, .. } => format!("TEXT of {} digits (ordered)", digits + 1),
    };
    DbError::BadQuery(format!(
        "column {name} holds {found} where {wanted} belongs; something other than Covet wrote this row: correct it"
    ))
}
