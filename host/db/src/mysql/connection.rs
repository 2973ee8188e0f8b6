//! One connection: exchanges with the server, and what is known of its state between them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::TryStreamExt;
use sqlx_core::Either;
use sqlx_core::connection::{ConnectOptions, Connection as _};
use sqlx_core::executor::Executor;
use sqlx_core::query::query_with;
use sqlx_core::sql_str::AssertSqlSafe;
use sqlx_mysql::{MySql, MySqlArguments, MySqlConnectOptions, MySqlConnection, MySqlQueryResult, MySqlRow};

use super::bind::{self, Bound};
use super::control::{Canceller, Control};
use super::errors::{self, Failure, Index, LockWait, Meaning};
use super::{encode, insert};
use crate::pool::Condition;
use crate::remote::{Canceller as _, Fate, Remote};
use crate::wire::{self, Cells, write};
use crate::{Capabilities, DbError, InsertKey, Isolation, Product, Statement, Value, Version};

/// Rows read on after the answer was refused; where there are more, the statement is stopped.
const ROWS_TO_SKIP: usize = 1_000;

/// How long one waits for a lock of the application's own, in seconds: deadlines are shorter.
const LOCK_WAIT: u32 = 24 * 60 * 60;

/// A connection to MySQL or MariaDB.
pub struct Connection {
    mysql: MySqlConnection,
    control: Arc<Control>,
    about: About,
    /// An exchange is under way, or its future was dropped: the next message may belong to it.
    busy: bool,
    in_transaction: bool,
    /// It holds a lock of the application's own.
    locked: bool,
    fate: Fate,
    /// It was told to stop what ran. See [`Canceller`].
    told: Arc<AtomicBool>,
    max_result_bytes: usize,
}

/// What the server says about itself and this connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct About {
    pub(super) capabilities: Capabilities,
    id: u64,
    pub(super) max_packet: usize,
    lock_wait: LockWait,
}

impl Connection {
    /// Opens one. `session` makes the SQL that sets it up from what the server is.
    pub(super) async fn open(
        options: &MySqlConnectOptions,
        control: Arc<Control>,
        session: impl Fn(Capabilities) -> String,
        max_result_bytes: usize,
    ) -> Result<Self, DbError> {
        let mut mysql = options.connect().await.map_err(errors::of_login)?;
        let about = About::ask(&mut mysql).await.map_err(errors::of_login)?;
        mysql.execute(AssertSqlSafe(session(about.capabilities))).await.map_err(errors::of_login)?;
        Ok(Self {
            mysql,
            control,
            about,
            busy: false,
            in_transaction: false,
            locked: false,
            fate: Fate::Lives,
            told: Arc::default(),
            max_result_bytes,
        })
    }

    pub(super) fn about(&self) -> About {
        self.about
    }

    pub(super) fn condition(&self) -> Condition {
        match self.fate {
            Fate::Dead | Fate::Lost => Condition::Broken,
            _ if self.busy => Condition::Broken,
            _ if self.in_transaction => Condition::Dirty,
            Fate::Lives | Fate::Doomed => Condition::Clean,
        }
    }

    /// Asks whether the server is there.
    pub(super) async fn ping(&mut self) -> Result<(), DbError> {
        self.start().await?;
        let ended = self.mysql.ping().await;
        self.settle(ended, "").await
    }

    /// Takes leave; what still runs is stopped first, so that it holds no locks.
    pub(super) async fn close(self) {
        if self.busy && !matches!(self.fate, Fate::Dead | Fate::Lost) {
            self.canceller().hang_up().await;
        } else {
            let _hung_up = self.mysql.close().await;
        }
    }

    /// SQL without parameters, one statement or several; their rows are not looked at.
    pub(super) async fn simple(&mut self, sql: &str) -> Result<(), DbError> {
        self.start().await?;
        let ended = self.mysql.execute(AssertSqlSafe(sql)).await.map(drop);
        self.settle(ended, sql).await
    }

    /// A prepared statement with its parameters; `each` sees the rows. Once it refuses one, the rest is read away, or stopped,
    /// so that the connection lives on. `sql` is the text that an error speaks of.
    pub(super) async fn exchange(
        &mut self,
        sql: &str,
        bound: Bound<'_>,
        mut each: impl FnMut(&MySqlRow) -> Result<(), DbError>,
    ) -> Result<MySqlQueryResult, DbError> {
        if bound.weight.max(bound.sql.len()) > self.about.max_packet {
            // The server would hang up, with no word that could be read.
            return Err(DbError::TooLarge(format!(
                "the values of the statement take {} bytes, the server accepts {} (max_allowed_packet): raise that, or store \
                 large files elsewhere",
                bound.weight, self.about.max_packet
            )));
        }
        self.start().await?;
        let canceller = self.canceller();
        let query = query_with::<MySql, _>(AssertSqlSafe(bound.sql.into_owned()), bound.arguments);
        let mut answer = self.mysql.fetch_many(query.persistent(bound.persistent));
        let mut done = MySqlQueryResult::default();
        let mut refused = None;
        let mut skipped = 0;
        let ended = loop {
            match answer.try_next().await {
                Ok(Some(Either::Left(result))) => done = result,
                Ok(Some(Either::Right(_))) if refused.is_some() => {
                    skipped += 1;
                    if skipped == ROWS_TO_SKIP {
                        canceller.cancel().await;
                    }
                }
                Ok(Some(Either::Right(row))) => refused = each(&row).err(),
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        drop(answer);
        match (self.settle(ended, sql).await, refused) {
            // Stopped because it was refused.
            (Ok(()) | Err(DbError::Timeout), Some(refused)) => Err(refused),
            (Err(error), _) => Err(error),
            (Ok(()), None) => Ok(done),
        }
    }

    /// Rows of a query of our own as texts, `N` columns each.
    pub(super) async fn texts<const N: usize>(
        &mut self,
        sql: &'static str,
        params: &[&str],
    ) -> Result<Vec<[Option<String>; N]>, DbError> {
        let bound = Bound { sql: sql.into(), arguments: bind::texts(params)?, weight: 0, persistent: false };
        let mut rows = Vec::new();
        let each = |row: &MySqlRow| {
            rows.push(encode::texts(row)?);
            Ok(())
        };
        self.exchange(sql, bound, each).await?;
        Ok(rows)
    }

    /// Before each exchange.
    async fn start(&mut self) -> Result<(), DbError> {
        if self.condition() == Condition::Broken {
            return Err(DbError::Unavailable("the connection to the database server is lost".to_owned()));
        }
        self.busy = true;
        if self.told.swap(false, Ordering::AcqRel) {
            // Whatever it hits, it shall be this.
            match self.mysql.execute("DO 0").await {
                Ok(_) | Err(sqlx_core::Error::Database(_)) => {}
                Err(error) => {
                    let failure = errors::from_sqlx(error, "", self.about.lock_wait);
                    self.fate = failure.fate;
                    return Err(DbError::Unavailable("the connection to the database server is lost".to_owned()));
                }
            }
        }
        Ok(())
    }

    /// Notes how an exchange ended.
    async fn settle(&mut self, ended: Result<(), sqlx_core::Error>, sql: &str) -> Result<(), DbError> {
        let Err(error) = ended else {
            self.busy = false;
            self.fate = Fate::Lives;
            return Ok(());
        };
        let Failure { meaning, fate } = errors::from_sqlx(error, sql, self.about.lock_wait);
        self.busy = matches!(fate, Fate::Lost);
        self.fate = fate;
        Err(match meaning {
            Meaning::Told(error) => error,
            // Nobody hears of it: no question for each row that is left out.
            Meaning::Duplicate(index) if sql.contains(bind::IGNORE) => {
                DbError::UniqueViolation(format!("index '{}'", index.name))
            }
            Meaning::Duplicate(index) => {
                let columns = self.columns_of(index).await;
                // What the failure did, not what the question about it did.
                self.fate = if self.condition() == Condition::Broken { self.fate } else { fate };
                DbError::UniqueViolation(columns)
            }
        })
    }

    /// The columns of a unique index as `posts.author_id, posts.slug`; the index's name where they can't be told.
    async fn columns_of(&mut self, index: Index) -> String {
        const SQL: &str = "SELECT column_name FROM information_schema.statistics \
                           WHERE table_schema = DATABASE() AND table_name = ? AND index_name = ? ORDER BY seq_in_index";
        let Index { table: Some(table), name } = index else { return format!("index '{}'", index.name) };
        // A failure of that is followed by no question: it is of one exchange only.
        let found = Box::pin(self.texts::<1>(SQL, &[&table, &name])).await.unwrap_or_default();
        let named: Option<Vec<String>> =
            found.into_iter().map(|[column]| column.map(|column| format!("{table}.{column}"))).collect();
        match named {
            Some(columns) if !columns.is_empty() => columns.join(", "),
            // An expression has no column, and a trigger may have written to another table.
            _ => format!("index '{name}'"),
        }
    }
}

impl Remote for Connection {
    const FAILURE_SPREADS: bool = false;

    type Canceller = Canceller;

    async fn rows(
        &mut self,
        statement: &Statement,
        params: &[Value],
        most: u64,
        out: &mut Vec<u8>,
    ) -> Result<u64, DbError> {
        let max_bytes = self.max_result_bytes;
        let mut found = 0;
        let each = |row: &MySqlRow| {
            found += 1;
            if found > most {
                return Err(wire::too_many_rows(most));
            }
            wire::row(statement, row, out)?;
            if out.len() > max_bytes { Err(wire::too_many_bytes(max_bytes)) } else { Ok(()) }
        };
        let ended = self.exchange(statement.sql(), bind::bind(statement, params)?, each).await;
        match ended {
            // More rows than wanted are the caller's to judge.
            Err(DbError::TooLarge(_)) if found > most => Ok(found),
            Err(error) => Err(error),
            Ok(_) => Ok(found),
        }
    }

    fn of_now(select: &Statement) -> Statement {
        let sql = format!("{} LOCK IN SHARE MODE", select.sql());
        Statement::typed(sql, select.params().to_vec(), select.columns().to_vec(), select.access())
    }

    async fn scalar(&mut self, statement: &Statement, params: &[Value], out: &mut Vec<u8>) -> Result<(), DbError> {
        let kind = wire::first_kind(statement);
        let mut found = false;
        let each = |row: &MySqlRow| {
            if std::mem::replace(&mut found, true) { Ok(()) } else { row.write(0, kind, out) }
        };
        self.exchange(statement.sql(), bind::bind(statement, params)?, each).await?;
        if !found {
            write(out, |cbor| cbor.null().map(drop));
        }
        Ok(())
    }

    async fn execute(&mut self, statement: &Statement, params: &[Value]) -> Result<u64, DbError> {
        // Rows matched, not only those changed: the connection asks the server to count so.
        let done = self.exchange(statement.sql(), bind::bind(statement, params)?, no_rows).await?;
        Ok(done.rows_affected())
    }

    async fn insert(
        &mut self,
        statement: &Statement,
        rows: &[Vec<Value>],
        key: InsertKey,
        out: &mut Vec<u8>,
    ) -> Result<(), DbError> {
        insert::insert(self, statement, rows, key, out).await
    }

    fn is_many(_statement: &Statement, rows: &[Vec<Value>]) -> bool {
        rows.len() > 1
    }

    async fn begin(&mut self, isolation: Option<Isolation>, then: &str) -> Result<(), DbError> {
        let level = isolation.map(|isolation| format!("SET TRANSACTION ISOLATION LEVEL {}; ", isolation.sql()));
        // Before it is known that it has begun: dropped in between, the connection is not taken for a clean one.
        self.in_transaction = true;
        self.simple(&format!("{}START TRANSACTION; {then}", level.unwrap_or_default())).await
    }

    async fn commit(&mut self) -> Result<(), DbError> {
        self.simple("COMMIT").await?;
        self.in_transaction = false;
        self.unlock().await
    }

    async fn rollback(&mut self) -> Result<(), DbError> {
        self.simple("ROLLBACK").await?;
        self.in_transaction = false;
        self.unlock().await
    }

    async fn control(&mut self, sql: &str) -> Result<(), DbError> {
        self.simple(sql).await
    }

    async fn lock(&mut self, key: i64) -> Result<(), DbError> {
        // Such locks are the server's, not the database's, and a name has 64 characters.
        const SQL: &str = "SELECT GET_LOCK(CONCAT('covet.', MD5(CONCAT(DATABASE(), '.', ?))), ?)";
        self.locked = true;
        let got = self.texts::<1>(SQL, &[&key.to_string(), &LOCK_WAIT.to_string()]).await?;
        match got.as_slice() {
            [[Some(one)]] if one == "1" => Ok(()),
            // Stopped while it waited.
            _ => Err(DbError::Timeout),
        }
    }

    fn fate(&self) -> Fate {
        self.fate
    }

    fn was_outdated(&mut self) -> bool {
        // The server prepares anew by itself.
        false
    }

    fn canceller(&self) -> Canceller {
        Canceller::new(Arc::clone(&self.control), self.about.id, Arc::clone(&self.told))
    }

    fn give_up(&mut self) {
        self.busy = true;
    }
}

impl Connection {
    /// These locks outlive the transaction, so that whoever gets one sees what was committed under it.
    async fn unlock(&mut self) -> Result<(), DbError> {
        if std::mem::take(&mut self.locked) && self.simple("DO RELEASE_ALL_LOCKS()").await.is_err() {
            // The transaction has ended as it was to. Closed, the connection frees them as well.
            self.give_up();
        }
        Ok(())
    }
}

/// For statements that yield none.
pub(super) fn no_rows(_row: &MySqlRow) -> Result<(), DbError> {
    Err(DbError::BadQuery("the statement returned rows; run it as a query".to_owned()))
}

impl About {
    async fn ask(mysql: &mut MySqlConnection) -> Result<Self, sqlx_core::Error> {
        const SQL: &str = "SELECT VERSION(), CONNECTION_ID(), @@max_allowed_packet, @@innodb_rollback_on_timeout";
        let query = query_with::<MySql, _>(SQL, MySqlArguments::default()).persistent(false);
        let row = mysql.fetch_one(query).await?;
        let [version, id, max_packet, all_undone] = encode::texts(&row).unwrap_or_default();
        let version = version.unwrap_or_default();
        let product = if version.contains("MariaDB") { Product::MariaDb } else { Product::MySql };
        let number = |text: Option<String>| text.and_then(|text| text.parse().ok());
        Ok(Self {
            capabilities: Capabilities { product, version: parse_version(&version) },
            id: number(id).unwrap_or(0),
            // The smallest that a server may have, where it does not say.
            max_packet: number(max_packet).map_or(1024, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX)),
            lock_wait: if all_undone.as_deref() == Some("1") { LockWait::UndoesAll } else { LockWait::UndoesStatement },
        })
    }
}

/// `10.11.6-MariaDB-log` → 10.11.6
fn parse_version(text: &str) -> Version {
    let digits = text.split(|c: char| !(c.is_ascii_digit() || c == '.')).next().unwrap_or_default();
    let mut parts = digits.split('.').map(|part| part.parse().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    Version::new(next(), next(), next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        assert_eq!(parse_version("10.11.19-MariaDB-0+deb12u1"), Version::new(10, 11, 19));
        assert_eq!(parse_version("8.0.36"), Version::new(8, 0, 36));
        assert_eq!(parse_version("9"), Version::new(9, 0, 0));
        assert_eq!(parse_version(""), Version::default());
    }
}
