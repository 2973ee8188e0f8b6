//! What the drivers of database servers share: running a [`Work`] on a pooled connection, deadlines, transactions.
//!
//! ```text
//! run ───▶ perform.rs    a work in one statement, or in several between BEGIN and COMMIT
//! begin ─▶ session.rs    a task that owns the connection until the transaction is over
//! both ──▶ stop.rs       at the deadline: cancel at the server, wait shortly for what became of it
//! ```
//!
//! A driver implements [`Remote`] for its connection. It must notice two things by itself and show them to the pool
//! ([`Condition::Broken`]): a lost connection, and an exchange whose future was dropped before its end.

mod perform;
mod session;
mod stop;

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use tokio::time::sleep_until;

use crate::pool::{Driver, Pool};
use crate::{DbError, InsertKey, Isolation, Statement, Value, Work};

pub(crate) use perform::perform;
pub(crate) use session::RemoteTransaction;
pub(crate) use stop::{Outcome, until};

/// What became of a connection and its transaction by the failure that it answered last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Only the statement failed.
    Lives,
    /// The transaction cannot go on: deadlock, serialization failure.
    Doomed,
    /// The server said good-bye. What was under way is undone.
    Dead,
    /// The connection broke. Nobody said what became of what was under way.
    Lost,
}

/// A connection to a database server.
///
/// Futures of these may be dropped; the connection must then count as broken.
pub(crate) trait Remote: Send + 'static {
    /// A failed statement fails its whole transaction, unless a savepoint is returned to.
    const FAILURE_SPREADS: bool;

    /// Stops what runs on a connection, from outside.
    type Canceller: Canceller;

    /// Appends at most `most` rows to `out`. Answers how many there are; `most + 1` says that there are more.
    fn rows(
        &mut self,
        statement: &Statement,
        params: &[Value],
        most: u64,
        out: &mut Vec<u8>,
    ) -> impl Future<Output = Result<u64, DbError>> + Send;

    /// The same select, of what is committed now: where a transaction sees an older state, it locks the rows.
    fn of_now(select: &Statement) -> Statement {
        select.clone()
    }

    /// Appends the first column of the first row, null where there is none.
    fn scalar(
        &mut self,
        statement: &Statement,
        params: &[Value],
        out: &mut Vec<u8>,
    ) -> impl Future<Output = Result<(), DbError>> + Send;

    /// Runs a change; answers the rows that it matched.
    fn execute(&mut self, statement: &Statement, params: &[Value])
    -> impl Future<Output = Result<u64, DbError>> + Send;

    /// Stores rows and appends each one's primary key, null where the statement ignored it. Needs a transaction where
    /// [`is_many`](Self::is_many) says so.
    fn insert(
        &mut self,
        statement: &Statement,
        rows: &[Vec<Value>],
        key: InsertKey,
        out: &mut Vec<u8>,
    ) -> impl Future<Output = Result<(), DbError>> + Send;

    /// Whether an insert takes several statements.
    fn is_many(statement: &Statement, rows: &[Vec<Value>]) -> bool;

    /// Begins a transaction; `then` is SQL to run right after it, or empty.
    fn begin(&mut self, isolation: Option<Isolation>, then: &str) -> impl Future<Output = Result<(), DbError>> + Send;

    /// Ends it.
    fn commit(&mut self) -> impl Future<Output = Result<(), DbError>> + Send;

    /// Undoes it.
    fn rollback(&mut self) -> impl Future<Output = Result<(), DbError>> + Send;

    /// Runs statements without parameters and rows, separated by semicolons: savepoints.
    fn control(&mut self, sql: &str) -> impl Future<Output = Result<(), DbError>> + Send;

    /// Until the transaction ends, no other has this lock of the application's own.
    fn lock(&mut self, key: i64) -> impl Future<Output = Result<(), DbError>> + Send;

    /// What the last failure did.
    fn fate(&self) -> Fate;

    /// Whether the last failure was only that a prepared statement had become outdated. It is forgotten by then: the work may
    /// be tried again.
    fn was_outdated(&mut self) -> bool;

    /// See [`Canceller`].
    fn canceller(&self) -> Self::Canceller;

    /// Makes it count as broken.
    fn give_up(&mut self);
}

/// Stops what runs on a connection.
pub(crate) trait Canceller: Send + Sync + 'static {
    /// When it returns, the server has been told; what runs ends with [`DbError::Timeout`], or was faster.
    fn cancel(&self) -> impl Future<Output = ()> + Send;
}

/// Runs one unit of work on a connection of the pool.
///
/// # Errors
/// [`DbError::Timeout`] when `deadline` passed: the work was not started, or was stopped and undone. Where the server does not
/// say what became of a write, [`DbError::Unavailable`] says that.
pub(crate) async fn run<D: Driver>(pool: &Pool<D>, work: &Work, deadline: Instant) -> Result<Vec<u8>, DbError>
where
    D::Connection: Remote,
{
    if Instant::now() >= deadline {
        return Err(DbError::Timeout);
    }
    let mut pooled = pool.acquire(deadline, work.sql()).await?;
    let canceller = pooled.canceller();
    let mut outcome = until(sleep_until(deadline.into()), &canceller, perform::alone(&mut *pooled, work)).await;
    if pooled.was_outdated() && matches!(outcome, Outcome::Done(Err(_))) {
        outcome = until(sleep_until(deadline.into()), &canceller, perform::alone(&mut *pooled, work)).await;
    }
    match outcome {
        Outcome::Done(Err(DbError::Unavailable(why))) if pooled.fate() == Fate::Lost && !work.is_read() => {
            Err(unknown(&format!("the connection was lost meanwhile: {why}")))
        }
        Outcome::Done(result) => result,
        Outcome::Stopped(result) => {
            pooled.give_up();
            result
        }
        Outcome::Unknown => {
            pooled.give_up();
            if work.is_read() { Err(DbError::Timeout) } else { Err(unknown("the server did not answer in time")) }
        }
    }
}

/// Of a write that may or may not have happened.
fn unknown(why: &str) -> DbError {
    DbError::Unavailable(format!("whether the write was done is not known: {why}"))
}

/// The text under which a leak report knows a transaction before its first statement.
fn in_transaction() -> Arc<str> {
    Arc::from("a transaction")
}
