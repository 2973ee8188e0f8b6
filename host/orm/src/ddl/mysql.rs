//! MySQL's and MariaDB's forms. Tables are InnoDB's, texts utf8mb4 in a binary collation that does not pad: `nopad_bin` on
//! MariaDB, `0900_bin` on MySQL; each reads its own of the two comments.
//!
//! JSON documents are LONGTEXT, which is what MariaDB's JSON is: MySQL's own JSON type compares with no text and keeps numbers
//! as doubles.

use covet_db::{Value, format_decimal};

use super::forms::{Forms, Limit, bare, longest, split_type};
use super::literal::{self, unquoted};
use crate::Dialect;
use crate::catalog::{Entry, SpecialKey};
use crate::schema::{Field, Kind};

/// Bytes of an index's columns, all together: InnoDB, row format DYNAMIC
/// (<https://dev.mysql.com/doc/refman/8.0/en/innodb-limits.html>).
const MAX_KEY_BYTES: usize = 3_072;
/// Bytes of a row, columns without a limit not counted (the same page).
const MAX_ROW_BYTES: usize = 65_535;
/// Characters of a VARCHAR, at four bytes each, with room for the rest of the row. Longer ones are LONGTEXT with a CHECK.
const MAX_VARCHAR: usize = 16_000;
/// Bytes of a character.
const WIDEST: usize = 4;

pub(super) struct MySql;

impl Forms for MySql {
    fn dialect(&self) -> Dialect {
        Dialect::MySql
    }

    fn name(&self, name: &str) -> String {
        format!("`{name}`")
    }

    fn column_type(&self, field: &Field) -> String {
        let name = match &field.kind {
            Kind::Boolean => "BOOLEAN",
            Kind::Int16 => "SMALLINT",
            Kind::Int32 => "INT",
            Kind::Int64 | Kind::Duration => "BIGINT",
            Kind::Float32 => "FLOAT",
            Kind::Float64 => "DOUBLE",
            Kind::Decimal(spec) => return format!("DECIMAL({}, {})", spec.digits, spec.scale),
            Kind::Varchar(_) | Kind::Enumeration(_) | Kind::Email | Kind::Url | Kind::Slug(_) | Kind::IpAddress => {
                match longest(&field.kind) {
                    Some(limit) if limit <= MAX_VARCHAR => return format!("VARCHAR({limit})"),
                    _ => "LONGTEXT",
                }
            }
            Kind::Text | Kind::Json | Kind::Array(_) => "LONGTEXT",
            Kind::Binary => "LONGBLOB",
            Kind::Datetime => "DATETIME(6)",
            Kind::Date => "DATE",
            Kind::Time => "TIME(6)",
            Kind::Uuid => "BINARY(16)",
        };
        name.to_owned()
    }

    fn key(&self, field: &Field) -> &'static str {
        if field.auto_increment { " PRIMARY KEY AUTO_INCREMENT" } else { " PRIMARY KEY" }
    }

    fn literal(&self, kind: &Kind, value: &Value) -> String {
        match value {
            Value::Bool(value) => i64::from(*value).to_string(),
            Value::Int(value) => match kind {
                Kind::Datetime => format!("'{}'", literal::moment(*value)),
                Kind::Date => format!("'{}'", literal::date(*value)),
                Kind::Time => format!("'{}'", literal::time(*value)),
                _ => value.to_string(),
            },
            Value::Real(value) => format!("{value:e}"),
            // A backslash escapes here.
            Value::Text(text) => literal::quoted(&text.replace('\\', "\\\\")),
            Value::Bytes(bytes) => format!("X'{}'", literal::hex(bytes)),
            Value::Uuid(bytes) => format!("X'{}'", literal::hex(bytes)),
            Value::Decimal { unscaled, scale, .. } => format_decimal(*unscaled, *scale),
            Value::Null | Value::List(_) => "NULL".to_owned(),
        }
    }

    fn default(&self, kind: &Kind, value: &Value) -> String {
        let literal = self.literal(kind, value);
        // Columns without a limit take expressions only.
        let unbounded = matches!(kind, Kind::Text | Kind::Json | Kind::Array(_) | Kind::Binary)
            || longest(kind).is_some_and(|limit| limit > MAX_VARCHAR);
        if unbounded { format!("({literal})") } else { literal }
    }

    fn is_default(&self, kind: &Kind, value: &Value, told: &str) -> bool {
        // MariaDB tells `'it''s'` or `'it\'s'`, MySQL `it's`.
        let told = unquoted(bare(told)).replace("\\'", "'").replace("\\\\", "\\");
        match value {
            Value::Real(value) => told.parse() == Ok(*value),
            // MySQL's form of an expression.
            Value::Text(text) => told == *text || told == format!("_utf8mb4'{text}'"),
            // Told as text of some character set, from which they can't be read back.
            Value::Bytes(_) | Value::Uuid(_) => true,
            Value::Int(_) if matches!(kind, Kind::Datetime | Kind::Time) => {
                let shortest = |text: &str| match text.split_once('.') {
                    Some((whole, fraction)) => format!("{whole}.{}", fraction.trim_end_matches('0')),
                    None => format!("{text}."),
                };
                shortest(&told) == shortest(&unquoted(&self.literal(kind, value)))
            }
            _ => told == unquoted(&self.literal(kind, value)),
        }
    }

    fn check(&self, column: &str, field: &Field) -> Option<String> {
        if field.references.is_some() {
            return None;
        }
        Some(match &field.kind {
            Kind::Datetime => format!("{column} >= '0001-01-01 00:00:00'"),
            Kind::Date => format!("{column} >= '0001-01-01'"),
            Kind::Time => format!("{column} >= '00:00:00' AND {column} < '24:00:00'"),
            Kind::Json | Kind::Array(_) => format!("JSON_VALID({column})"),
            Kind::Enumeration(values) => {
                let text = |value: &String| self.literal(&field.kind, &Value::Text(value.clone()));
                let values: Vec<String> = values.iter().map(text).collect();
                format!("{column} IN ({})", values.join(", "))
            }
            Kind::Varchar(limit) if *limit as usize > MAX_VARCHAR => format!("CHAR_LENGTH({column}) <= {limit}"),
            _ => return None,
        })
    }

    fn accepts(&self, field: &Field, declared: &str) -> bool {
        let (name, numbers) = split_type(declared);
        let name = name.as_str();
        let textual = matches!(name, "VARCHAR" | "TEXT" | "MEDIUMTEXT" | "LONGTEXT");
        match &field.kind {
            Kind::Boolean => matches!(name, "TINYINT" | "BOOLEAN" | "BOOL"),
            Kind::Int16 => name == "SMALLINT",
            Kind::Int32 => matches!(name, "INT" | "INTEGER"),
            Kind::Int64 | Kind::Duration => name == "BIGINT",
            Kind::Float32 => name == "FLOAT",
            Kind::Float64 => name == "DOUBLE",
            Kind::Decimal(spec) => name == "DECIMAL" && numbers == [u32::from(spec.digits), u32::from(spec.scale)],
            Kind::Varchar(_)
            | Kind::Text
            | Kind::Enumeration(_)
            | Kind::Email
            | Kind::Url
            | Kind::Slug(_)
            | Kind::IpAddress => textual,
            Kind::Json | Kind::Array(_) => matches!(name, "LONGTEXT" | "MEDIUMTEXT"),
            Kind::Binary => matches!(name, "LONGBLOB" | "MEDIUMBLOB" | "BLOB" | "VARBINARY"),
            // Without (6) fractions of seconds would be rounded away.
            Kind::Datetime => name == "DATETIME" && numbers == [6],
            Kind::Time => name == "TIME" && numbers == [6],
            Kind::Date => name == "DATE",
            Kind::Uuid => name == "BINARY" && numbers == [16],
        }
    }

    fn indexes_within(&self) -> bool {
        // A foreign key makes an index of its own where it finds none.
        true
    }

    fn table_options(&self) -> &'static str {
        " ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 /*M! COLLATE=utf8mb4_nopad_bin */ /*!80017 COLLATE=utf8mb4_0900_bin */"
    }

    fn limits(&self, entry: &Entry) -> Vec<Limit> {
        let mut limits: Vec<Limit> = entry.special.iter().map(special).collect();
        for key in &entry.keys {
            let fields: Vec<&Field> = key.columns.iter().filter_map(|column| entry.field(column.field)).collect();
            let column = match fields.as_slice() {
                [field] => field.column.clone(),
                _ => String::new(),
            };
            let what = if key.name.is_empty() { "a unique field".to_owned() } else { format!("index {}", key.name) };
            if let Some(field) = fields.iter().find(|field| key_bytes(&field.kind).is_none()) {
                limits.push(Limit {
                    column,
                    what: format!(
                        "{what} covers {} ({}), and MySQL indexes no column without a limit",
                        field.name,
                        field.kind.label()
                    ),
                    way_out: format!("give {} a max_length of at most {}", field.name, MAX_KEY_BYTES / WIDEST),
                });
                continue;
            }
            let bytes: usize = fields.iter().filter_map(|field| key_bytes(&field.kind)).sum();
            if bytes > MAX_KEY_BYTES {
                limits.push(Limit {
                    column,
                    what: format!(
                        "{what} takes up to {bytes} bytes, at {WIDEST} a character, and MySQL's hold {MAX_KEY_BYTES}"
                    ),
                    way_out: format!("lower the max_length of its texts to {} in all", MAX_KEY_BYTES / WIDEST),
                });
            }
        }
        let row: usize = entry.model.fields.iter().map(|field| row_bytes(&field.kind)).sum();
        if row > MAX_ROW_BYTES {
            limits.push(Limit {
                column: String::new(),
                what: format!("a row takes up to {row} bytes, and MySQL's hold {MAX_ROW_BYTES}"),
                way_out: "drop the max_length of long texts: text without one lies outside the row".to_owned(),
            });
        }
        limits
    }
}

/// MySQL has no partial indexes, MariaDB neither these nor any over expressions.
fn special(key: &SpecialKey) -> Limit {
    let (what, way_out) = if key.condition.is_some() {
        ("is over some rows only", "drop its condition, or use SQLite or PostgreSQL")
    } else {
        ("is over texts in lower case", "store the text in lower case and index that, or use SQLite or PostgreSQL")
    };
    Limit {
        column: String::new(),
        what: format!("index {} {what}, which MySQL and MariaDB do not have both", key.name),
        way_out: way_out.to_owned(),
    }
}

/// Bytes in an index; none for a column that has no limit.
fn key_bytes(kind: &Kind) -> Option<usize> {
    Some(match kind {
        Kind::Text | Kind::Json | Kind::Array(_) | Kind::Binary => return None,
        Kind::Boolean => 1,
        Kind::Int16 => 2,
        Kind::Int32 | Kind::Float32 => 4,
        Kind::Date => 3,
        Kind::Time => 6,
        Kind::Int64 | Kind::Duration | Kind::Float64 | Kind::Datetime => 8,
        Kind::Uuid => 16,
        Kind::Decimal(_) => 18,
        _ => match longest(kind) {
            Some(limit) if limit <= MAX_VARCHAR => limit * WIDEST,
            _ => return None,
        },
    })
}

/// Bytes in a row: those in an index and a length of two; a pointer of twelve where there is no limit.
fn row_bytes(kind: &Kind) -> usize {
    key_bytes(kind).map_or(12, |bytes| bytes + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_known_again_as_the_server_tells_them() {
        let is = |kind: Kind, value: Value, told: &str| MySql.is_default(&kind, &value, told);
        let text = |text: &str| Value::Text(text.to_owned());
        assert!(is(Kind::Int32, Value::Int(-5), "-5"));
        assert!(is(Kind::Boolean, Value::Bool(true), "1"));
        assert!(is(Kind::Varchar(9), text("it's"), "'it''s'"));
        assert!(is(Kind::Varchar(9), text("it's"), "'it\\'s'"));
        assert!(is(Kind::Varchar(9), text("it's"), "it's"));
        assert!(is(Kind::Text, text("x"), "_utf8mb4\\'x\\'"));
        assert!(is(Kind::Float64, Value::Real(1e300), "1e300"));
        assert!(is(Kind::Datetime, Value::Int(500_000), "'1970-01-01 00:00:00.500000'"));
        assert!(is(Kind::Datetime, Value::Int(0), "1970-01-01 00:00:00.000000"));
        assert!(is(Kind::Decimal(crate::schema::DecimalSpec { digits: 4, scale: 2 }), decimal(-150), "-1.50"));
        assert!(!is(Kind::Int64, Value::Int(7), "77"));
        assert!(!is(Kind::Text, text("b"), "'a'"));
    }

    fn decimal(unscaled: i128) -> Value {
        Value::Decimal { unscaled, digits: 4, scale: 2 }
    }
}
