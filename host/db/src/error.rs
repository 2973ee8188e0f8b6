//! What can go wrong, by what the caller can do about it.

/// Why a piece of work was not done. A write that ends in one of these left nothing behind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DbError {
    /// A row with this value exists: `posts.slug`, or `posts.author_id, posts.slug` for several columns.
    #[error("unique constraint failed: {0}")]
    UniqueViolation(String),
    /// A row points to one that does not exist, or is pointed to.
    #[error("foreign key constraint failed: {0}")]
    ForeignKeyViolation(String),
    /// `posts.title` must not be null.
    #[error("not-null constraint failed: {0}")]
    NotNullViolation(String),
    /// A CHECK constraint or a trigger refused the row.
    #[error("check constraint failed: {0}")]
    CheckViolation(String),
    /// The deadline passed: the work was not started, or it was stopped and undone.
    #[error("the deadline passed; the work was stopped and undone")]
    Timeout,
    /// No connection, or no place in the writer's queue, was to be had.
    #[error("no database connection became free in time")]
    PoolExhausted,
    /// The transaction ended before: by its deadline, or by a fault of the database.
    #[error("the transaction has ended; begin a new one")]
    TransactionClosed,
    /// Serialization failure or deadlock: safe to try again.
    #[error("conflict with another transaction: {0}")]
    Conflict(String),
    /// More than a limit allows; names the limit and the way out.
    #[error("{0}")]
    TooLarge(String),
    /// The database cannot be reached, is full, broken or closed.
    #[error("database unavailable: {0}")]
    Unavailable(String),
    /// The statement does not fit the database or its parameters.
    #[error("{0}")]
    BadQuery(String),
}
