//! Models, queries and plans: what a plugin may ask of a database, and how it is asked.
//!
//! A query crosses the wall as a *shape* ([`shape::Shape`]), is checked against the plugin's [`Catalog`] and planned once
//! ([`plan`](plan())), and from then on is a number and parameters ([`Plans`], [`Plan::bind`]). The room promises that no input, shape
//! or parameter bytes, can panic it, make it allocate without bound, or reach SQL text; that text is made from checked
//! identifiers only. It leaves connections, execution and the encoding of rows to `covet-db`, and the wall to `covet-runtime`.

pub mod bind;
pub mod catalog;
pub mod ddl;
pub mod decimal;
pub mod dialect;
mod error;
#[doc(hidden)]
pub mod fuzzing;
pub mod plan;
mod plans;
pub mod program;
pub mod schema;
pub mod shape;

pub use catalog::Catalog;
pub use dialect::Dialect;
pub use error::{QueryError, SchemaError};
pub use plan::{Plan, plan};
pub use plans::{MAX_PLANS, Plans};
pub use program::{Answer, Call, Program};
