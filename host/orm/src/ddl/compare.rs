//! Compares a table that exists with its model, column by column.

use covet_db::{Column, INTEGER_DIGITS, Table};

use super::{SchemaMismatch, create};
use crate::catalog::{Catalog, Entry, Key};
use crate::schema::{Field, Kind};

pub(super) fn table(
    catalog: &Catalog,
    entry: &Entry,
    table: &Table,
    statements: &mut Vec<String>,
    mismatches: &mut Vec<SchemaMismatch>,
) {
    let mut report = |column: &str, what: String, way_out: String| {
        mismatches.push(SchemaMismatch {
            table: table.name.clone(),
            column: column.to_owned(),
            model: entry.model.name.clone(),
            what,
            way_out,
        });
    };
    for (index, field) in entry.model.fields.iter().enumerate() {
        match table.column(&field.column) {
            None => {
                let (what, way_out) = missing(catalog, entry, index, field);
                report(&field.column, what, way_out);
            }
            Some(column) => {
                if let Some((what, way_out)) = differs(entry, index, field, column) {
                    report(&field.column, what, way_out);
                }
                if let Some((what, way_out)) = reference_differs(catalog, entry, index, field, table) {
                    report(&field.column, what, way_out);
                }
            }
        }
    }
    for column in &table.columns {
        let known = entry.model.fields.iter().any(|field| field.column.eq_ignore_ascii_case(&column.name));
        if known {
            continue;
        }
        if column.pk {
            report(
                &column.name,
                "is part of the table's primary key, and the model doesn't have it".to_owned(),
                "add the field to the model and mark it as primary key, or name another table".to_owned(),
            );
        } else if column.not_null && column.default.is_none() {
            report(
                &column.name,
                "must not be null and has no default, and the model doesn't have it, so that no row could be stored"
                    .to_owned(),
                format!(
                    "add the field to the model, or ALTER TABLE \"{}\" DROP COLUMN \"{}\"",
                    table.name, column.name
                ),
            );
        }
    }
    for key in &entry.keys {
        if let Some((what, way_out)) = index_differs(entry, key, table, statements) {
            report("", what, way_out);
        }
    }
}

type Difference = Option<(String, String)>;

fn missing(catalog: &Catalog, entry: &Entry, index: usize, field: &Field) -> (String, String) {
    let what = "is missing".to_owned();
    let defaulted = entry.defaults.get(index).is_some_and(Option::is_some);
    if field.primary_key || field.unique || !(field.nullable || defaulted) {
        return (
            what,
            "make the field nullable or give it a default, or move the table aside so that it is created anew"
                .to_owned(),
        );
    }
    let definition = create::column(catalog, entry, index);
    (what, format!("run ALTER TABLE \"{}\" ADD COLUMN {definition}", entry.model.table))
}

fn differs(entry: &Entry, index: usize, field: &Field, column: &Column) -> Difference {
    let declared = create::declared_type(field);
    if !accepts(field, &column.decl_type) {
        return Some((
            format!("its type is {:?}, {} ({}) needs {declared}", column.decl_type, field.name, field.kind.label()),
            "give the field the column's kind, or migrate the column".to_owned(),
        ));
    }
    if field.primary_key != column.pk {
        return Some(if column.pk {
            ("is the table's primary key, but not the model's".to_owned(), "mark the field as primary key".to_owned())
        } else {
            (
                "is the model's primary key, but not the table's".to_owned(),
                "name the field that is, or migrate the table".to_owned(),
            )
        });
    }
    // The primary key's own NOT NULL is implied where it is the rowid.
    if !field.primary_key && field.nullable == column.not_null {
        return Some(if column.not_null {
            (format!("must not be null, but {} is nullable", field.name), "make the field not nullable".to_owned())
        } else {
            (
                format!("may be null, but {} is not nullable", field.name),
                "make the field nullable, or migrate the column".to_owned(),
            )
        });
    }
    if field.unique && !column.unique {
        return Some((
            format!("is not unique, but {} is", field.name),
            format!(
                "run CREATE UNIQUE INDEX \"uq_{0}_{1}\" ON \"{0}\" (\"{1}\"), or drop `unique` from the field",
                entry.model.table, field.column
            ),
        ));
    }
    let wanted = entry.defaults.get(index).and_then(Option::as_ref).map(create::literal);
    let there = column.default.as_deref().map(bare);
    match (wanted, there) {
        (Some(wanted), there) if there != Some(bare(&wanted)) => Some((
            format!("its default is {}, the model's is {wanted}", there.unwrap_or("missing")),
            "give the field the column's default, or migrate the column".to_owned(),
        )),
        _ => None,
    }
}

/// A default without the parentheses around it.
fn bare(text: &str) -> &str {
    let mut text = text.trim();
    while let Some(inner) = text.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')) {
        text = inner.trim();
    }
    text
}

/// Whether a column of this declared type holds the field's values in their stored form. Stricter than affinities: a
/// `decimal(10, 2)` read as `decimal(10, 3)` would be ten times too small.
fn accepts(field: &Field, declared: &str) -> bool {
    let declared = declared.to_ascii_uppercase();
    let (name, arguments) = match declared.split_once('(') {
        Some((name, rest)) => (name.trim(), rest.split(')').next().unwrap_or_default()),
        None => (declared.trim(), ""),
    };
    if field.auto_increment {
        // Any other name would not be the rowid.
        return declared == "INTEGER";
    }
    let plain_int = matches!(name, "INT" | "INTEGER");
    let textual =
        matches!(name, "TEXT" | "VARCHAR" | "CHAR" | "CHARACTER" | "NVARCHAR" | "NCHAR" | "CLOB" | "CHARACTER VARYING");
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
            let mut numbers = arguments.split(',').map(|number| number.trim().parse::<u8>().ok());
            name == wanted && numbers.next() == Some(Some(spec.digits)) && numbers.next() == Some(Some(spec.scale))
        }
        Kind::Varchar(_) | Kind::Text | Kind::Enumeration(_) | Kind::Email | Kind::Url => textual,
        Kind::Json => name == "JSON_TEXT" || textual,
        Kind::Binary => matches!(name, "BLOB" | ""),
        Kind::Datetime => name == "TIMESTAMP",
        Kind::Date => name == "DATE",
        Kind::Time => name == "TIME",
        Kind::Duration => name == "INTERVAL",
        Kind::Uuid => matches!(name, "UUID" | "BLOB"),
    }
}

fn reference_differs(catalog: &Catalog, entry: &Entry, index: usize, field: &Field, table: &Table) -> Difference {
    let relation = field.references.as_ref()?;
    let target = catalog.entry((*entry.relations.get(index)?)?)?;
    let key = target.primary_key()?;
    let wanted = create::on_delete(relation.on_delete);
    let found = table
        .foreign_keys
        .iter()
        .find(|foreign| matches!(foreign.columns.as_slice(), [column] if column.eq_ignore_ascii_case(&field.column)));
    let way_out = "migrate the table, or give the field the relation that the column has".to_owned();
    let Some(found) = found else {
        return Some((format!("references nothing, but {} points to {}", field.name, relation.model), way_out));
    };
    let same_key = match found.references.as_slice() {
        [] => true,
        [column] => column.eq_ignore_ascii_case(&key.column),
        _ => false,
    };
    if !found.table.eq_ignore_ascii_case(&target.model.table) || !same_key {
        return Some((
            format!(
                "references {} ({}), but {} points to {} ({})",
                found.table,
                found.references.join(", "),
                field.name,
                target.model.table,
                key.column
            ),
            way_out,
        ));
    }
    if !found.on_delete.eq_ignore_ascii_case(wanted) {
        return Some((format!("its ON DELETE is {}, the model's is {wanted}", found.on_delete), way_out));
    }
    None
}

fn index_differs(entry: &Entry, key: &Key, table: &Table, statements: &mut Vec<String>) -> Difference {
    if key.name.is_empty() {
        // Primary key and unique fields: compared with their columns.
        return None;
    }
    let column_of = |at: usize| entry.field(at).map(|field| field.column.as_str()).unwrap_or_default();
    let covers = |index: &covet_db::Index| {
        !index.partial
            && index.columns.len() == key.columns.len()
            && index
                .columns
                .iter()
                .zip(&key.columns)
                .all(|(name, wanted)| name.eq_ignore_ascii_case(column_of(wanted.field)))
            && (key.unique || index.descending.iter().zip(&key.columns).all(|(is, wanted)| *is == wanted.descending))
    };
    let served = table.indexes.iter().any(|index| covers(index) && (index.unique || !key.unique));
    if served {
        return None;
    }
    // A column that is missing is reported as such.
    if key.columns.iter().any(|column| table.column(column_of(column.field)).is_none()) {
        return None;
    }
    let wanted = create::index(entry, key);
    if table.indexes.iter().any(|index| index.name.eq_ignore_ascii_case(&key.name)) {
        return Some((
            format!("index {} exists, but not as the model wants it", key.name),
            format!("run DROP INDEX \"{}\"; {wanted}", key.name),
        ));
    }
    if key.unique {
        return Some((
            format!("the unique index {} is missing", key.name),
            format!("run {wanted}, once no rows collide"),
        ));
    }
    statements.push(wanted);
    None
}
