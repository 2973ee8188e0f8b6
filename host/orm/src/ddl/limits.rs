//! Models that the database can't hold at all: told before anything is created.

use super::SchemaMismatch;
use super::forms::Forms;
use crate::catalog::Entry;

pub(super) fn check(forms: &dyn Forms, entry: &Entry, mismatches: &mut Vec<SchemaMismatch>) {
    mismatches.extend(forms.limits(entry).into_iter().map(|limit| SchemaMismatch {
        table: entry.model.table.clone(),
        column: limit.column,
        model: entry.model.name.clone(),
        what: limit.what,
        way_out: limit.way_out,
    }));
}
