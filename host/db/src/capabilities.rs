//! What a database is and can do: facts that SQL text and tests depend on.

use std::fmt;

/// The language of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
    /// MySQL and MariaDB.
    MySql,
}

/// Who makes it. MySQL and MariaDB speak one protocol and differ in what they can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Product {
    /// SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
    /// MySQL.
    MySql,
    /// MariaDB.
    MariaDb,
}

/// A version such as 10.11.6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Version {
    /// 10
    pub major: u32,
    /// 11
    pub minor: u32,
    /// 6
    pub patch: u32,
}

impl Version {
    /// From its parts.
    #[must_use]
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self { major, minor, patch }
    }
}

/// A database's product and version, and what follows from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Who makes it.
    pub product: Product,
    /// Its version.
    pub version: Version,
}

impl Capabilities {
    /// Its language.
    #[must_use]
    pub const fn dialect(self) -> Dialect {
        match self.product {
            Product::Sqlite => Dialect::Sqlite,
            Product::Postgres => Dialect::Postgres,
            Product::MySql | Product::MariaDb => Dialect::MySql,
        }
    }

    /// `INSERT … RETURNING`. MariaDB has it since 10.5, MySQL not at all.
    #[must_use]
    pub fn returning(self) -> bool {
        match self.product {
            Product::Sqlite | Product::Postgres => true,
            Product::MariaDb => self.version >= Version::new(10, 5, 0),
            Product::MySql => false,
        }
    }

    /// DDL inside a transaction is undone with it. MySQL and MariaDB commit at each DDL statement.
    #[must_use]
    pub const fn transactional_ddl(self) -> bool {
        matches!(self.product, Product::Sqlite | Product::Postgres)
    }

    /// Transactions run side by side, and isolation levels differ. SQLite has one writer.
    #[must_use]
    pub const fn concurrent_writers(self) -> bool {
        !matches!(self.product, Product::Sqlite)
    }

    /// `SELECT … FOR UPDATE SKIP LOCKED`. MariaDB has it since 10.6, MySQL since 8.0.
    #[must_use]
    pub fn skip_locked(self) -> bool {
        match self.product {
            Product::Sqlite => false,
            Product::Postgres => true,
            Product::MariaDb => self.version >= Version::new(10, 6, 0),
            Product::MySql => self.version >= Version::new(8, 0, 1),
        }
    }
}

impl fmt::Display for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.product {
            Product::Sqlite => "SQLite",
            Product::Postgres => "PostgreSQL",
            Product::MySql => "MySQL",
            Product::MariaDb => "MariaDB",
        };
        let Version { major, minor, patch } = self.version;
        write!(f, "{name} {major}.{minor}.{patch}")
    }
}
