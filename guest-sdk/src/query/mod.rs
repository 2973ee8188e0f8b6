//! Queries: built from typed columns, planned by the host once a shape, answered as packed rows.

mod column;
mod expr;
mod plan;
mod set;
mod shape;
mod transaction;
mod values;
#[cfg(test)]
mod tests;
mod write;

pub use self::column::{Assignment, Column, Order, SetValue};
pub use self::expr::{Condition, Expr, Operand, Selector, Value};
pub use self::set::{OrderBy, QuerySet, Related};
pub use self::transaction::{Savepoint, Transaction, transaction};
pub use self::values::{Columns, Only, Partial, Values};
pub use self::write::{Assignments, FieldList};
pub(crate) use self::set::by_key;
pub(crate) use self::write::{delete, save, save_fields};
pub(crate) use self::write::encode_default;
