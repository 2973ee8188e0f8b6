//! PostgreSQL, MariaDB and Redis servers that belong to the tests alone, and a proxy that spoils their network.
//!
//! ```no_run
//! # fn main() -> Result<(), covet_test_servers::Error> {
//! let database = covet_test_servers::Postgres::shared()?.database()?;
//! println!("an empty database of this test's own, gone when dropped: {}", database.url());
//! # Ok(())
//! # }
//! ```
//!
//! - [`Server::shared`]: one server for all tests of a run. `scripts/test.sh` starts it and says where it is in
//!   `COVET_TEST_POSTGRES_URL`, `COVET_TEST_MYSQL_URL`, `COVET_TEST_REDIS_URL`. Where these are not set (plain `cargo
//!   test`, `cargo nextest run`), the first test that asks starts it, others find it by a file under the target
//!   directory, and it ends some seconds after the last of them has ended.
//! - [`Server::private`]: one of the test's own, to crash and start again. Takes one to three seconds to set up.
//! - [`Proxy`]: stalls, delays and cuts connections.
//!
//! Promises: servers listen on 127.0.0.1 only, with a password; their data lies in a directory of their own under the
//! system's temporary directory; they end with their users, also when those are killed (`supervise.sh`); services that
//! this crate did not start are never touched. Run by root, they run as the accounts that the packages made.
//!
//! Calls block, for some 50 ms where a database is made or dropped.

mod certificates;
mod database;
mod engine;
mod error;
mod mariadb;
mod postgres;
mod process;
mod proxy;
mod redis;
mod server;
mod shared;
mod url;

pub use database::TestDatabase;
pub use engine::{Engine, Options};
pub use error::Error;
pub use mariadb::MariaDbEngine;
pub use postgres::PostgresEngine;
pub use proxy::{Fault, Proxy};
pub use redis::RedisEngine;
pub use server::Server;
pub use url::Url;

/// A PostgreSQL server.
pub type Postgres = Server<PostgresEngine>;
/// A MariaDB server.
pub type MariaDb = Server<MariaDbEngine>;
/// A Redis (or Valkey) server.
pub type Redis = Server<RedisEngine>;
