//! One interface for all databases. Enum dispatch: no boxed futures, no virtual calls on the way of a point read.

use std::time::Instant;

use crate::remote::RemoteTransaction;
use crate::sqlite::SqliteTransaction;
use crate::{BeginOptions, Capabilities, DbError, Dialect, Introspection, MySql, Postgres, Sqlite, Work};

/// A database. Clones share connections.
#[derive(Debug, Clone)]
pub enum Database {
    /// The embedded default.
    Sqlite(Sqlite),
    /// A server.
    Postgres(Postgres),
    /// A server, of MySQL or MariaDB.
    MySql(MySql),
}

impl Database {
    /// See [`Sqlite::try_now`].
    #[inline]
    #[must_use]
    pub fn try_now(&self, work: &Work, deadline: Instant) -> Option<Result<Vec<u8>, DbError>> {
        match self {
            Self::Sqlite(sqlite) => sqlite.try_now(work, deadline),
            // An exchange with a server is never short.
            Self::Postgres(_) | Self::MySql(_) => None,
        }
    }

    /// Runs one unit of work and answers with one CBOR item. See [`Work`] for the answers and [`Sqlite::run`].
    ///
    /// # Errors
    /// [`DbError`]; after an error nothing of the work remains.
    pub async fn run(&self, work: Work, deadline: Instant) -> Result<Vec<u8>, DbError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.run(work, deadline).await,
            Self::Postgres(postgres) => postgres.run(work, deadline).await,
            Self::MySql(mysql) => mysql.run(work, deadline).await,
        }
    }

    /// Begins a transaction that is rolled back at `deadline` unless it is committed before.
    ///
    /// # Errors
    /// [`DbError::Timeout`] or [`DbError::PoolExhausted`] where no connection became free by then.
    pub async fn begin(&self, options: BeginOptions, deadline: Instant) -> Result<Transaction, DbError> {
        match self {
            // Its one writer runs transactions one after the other: each is serializable, whatever was asked for.
            Self::Sqlite(sqlite) => sqlite.begin(deadline).await,
            Self::Postgres(postgres) => postgres.begin(options, deadline).await,
            Self::MySql(mysql) => mysql.begin(options, deadline).await,
        }
    }

    /// Which database it is; known without a connection.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
            Self::MySql(_) => Dialect::MySql,
        }
    }

    /// What the server behind it is and can do. Asks the server once, then remembers.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] where no connection is to be had.
    pub async fn capabilities(&self) -> Result<Capabilities, DbError> {
        match self {
            Self::Sqlite(sqlite) => Ok(sqlite.capabilities()),
            Self::Postgres(postgres) => postgres.capabilities().await,
            Self::MySql(mysql) => mysql.capabilities().await,
        }
    }

    /// Runs DDL, all of it or none of it where the database can.
    ///
    /// # Errors
    /// That of the first statement that failed.
    pub async fn execute_batch(&self, sql: Vec<String>) -> Result<(), DbError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.execute_batch(sql).await,
            Self::Postgres(postgres) => postgres.execute_batch(sql).await,
            Self::MySql(mysql) => mysql.execute_batch(sql).await,
        }
    }

    /// Reads which tables there are. Takes about 20 µs a table on SQLite, milliseconds elsewhere: for deploys, not for
    /// requests.
    ///
    /// # Errors
    /// [`DbError::Unavailable`].
    pub async fn introspect(&self) -> Result<Introspection, DbError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.introspect().await,
            Self::Postgres(postgres) => postgres.introspect().await,
            Self::MySql(mysql) => mysql.introspect().await,
        }
    }

    /// Finishes queued writes and closes every connection, also for all clones. Returns when that is done.
    pub async fn close(self) {
        match self {
            Self::Sqlite(sqlite) => sqlite.close().await,
            Self::Postgres(postgres) => postgres.close().await,
            Self::MySql(mysql) => mysql.close().await,
        }
    }
}

/// A transaction: dropped before [`commit`](Self::commit), or past its deadline, it is rolled back.
#[derive(Debug)]
pub struct Transaction(Driver);

#[derive(Debug)]
enum Driver {
    Sqlite(SqliteTransaction),
    Remote(RemoteTransaction),
}

impl From<SqliteTransaction> for Transaction {
    fn from(transaction: SqliteTransaction) -> Self {
        Self(Driver::Sqlite(transaction))
    }
}

impl From<RemoteTransaction> for Transaction {
    fn from(transaction: RemoteTransaction) -> Self {
        Self(Driver::Remote(transaction))
    }
}

impl Transaction {
    /// Runs work inside the transaction; reads see its own writes. A failed work is undone, the transaction lives on.
    ///
    /// # Errors
    /// [`DbError::Timeout`] when the deadline stopped this work, [`DbError::Conflict`] when it lost against another transaction
    /// (both roll the transaction back: begin anew), [`DbError::TransactionClosed`] afterwards.
    pub async fn run(&self, work: Work) -> Result<Vec<u8>, DbError> {
        match &self.0 {
            Driver::Sqlite(transaction) => transaction.run(work).await,
            Driver::Remote(transaction) => transaction.run(work).await,
        }
    }

    /// Marks a point to return to; savepoints nest. Numbers are never reused within a transaction.
    ///
    /// # Errors
    /// [`DbError::TransactionClosed`].
    pub async fn savepoint(&self) -> Result<u32, DbError> {
        match &self.0 {
            Driver::Sqlite(transaction) => transaction.savepoint().await,
            Driver::Remote(transaction) => transaction.savepoint().await,
        }
    }

    /// Undoes what came after the savepoint. It and those marked after it are gone.
    ///
    /// # Errors
    /// [`DbError::BadQuery`] for a savepoint that is gone, [`DbError::TransactionClosed`].
    pub async fn rollback_to(&self, savepoint: u32) -> Result<(), DbError> {
        match &self.0 {
            Driver::Sqlite(transaction) => transaction.rollback_to(savepoint).await,
            Driver::Remote(transaction) => transaction.rollback_to(savepoint).await,
        }
    }

    /// Keeps what came after the savepoint. It and those marked after it are gone.
    ///
    /// # Errors
    /// As [`rollback_to`](Self::rollback_to).
    pub async fn release(&self, savepoint: u32) -> Result<(), DbError> {
        match &self.0 {
            Driver::Sqlite(transaction) => transaction.release(savepoint).await,
            Driver::Remote(transaction) => transaction.release(savepoint).await,
        }
    }

    /// Makes it durable.
    ///
    /// # Errors
    /// Whatever hinders it; then nothing of the transaction remains.
    pub async fn commit(self) -> Result<(), DbError> {
        match self.0 {
            Driver::Sqlite(transaction) => transaction.commit().await,
            Driver::Remote(transaction) => transaction.commit().await,
        }
    }

    /// Undoes it. Dropping does the same without waiting for it.
    ///
    /// # Errors
    /// [`DbError::TransactionClosed`] where its deadline was faster.
    pub async fn rollback(self) -> Result<(), DbError> {
        match self.0 {
            Driver::Sqlite(transaction) => transaction.rollback().await,
            Driver::Remote(transaction) => transaction.rollback().await,
        }
    }
}
