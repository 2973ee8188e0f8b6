//! SQLite's forms: `docs/decisions/002-sqlite-storage.md`.

use covet_db::{INTEGER_DIGITS, Value, ordered_text};

use super::forms::{Forms, bare, longest, split_type};
use super::literal;
use crate::Dialect;
use crate::decimal::ten_to;
use crate::schema::{Field, Kind};

pub(super) struct Sqlite;

impl Forms for Sqlite {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    /// Telling to people and tools, and of an affinity that leaves the stored form as it is
    /// (<https://www.sqlite.org/datatype3.html> §3.1). `JSON` and wide `DECIMAL` would be NUMERIC, which turns the text `12`
    /// into a number; hence their names.
    fn column_type(&self, field: &Field) -> String {
        let name = match &field.kind {
            Kind::Boolean => "BOOLEAN",
            Kind::Int16 if !field.primary_key => "SMALLINT",
            Kind::Int64 if !field.primary_key => "BIGINT",
            // Exactly this name makes a primary key the rowid itself.
            Kind::Int16 | Kind::Int32 | Kind::Int64 => "INTEGER",
            Kind::Float32 => "REAL",
            Kind::Float64 => "DOUBLE PRECISION",
            Kind::Decimal(spec) if spec.digits > INTEGER_DIGITS => {
                return format!("DECIMAL_TEXT({}, {})", spec.digits, spec.scale);
            }
            Kind::Decimal(spec) => return format!("DECIMAL({}, {})", spec.digits, spec.scale),
            Kind::Varchar(_) | Kind::Enumeration(_) | Kind::Email | Kind::Url | Kind::Slug(_) | Kind::IpAddress => {
                return format!("VARCHAR({})", longest(&field.kind).unwrap_or_default());
            }
            Kind::Text => "TEXT",
            Kind::Binary => "BLOB",
            Kind::Datetime => "TIMESTAMP",
            Kind::Date => "DATE",
            Kind::Time => "TIME",
            Kind::Duration => "INTERVAL",
            Kind::Json | Kind::Array(_) => "JSON_TEXT",
            Kind::Uuid => "UUID",
        };
        name.to_owned()
    }

    fn key(&self, field: &Field) -> &'static str {
        // So that a number is never given out again, not even that of the newest row after its deletion.
        if field.auto_increment { " PRIMARY KEY AUTOINCREMENT" } else { " PRIMARY KEY" }
    }

    fn literal(&self, _kind: &Kind, value: &Value) -> String {
        match value {
            Value::Bool(value) => i64::from(*value).to_string(),
            Value::Int(value) => value.to_string(),
            Value::Real(value) => format!("{value:e}"),
            Value::Text(text) => literal::quoted(text),
            Value::Bytes(bytes) => format!("X'{}'", literal::hex(bytes)),
            Value::Uuid(bytes) => format!("X'{}'", literal::hex(bytes)),
            Value::Decimal { unscaled, digits, .. } if *digits > INTEGER_DIGITS => {
                literal::quoted(&ordered_text(*unscaled, *digits))
            }
            Value::Decimal { unscaled, .. } => unscaled.to_string(),
            Value::Null | Value::List(_) => "NULL".to_owned(),
        }
    }

    fn is_default(&self, kind: &Kind, value: &Value, told: &str) -> bool {
        let wanted = self.literal(kind, value);
        let is_blob = matches!(value, Value::Bytes(_) | Value::Uuid(_));
        bare(told) == bare(&wanted) || (is_blob && told.eq_ignore_ascii_case(&wanted))
    }

    /// What `Plan::bind` can't see: the result of `views + ?`. SQLite would turn a sum past 64 bits into a float.
    fn check(&self, column: &str, field: &Field) -> Option<String> {
        if field.primary_key || field.references.is_some() {
            return None;
        }
        let between = |least: i128, most: i128| format!("{column} BETWEEN {least} AND {most}");
        Some(match &field.kind {
            Kind::Int16 => between(i128::from(i16::MIN), i128::from(i16::MAX)),
            Kind::Int32 => between(i128::from(i32::MIN), i128::from(i32::MAX)),
            Kind::Int64 | Kind::Duration => format!("typeof({column}) IN ('integer', 'null')"),
            Kind::Float32 => format!("abs({column}) <= {:e}", f64::from(f32::MAX)),
            Kind::Float64 => format!("abs({column}) <= {:e}", f64::MAX),
            Kind::Decimal(spec) if spec.digits <= INTEGER_DIGITS => {
                let most = ten_to(spec.digits) - 1;
                between(-most, most)
            }
            // Years 0001 to 9999.
            Kind::Datetime => between(-62_135_596_800_000_000, 253_402_300_799_999_999),
            Kind::Date => between(-719_162, 2_932_896),
            _ => return None,
        })
    }

    fn accepts(&self, field: &Field, declared: &str) -> bool {
        let (name, numbers) = split_type(declared);
        let name = name.as_str();
        if field.auto_increment {
            // Any other name would not be the rowid.
            return declared.eq_ignore_ascii_case("INTEGER");
        }
        let plain_int = matches!(name, "INT" | "INTEGER");
        let textual = matches!(
            name,
            "TEXT" | "VARCHAR" | "CHAR" | "CHARACTER" | "NVARCHAR" | "NCHAR" | "CLOB" | "CHARACTER VARYING"
        );
        match &field.kind {
            Kind::Boolean => matches!(name, "BOOLEAN" | "BOOL") || plain_int,
            Kind::Int16 => matches!(name, "SMALLINT" | "INT2") || plain_int,
            Kind::Int32 => plain_int || matches!(name, "INT4" | "MEDIUMINT"),
            Kind::Int64 => matches!(name, "BIGINT" | "INT8") || plain_int,
            Kind::Float32 | Kind::Float64 => {
                matches!(name, "REAL" | "FLOAT" | "DOUBLE" | "DOUBLE PRECISION")
            }
            Kind::Decimal(spec) => {
                let wanted = if spec.digits > INTEGER_DIGITS { "DECIMAL_TEXT" } else { "DECIMAL" };
                name == wanted && numbers == [u32::from(spec.digits), u32::from(spec.scale)]
            }
            Kind::Varchar(_)
            | Kind::Text
            | Kind::Enumeration(_)
            | Kind::Email
            | Kind::Url
            | Kind::Slug(_)
            | Kind::IpAddress => textual,
            Kind::Json | Kind::Array(_) => name == "JSON_TEXT" || textual,
            Kind::Binary => matches!(name, "BLOB" | ""),
            Kind::Datetime => name == "TIMESTAMP",
            Kind::Date => name == "DATE",
            Kind::Time => name == "TIME",
            Kind::Duration => name == "INTERVAL",
            Kind::Uuid => matches!(name, "UUID" | "BLOB"),
        }
    }

    fn references_within(&self) -> bool {
        true
    }
}
