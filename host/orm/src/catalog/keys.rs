//! The keys of a model: its indexes, and those that single fields bring along.

use std::collections::HashSet;

use super::check::{
    Checked, MAX_INDEX_COLUMNS, MAX_INDEXES, MAX_NAME, RESERVED, check_name, cut, fault, field_fault, known,
};
use super::{Entry, Key, KeyColumn, SpecialKey};
use crate::schema::Index;

/// Resolves the model's indexes and adds those of single fields: keys as the planner and the DDL see them, and those that
/// only the DDL sees.
pub(super) fn check_indexes(entry: &Entry, names: &mut HashSet<String>) -> Checked<(Vec<Key>, Vec<SpecialKey>)> {
    let model = &entry.model;
    if model.indexes.len() > MAX_INDEXES {
        return Err(fault(model, format!("has {} indexes, at most {MAX_INDEXES} fit", model.indexes.len())));
    }
    let single = |field: usize| vec![KeyColumn { field, descending: false }];
    let mut keys = vec![Key { name: String::new(), columns: single(entry.primary_key), unique: true }];
    for (at, field) in model.fields.iter().enumerate() {
        if field.unique && !field.primary_key {
            keys.push(Key { name: String::new(), columns: single(at), unique: true });
        }
    }
    let mut special = Vec::new();
    for index in &model.indexes {
        let columns = check_index(entry, index)?;
        let name = if index.name.is_empty() { index_name(entry, index, &columns) } else { index.name.clone() };
        check_name("index", &name).map_err(|reason| fault(model, reason))?;
        let lower = name.to_ascii_lowercase();
        if RESERVED.iter().any(|prefix| lower.starts_with(prefix)) {
            return Err(fault(model, format!("index {name:?}: names that begin with sqlite_ or covet_ are reserved")));
        }
        if !names.insert(lower) {
            return Err(fault(
                model,
                format!("index {name:?}: a table or another index has this name, choose another"),
            ));
        }
        if index.folded || index.condition.is_some() {
            let Index { unique, folded, condition, .. } = index.clone();
            special.push(SpecialKey { name, columns, unique, folded, condition });
        } else {
            keys.push(Key { name, columns, unique: index.unique });
        }
    }
    // A relation is walked from both ends, so it has an index whether asked for or not; one that begins with it serves.
    for (at, field) in model.fields.iter().enumerate() {
        let wanted = field.indexed || field.references.is_some();
        let served = keys.iter().any(|key| key.columns.first().is_some_and(|first| first.field == at));
        if wanted && !served {
            let columns = single(at);
            let mut name = derived_name(entry, &columns);
            if !names.insert(name.to_ascii_lowercase()) {
                name = shortened(&format!("{name}_field"));
                if !names.insert(name.to_ascii_lowercase()) {
                    return Err(field_fault(
                        model,
                        field,
                        format!("its index {name:?} meets another of that name: rename that"),
                    ));
                }
            }
            keys.push(Key { name, columns, unique: false });
        }
    }
    Ok((keys, special))
}

fn check_index(entry: &Entry, index: &Index) -> Checked<Vec<KeyColumn>> {
    let model = &entry.model;
    if index.columns.is_empty() || index.columns.len() > MAX_INDEX_COLUMNS {
        return Err(fault(
            model,
            format!("an index has 1 to {MAX_INDEX_COLUMNS} fields, {:?} has {}", cut(&index.name), index.columns.len()),
        ));
    }
    let mut columns: Vec<KeyColumn> = Vec::with_capacity(index.columns.len());
    for column in &index.columns {
        let Some(field) = entry.field_index(&column.field) else {
            return Err(fault(
                model,
                format!(
                    "an index names field {:?}, which the model doesn't have: {}",
                    cut(&column.field),
                    known(entry)
                ),
            ));
        };
        if columns.iter().any(|before| before.field == field) {
            return Err(fault(model, format!("an index names field {:?} twice: remove one", column.field)));
        }
        columns.push(KeyColumn { field, descending: column.descending });
    }
    let textual = |column: &KeyColumn| entry.field(column.field).is_some_and(|field| field.kind.is_textual());
    if index.folded && !columns.iter().any(textual) {
        return Err(fault(model, format!("a folded index needs a text, {:?} has none", cut(&index.name))));
    }
    Ok(columns)
}

/// `idx_TABLE_COLUMNS`; what sets a special index apart from a plain one over the same columns stands behind.
fn index_name(entry: &Entry, index: &Index, columns: &[KeyColumn]) -> String {
    let mut name = derived_name(entry, columns);
    if index.folded {
        name = shortened(&format!("{name}_folded"));
    }
    if index.condition.is_some() {
        name = shortened(&format!("{name}_where"));
    }
    name
}

fn derived_name(entry: &Entry, columns: &[KeyColumn]) -> String {
    let mut name = format!("idx_{}", entry.model.table);
    for column in columns {
        name.push('_');
        name.push_str(entry.field(column.field).map(|field| field.column.as_str()).unwrap_or_default());
        if column.descending {
            name.push_str("_desc");
        }
    }
    shortened(&name)
}

/// Cuts a derived name to the limit; a hash of the whole keeps two long ones apart, the same at every start.
pub(crate) fn shortened(name: &str) -> String {
    if name.len() <= MAX_NAME {
        return name.to_owned();
    }
    // FNV-1a, 64 bits: stable across versions of compiler and library, unlike the hashers of std.
    let hash = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let head: String = name.chars().take(MAX_NAME - 17).collect();
    format!("{head}_{hash:016x}")
}
