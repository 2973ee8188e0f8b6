//! Tables as the models want them: DDL for what is missing, and what is wrong with what is there.
//!
//! Nothing here alters a table that exists. A table that doesn't fit its model is an error that names column and model and
//! says what to do; changing it is for migrations. What each database stores for each kind: `docs/decisions/002-sqlite-storage.md`
//! and `docs/decisions/009-server-storage.md`; in code, `Forms`, one module a dialect.

mod compare;
mod condition;
mod create;
mod forms;
mod limits;
mod literal;
mod mysql;
mod postgres;
mod sqlite;

use std::fmt;

use covet_db::Introspection;

use crate::schema::Field;
use crate::{Catalog, Dialect};

/// One way in which a table doesn't fit its model, or a model doesn't fit the database.
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
/// in which each table comes after those it points to; where models point at each other, the last reference is added at the
/// end.
///
/// # Errors
/// Every mismatch found; then nothing should be created.
pub fn reconcile(
    dialect: Dialect,
    catalog: &Catalog,
    existing: &Introspection,
) -> Result<Vec<String>, Vec<SchemaMismatch>> {
    let forms = dialect.forms();
    let mut made = create::Made::default();
    let mut mismatches = Vec::new();
    for index in catalog.creation_order() {
        let Some(entry) = catalog.entry(index) else {
            continue;
        };
        match existing.table(&entry.model.table) {
            None if !entry.model.managed => mismatches.push(SchemaMismatch {
                table: entry.model.table.clone(),
                column: String::new(),
                model: entry.model.name.clone(),
                what: "is missing, and the model is not managed".to_owned(),
                way_out: "create the table, or let Covet: drop `managed = false`".to_owned(),
            }),
            None if !entry.model.managed => mismatches.push(SchemaMismatch {
                table: entry.model.table.clone(),
                column: String::new(),
                model: entry.model.name.clone(),
                what: "is missing, and the model is not managed".to_owned(),
                way_out: "create the table, or let Covet: drop `managed = false`".to_owned(),
            }),
            None => {
                limits::check(forms, entry, &mut mismatches);
                create::table(forms, catalog, index, existing, &mut made);
            }
            Some(table) => {
                let mut missing = Vec::new();
                compare::table(forms, catalog, entry, table, &mut missing, &mut mismatches);
                // Indexes of somebody else's table are somebody else's business.
                if entry.model.managed {
                    made.statements.append(&mut missing);
                }
            }
        }
    }
    if mismatches.is_empty() { Ok(made.into_statements()) } else { Err(mismatches) }
}

/// The declared type of a field's column.
pub fn declared_type(dialect: Dialect, field: &Field) -> String {
    dialect.forms().column_type(field)
}
