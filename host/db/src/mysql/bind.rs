//! Values into placeholders, and SQL text with as many placeholders as there are values.
//!
//! MySQL has no arrays, so planners leave marks: `/*list*/?` becomes a placeholder for each value of a list, or `NULL` where it
//! has none; `/*row*/(?, ?)` becomes that group once for each row.
//!
//! What MySQL has no numbers for goes as text, which it reads exactly: dates and times, in UTC.

use std::borrow::Cow;

use sqlx_core::arguments::Arguments;
use sqlx_core::encode::{Encode, IsNull};
use sqlx_core::error::BoxDynError;
use sqlx_core::types::Type;
use sqlx_mysql::{MySql, MySqlArguments, MySqlTypeInfo};

use super::calendar::{date_text, moment_text, time_text};
use crate::decimal::{check_digits, write_decimal};
use crate::{DbError, Kind, Param, Statement, Value};

/// Placeholders of one statement: the protocol counts them with 16 bits.
pub(super) const MAX_PLACEHOLDERS: usize = 65_535;
/// Up to so many placeholders a statement stays prepared: beyond that its text is one of many, and large.
const KEPT_PLACEHOLDERS: usize = 256;

const LIST: &str = "/*list*/?";
const ROW: &str = "/*row*/";
/// Says that rows which a unique key refuses are left out.
pub(super) const IGNORE: &str = "/*ignore*/";

/// A statement's text and values, as the connection takes them.
pub(super) struct Bound<'a> {
    pub(super) sql: Cow<'a, str>,
    pub(super) arguments: MySqlArguments,
    /// Bytes that the values take on the wire, rounded up.
    pub(super) weight: usize,
    /// Whether it is worth keeping prepared.
    pub(super) persistent: bool,
}

/// Binds `params` to a statement.
pub(super) fn bind<'a>(statement: &'a Statement, params: &[Value]) -> Result<Bound<'a>, DbError> {
    check_count(statement, params.len())?;
    let weight = weight(params);
    let mut arguments = MySqlArguments::default();
    arguments.reserve(params.len(), params.len() * 9);
    let lists = params.iter().filter(|value| matches!(value, Value::List(_))).count();
    if lists == 0 {
        for (at, value) in params.iter().enumerate() {
            add(&mut arguments, kind(statement.params(), at), value)?;
        }
        return Ok(Bound { sql: Cow::Borrowed(statement.sql()), arguments, weight, persistent: true });
    }

    let mut parts = statement.sql().split(LIST);
    let mut sql = parts.next().unwrap_or_default().to_owned();
    for (at, value) in params.iter().enumerate() {
        let kind = kind(statement.params(), at);
        let Value::List(values) = value else {
            add(&mut arguments, kind, value)?;
            continue;
        };
        let Some(part) = parts.next() else {
            return Err(DbError::BadQuery(format!(
                "the statement takes fewer lists than the {lists} that it was given"
            )));
        };
        for value in values {
            add(&mut arguments, kind, value)?;
        }
        let mut placeholders = values.len();
        if let Some(last) = values.last() {
            // The last value once more changes nothing in a set, and keeps the number of texts small that are prepared.
            let padded = values.len().next_power_of_two();
            if arguments.len() + padded - values.len() <= KEPT_PLACEHOLDERS {
                placeholders = padded;
                for _ in values.len()..padded {
                    add(&mut arguments, kind, last)?;
                }
            }
        }
        write_placeholders(&mut sql, placeholders);
        sql.push_str(part);
    }
    if parts.next().is_some() {
        return Err(DbError::BadQuery(format!("the statement takes more lists than the {lists} that it was given")));
    }
    if arguments.len() > MAX_PLACEHOLDERS {
        return Err(DbError::TooLarge(format!(
            "the statement has {} values; MySQL takes at most {MAX_PLACEHOLDERS}: split its lists",
            arguments.len()
        )));
    }
    let persistent = arguments.len() <= KEPT_PLACEHOLDERS;
    Ok(Bound { sql: Cow::Owned(sql), arguments, weight, persistent })
}

/// Binds several rows to an insert of one; `None` where it has no mark to repeat.
pub(super) fn bind_rows<'a>(statement: &'a Statement, rows: &[Vec<Value>]) -> Result<Option<Bound<'a>>, DbError> {
    let Some((before, group, after)) = row_group(statement.sql()) else {
        return Ok(None);
    };
    let mut arguments = MySqlArguments::default();
    for row in rows {
        check_count(statement, row.len())?;
        for (at, value) in row.iter().enumerate() {
            add(&mut arguments, kind(statement.params(), at), value)?;
        }
    }
    let mut sql = String::with_capacity(before.len() + after.len() + rows.len() * (group.len() + 2));
    sql.push_str(before);
    for at in 0..rows.len() {
        sql.push_str(if at == 0 { "" } else { ", " });
        sql.push_str(group);
    }
    sql.push_str(after);
    let weight = rows.iter().map(|row| self::weight(row)).sum();
    Ok(Some(Bound { sql: Cow::Owned(sql), arguments, weight, persistent: false }))
}

/// Texts as arguments of a catalog query.
pub(super) fn texts(values: &[&str]) -> Result<MySqlArguments, DbError> {
    let mut arguments = MySqlArguments::default();
    for value in values {
        arguments.add(*value).map_err(|error| DbError::BadQuery(error.to_string()))?;
    }
    Ok(arguments)
}

/// What stands before `/*row*/(…)`, the group itself, and what stands behind it.
fn row_group(sql: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = sql.split_once(ROW)?;
    let mut open = 0;
    let end = rest.bytes().position(|byte| {
        open += i32::from(byte == b'(') - i32::from(byte == b')');
        byte == b')' && open == 0
    })?;
    let (group, after) = rest.split_at(end + 1);
    Some((before, group, after))
}

/// Bytes that values take on the wire, rounded up.
pub(super) fn weight(values: &[Value]) -> usize {
    // Length, type, a place in the text; or all of a number.
    const EACH: usize = 48;
    let of = |value: &Value| match value {
        Value::Text(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::List(values) => weight(values),
        _ => 0,
    };
    values.iter().map(|value| of(value) + EACH).sum()
}

fn check_count(statement: &Statement, given: usize) -> Result<(), DbError> {
    let wants = statement.params().len();
    if wants == given || wants == 0 {
        return Ok(());
    }
    Err(DbError::BadQuery(format!("{given} parameters for {wants} placeholders in: {}", statement.sql())))
}

fn kind(params: &[Param], at: usize) -> Option<Kind> {
    params.get(at).map(|param| param.kind)
}

fn write_placeholders(sql: &mut String, count: usize) {
    if count == 0 {
        sql.push_str("NULL");
    }
    for at in 0..count {
        sql.push_str(if at == 0 { "?" } else { ", ?" });
    }
}

fn add(arguments: &mut MySqlArguments, kind: Option<Kind>, value: &Value) -> Result<(), DbError> {
    let beyond = |what: &str, value: &i64| {
        DbError::BadQuery(format!("{what} {value} is outside what MySQL holds: the years 0 to 9999, 838 hours"))
    };
    let added = match value {
        Value::Null => arguments.add(None::<i64>),
        Value::Bool(value) => arguments.add(value),
        Value::Int(value) => match kind {
            Some(Kind::Timestamp) => arguments.add(moment_text(*value).ok_or_else(|| beyond("the moment", value))?),
            Some(Kind::Date) => arguments.add(date_text(*value).ok_or_else(|| beyond("the day", value))?),
            Some(Kind::Time) => arguments.add(time_text(*value).ok_or_else(|| beyond("the time", value))?),
            _ => arguments.add(value),
        },
        Value::Real(value) if value.is_finite() => arguments.add(value),
        Value::Real(value) => {
            return Err(DbError::BadQuery(format!("MySQL has no floating-point number {value}")));
        }
        Value::Text(value) => arguments.add(value.as_str()),
        Value::Bytes(value) => arguments.add(value.as_slice()),
        Value::Uuid(value) => arguments.add(value.as_slice()),
        Value::Decimal { unscaled, digits, scale } => {
            check_digits(*unscaled, *digits, *scale)?;
            arguments.add(Decimal(write_decimal(*unscaled, *scale, &mut [0; 48])))
        }
        Value::List(_) => return Err(DbError::BadQuery("a list in a list cannot be bound".to_owned())),
    };
    added.map_err(|error| DbError::BadQuery(error.to_string()))
}

/// A decimal as text that is sent as a DECIMAL: as text it would be compared as a float.
struct Decimal<'a>(&'a str);

impl Type<MySql> for Decimal<'_> {
    fn type_info() -> MySqlTypeInfo {
        <sqlx_core::types::BigDecimal as Type<MySql>>::type_info()
    }
}

impl Encode<'_, MySql> for Decimal<'_> {
    fn encode_by_ref(&self, buffer: &mut Vec<u8>) -> Result<IsNull, BoxDynError> {
        <&str as Encode<'_, MySql>>::encode_by_ref(&self.0, buffer)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed test is how it speaks")]
mod tests {
    use super::*;
    use crate::Access;

    fn statement(sql: &str) -> Statement {
        Statement::new(sql, Vec::new(), Access::Read)
    }

    fn ints(count: usize) -> Value {
        Value::List((0..count).map(|value| Value::Int(value as i64)).collect())
    }

    #[test]
    fn lists_become_placeholders() {
        let sql = "a = ? AND b IN (/*list*/?) AND c IN (/*list*/?) AND d = ?";
        let statement = statement(sql);
        let bound = bind(&statement, &[Value::Int(1), ints(3), ints(0), Value::Int(2)]).unwrap();
        assert_eq!(bound.sql, "a = ? AND b IN (?, ?, ?, ?) AND c IN (NULL) AND d = ?");
        assert_eq!(bound.arguments.len(), 6, "the list of three is padded to four");
        assert!(bound.persistent);

        let bound = bind(&statement, &[Value::Int(1), ints(300), ints(1), Value::Int(2)]).unwrap();
        assert_eq!(bound.arguments.len(), 303);
        assert!(!bound.persistent);
    }

    #[test]
    fn lists_and_marks_must_agree() {
        for (sql, params) in [
            ("a IN (/*list*/?)", vec![ints(1), ints(1)]),
            ("a IN (/*list*/?) AND b IN (/*list*/?)", vec![ints(1)]),
            ("a IN (/*list*/?)", vec![Value::List(vec![ints(1)])]),
        ] {
            assert!(matches!(bind(&statement(sql), &params), Err(DbError::BadQuery(_))), "{sql}");
        }
        assert!(matches!(bind(&statement("a IN (/*list*/?)"), &[ints(70_000)]), Err(DbError::TooLarge(_))));
    }

    #[test]
    fn rows_repeat_their_group() {
        let statement = statement("INSERT INTO t (a, b) VALUES /*row*/(?, LEAST(?, 9)) AS new");
        let row = vec![Value::Int(1), Value::Null];
        let bound = bind_rows(&statement, &[row.clone(), row.clone()]).unwrap().unwrap();
        assert_eq!(bound.sql, "INSERT INTO t (a, b) VALUES (?, LEAST(?, 9)), (?, LEAST(?, 9)) AS new");
        assert_eq!(bound.arguments.len(), 4);
        assert!(bind_rows(&self::statement("INSERT INTO t (a) VALUES (?)"), &[row]).unwrap().is_none());
    }

    #[test]
    fn what_mysql_cannot_hold_is_refused() {
        let typed = |kind| Statement::typed("?", vec![Param::one(kind)], Vec::new(), Access::Read);
        for (kind, value) in [
            (Kind::Timestamp, Value::Int(i64::MAX)),
            (Kind::Date, Value::Int(-1_000_000)),
            (Kind::Time, Value::Int(i64::MAX)),
            (Kind::Real, Value::Real(f64::NAN)),
            (Kind::Real, Value::Real(f64::INFINITY)),
        ] {
            assert!(matches!(bind(&typed(kind), &[value]), Err(DbError::BadQuery(_))), "{kind:?}");
        }
        assert!(bind(&typed(Kind::Int), &[]).is_err(), "one value is missing");
    }
}
