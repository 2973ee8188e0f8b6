//! CREATE TABLE and CREATE INDEX.

use covet_db::Introspection;

use super::condition;
use super::forms::{Forms, on_delete};
use crate::catalog::{Catalog, Entry, Key, SpecialKey, shortened};

/// Statements in the order they run in.
#[derive(Default)]
pub(super) struct Made {
    pub statements: Vec<String>,
    /// Tables created so far, as indexes into the catalog.
    created: Vec<usize>,
    /// References to tables that come later.
    late: Vec<String>,
}

impl Made {
    pub fn into_statements(mut self) -> Vec<String> {
        self.statements.append(&mut self.late);
        self.statements
    }
}

/// Creates the table of the model at `index`, with its indexes.
pub(super) fn table(forms: &dyn Forms, catalog: &Catalog, index: usize, existing: &Introspection, made: &mut Made) {
    let Some(entry) = catalog.entry(index) else {
        return;
    };
    let table = &entry.model.table;
    let fields = &entry.model.fields;
    let mut parts: Vec<String> = (0..fields.len()).map(|at| column(forms, catalog, entry, at)).collect();
    for field in fields {
        if let Some(condition) = forms.check(&forms.name(&field.column), field) {
            let name = forms.name(&shortened(&format!("{table}.{}", field.column)));
            parts.push(format!("CONSTRAINT {name} CHECK ({condition})"));
        }
    }
    parts.extend(entry.checks.iter().filter_map(|rule| {
        let condition = condition::text(forms, catalog, index, &rule.condition).ok()?;
        Some(format!("CONSTRAINT {} CHECK ({condition})", forms.name(&rule.name)))
    }));
    let named: Vec<&Key> = entry.keys.iter().filter(|key| !key.name.is_empty()).collect();
    if forms.indexes_within() {
        parts.extend(named.iter().map(|key| {
            let unique = if key.unique { "UNIQUE " } else { "" };
            format!("{unique}INDEX {} ({})", forms.name(&key.name), index_columns(forms, entry, key))
        }));
    }
    if !forms.references_within() {
        for (at, to) in entry.relations.iter().enumerate() {
            let Some(reference) = foreign_key(forms, catalog, entry, at) else {
                continue;
            };
            let there = |to: usize| {
                to == index
                    || made.created.contains(&to)
                    || catalog.entry(to).is_some_and(|target| existing.table(&target.model.table).is_some())
            };
            if to.is_some_and(there) {
                parts.push(reference);
            } else {
                made.late.push(format!("ALTER TABLE {} ADD {reference}", forms.name(table)));
            }
        }
    }
    made.statements.push(format!(
        "CREATE TABLE {} (\n  {}\n){}",
        forms.name(table),
        parts.join(",\n  "),
        forms.table_options()
    ));
    if !forms.indexes_within() {
        made.statements.extend(named.iter().map(|key| self::index(forms, entry, key)));
    }
    made.statements.extend(entry.special.iter().map(|key| special_index(forms, catalog, entry, key)));
    made.created.push(index);
}

/// One column as CREATE TABLE and ADD COLUMN have it.
pub(super) fn column(forms: &dyn Forms, catalog: &Catalog, entry: &Entry, index: usize) -> String {
    let Some(field) = entry.field(index) else {
        return String::new();
    };
    let mut text = format!("{} {}", forms.name(&field.column), forms.column_type(field));
    if field.primary_key {
        text.push_str(forms.key(field));
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
        text.push_str(&forms.default(&field.kind, default));
    }
    if forms.references_within()
        && let Some(reference) = reference(forms, catalog, entry, index)
    {
        text.push(' ');
        text.push_str(&reference);
    }
    text
}

/// The reference of a relation. Checked at once and not at commit: SQLite's writer puts many units of work into one commit,
/// which must not fail for a fault of one of them, and MySQL knows nothing else.
fn reference(forms: &dyn Forms, catalog: &Catalog, entry: &Entry, index: usize) -> Option<String> {
    let target = catalog.entry((*entry.relations.get(index)?)?)?;
    let relation = entry.field(index)?.references.as_ref()?;
    let key = forms.name(&target.primary_key()?.column);
    let table = forms.name(&target.model.table);
    Some(format!("REFERENCES {table} ({key}) ON DELETE {}", on_delete(relation.on_delete)))
}

/// The same as a constraint of the table.
fn foreign_key(forms: &dyn Forms, catalog: &Catalog, entry: &Entry, index: usize) -> Option<String> {
    let reference = reference(forms, catalog, entry, index)?;
    let column = &entry.field(index)?.column;
    let name = forms.name(&shortened(&format!("fk_{}_{column}", entry.model.table)));
    Some(format!("CONSTRAINT {name} FOREIGN KEY ({}) {reference}", forms.name(column)))
}

pub(super) fn index(forms: &dyn Forms, entry: &Entry, key: &Key) -> String {
    let unique = if key.unique { "UNIQUE " } else { "" };
    let (name, table) = (forms.name(&key.name), forms.name(&entry.model.table));
    format!("CREATE {unique}INDEX {name} ON {table} ({})", index_columns(forms, entry, key))
}

/// An index over some rows only, or over texts in lower case.
pub(super) fn special_index(forms: &dyn Forms, catalog: &Catalog, entry: &Entry, key: &SpecialKey) -> String {
    let columns: Vec<String> = key
        .columns
        .iter()
        .filter_map(|column| {
            let field = entry.field(column.field)?;
            if key.folded && field.kind.is_textual() {
                let direction = if column.descending { " DESC" } else { "" };
                return Some(format!("lower({}){direction}", forms.name(&field.column)));
            }
            Some(forms.indexed(field, column.descending))
        })
        .collect();
    let unique = if key.unique { "UNIQUE " } else { "" };
    let condition = key.condition.as_ref().and_then(|condition| {
        let model = catalog.index_of(&entry.model.name)?;
        Some(format!(" WHERE {}", condition::text(forms, catalog, model, condition).ok()?))
    });
    let (name, table) = (forms.name(&key.name), forms.name(&entry.model.table));
    format!("CREATE {unique}INDEX {name} ON {table} ({}){}", columns.join(", "), condition.unwrap_or_default())
}

fn index_columns(forms: &dyn Forms, entry: &Entry, key: &Key) -> String {
    let columns: Vec<String> = key
        .columns
        .iter()
        .filter_map(|column| Some(forms.indexed(entry.field(column.field)?, column.descending)))
        .collect();
    columns.join(", ")
}
