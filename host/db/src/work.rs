//! One unit of work: what a plan becomes when its parameters are bound.

use std::sync::Arc;

use crate::{Access, Statement, Value};

/// One unit of work. Outside a transaction each is atomic: it happens wholly or not at all.
#[derive(Debug, Clone)]
pub enum Work {
    /// Rows. Answer: CBOR array of rows.
    Query {
        /// The select.
        statement: Statement,
        /// One value for each placeholder.
        params: Vec<Value>,
        /// One row more is an error that names this limit; nothing is cut off in silence.
        max_rows: u64,
    },
    /// One value, a count for instance. Answer: CBOR of the first column of the first row, null where there is no row.
    Scalar {
        /// The select.
        statement: Statement,
        /// One value for each placeholder.
        params: Vec<Value>,
    },
    /// Update or delete. Answer: CBOR int, rows matched.
    Execute {
        /// The change.
        statement: Statement,
        /// One value for each placeholder.
        params: Vec<Value>,
    },
    /// One row or many, all or none. Answer: CBOR array of primary keys, null for a row that the statement ignored.
    Insert {
        /// The insert of one row.
        statement: Statement,
        /// The values of each row.
        rows: Vec<Vec<Value>>,
        /// Where the primary key comes from.
        key: InsertKey,
    },
    /// The row that `find` finds, or else a new one. Answer: CBOR array `[created: bool, row]`.
    ///
    /// Race-free: of any number at once, one creates. More than one row found is [`crate::DbError::BadQuery`].
    GetOrCreate {
        /// The select of the row.
        find: Statement,
        /// Its values.
        find_params: Vec<Value>,
        /// The insert of one row.
        insert: Statement,
        /// Its values.
        insert_params: Vec<Value>,
        /// The select of the new row by its primary key, its only placeholder.
        reload: Statement,
        /// Where the primary key comes from.
        key: InsertKey,
    },
}

impl Work {
    /// The SQL text of its first statement: what it is called in reports.
    #[must_use]
    pub fn sql(&self) -> &Arc<str> {
        match self {
            Self::Query { statement, .. }
            | Self::Scalar { statement, .. }
            | Self::Execute { statement, .. }
            | Self::Insert { statement, .. }
            | Self::GetOrCreate { find: statement, .. } => statement.text(),
        }
    }

    /// Whether it only reads; by its kind, not by its SQL text.
    #[must_use]
    pub fn is_read(&self) -> bool {
        match self {
            Self::Query { statement, .. } | Self::Scalar { statement, .. } => statement.access() != Access::Write,
            Self::Execute { .. } | Self::Insert { .. } | Self::GetOrCreate { .. } => false,
        }
    }
}

/// Where the primary key of a new row comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InsertKey {
    /// The database numbers new rows.
    Generated,
    /// The value at this index among the row's values.
    Param(usize),
}
