//! One connection: exchanges with the server, and what is known of its state between them.

use std::sync::Arc;

use futures::StreamExt;
use sqlx_core::Either;
use sqlx_core::connection::Connection as _;
use sqlx_core::executor::Executor;
use sqlx_core::query::query_with;
use sqlx_core::raw_sql::raw_sql;
use sqlx_core::row::Row;
use sqlx_core::sql_str::AssertSqlSafe;
use sqlx_postgres::{PgConnectOptions, PgConnection, PgRow};
use tokio::time::{Duration, sleep};

use super::bind::{self, Bound};
use super::control::{Canceller, Control};
use super::errors::Failure;
use super::insert;
use crate::pool::Condition;
use crate::remote::{Fate, Outcome, Remote, until};
use crate::wire::{self, Cells, write};
use crate::{DbError, InsertKey, Isolation, Statement, Value, Version};

/// How long rows that nobody wants are read away before the query is cancelled instead.
const DRAIN: Duration = Duration::from_millis(20);

/// A connection to PostgreSQL.
pub struct Connection {
    postgres: PgConnection,
    process: i32,
    control: Arc<Control>,
    /// An exchange is under way, or its future was dropped: the next message may belong to it.
    busy: bool,
    in_transaction: bool,
    fate: Fate,
    outdated: bool,
    pub(super) keep_prepared: bool,
    pub(super) max_result_bytes: usize,
}

/// What an exchange has brought.
pub(super) struct Answer {
    /// Rows seen; one more than wanted where there are more.
    pub(super) rows: u64,
    /// Rows changed, as the server counts them.
    pub(super) changed: u64,
}

impl Connection {
    /// Opens one.
    pub(super) async fn open(
        options: &PgConnectOptions,
        control: Arc<Control>,
        keep_prepared: bool,
        max_result_bytes: usize,
    ) -> Result<Self, DbError> {
        let failed = |error| Failure::from_sqlx(error, "connect").error;
        let mut postgres = PgConnection::connect_with(options).await.map_err(failed)?;
        // The number by which a statement that runs too long is cancelled.
        let row = raw_sql("SELECT pg_backend_pid()").fetch_one(&mut postgres).await.map_err(failed)?;
        let process = row.try_get(0).map_err(failed)?;
        Ok(Self {
            postgres,
            process,
            control,
            busy: false,
            in_transaction: false,
            fate: Fate::Lives,
            outdated: false,
            keep_prepared,
            max_result_bytes,
        })
    }

    /// Its server's version.
    pub(super) fn version(&self) -> Version {
        let number = self.postgres.server_version_num().unwrap_or(0);
        Version::new(number / 10_000, number % 10_000, 0)
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
        self.busy = true;
        let result = self.postgres.ping().await;
        self.settle(result.map_err(|error| Failure::from_sqlx(error, "ping")))
    }

    /// Takes leave; a statement that still runs is cancelled first.
    pub(super) async fn close(self) {
        match self.fate {
            Fate::Dead | Fate::Lost => {}
            Fate::Lives | Fate::Doomed if self.busy => {
                use crate::remote::Canceller as _;
                self.canceller().cancel().await;
            }
            Fate::Lives | Fate::Doomed => {
                let _hung_up = self.postgres.close().await;
            }
        }
    }

    /// DDL: one statement by itself, several in one transaction.
    pub(super) async fn batch(&mut self, sql: &[String]) -> Result<(), DbError> {
        // No request waits for it, and building an index takes its time.
        self.simple("SET statement_timeout = 0").await?;
        let ran = match sql {
            [one] => self.simple(one).await,
            all => self.all_or_nothing(all).await,
        };
        if self.condition() == Condition::Clean {
            self.simple("RESET statement_timeout").await?;
        }
        ran
    }

    async fn all_or_nothing(&mut self, sql: &[String]) -> Result<(), DbError> {
        self.begin(None, "").await?;
        for one in sql {
            if let Err(error) = self.simple(one).await {
                // Where that fails the connection is closed, which undoes it as well.
                let _undone = self.rollback().await;
                return Err(error);
            }
        }
        self.commit().await
    }

    /// Notes how an exchange ended.
    fn settle<T>(&mut self, result: Result<T, Failure>) -> Result<T, DbError> {
        match result {
            Ok(answer) => {
                self.busy = false;
                self.fate = Fate::Lives;
                Ok(answer)
            }
            Err(failure) => {
                self.busy = matches!(failure.fate, Fate::Lost);
                self.fate = failure.fate;
                self.outdated |= failure.outdated;
                Err(failure.error)
            }
        }
    }

    /// SQL without parameters by the simple protocol, one statement or several; their rows are not looked at.
    pub(super) async fn simple(&mut self, sql: &str) -> Result<(), DbError> {
        self.busy = true;
        let ran = raw_sql(AssertSqlSafe(sql)).execute(&mut self.postgres).await;
        self.settle(ran.map(drop).map_err(|error| Failure::from_sqlx(error, sql)))
    }

    /// Rows of a query of our own, without parameters of a caller.
    pub(super) async fn fetch(&mut self, sql: &'static str) -> Result<Vec<PgRow>, DbError> {
        self.busy = true;
        let rows = raw_sql(sql).fetch_all(&mut self.postgres).await;
        self.settle(rows.map_err(|error| Failure::from_sqlx(error, sql)))
    }

    /// One statement with its parameters. `each` sees the rows, up to `most`.
    ///
    /// When `each` fails, or there are more rows, the rest is read away or cancelled, so that the connection lives on.
    pub(super) async fn exchange<'v>(
        &mut self,
        statement: &Statement,
        params: impl ExactSizeIterator<Item = Bound<'v>>,
        most: u64,
        mut each: impl FnMut(&PgRow) -> Result<(), DbError>,
    ) -> Result<Answer, DbError> {
        if std::mem::take(&mut self.outdated) {
            self.forget_prepared().await?;
        }
        let arguments = bind::arguments(statement, params)?;
        let text = AssertSqlSafe(Arc::clone(statement.postgres_text(bind::text)));
        let query = query_with(text, arguments).persistent(self.keep_prepared);
        let canceller = self.canceller();
        self.busy = true;
        let mut answer = Answer { rows: 0, changed: 0 };
        let mut failed = None;
        let mut stream = (&mut self.postgres).fetch_many(query);
        let mut ended = Ok(());
        while let Some(next) = stream.next().await {
            match next {
                Ok(Either::Left(done)) => answer.changed += done.rows_affected(),
                Ok(Either::Right(row)) => {
                    answer.rows += 1;
                    if answer.rows > most {
                        break;
                    }
                    if let Err(error) = each(&row) {
                        failed = Some(error);
                        break;
                    }
                }
                Err(error) => {
                    ended = Err(Failure::from_sqlx(error, statement.sql()));
                    break;
                }
            }
        }
        if ended.is_ok() && (failed.is_some() || answer.rows > most) {
            let drain = async {
                // However it ends, it is over: that a cancelled query says so is no failure.
                while let Some(Ok(_)) = stream.next().await {}
                Ok(())
            };
            if !matches!(until(sleep(DRAIN), &canceller, drain).await, Outcome::Done(_)) {
                self.fate = Fate::Lost;
                return Err(failed.unwrap_or(DbError::Timeout));
            }
        }
        drop(stream);
        self.settle(ended)?;
        match failed {
            Some(error) => Err(error),
            None => Ok(answer),
        }
    }

    /// Forgets what was prepared before a change of the schema.
    async fn forget_prepared(&mut self) -> Result<(), DbError> {
        self.busy = true;
        let cleared = self.postgres.clear_cached_statements().await;
        self.settle(cleared.map_err(|error| Failure::from_sqlx(error, "close")))
    }
}

impl Remote for Connection {
    const FAILURE_SPREADS: bool = true;

    type Canceller = Canceller;

    async fn rows(
        &mut self,
        statement: &Statement,
        params: &[Value],
        most: u64,
        out: &mut Vec<u8>,
    ) -> Result<u64, DbError> {
        let max_bytes = self.max_result_bytes;
        let each = |row: &PgRow| {
            wire::row(statement, row, out)?;
            if out.len() > max_bytes { Err(wire::too_many_bytes(max_bytes)) } else { Ok(()) }
        };
        Ok(self.exchange(statement, params.iter().map(Bound::Value), most, each).await?.rows)
    }

    async fn scalar(&mut self, statement: &Statement, params: &[Value], out: &mut Vec<u8>) -> Result<(), DbError> {
        let kind = wire::first_kind(statement);
        let found = self.exchange(statement, params.iter().map(Bound::Value), 1, |row| row.write(0, kind, out)).await?;
        if found.rows == 0 {
            write(out, |cbor| cbor.null().map(drop));
        }
        Ok(())
    }

    async fn execute(&mut self, statement: &Statement, params: &[Value]) -> Result<u64, DbError> {
        Ok(self.exchange(statement, params.iter().map(Bound::Value), u64::MAX, |_| Ok(())).await?.changed)
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

    fn is_many(statement: &Statement, rows: &[Vec<Value>]) -> bool {
        insert::is_many(statement, rows)
    }

    async fn begin(&mut self, isolation: Option<Isolation>, then: &str) -> Result<(), DbError> {
        let level = isolation.map(|isolation| format!(" ISOLATION LEVEL {}", isolation.sql())).unwrap_or_default();
        // Before it is known that it has begun: dropped in between, the connection is not taken for a clean one.
        self.in_transaction = true;
        self.simple(&format!("BEGIN{level}; {then}")).await
    }

    async fn commit(&mut self) -> Result<(), DbError> {
        let ended = self.simple("COMMIT").await;
        // A commit that the server refused is a rollback.
        self.in_transaction = self.busy;
        ended
    }

    async fn rollback(&mut self) -> Result<(), DbError> {
        self.simple("ROLLBACK").await?;
        self.in_transaction = false;
        Ok(())
    }

    async fn control(&mut self, sql: &str) -> Result<(), DbError> {
        self.simple(sql).await
    }

    async fn lock(&mut self, key: i64) -> Result<(), DbError> {
        self.simple(&format!("SELECT pg_advisory_xact_lock({key})")).await
    }

    fn fate(&self) -> Fate {
        self.fate
    }

    fn was_outdated(&mut self) -> bool {
        self.outdated
    }

    fn canceller(&self) -> Canceller {
        Canceller::new(Arc::clone(&self.control), self.process)
    }

    fn give_up(&mut self) {
        self.busy = true;
    }
}
