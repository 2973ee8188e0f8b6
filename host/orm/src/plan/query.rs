//! What select, update and delete share: condition, text, order of placeholders.

use covet_db::{Access, Group, Statement};
use sea_query::{Expr, Values};

use super::path::Scope;
use super::proof::arrange;
use crate::Dialect;
use crate::bind::Slots;
use crate::schema::Kind;

/// Finished SQL text with the slots in the order of its placeholders.
pub(super) struct Text {
    pub sql: String,
    pub slots: Slots,
    /// Slot numbers in that order.
    pub order: Vec<u64>,
}

impl Text {
    /// The text with all that a driver needs to know of it.
    pub fn statement(self, columns: Vec<Group>, access: Access) -> (Statement, Slots) {
        let params = self.slots.takes();
        (Statement::typed(self.sql, params, columns, access), self.slots)
    }
}

/// Reads the slot numbers back from where sea-query collected them.
pub(super) fn text(scope: &mut Scope<'_>, dialect: Dialect, built: (String, Values)) -> Text {
    let (sql, Values(values)) = built;
    let order: Vec<u64> = values
        .into_iter()
        .filter_map(|value| match value {
            sea_query::Value::BigUnsigned(number) => number,
            _ => None,
        })
        .collect();
    let slots = arrange(dialect, scope.take_slots(), &order);
    Text { sql, slots, order }
}

/// A constant as a placeholder of its own: text that differs by a constant would be two statements.
pub(super) fn constant(scope: &mut Scope<'_>, value: i64) -> u64 {
    scope.slot(0, crate::bind::Code::Constant(covet_db::Value::Int(value)), &Kind::Int64, false, "constant")
}

/// A placeholder as an expression.
pub(super) fn placeholder(slot: u64) -> Expr {
    Expr::val(slot)
}
