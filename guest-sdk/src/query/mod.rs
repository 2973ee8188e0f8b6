//! Queries: built from typed columns, planned by the host once a shape, answered as packed rows.

mod column;
mod condition;
mod deleted;
mod expr;
mod managers;
mod plan;
mod prefetch;
mod set;
mod shape;
#[cfg(test)]
mod tests;
mod transaction;
mod values;
mod write;

pub use self::column::{Assignment, Column, Order, SetValue};
#[doc(hidden)]
pub use self::condition::condition;
pub use self::deleted::Deleted;
pub use self::expr::{Condition, Expr, Operand, Selector, Value};
#[doc(hidden)]
pub use self::managers::Between;
pub use self::managers::{JoinedRows, PointingRows};
pub use self::prefetch::{Prefetch, Prefetches};
pub(crate) use self::set::by_key;
pub use self::set::{OrderBy, QuerySet, Related};
pub use self::transaction::{Savepoint, Transaction, transaction};
pub use self::values::{Columns, Only, Partial, Values};
pub(crate) use self::write::encode_default;
pub use self::write::{Assignments, FieldList};
pub(crate) use self::write::{delete, save, save_fields};
