//! The row buffer: CBOR (RFC 8949), written straight from a driver's row. All drivers write the same bytes for the same
//! data.

use std::hash::{Hash, Hasher};

use minicbor::Encoder;
use minicbor::data::Type;

use crate::decimal::write_decimal;
use crate::{DbError, InsertKey, Kind, Statement, Value};

/// A driver's row.
pub(crate) trait Cells {
    /// Whether the column is `NULL`.
    fn is_null(&self, at: usize) -> Result<bool, DbError>;
    /// Writes one column as its kind; an error where it holds something else.
    fn write(&self, at: usize, kind: Kind, out: &mut Vec<u8>) -> Result<(), DbError>;
}

/// One row, laid out as its statement says.
#[inline]
pub(crate) fn row(statement: &Statement, cells: &impl Cells, out: &mut Vec<u8>) -> Result<(), DbError> {
    row_from(0, statement, cells, out)
}

/// The same where the statement's columns begin at another one.
#[inline]
pub(crate) fn row_from(
    first: usize,
    statement: &Statement,
    cells: &impl Cells,
    out: &mut Vec<u8>,
) -> Result<(), DbError> {
    write(out, |cbor| cbor.array(statement.items()).map(drop));
    let mut at = first;
    for group in statement.columns() {
        if group.nested {
            if group.optional && cells.is_null(at)? {
                write(out, |cbor| cbor.null().map(drop));
                at += group.kinds.len();
                continue;
            }
            write(out, |cbor| cbor.array(group.kinds.len() as u64).map(drop));
        }
        for kind in &group.kinds {
            cells.write(at, *kind, out)?;
            at += 1;
        }
    }
    Ok(())
}

/// The kind of a statement's first column: what a scalar and the key of an insert are written as.
pub(crate) fn first_kind(statement: &Statement) -> Kind {
    statement.columns().first().and_then(|group| group.kinds.first()).copied().unwrap_or(Kind::Int)
}

/// The primary key of one stored row, to be bound again, from what an insert of that row wrote; `None` where the row was
/// ignored.
pub(crate) fn key(written: &[u8], insert: &Statement, row: &[Value], key: InsertKey) -> Option<Value> {
    let mut cbor = minicbor::Decoder::new(written);
    match (cbor.datatype().ok()?, key) {
        (Type::Null, _) => None,
        (_, InsertKey::Param(at)) => row.get(at).cloned(),
        (Type::Bytes, _) => {
            let bytes = cbor.bytes().ok()?;
            match <[u8; 16]>::try_from(bytes) {
                Ok(uuid) if first_kind(insert) == Kind::Uuid => Some(Value::Uuid(uuid)),
                _ => Some(Value::Bytes(bytes.to_vec())),
            }
        }
        (Type::String, _) => cbor.str().ok().map(|text| Value::Text(text.to_owned())),
        _ => cbor.i64().ok().map(Value::Int),
    }
}

/// Hashes a bound value. Floats by their bits.
pub(crate) fn hash(value: &Value, hasher: &mut impl Hasher) {
    std::mem::discriminant(value).hash(hasher);
    match value {
        Value::Null => {}
        Value::Bool(value) => value.hash(hasher),
        Value::Int(value) => value.hash(hasher),
        Value::Real(value) => value.to_bits().hash(hasher),
        Value::Text(value) => value.hash(hasher),
        Value::Bytes(value) => value.hash(hasher),
        Value::Uuid(value) => value.hash(hasher),
        Value::Decimal { unscaled, digits, scale } => (unscaled, digits, scale).hash(hasher),
        Value::List(values) => values.iter().for_each(|value| hash(value, hasher)),
    }
}

/// Of a query that found more rows than it may.
#[cold]
pub(crate) fn too_many_rows(max_rows: u64) -> DbError {
    DbError::TooLarge(format!(
        "the query returned more than {max_rows} rows (max_rows); add limit() or read it in chunks"
    ))
}

/// Of an answer that grew larger than it may.
#[cold]
pub(crate) fn too_many_bytes(max_bytes: usize) -> DbError {
    DbError::TooLarge(format!(
        "the answer is larger than {max_bytes} bytes (max_result_bytes); add limit(), read it in chunks, or select fewer fields"
    ))
}

/// The head of an array whose length is known later: reserved by the largest length it can have, so that setting it moves
/// nothing. A head longer than its length needs is valid CBOR (RFC 8949 §3).
pub(crate) struct ArrayHead {
    at: usize,
    bytes: usize,
}

impl ArrayHead {
    #[inline]
    pub(crate) fn reserve(out: &mut Vec<u8>, most: u64) -> Self {
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
    pub(crate) fn set(self, out: &mut [u8], length: u64) {
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

/// A decimal, always with `scale` digits behind the point.
pub(crate) fn decimal(unscaled: i128, scale: u8, out: &mut Vec<u8>) {
    let mut buffer = [0; 48];
    let text = write_decimal(unscaled, scale, &mut buffer);
    write(out, |cbor| cbor.str(text).map(drop));
}

/// A bound value as it would come back: primary keys that the caller chose.
pub(crate) fn value(value: &Value, out: &mut Vec<u8>) {
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
pub(crate) fn write<F>(out: &mut Vec<u8>, f: F)
where
    F: FnOnce(&mut Encoder<&mut Vec<u8>>) -> Result<(), minicbor::encode::Error<core::convert::Infallible>>,
{
    let written = f(&mut Encoder::new(out));
    debug_assert!(written.is_ok());
}
