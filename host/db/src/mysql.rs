//! The MySQL and MariaDB driver, on sqlx's connections with their prepared statements, in our own pool.
//!
//! ```text
//! run ───▶ remote    a work in one statement, or between START TRANSACTION and COMMIT
//! begin ─▶ remote    a task owns the connection until the transaction ends
//! ```
//!
//! bind.rs and encode.rs speak the binary protocol: parameters by what the planner declared, columns by their [`Kind`]. A
//! statement past its deadline is stopped through a second connection (control.rs).
//!
//! MySQL commits at each DDL statement: a batch of DDL that fails leaves its first part behind.
//!
//! [`Kind`]: crate::Kind

mod bind;
mod calendar;
mod connection;
mod control;
mod encode;
mod errors;
mod insert;
mod introspect;
mod options;

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use sqlx_mysql::MySqlConnectOptions;

use crate::pool::{Condition, Driver, Leak, Pool, PoolStats};
use crate::remote::{self, Remote, RemoteTransaction};
use crate::{BeginOptions, Capabilities, DbError, Introspection, Transaction, Work};
use connection::Connection;
use control::Control;

pub use options::MySqlOptions;

/// DDL has no request behind it whose deadline would hold; building an index on a large table takes its time.
const BATCH_DEADLINE: Duration = Duration::from_secs(15 * 60);

/// Reading the catalog.
const INTROSPECT_DEADLINE: Duration = Duration::from_secs(60);

/// A MySQL or MariaDB database. Clones share its pool.
#[derive(Clone)]
pub struct MySql(Arc<Shared>);

struct Shared {
    pool: Pool<MySqlDriver>,
    capabilities: OnceLock<Capabilities>,
}

impl std::fmt::Debug for MySql {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MySql").field("pool", &self.0.pool).finish_non_exhaustive()
    }
}

impl MySql {
    /// A database at `mysql://user:password@host:port/database?…`; `mariadb://` is the same. The URL's query may carry `ssl-mode`
    /// (`DISABLED`; `PREFERRED`, which is the default: TLS where the server has it, unchecked; `REQUIRED`; `VERIFY_CA`;
    /// `VERIFY_IDENTITY`), `ssl-ca`, `ssl-cert`, `ssl-key`, `socket`, `connect_timeout`, `command_timeout` (seconds),
    /// `statement_cache_size` and `server_settings[NAME]`, and goes before `options`.
    ///
    /// Connects to nobody yet: a server that is away shows at the first work, and is noticed when it is back.
    ///
    /// # Errors
    /// [`DbError::BadQuery`] names the part of the URL or the option that is wrong.
    pub fn open(url: &str, mut options: MySqlOptions) -> Result<Self, DbError> {
        let connect = options::read(url, &mut options)?;
        let pool = options.pool.clone();
        let driver = MySqlDriver { control: Arc::new(Control::new(connect.clone())), connect, options };
        Ok(Self(Arc::new(Shared { pool: Pool::new(driver, pool)?, capabilities: OnceLock::new() })))
    }

    /// Runs one unit of work. Dropping the future stops it, and leaves the outcome of a write that was sent open.
    ///
    /// # Errors
    /// [`DbError::Timeout`] when `deadline` passed: then the work was not started, or was stopped and undone.
    /// [`DbError::PoolExhausted`] when no connection became free by then. Where a connection is lost in the middle of a write,
    /// [`DbError::Unavailable`] says that its outcome is not known.
    pub async fn run(&self, work: Work, deadline: Instant) -> Result<Vec<u8>, DbError> {
        remote::run(&self.0.pool, &work, deadline).await
    }

    /// Begins a transaction that is rolled back at `deadline` unless it is committed before.
    ///
    /// # Errors
    /// [`DbError::PoolExhausted`] where no connection became free by then.
    pub async fn begin(&self, options: BeginOptions, deadline: Instant) -> Result<Transaction, DbError> {
        RemoteTransaction::begin(&self.0.pool, options, deadline).await.map(Transaction::from)
    }

    /// Runs DDL, one statement after the other, on a connection of its own, which no request has touched. Those before one that
    /// failed stay.
    ///
    /// # Errors
    /// That of the first statement that failed, with its SQL.
    pub async fn execute_batch(&self, sql: Vec<String>) -> Result<(), DbError> {
        let deadline = Instant::now() + BATCH_DEADLINE;
        let driver = self.0.pool.driver();
        let mut connection = driver.connect_patiently().await?;
        let batch = async {
            for one in &sql {
                connection.simple(one).await?;
            }
            Ok(())
        };
        let ended = tokio::time::timeout_at(deadline.into(), batch).await;
        connection.close().await;
        ended.unwrap_or(Err(DbError::Timeout))
    }

    /// Reads which tables the database has.
    ///
    /// # Errors
    /// [`DbError::Unavailable`].
    pub async fn introspect(&self) -> Result<Introspection, DbError> {
        let deadline = Instant::now() + INTROSPECT_DEADLINE;
        let mut connection = self.0.pool.acquire(deadline, &Arc::from("introspection")).await?;
        let limited = tokio::time::timeout_at(deadline.into(), introspect::introspect(&mut connection));
        limited.await.unwrap_or(Err(DbError::Timeout))
    }

    /// Which product and version it is.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] where it was never reached and cannot be now.
    pub async fn capabilities(&self) -> Result<Capabilities, DbError> {
        if let Some(known) = self.0.capabilities.get() {
            return Ok(*known);
        }
        let deadline = Instant::now() + INTROSPECT_DEADLINE;
        let found = self.0.pool.acquire(deadline, &Arc::from("its version")).await?.about().capabilities;
        Ok(*self.0.capabilities.get_or_init(|| found))
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

    /// Closes every connection; those in use when their work is done, transactions at their deadline at the latest. Clones answer
    /// [`DbError::Unavailable`] from now on.
    pub async fn close(self) {
        self.0.pool.close().await;
        self.0.pool.driver().control.close().await;
    }
}

/// Opens and closes connections for the pool.
pub struct MySqlDriver {
    connect: MySqlConnectOptions,
    control: Arc<Control>,
    options: MySqlOptions,
}

impl MySqlDriver {
    /// A connection outside the pool, whose statements the server does not limit.
    async fn connect_patiently(&self) -> Result<Connection, DbError> {
        let options = MySqlOptions { command_timeout: None, ..self.options.clone() };
        match tokio::time::timeout(self.options.pool.connect_timeout, self.open(&options)).await {
            Ok(opened) => opened,
            Err(_late) => Err(DbError::Unavailable("the database server does not answer".to_owned())),
        }
    }

    async fn open(&self, options: &MySqlOptions) -> Result<Connection, DbError> {
        let session = |server| options::session(options, server);
        Connection::open(&self.connect, Arc::clone(&self.control), session, options.max_result_bytes).await
    }
}

impl Driver for MySqlDriver {
    type Connection = Connection;

    async fn connect(&self) -> Result<Connection, DbError> {
        self.open(&self.options).await
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
