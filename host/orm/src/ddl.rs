//! Tables as the models want them: DDL for what is missing, and what is wrong with what is there.
//!
//! Nothing here alters a table that exists. A table that doesn't fit its model is an error that names column and model and
//! says what to do; changing it is for migrations. SQLite's forms of storage: `docs/decisions/002-sqlite-storage.md`.

mod compare;
mod create;

use std::fmt;

use covet_db::Introspection;

use crate::Catalog;

pub use create::declared_type;

/// One way in which a table doesn't fit its model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaMismatch {
    pub table: String,
    /// Empty when the table or an index is at fault.
    pub column: String,
    pub model: String,
    pub what: String,
    pub way_out: String,
}

impl fmt::Display for SchemaMismatch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "table {}", self.table)?;
        if !self.column.is_empty() {
            write!(out, ", column {}", self.column)?;
        }
        write!(out, " doesn't fit model {}: {}; {}", self.model, self.what, self.way_out)
    }
}

impl std::error::Error for SchemaMismatch {}

/// Compares the models with the tables there are. Answers with the DDL that creates missing tables and indexes, in an order
/// in which each table comes after those it points to, as far as there is one (SQLite also takes it otherwise).
///
/// # Errors
/// Every mismatch found; then nothing should be created.
pub fn reconcile(catalog: &Catalog, existing: &Introspection) -> Result<Vec<String>, Vec<SchemaMismatch>> {
    let mut statements = Vec::new();
    let mut mismatches = Vec::new();
    for entry in catalog.creation_order().into_iter().filter_map(|index| catalog.entry(index)) {
        match existing.table(&entry.model.table) {
            None => {
                statements.push(create::table(catalog, entry));
                statements
                    .extend(entry.keys.iter().filter(|key| !key.name.is_empty()).map(|key| create::index(entry, key)));
            }
            Some(table) => compare::table(catalog, entry, table, &mut statements, &mut mismatches),
        }
    }
    if mismatches.is_empty() { Ok(statements) } else { Err(mismatches) }
}
