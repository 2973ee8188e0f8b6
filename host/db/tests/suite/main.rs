//! What every driver promises, tested on every database.
//!
//! A test is an async function of a [`Backend`]; `suite!` makes one test of it for each database. What databases differ in is in
//! backend.rs: their SQL, and a record of what they can.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed test is how it speaks")]

mod backend;
mod introspection;
mod reads;
mod transactions;
mod writes;

/// One test a function and database.
macro_rules! suite {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name(&$crate::backend::Backend::Sqlite).await }
            )*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name(&$crate::backend::Backend::Postgres).await }
            )*
        }
        mod mariadb {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name(&$crate::backend::Backend::MariaDb).await }
            )*
        }
    };
}
pub(crate) use suite;
