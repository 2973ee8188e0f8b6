//! Values into the binary protocol, by what the statement says that each placeholder takes.

use std::sync::Arc;

use sqlx_core::encode::{Encode, IsNull};
use sqlx_core::error::BoxDynError;
use sqlx_core::types::Type;
use sqlx_postgres::types::Oid;
use sqlx_postgres::{PgArgumentBuffer, PgArguments, PgTypeInfo, Postgres};

use super::{numeric, oid};
use crate::decimal::check_digits;
use crate::{DbError, Kind, Param, Statement, Value};

/// Days from 1970-01-01 to 2000-01-01, PostgreSQL's epoch.
pub(super) const EPOCH_DAYS: i64 = 10_957;
/// The same in microseconds.
pub(super) const EPOCH_MICROS: i64 = EPOCH_DAYS * 86_400_000_000;

/// The values of one call. `params` are one a placeholder.
pub(super) fn arguments<'v>(
    statement: &Statement,
    params: impl ExactSizeIterator<Item = Bound<'v>>,
) -> Result<PgArguments, DbError> {
    use sqlx_core::arguments::Arguments;
    let takes = statement.params();
    if takes.len() != params.len() {
        let (given, wants) = (params.len(), takes.len());
        return Err(DbError::BadQuery(format!("{given} parameters for {wants} placeholders in: {}", statement.sql())));
    }
    let mut arguments = PgArguments::default();
    arguments.reserve(takes.len(), takes.len() * 12);
    for (at, (param, bound)) in takes.iter().zip(params).enumerate() {
        arguments.add(Argument { param: *param, bound }).map_err(|error| {
            let sql = statement.sql();
            DbError::BadQuery(format!("parameter {}: {error}, in: {sql}", at + 1))
        })?;
    }
    Ok(arguments)
}

/// What is bound to one placeholder.
#[derive(Clone, Copy)]
pub(super) enum Bound<'v> {
    /// One value, or a list as the caller gave it.
    Value(&'v Value),
    /// One column of several rows.
    Column(&'v [Vec<Value>], usize),
}

struct Argument<'v> {
    param: Param,
    bound: Bound<'v>,
}

impl Type<Postgres> for Argument<'_> {
    fn type_info() -> PgTypeInfo {
        // Never asked for: `produces` knows better.
        PgTypeInfo::with_oid(Oid(oid::TEXT))
    }
}

impl Encode<'_, Postgres> for Argument<'_> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let out: &mut Vec<u8> = buffer;
        let kind = self.param.kind;
        match (self.bound, self.param.list) {
            (Bound::Value(Value::Null), _) => return Ok(IsNull::Yes),
            (Bound::Value(Value::List(values)), true) => list(kind, values.iter(), out)?,
            (Bound::Column(rows, at), true) => {
                list(kind, rows.iter().map(|row| row.get(at).unwrap_or(&Value::Null)), out)?
            }
            (Bound::Value(_), true) => return Err("a list belongs here, not one value".into()),
            (Bound::Column(rows, at), false) => match rows.first().and_then(|row| row.get(at)) {
                None | Some(Value::Null) => return Ok(IsNull::Yes),
                Some(value) => scalar(kind, value, out)?,
            },
            (Bound::Value(value), false) => scalar(kind, value, out)?,
        }
        Ok(IsNull::No)
    }

    fn produces(&self) -> Option<PgTypeInfo> {
        let (one, list) = oid::of(self.param.kind);
        Some(PgTypeInfo::with_oid(Oid(if self.param.list { list } else { one })))
    }
}

/// An array of one dimension (`array_recv`).
fn list<'v>(
    kind: Kind,
    values: impl ExactSizeIterator<Item = &'v Value>,
    out: &mut Vec<u8>,
) -> Result<(), BoxDynError> {
    let dimensions = 1_i32;
    let may_have_nulls = 1_i32;
    let lower_bound = 1_i32;
    let length = i32::try_from(values.len())?;
    for part in [dimensions, may_have_nulls, oid::of(kind).0.cast_signed(), length, lower_bound] {
        out.extend_from_slice(&part.to_be_bytes());
    }
    for value in values {
        let at = out.len();
        out.extend_from_slice(&(-1_i32).to_be_bytes());
        if *value != Value::Null {
            scalar(kind, value, out)?;
            let length = i32::try_from(out.len() - at - 4)?.to_be_bytes();
            if let Some(head) = out.get_mut(at..at + 4) {
                head.copy_from_slice(&length);
            }
        }
    }
    Ok(())
}

/// One value that is not null.
fn scalar(kind: Kind, value: &Value, out: &mut Vec<u8>) -> Result<(), BoxDynError> {
    match (kind, value) {
        (Kind::Bool, Value::Bool(value)) => out.push(u8::from(*value)),
        (Kind::Int, Value::Int(value)) => out.extend_from_slice(&value.to_be_bytes()),
        (Kind::Real, Value::Real(value)) => out.extend_from_slice(&value.to_be_bytes()),
        #[expect(clippy::cast_precision_loss, reason = "what CAST(x AS DOUBLE PRECISION) does")]
        (Kind::Real, Value::Int(value)) => out.extend_from_slice(&(*value as f64).to_be_bytes()),
        (Kind::Text, Value::Text(text)) => out.extend_from_slice(storable(text)?.as_bytes()),
        (Kind::Json, Value::Text(text)) => {
            const VERSION: u8 = 1;
            out.push(VERSION);
            out.extend_from_slice(storable(text)?.as_bytes());
        }
        (Kind::Bytes, Value::Bytes(bytes)) => out.extend_from_slice(bytes),
        (Kind::Uuid, Value::Uuid(bytes)) => out.extend_from_slice(bytes),
        (Kind::Decimal { .. }, Value::Decimal { unscaled, digits, scale }) => {
            check_digits(*unscaled, *digits, *scale)?;
            numeric::write(*unscaled, *scale, out);
        }
        (Kind::Decimal { .. }, Value::Int(value)) => numeric::write(i128::from(*value), 0, out),
        (Kind::Timestamp, Value::Int(micros)) => {
            let micros = micros.checked_sub(EPOCH_MICROS).filter(|micros| *micros != i64::MAX);
            out.extend_from_slice(&micros.ok_or("a timestamp that PostgreSQL cannot hold")?.to_be_bytes());
        }
        (Kind::Date, Value::Int(days)) => {
            let days = days.checked_sub(EPOCH_DAYS).and_then(|days| i32::try_from(days).ok());
            let finite = days.filter(|days| !matches!(*days, i32::MIN | i32::MAX));
            out.extend_from_slice(&finite.ok_or("a date that PostgreSQL cannot hold")?.to_be_bytes());
        }
        (Kind::Time, Value::Int(micros)) => out.extend_from_slice(&micros.to_be_bytes()),
        (Kind::Duration, Value::Int(micros)) => {
            out.extend_from_slice(&micros.to_be_bytes());
            let (days, months) = (0_i32, 0_i32);
            out.extend_from_slice(&days.to_be_bytes());
            out.extend_from_slice(&months.to_be_bytes());
        }
        (_, Value::List(_)) => return Err("a list in a list, or in the place of one value, cannot be bound".into()),
        (kind, value) => return Err(format!("{} in the place of {kind:?}", name(value)).into()),
    }
    Ok(())
}

fn storable(text: &str) -> Result<&str, BoxDynError> {
    if text.contains('\0') {
        return Err("a text with the character U+0000, which PostgreSQL cannot store; use a binary field".into());
    }
    Ok(text)
}

fn name(value: &Value) -> &'static str {
    match value {
        Value::Null => "NULL",
        Value::Bool(_) => "a truth value",
        Value::Int(_) => "an integer",
        Value::Real(_) => "a float",
        Value::Text(_) => "a text",
        Value::Bytes(_) => "bytes",
        Value::Decimal { .. } => "a decimal",
        Value::Uuid(_) => "a UUID",
        Value::List(_) => "a list",
    }
}

/// The text under which a connection keeps the statement prepared. sqlx finds prepared statements by their text alone, and
/// one text bound with other types must not meet the types that it was first prepared with: a comment tells them apart.
pub(super) fn text(statement: &Statement) -> Arc<str> {
    use std::fmt::Write;
    if statement.params().is_empty() {
        return Arc::clone(statement.text());
    }
    let mut text = format!("{} /*", statement.sql());
    for param in statement.params() {
        let (one, list) = oid::of(param.kind);
        let _never = write!(text, " {}", if param.list { list } else { one });
    }
    text.push_str(" */");
    Arc::from(text)
}
