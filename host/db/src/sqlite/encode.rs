//! From SQLite's row straight into the row buffer: CBOR (RFC 8949), no value in between.

use minicbor::Encoder;
use rusqlite::Row;
use rusqlite::types::ValueRef;

use super::errors::from_sqlite;
use crate::decimal::write_decimal;
use crate::{DbError, INTEGER_DIGITS, Kind, Statement, Value, parse_ordered};

/// The head of an array whose length is known later: reserved by the largest length it can have, so that setting it moves
/// nothing. A head longer than its length needs is valid CBOR (RFC 8949 §3).
pub(super) struct ArrayHead {
    at: usize,
    bytes: usize,
}

impl ArrayHead {
    #[inline]
    pub(super) fn reserve(out: &mut Vec<u8>, most: u64) -> Self {
        let at = out.len();
        let bytes = match most {
            0..=23 => 1,
            24..=0xff => 2,
            0x100..=0xffff => 3,
            0x1_0000..=0xffff_ffff => 5,
            _ => 9,
        };
        out.extend_from_slice(&[0; 9][..bytes]);
        Self { at, bytes }
    }

    #[inline]
    pub(super) fn set(self, out: &mut [u8], length: u64) {
        const ARRAY: u8 = 4 << 5;
        let be = length.to_be_bytes();
        let Some(head) = out.get_mut(self.at..self.at + self.bytes) else {
            return;
        };
        if let [only] = head {
            *only = ARRAY | be[7];
        } else if let [first, rest @ ..] = head {
            *first = ARRAY
                | match rest.len() {
                    1 => 24,
                    2 => 25,
                    4 => 26,
                    _ => 27,
                };
            rest.copy_from_slice(&be[8 - rest.len()..]);
        }
    }
}

/// One row, laid out as its statement says.
#[inline]
pub(super) fn row(statement: &Statement, row: &Row<'_>, out: &mut Vec<u8>) -> Result<(), DbError> {
    write(out, |cbor| cbor.array(statement.items()).map(drop));
    let mut at = 0;
    for group in statement.columns() {
        if group.nested {
            if group.optional && matches!(row.get_ref(at).map_err(from_sqlite)?, ValueRef::Null) {
                write(out, |cbor| cbor.null().map(drop));
                at += group.kinds.len();
                continue;
            }
            write(out, |cbor| cbor.array(group.kinds.len() as u64).map(drop));
        }
        for kind in &group.kinds {
            column(row, at, *kind, out)?;
            at += 1;
        }
    }
    Ok(())
}

/// One column of a row.
#[inline]
pub(super) fn column(row: &Row<'_>, at: usize, kind: Kind, out: &mut Vec<u8>) -> Result<(), DbError> {
    let value = row.get_ref(at).map_err(from_sqlite)?;
    if stored(kind, value, out) { Ok(()) } else { Err(unexpected(row, at, kind, value)) }
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

fn decimal(unscaled: i128, scale: u8, out: &mut Vec<u8>) {
    let mut buffer = [0; 48];
    let text = write_decimal(unscaled, scale, &mut buffer);
    write(out, |cbor| cbor.str(text).map(drop));
}

/// A bound value as it would come back: primary keys that the caller chose.
pub(super) fn value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null | Value::List(_) => write(out, |cbor| cbor.null().map(drop)),
        Value::Bool(value) => write(out, |cbor| cbor.bool(*value).map(drop)),
        Value::Int(value) => write(out, |cbor| cbor.i64(*value).map(drop)),
        Value::Real(value) => write(out, |cbor| cbor.f64(*value).map(drop)),
        Value::Text(value) => write(out, |cbor| cbor.str(value).map(drop)),
        Value::Bytes(value) => write(out, |cbor| cbor.bytes(value).map(drop)),
        Value::Uuid(value) => write(out, |cbor| cbor.bytes(value).map(drop)),
        Value::Decimal { unscaled, scale, .. } => decimal(*unscaled, *scale, out),
    }
}

/// Writes with the encoder; writing into a `Vec` cannot fail, which its error type says.
#[inline]
pub(super) fn write<F>(out: &mut Vec<u8>, f: F)
where
    F: FnOnce(&mut Encoder<&mut Vec<u8>>) -> Result<(), minicbor::encode::Error<core::convert::Infallible>>,
{
    let written = f(&mut Encoder::new(out));
    debug_assert!(written.is_ok());
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
