//! Compares a table that exists with its model, column by column.

use covet_db::{Column, Table};

use super::forms::{Forms, bare, on_delete};
use super::{SchemaMismatch, create};
use crate::Dialect;
use crate::catalog::{Catalog, Entry, Key, shortened};
use crate::schema::Field;

pub(super) fn table(
    forms: &dyn Forms,
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
                let (what, way_out) = missing(forms, catalog, entry, index, field);
                report(&field.column, what, way_out);
            }
            Some(column) => {
                if let Some((what, way_out)) = differs(forms, entry, index, field, column) {
                    report(&field.column, what, way_out);
                }
                if let Some((what, way_out)) = reference_differs(forms, catalog, entry, index, field, table) {
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
                    "add the field to the model, or ALTER TABLE {} DROP COLUMN {}",
                    forms.name(&table.name),
                    forms.name(&column.name)
                ),
            );
        }
    }
    for key in &entry.special {
        // Told by its name: what SQL text a condition had when it was made is the database's own affair.
        let there = table.indexes.iter().any(|index| index.name.eq_ignore_ascii_case(&key.name));
        if !there {
            statements.push(create::special_index(forms, catalog, entry, key));
        }
    }
    for key in &entry.keys {
        if let Some((what, way_out)) = index_differs(forms, entry, key, table, statements) {
            report("", what, way_out);
        }
    }
}

type Difference = Option<(String, String)>;

fn missing(forms: &dyn Forms, catalog: &Catalog, entry: &Entry, index: usize, field: &Field) -> (String, String) {
    let what = "is missing".to_owned();
    let defaulted = entry.defaults.get(index).is_some_and(Option::is_some);
    if field.primary_key || field.unique || !(field.nullable || defaulted) {
        return (
            what,
            "make the field nullable or give it a default, or move the table aside so that it is created anew"
                .to_owned(),
        );
    }
    let definition = create::column(forms, catalog, entry, index);
    (what, format!("run ALTER TABLE {} ADD COLUMN {definition}", forms.name(&entry.model.table)))
}

fn differs(forms: &dyn Forms, entry: &Entry, index: usize, field: &Field, column: &Column) -> Difference {
    let declared = forms.column_type(field);
    if !forms.accepts(field, &column.decl_type) {
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
                "run CREATE UNIQUE INDEX {} ON {} ({}), or drop `unique` from the field",
                forms.name(&shortened(&format!("uq_{}_{}", entry.model.table, field.column))),
                forms.name(&entry.model.table),
                forms.name(&field.column)
            ),
        ));
    }
    let wanted = entry.defaults.get(index)?.as_ref()?;
    match column.default.as_deref() {
        Some(told) if forms.is_default(&field.kind, wanted, told) => None,
        told => Some((
            format!(
                "its default is {}, the model's is {}",
                told.map_or("missing", bare),
                forms.literal(&field.kind, wanted)
            ),
            "give the field the column's default, or migrate the column".to_owned(),
        )),
    }
}

fn reference_differs(
    forms: &dyn Forms,
    catalog: &Catalog,
    entry: &Entry,
    index: usize,
    field: &Field,
    table: &Table,
) -> Difference {
    let relation = field.references.as_ref()?;
    let target = catalog.entry((*entry.relations.get(index)?)?)?;
    let key = target.primary_key()?;
    let wanted = on_delete(relation.on_delete);
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
    // To MySQL the two are one.
    let refuses = |action: &str| matches!(action.to_ascii_uppercase().as_str(), "RESTRICT" | "NO ACTION");
    let alike = forms.dialect() == Dialect::MySql && refuses(&found.on_delete) && refuses(wanted);
    if !alike && !found.on_delete.eq_ignore_ascii_case(wanted) {
        return Some((format!("its ON DELETE is {}, the model's is {wanted}", found.on_delete), way_out));
    }
    None
}

fn index_differs(
    forms: &dyn Forms,
    entry: &Entry,
    key: &Key,
    table: &Table,
    statements: &mut Vec<String>,
) -> Difference {
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
    let wanted = create::index(forms, entry, key);
    if table.indexes.iter().any(|index| index.name.eq_ignore_ascii_case(&key.name)) {
        return Some((
            format!("index {} exists, but not as the model wants it", key.name),
            format!("drop that index and run {wanted}"),
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
