//! How a transaction is begun.

/// Wishes for a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BeginOptions {
    /// How far other transactions may be seen; `None` is the database's default.
    pub isolation: Option<Isolation>,
}

/// What a transaction sees of others (SQL:2023 part 2, 4.41.4). A database may give more than was asked for: SQLite's
/// transactions are always serializable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Isolation {
    /// Each statement sees what was committed before it began.
    ReadCommitted,
    /// All statements see what was committed before the first.
    RepeatableRead,
    /// As if one transaction ran after the other. Be ready for [`crate::DbError::Conflict`].
    Serializable,
}

impl Isolation {
    /// As SQL writes it.
    #[must_use]
    pub const fn sql(self) -> &'static str {
        match self {
            Self::ReadCommitted => "READ COMMITTED",
            Self::RepeatableRead => "REPEATABLE READ",
            Self::Serializable => "SERIALIZABLE",
        }
    }
}
