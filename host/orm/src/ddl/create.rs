//! CREATE TABLE and CREATE INDEX for SQLite.
//!
//! Names are plain identifiers by the catalog's word, so that quoting them needs no escapes.

use covet_db::{INTEGER_DIGITS, Value, ordered_text};

use crate::catalog::{Catalog, Entry, Key};
use crate::decimal::ten_to;
use crate::schema::{Field, Kind, OnDelete};

/// The declared type of a field's column: telling to people and tools, and of an affinity that leaves the stored form as it
/// is (<https://www.sqlite.org/datatype3.html> §3.1). `JSON` and wide `DECIMAL` would be NUMERIC, which turns the text `12`
/// into a number; hence their names.
pub fn declared_type(field: &Field) -> String {
    match &field.kind {
        Kind::Boolean => "BOOLEAN".to_owned(),
        Kind::Int16 if !field.primary_key => "SMALLINT".to_owned(),
        Kind::Int64 if !field.primary_key => "BIGINT".to_owned(),
        // Exactly this name makes a primary key the rowid itself.
        Kind::Int16 | Kind::Int32 | Kind::Int64 => "INTEGER".to_owned(),
        Kind::Float32 => "REAL".to_owned(),
        Kind::Float64 => "DOUBLE PRECISION".to_owned(),
        Kind::Decimal(spec) if spec.digits > INTEGER_DIGITS => {
            format!("DECIMAL_TEXT({}, {})", spec.digits, spec.scale)
        }
        Kind::Decimal(spec) => format!("DECIMAL({}, {})", spec.digits, spec.scale),
        Kind::Varchar(limit) => format!("VARCHAR({limit})"),
        Kind::Text => "TEXT".to_owned(),
        Kind::Binary => "BLOB".to_owned(),
        Kind::Datetime => "TIMESTAMP".to_owned(),
        Kind::Date => "DATE".to_owned(),
        Kind::Time => "TIME".to_owned(),
        Kind::Duration => "INTERVAL".to_owned(),
        Kind::Json => "JSON_TEXT".to_owned(),
        Kind::Uuid => "UUID".to_owned(),
        Kind::Enumeration(values) => {
            format!("VARCHAR({})", values.iter().map(|value| value.chars().count()).max().unwrap_or(1).max(1))
        }
        Kind::Email => "VARCHAR(254)".to_owned(),
        Kind::Url => "VARCHAR(2048)".to_owned(),
    }
}

pub(super) fn table(catalog: &Catalog, entry: &Entry) -> String {
    let mut parts: Vec<String> =
        entry.model.fields.iter().enumerate().map(|(index, _)| column(catalog, entry, index)).collect();
    parts.extend(entry.model.fields.iter().filter_map(|field| check(&entry.model.table, field)));
    format!("CREATE TABLE \"{}\" (\n  {}\n)", entry.model.table, parts.join(",\n  "))
}

/// One column as CREATE TABLE and ADD COLUMN have it.
pub(super) fn column(catalog: &Catalog, entry: &Entry, index: usize) -> String {
    let Some(field) = entry.field(index) else {
        return String::new();
    };
    let mut text = format!("\"{}\" {}", field.column, declared_type(field));
    if field.primary_key {
        text.push_str(" PRIMARY KEY");
        // So that a number is never given out again, not even that of the newest row after its deletion.
        text.push_str(if field.auto_increment { " AUTOINCREMENT" } else { "" });
    }
    // Also for keys: SQLite takes null in a primary key that is not an integer.
    if !field.nullable {
        text.push_str(" NOT NULL");
    }
    if field.unique && !field.primary_key {
        text.push_str(" UNIQUE");
    }
    if let Some(Some(default)) = entry.defaults.get(index) {
        text.push_str(" DEFAULT ");
        text.push_str(&literal(default));
    }
    text.push_str(&reference(catalog, entry, index));
    text
}

/// The reference of a relation. Checked at once and not at commit: the writer puts many units of work into one commit, which
/// must not fail for a fault of one of them.
fn reference(catalog: &Catalog, entry: &Entry, index: usize) -> String {
    let target = entry.relations.get(index).copied().flatten().and_then(|to| catalog.entry(to));
    let relation = entry.field(index).and_then(|field| field.references.as_ref());
    let (Some(target), Some(relation)) = (target, relation) else {
        return String::new();
    };
    let key = target.primary_key().map(|key| key.column.as_str()).unwrap_or_default();
    format!(" REFERENCES \"{}\" (\"{key}\") ON DELETE {}", target.model.table, on_delete(relation.on_delete))
}

/// SQL's words for what a delete does.
pub(super) fn on_delete(action: OnDelete) -> &'static str {
    match action {
        OnDelete::Cascade => "CASCADE",
        OnDelete::Protect => "RESTRICT",
        OnDelete::SetNull => "SET NULL",
        OnDelete::DoNothing => "NO ACTION",
    }
}

/// What `Plan::bind` can't see: the result of `views + ?`. SQLite would turn a sum past 64 bits into a float.
fn check(table: &str, field: &Field) -> Option<String> {
    if field.primary_key || field.references.is_some() {
        return None;
    }
    let name = format!("\"{}\"", field.column);
    let between = |least: i128, most: i128| format!("{name} BETWEEN {least} AND {most}");
    let condition = match &field.kind {
        Kind::Int16 => between(i128::from(i16::MIN), i128::from(i16::MAX)),
        Kind::Int32 => between(i128::from(i32::MIN), i128::from(i32::MAX)),
        Kind::Int64 | Kind::Duration => format!("typeof({name}) IN ('integer', 'null')"),
        Kind::Float32 => format!("abs({name}) <= {:e}", f64::from(f32::MAX)),
        Kind::Float64 => format!("abs({name}) <= {:e}", f64::MAX),
        Kind::Decimal(spec) if spec.digits <= INTEGER_DIGITS => {
            let most = ten_to(spec.digits) - 1;
            between(-most, most)
        }
        // Years 0001 to 9999.
        Kind::Datetime => between(-62_135_596_800_000_000, 253_402_300_799_999_999),
        Kind::Date => between(-719_162, 2_932_896),
        _ => return None,
    };
    Some(format!("CONSTRAINT \"{table}.{}\" CHECK ({condition})", field.column))
}

/// A checked value as SQL text, in its stored form.
pub(super) fn literal(value: &Value) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let hex = |bytes: &[u8]| {
        let digits: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
        format!("X'{digits}'")
    };
    match value {
        Value::Bool(value) => i64::from(*value).to_string(),
        Value::Int(value) => value.to_string(),
        Value::Real(value) => format!("{value:e}"),
        Value::Text(text) => quoted(text),
        Value::Bytes(bytes) => hex(bytes),
        Value::Uuid(bytes) => hex(bytes),
        Value::Decimal { unscaled, digits, .. } if *digits > INTEGER_DIGITS => {
            quoted(&ordered_text(*unscaled, *digits))
        }
        Value::Decimal { unscaled, .. } => unscaled.to_string(),
        Value::Null | Value::List(_) => "NULL".to_owned(),
    }
}

pub(super) fn index(entry: &Entry, key: &Key) -> String {
    let columns: Vec<String> = key
        .columns
        .iter()
        .filter_map(|column| {
            let field = entry.field(column.field)?;
            Some(format!("\"{}\"{}", field.column, if column.descending { " DESC" } else { "" }))
        })
        .collect();
    let unique = if key.unique { "UNIQUE " } else { "" };
    format!("CREATE {unique}INDEX \"{}\" ON \"{}\" ({})", key.name, entry.model.table, columns.join(", "))
}
