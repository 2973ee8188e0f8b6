//! From PostgreSQL's row straight into the row buffer: the same bytes as SQLite's driver writes for the same data.

use sqlx_core::column::Column;
use sqlx_core::row::Row;
use sqlx_core::value::ValueRef;
use sqlx_postgres::{PgRow, PgValueRef};

use super::bind::{EPOCH_DAYS, EPOCH_MICROS};
use super::numeric::Numeric;
use super::oid;
use crate::wire::{Cells, decimal, write};
use crate::{DbError, Kind};

const DAY_MICROS: i64 = 86_400_000_000;

impl Cells for PgRow {
    #[inline]
    fn is_null(&self, at: usize) -> Result<bool, DbError> {
        Ok(value(self, at)?.is_null())
    }

    #[inline]
    fn write(&self, at: usize, kind: Kind, out: &mut Vec<u8>) -> Result<(), DbError> {
        let value = value(self, at)?;
        let Ok(bytes) = value.as_bytes() else {
            write(out, |cbor| cbor.null().map(drop));
            return Ok(());
        };
        let stored_as = value.type_info().oid().map_or(0, |oid| oid.0);
        if stored(kind, stored_as, bytes, out).is_some() { Ok(()) } else { Err(unexpected(self, at, kind, &value)) }
    }
}

fn value(row: &PgRow, at: usize) -> Result<PgValueRef<'_>, DbError> {
    let wants = at + 1;
    row.try_get_raw(at).map_err(|_| {
        let has = row.columns().len();
        DbError::BadQuery(format!("the statement yields {has} columns, its layout has at least {wants}"))
    })
}

/// Writes a value that is not null; `None` when it is not what its kind is stored as.
#[inline]
fn stored(kind: Kind, stored_as: u32, bytes: &[u8], out: &mut Vec<u8>) -> Option<()> {
    match kind {
        Kind::Int => {
            let value = match int(stored_as, bytes) {
                Some(value) => value,
                // What SUM makes of BIGINT.
                None if stored_as == oid::NUMERIC => i64::try_from(Numeric::read(bytes)?.unscaled(0)?).ok()?,
                None => return None,
            };
            write(out, |cbor| cbor.i64(value).map(drop));
        }
        Kind::Text => {
            if !matches!(stored_as, oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::NAME | oid::UNKNOWN) {
                return None;
            }
            let text = std::str::from_utf8(bytes).ok()?;
            write(out, |cbor| cbor.str(text).map(drop));
        }
        Kind::Bool => match (stored_as, bytes) {
            (oid::BOOL, [value @ (0 | 1)]) => write(out, |cbor| cbor.bool(*value == 1).map(drop)),
            _ => return None,
        },
        Kind::Timestamp => {
            if !matches!(stored_as, oid::TIMESTAMPTZ | oid::TIMESTAMP) {
                return None;
            }
            let micros = i64::from_be_bytes(bytes.try_into().ok()?);
            // The two ends are `infinity` and `-infinity`.
            if matches!(micros, i64::MIN | i64::MAX) {
                return None;
            }
            let micros = micros.checked_add(EPOCH_MICROS)?;
            write(out, |cbor| cbor.i64(micros).map(drop));
        }
        Kind::Date => {
            let days = match stored_as {
                oid::DATE => i32::from_be_bytes(bytes.try_into().ok()?),
                _ => return None,
            };
            if matches!(days, i32::MIN | i32::MAX) {
                return None;
            }
            write(out, |cbor| cbor.i64(i64::from(days) + EPOCH_DAYS).map(drop));
        }
        Kind::Time => {
            if stored_as != oid::TIME {
                return None;
            }
            let micros = i64::from_be_bytes(bytes.try_into().ok()?);
            write(out, |cbor| cbor.i64(micros).map(drop));
        }
        Kind::Duration => {
            let micros = interval(stored_as, bytes)?;
            write(out, |cbor| cbor.i64(micros).map(drop));
        }
        Kind::Real => {
            let value = real(stored_as, bytes)?;
            write(out, |cbor| cbor.f64(value).map(drop));
        }
        Kind::Decimal { scale, .. } => {
            let unscaled = match int(stored_as, bytes) {
                Some(whole) => i128::from(whole).checked_mul(10_i128.checked_pow(u32::from(scale))?)?,
                None if stored_as == oid::NUMERIC => Numeric::read(bytes)?.unscaled(scale)?,
                None => return None,
            };
            decimal(unscaled, scale, out);
        }
        Kind::Bytes => {
            if stored_as != oid::BYTEA {
                return None;
            }
            write(out, |cbor| cbor.bytes(bytes).map(drop));
        }
        Kind::Uuid => {
            if stored_as != oid::UUID || bytes.len() != 16 {
                return None;
            }
            write(out, |cbor| cbor.bytes(bytes).map(drop));
        }
        Kind::Json => {
            match (stored_as, bytes) {
                (oid::JSONB, [1, text @ ..]) => {
                    let text = compact(std::str::from_utf8(text).ok()?);
                    write(out, |cbor| cbor.str(&text).map(drop));
                }
                (oid::JSON, text) => {
                    let text = std::str::from_utf8(text).ok()?;
                    write(out, |cbor| cbor.str(text).map(drop));
                }
                _ => return None,
            };
        }
    }
    Some(())
}

fn int(stored_as: u32, bytes: &[u8]) -> Option<i64> {
    Some(match stored_as {
        oid::INT8 => i64::from_be_bytes(bytes.try_into().ok()?),
        oid::INT4 => i64::from(i32::from_be_bytes(bytes.try_into().ok()?)),
        oid::INT2 => i64::from(i16::from_be_bytes(bytes.try_into().ok()?)),
        oid::OID => i64::from(u32::from_be_bytes(bytes.try_into().ok()?)),
        _ => return None,
    })
}

fn real(stored_as: u32, bytes: &[u8]) -> Option<f64> {
    Some(match stored_as {
        oid::FLOAT8 => f64::from_be_bytes(bytes.try_into().ok()?),
        oid::FLOAT4 => f64::from(f32::from_be_bytes(bytes.try_into().ok()?)),
        // What AVG makes of integers.
        oid::NUMERIC => Numeric::read(bytes)?.to_f64()?,
        #[expect(clippy::cast_precision_loss, reason = "what CAST(x AS DOUBLE PRECISION) does")]
        _ => int(stored_as, bytes)? as f64,
    })
}

/// Microseconds; days count as 24 hours, months cannot be counted.
fn interval(stored_as: u32, bytes: &[u8]) -> Option<i64> {
    let bytes: &[u8; 16] = bytes.try_into().ok().filter(|_| stored_as == oid::INTERVAL)?;
    let (micros, rest) = bytes.split_first_chunk::<8>()?;
    let (days, months) = rest.split_first_chunk::<4>()?;
    if months != [0; 4] {
        return None;
    }
    let days = i64::from(i32::from_be_bytes(*days)).checked_mul(DAY_MICROS)?;
    i64::from_be_bytes(*micros).checked_add(days)
}

/// JSONB comes with a space behind each `:` and `,`; other databases give back no space that nobody stored.
fn compact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut quoted, mut escaped) = (false, false);
    for character in text.chars() {
        match character {
            ' ' if !quoted => continue,
            '"' if !escaped => quoted = !quoted,
            _ => {}
        }
        escaped = character == '\\' && !escaped;
        out.push(character);
    }
    out
}

#[cold]
fn unexpected(row: &PgRow, at: usize, kind: Kind, value: &PgValueRef<'_>) -> DbError {
    let name = row.columns().get(at).map_or("?", |column| column.name());
    let info = value.type_info();
    let length = value.as_bytes().map_or(0, <[u8]>::len);
    DbError::BadQuery(format!(
        "column {name} holds a value of type {info} ({length} bytes) that is no {kind:?}: something other than Covet wrote this row, or \
         the query computes another type; correct it"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_loses_only_the_space_between() {
        for (stored, wire) in [
            ("{\"a\": [1, 2], \"b c\": \"d, e: \\\" f\"}", "{\"a\":[1,2],\"b c\":\"d, e: \\\" f\"}"),
            ("\"\\\\\"", "\"\\\\\""),
            ("[\"\\\\\", \" \"]", "[\"\\\\\",\" \"]"),
            ("null", "null"),
        ] {
            assert_eq!(compact(stored), wire);
        }
    }
}
