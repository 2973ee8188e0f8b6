//! From MySQL's row straight into the row buffer. Rows come in the binary form of the protocol
//! (<https://mariadb.com/kb/en/resultset-row/#binary-resultset-row>), since every statement is prepared.

use sqlx_core::column::Column;
use sqlx_core::decode::Decode;
use sqlx_core::row::Row;
use sqlx_core::type_info::TypeInfo;
use sqlx_core::value::ValueRef;
use sqlx_mysql::{MySql, MySqlRow, MySqlValueRef};

use super::calendar::{self, MICROS_PER_DAY};
use crate::wire::{Cells, decimal, write};
use crate::{DbError, Kind, MAX_DIGITS, parse_decimal};

impl Cells for MySqlRow {
    #[inline]
    fn is_null(&self, at: usize) -> Result<bool, DbError> {
        Ok(value(self, at)?.is_null())
    }

    #[inline]
    fn write(&self, at: usize, kind: Kind, out: &mut Vec<u8>) -> Result<(), DbError> {
        let value = value(self, at)?;
        if value.is_null() {
            write(out, |cbor| cbor.null().map(drop));
            return Ok(());
        }
        let name = value.type_info();
        let stored = bytes(value.clone()).and_then(|bytes| Stored::read(name.name(), bytes));
        match stored {
            Some(stored) if stored.write(kind, out) => Ok(()),
            stored => Err(unexpected(self, at, kind, name.name(), stored)),
        }
    }
}

/// A row of a query of our own as texts.
pub(super) fn texts<const N: usize>(row: &MySqlRow) -> Result<[Option<String>; N], DbError> {
    let mut texts = [const { None }; N];
    for (at, place) in texts.iter_mut().enumerate() {
        *place = text(row, at)?;
    }
    Ok(texts)
}

fn text(row: &MySqlRow, at: usize) -> Result<Option<String>, DbError> {
    let value = value(row, at)?;
    if value.is_null() {
        return Ok(None);
    }
    let name = value.type_info();
    match bytes(value.clone()).and_then(|bytes| Stored::read(name.name(), bytes)) {
        Some(Stored::Bytes(bytes)) => Ok(Some(String::from_utf8_lossy(bytes).into_owned())),
        Some(Stored::Int(number)) => Ok(Some(number.to_string())),
        stored => Err(unexpected(row, at, Kind::Text, name.name(), stored)),
    }
}

fn value(row: &MySqlRow, at: usize) -> Result<MySqlValueRef<'_>, DbError> {
    let missing = |_| DbError::BadQuery(format!("the statement yields {} columns, no column {at}", row.len()));
    row.try_get_raw(at).map_err(missing)
}

fn bytes(value: MySqlValueRef<'_>) -> Option<&[u8]> {
    // Whatever the type: this decoder hands out the bytes as they came.
    <&[u8] as Decode<'_, MySql>>::decode(value).ok()
}

/// A value as MySQL sends it.
#[derive(Clone, Copy)]
enum Stored<'a> {
    Int(i64),
    /// An unsigned integer above those of 64 bits with sign.
    Huge(u64),
    Real(f64),
    Decimal(&'a str),
    /// Microseconds since 1970.
    Moment(i64),
    /// Days since 1970.
    Date(i64),
    /// Microseconds.
    Time(i64),
    /// Texts, binaries, JSON: whether it is text does not show, as binary collations look like none.
    Bytes(&'a [u8]),
}

impl<'a> Stored<'a> {
    /// Reads what a column of this type holds; `None` for types that Covet never makes.
    #[inline]
    fn read(type_name: &str, bytes: &'a [u8]) -> Option<Self> {
        let unsigned = type_name.ends_with(" UNSIGNED");
        Some(match type_name.strip_suffix(" UNSIGNED").unwrap_or(type_name) {
            "BOOLEAN" | "TINYINT" | "SMALLINT" | "MEDIUMINT" | "INT" | "BIGINT" | "YEAR" => integer(bytes, unsigned)?,
            "FLOAT" => Self::Real(f64::from(f32::from_le_bytes(bytes.try_into().ok()?))),
            "DOUBLE" => Self::Real(f64::from_le_bytes(bytes.try_into().ok()?)),
            "DECIMAL" => Self::Decimal(std::str::from_utf8(bytes).ok()?),
            "DATETIME" | "TIMESTAMP" => Self::Moment(moment(bytes)?),
            "DATE" => Self::Date(moment(bytes)? / MICROS_PER_DAY),
            "TIME" => Self::Time(time(bytes)?),
            "BIT" | "GEOMETRY" | "SET" | "NULL" => return None,
            _ => Self::Bytes(bytes),
        })
    }

    /// Writes it as `kind`; false when it is not what that kind is stored as.
    #[inline]
    fn write(self, kind: Kind, out: &mut Vec<u8>) -> bool {
        match (kind, self) {
            (Kind::Int | Kind::Duration, Self::Int(value)) => int(value, out),
            // The sum of integers.
            (Kind::Int | Kind::Duration, Self::Decimal(text)) => {
                let Ok(value) = parse_decimal(text, MAX_DIGITS, 0)
                    .and_then(|value| i64::try_from(value).map_err(|_| crate::DecimalError::TooManyDigits))
                else {
                    return false;
                };
                int(value, out);
            }
            (Kind::Text | Kind::Json, Self::Bytes(bytes)) => {
                // The wire promises UTF-8; binary columns promise nothing.
                let Ok(text) = std::str::from_utf8(bytes) else { return false };
                write(out, |cbor| cbor.str(text).map(drop));
            }
            (Kind::Bool, Self::Int(value @ (0 | 1))) => write(out, |cbor| cbor.bool(value == 1).map(drop)),
            (Kind::Real, Self::Real(value)) => real(value, out),
            #[expect(clippy::cast_precision_loss, reason = "what CAST(x AS DOUBLE) does")]
            (Kind::Real, Self::Int(value)) => real(value as f64, out),
            // Averages of integers.
            (Kind::Real, Self::Decimal(text)) => match text.parse() {
                Ok(value) => real(value, out),
                Err(_) => return false,
            },
            (Kind::Bytes, Self::Bytes(bytes)) => write(out, |cbor| cbor.bytes(bytes).map(drop)),
            (Kind::Uuid, Self::Bytes(bytes)) if bytes.len() == 16 => write(out, |cbor| cbor.bytes(bytes).map(drop)),
            (Kind::Decimal { scale, .. }, Self::Decimal(text)) => match parse_decimal(text, MAX_DIGITS, scale) {
                Ok(unscaled) => decimal(unscaled, scale, out),
                Err(_) => return false,
            },
            (Kind::Decimal { scale, .. }, Self::Int(value)) => {
                let Some(unscaled) =
                    10_i128.checked_pow(u32::from(scale)).and_then(|one| one.checked_mul(value.into()))
                else {
                    return false;
                };
                decimal(unscaled, scale, out);
            }
            (Kind::Timestamp, Self::Moment(micros)) => int(micros, out),
            (Kind::Timestamp, Self::Date(days)) => int(days * MICROS_PER_DAY, out),
            (Kind::Date, Self::Date(days)) => int(days, out),
            (Kind::Time, Self::Time(micros)) => int(micros, out),
            // Expressions that mix a column with a parameter, which is text.
            (Kind::Timestamp | Kind::Date | Kind::Time, Self::Bytes(bytes)) => {
                let parse = match kind {
                    Kind::Timestamp => calendar::parse_moment,
                    Kind::Date => calendar::parse_date,
                    _ => calendar::parse_time,
                };
                match std::str::from_utf8(bytes).ok().and_then(parse) {
                    Some(value) => int(value, out),
                    None => return false,
                }
            }
            _ => return false,
        }
        true
    }
}

fn int(value: i64, out: &mut Vec<u8>) {
    write(out, |cbor| cbor.i64(value).map(drop));
}

fn real(value: f64, out: &mut Vec<u8>) {
    write(out, |cbor| cbor.f64(value).map(drop));
}

fn integer(bytes: &[u8], unsigned: bool) -> Option<Stored<'_>> {
    let mut wide = [if !unsigned && bytes.last().is_some_and(|last| *last >= 0x80) { 0xff } else { 0 }; 8];
    wide.get_mut(..bytes.len())?.copy_from_slice(bytes);
    let value = i64::from_le_bytes(wide);
    Some(if unsigned && value < 0 { Stored::Huge(u64::from_le_bytes(wide)) } else { Stored::Int(value) })
}

/// Length, year (2 bytes), month, day, then hour, minute, second, then microseconds (4 bytes); shorter where the rest is zero.
fn moment(bytes: &[u8]) -> Option<i64> {
    let at = |index: usize| bytes.get(index).map_or(0, |byte| i64::from(*byte));
    if bytes.len() < 5 {
        return None;
    }
    let days = calendar::days(at(1) | at(2) << 8, at(3), at(4));
    let fraction = at(8) | at(9) << 8 | at(10) << 16 | at(11) << 24;
    Some(days * MICROS_PER_DAY + calendar::micros(at(5), at(6), at(7), fraction))
}

/// Length, sign, days (4 bytes), hour, minute, second, then microseconds (4 bytes); only the length where all is zero.
fn time(bytes: &[u8]) -> Option<i64> {
    let at = |index: usize| bytes.get(index).map_or(0, |byte| i64::from(*byte));
    if bytes.is_empty() {
        return None;
    }
    let days = at(2) | at(3) << 8 | at(4) << 16 | at(5) << 24;
    let fraction = at(9) | at(10) << 8 | at(11) << 16 | at(12) << 24;
    let micros = calendar::micros(days * 24 + at(6), at(7), at(8), fraction);
    Some(if at(1) == 1 { -micros } else { micros })
}

#[cold]
fn unexpected(row: &MySqlRow, at: usize, kind: Kind, type_name: &str, stored: Option<Stored<'_>>) -> DbError {
    const SHOWN: usize = 40;
    let name = row.columns().get(at).map_or("?", Column::name);
    let found = match stored {
        None => type_name.to_owned(),
        Some(Stored::Int(value)) => format!("{type_name} {value}"),
        Some(Stored::Huge(value)) => format!("{type_name} {value}, which 64 bits with a sign do not hold"),
        Some(Stored::Real(value)) => format!("{type_name} {value}"),
        Some(Stored::Decimal(text)) => format!("{type_name} {text}"),
        Some(Stored::Moment(_) | Stored::Date(_) | Stored::Time(_)) => type_name.to_owned(),
        Some(Stored::Bytes(bytes)) => match std::str::from_utf8(bytes) {
            Ok(text) => format!("{type_name} {:?}", text.chars().take(SHOWN).collect::<String>()),
            Err(_) => format!("{type_name} of {} bytes that are not UTF-8", bytes.len()),
        },
    };
    let wanted = match kind {
        Kind::Bool => "BOOLEAN 0 or 1".to_owned(),
        Kind::Int | Kind::Duration => "BIGINT".to_owned(),
        Kind::Real => "DOUBLE".to_owned(),
        Kind::Decimal { digits, scale } => format!("DECIMAL({digits}, {scale})"),
        Kind::Text | Kind::Json => "text".to_owned(),
        Kind::Bytes => "LONGBLOB".to_owned(),
        Kind::Uuid => "BINARY(16)".to_owned(),
        Kind::Timestamp => "DATETIME(6)".to_owned(),
        Kind::Date => "DATE".to_owned(),
        Kind::Time => "TIME(6)".to_owned(),
    };
    DbError::BadQuery(format!(
        "column {name} holds {found} where {wanted} belongs; something other than Covet wrote this row: correct it"
    ))
}
