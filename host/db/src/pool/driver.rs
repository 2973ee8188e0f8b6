//! What a pool must know of its connections.

use crate::DbError;

/// How a connection comes back to its pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// As it was when it was new.
    Clean,
    /// Whole, but with a transaction open: [`Driver::reset`] cures it.
    Dirty,
    /// Lost, or left in the middle of an exchange: nothing cures it.
    Broken,
}

/// Opens, checks and closes connections of one kind.
///
/// A fault of the connection itself must show as [`Condition::Broken`] from then on: any other answer puts a dead connection
/// back into the pool.
pub trait Driver: Send + Sync + 'static {
    /// The connection.
    type Connection: Send + 'static;

    /// Opens one, ready for work. The pool limits the time.
    fn connect(&self) -> impl Future<Output = Result<Self::Connection, DbError>> + Send;

    /// Asks whether it is alive; one exchange with the server.
    fn ping(&self, connection: &mut Self::Connection) -> impl Future<Output = Result<(), DbError>> + Send;

    /// Takes leave. Stops a statement that may still run. The pool limits the time, and drops what is not closed by then.
    fn close(&self, connection: Self::Connection) -> impl Future<Output = ()> + Send;

    /// Its condition. Called at each release: must not wait and not be slow.
    fn condition(&self, connection: &Self::Connection) -> Condition;

    /// Makes a dirty connection clean.
    fn reset(&self, connection: &mut Self::Connection) -> impl Future<Output = Result<(), DbError>> + Send;
}
