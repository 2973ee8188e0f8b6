//! Connections to databases: drivers, pools, values and rows. Knows no models and no wasm.
//!
//! What comes in is a [`Work`]: SQL text that was planned once ([`Statement`]) and the values of this call. What comes
//! out is one CBOR item (RFC 8949), written straight from the driver's row, or a [`DbError`] with a stable meaning.
//!
//! Promises, for every driver:
//! - a write that was answered is durable; a write that was answered with an error left nothing behind;
//! - a deadline holds: work that has not started by then never starts, work that runs is stopped and undone;
//! - a transaction that is not committed is rolled back: dropped, past its deadline, or with its connection lost.
//!
//! Callers live on a tokio runtime with its time driver enabled.

mod begin;
mod capabilities;
mod database;
mod decimal;
mod error;
mod introspection;
pub mod mysql;
pub mod pool;
pub mod postgres;
mod remote;
pub mod sqlite;
mod statement;
mod value;
mod wire;
mod work;

pub use begin::{BeginOptions, Isolation};
pub use capabilities::{Capabilities, Dialect, Product, Version};
pub use database::{Database, Transaction};
pub use decimal::{
    DecimalError, INTEGER_DIGITS, MAX_DIGITS, format_decimal, ordered_text, parse_decimal, parse_ordered,
};
pub use error::DbError;
pub use introspection::{Column, ForeignKey, Index, Introspection, Table};
pub use mysql::{MySql, MySqlOptions};
pub use pool::{PoolOptions, PoolStats};
pub use postgres::{Postgres, PostgresOptions};
pub use sqlite::{Sqlite, SqliteOptions, SqliteStats};
pub use statement::{Access, Group, Param, Statement};
pub use value::{Kind, Value};
pub use work::{InsertKey, Work};
