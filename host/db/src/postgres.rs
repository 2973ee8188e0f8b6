//! The PostgreSQL driver, on sqlx's connections with their prepared statements, in our own pool.
//!
//! ```text
//! run ─┬ reads ──▶ coalesce.rs   those of one tick: identical ones once, neighbouring keys in one query
//!      └ others ─▶ remote        a work in one statement, or between BEGIN and COMMIT
//! begin ─────────▶ remote        a task owns the connection until the transaction ends
//! ```
//!
//! bind.rs and encode.rs speak the binary protocol: parameters by what the planner declared, columns by their [`Kind`]. Nothing
//! passes through text or floats. A statement past its deadline is cancelled through a second connection (control.rs).
//!
//! [`Kind`]: crate::Kind

mod bind;
mod coalesce;
mod connection;
mod control;
mod encode;
mod errors;
mod insert;
mod introspect;
mod numeric;
mod oid;
mod options;

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use sqlx_postgres::PgConnectOptions;

use crate::pool::{Condition, Driver, Leak, Pool, PoolStats};
use crate::remote::{self, Remote, RemoteTransaction};
use crate::{BeginOptions, Capabilities, DbError, Introspection, Product, Transaction, Version, Work};
use coalesce::Coalescer;
use connection::Connection;
use control::Control;

pub use coalesce::CoalesceStats;
pub use options::PostgresOptions;

/// DDL has no request behind it whose deadline would hold; building an index on a large table takes its time.
const BATCH_DEADLINE: Duration = Duration::from_secs(15 * 60);

/// Reading the catalog.
const INTROSPECT_DEADLINE: Duration = Duration::from_secs(60);

/// A PostgreSQL database. Clones share its pool.
#[derive(Clone)]
pub struct Postgres(Arc<Shared>);

struct Shared {
    pool: Pool<PostgresDriver>,
    coalescer: Arc<Coalescer>,
    version: OnceLock<Version>,
}

impl std::fmt::Debug for Postgres {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Postgres").field("pool", &self.0.pool).finish_non_exhaustive()
    }
}

impl Postgres {
    /// A database at `postgres://user:password@host:port/database?…`. The URL's query may carry `sslmode`, `sslrootcert`,
    /// `sslcert`, `sslkey`, `application_name`, `connect_timeout`, `command_timeout` (seconds), `statement_cache_size` and
    /// `server_settings[NAME]`, and goes before `options`.
    ///
    /// Connects to nobody yet: a server that is away shows at the first work, and is noticed when it is back.
    ///
    /// # Errors
    /// [`DbError::BadQuery`] names the part of the URL or the option that is wrong.
    pub fn open(url: &str, mut options: PostgresOptions) -> Result<Self, DbError> {
        let connect = options::read(url, &mut options)?;
        let driver = PostgresDriver {
            control: Arc::new(Control::new(connect.clone())),
            connect,
            keep_prepared: options.statement_cache_size > 0,
            max_result_bytes: options.max_result_bytes,
        };
        let coalescer = Arc::new(Coalescer::new(options.coalesce));
        Ok(Self(Arc::new(Shared { pool: Pool::new(driver, options.pool)?, coalescer, version: OnceLock::new() })))
    }

    /// Runs one unit of work.
    ///
    /// A read may be answered together with others that were asked in the same tick, before any of them was sent: never from a
    /// state older than the call. Dropping the future stops a read that nobody else waits for, and leaves the outcome of a write
    /// that was sent open.
    ///
    /// # Errors
    /// [`DbError::Timeout`] when `deadline` passed: then the work was not started, or was stopped and undone.
    /// [`DbError::PoolExhausted`] when no connection became free by then. Where a connection is lost in the middle of a write,
    /// [`DbError::Unavailable`] says that its outcome is not known.
    pub async fn run(&self, work: Work, deadline: Instant) -> Result<Vec<u8>, DbError> {
        match self.0.coalescer.read(&self.0.pool, work, deadline).await {
            Ok(answer) => answer,
            Err(work) => remote::run(&self.0.pool, &work, deadline).await,
        }
    }

    /// Begins a transaction that is rolled back at `deadline` unless it is committed before.
    ///
    /// # Errors
    /// [`DbError::PoolExhausted`] where no connection became free by then.
    pub async fn begin(&self, options: BeginOptions, deadline: Instant) -> Result<Transaction, DbError> {
        RemoteTransaction::begin(&self.0.pool, options, deadline).await.map(Transaction::from)
    }

    /// Runs DDL in one transaction, all or nothing. A single statement runs by itself: some, as `CREATE INDEX CONCURRENTLY`, refuse
    /// to run in a transaction.
    ///
    /// # Errors
    /// That of the first statement that failed, with its SQL.
    pub async fn execute_batch(&self, sql: Vec<String>) -> Result<(), DbError> {
        let deadline = Instant::now() + BATCH_DEADLINE;
        let mut connection = self.0.pool.acquire(deadline, &Arc::from("schema changes")).await?;
        let limited = tokio::time::timeout_at(deadline.into(), connection.batch(&sql));
        limited.await.unwrap_or(Err(DbError::Timeout))
    }

    /// Reads which tables the first schema of the search path has.
    ///
    /// # Errors
    /// [`DbError::Unavailable`].
    pub async fn introspect(&self) -> Result<Introspection, DbError> {
        let deadline = Instant::now() + INTROSPECT_DEADLINE;
        let mut connection = self.0.pool.acquire(deadline, &Arc::from("introspection")).await?;
        let limited = tokio::time::timeout_at(deadline.into(), introspect::introspect(&mut connection));
        limited.await.unwrap_or(Err(DbError::Timeout))
    }

    /// Which PostgreSQL it is.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] where it was never reached and cannot be now.
    pub async fn capabilities(&self) -> Result<Capabilities, DbError> {
        let version = match self.0.version.get() {
            Some(version) => *version,
            None => {
                let deadline = Instant::now() + INTROSPECT_DEADLINE;
                let version = self.0.pool.acquire(deadline, &Arc::from("its version")).await?.version();
                *self.0.version.get_or_init(|| version)
            }
        };
        Ok(Capabilities { product: Product::Postgres, version })
    }

    /// What its pool did.
    #[must_use]
    pub fn pool_stats(&self) -> PoolStats {
        self.0.pool.stats()
    }

    /// Connections held for long.
    #[must_use]
    pub fn leaks(&self) -> Vec<Leak> {
        self.0.pool.leaks()
    }

    /// How many reads were answered together with others.
    #[must_use]
    pub fn coalesce_stats(&self) -> CoalesceStats {
        self.0.coalescer.stats()
    }

    /// Closes every connection; those in use when their work is done, transactions at their deadline at the latest. Clones answer
    /// [`DbError::Unavailable`] from now on.
    pub async fn close(self) {
        self.0.pool.close().await;
        self.0.pool.driver().control.close().await;
    }
}

/// Opens and closes connections for the pool.
pub struct PostgresDriver {
    connect: PgConnectOptions,
    control: Arc<Control>,
    keep_prepared: bool,
    max_result_bytes: usize,
}

impl Driver for PostgresDriver {
    type Connection = Connection;

    async fn connect(&self) -> Result<Connection, DbError> {
        Connection::open(&self.connect, Arc::clone(&self.control), self.keep_prepared, self.max_result_bytes).await
    }

    async fn ping(&self, connection: &mut Connection) -> Result<(), DbError> {
        connection.ping().await
    }

    async fn close(&self, connection: Connection) {
        connection.close().await;
    }

    fn condition(&self, connection: &Connection) -> Condition {
        connection.condition()
    }

    async fn reset(&self, connection: &mut Connection) -> Result<(), DbError> {
        connection.rollback().await
    }
}
