//! The SQLite driver: point reads on the thread that asks, long reads on blocking threads, all writes on one writer
//! thread that shares an fsync between everything that waits.
//!
//! ```text
//! try_now ── short reads ──▶ readers.rs   this thread's own connection
//! run ─────┬ other reads ──▶ readers.rs   a connection from stock, on a blocking thread
//!          └ writes ───────▶ queue.rs ──▶ writer.rs   groups into BEGIN IMMEDIATE … COMMIT
//! begin ───────────────────▶ queue.rs ──▶ transaction.rs   has the writer to itself
//! ```
//!
//! One more connection, the anchor (anchor.rs), only holds a lock that makes reads cheap.
//!
//! The file is in WAL mode: readers and the writer never wait for each other. The writer runs with `synchronous=FULL`:
//! an answered write survives `kill -9` and power loss.

mod anchor;
mod bind;
mod connection;
mod encode;
mod errors;
mod functions;
mod introspect;
mod options;
mod perform;
mod place;
mod queue;
mod readers;
mod stats;
mod transaction;
mod watch;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::{Access, Capabilities, DbError, Introspection, Product, Transaction, Version, Work};
use anchor::Anchor;
use connection::Connection;
use place::Place;
use queue::{Queue, Task};
use readers::Readers;
use stats::Counters;

pub use options::SqliteOptions;
pub use stats::SqliteStats;
pub use transaction::SqliteTransaction;

/// DDL has no request behind it whose deadline would hold; building an index on a large table takes its time.
const BATCH_DEADLINE: Duration = Duration::from_secs(15 * 60);

/// A SQLite database. Clones are cheap and share its connections; dropping the last one closes them.
#[derive(Debug, Clone)]
pub struct Sqlite(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    readers: Arc<Readers>,
    queue: Arc<Queue>,
    counters: Arc<Counters>,
    writer: Mutex<Option<std::thread::JoinHandle<()>>>,
}

impl Sqlite {
    /// Opens the database file, creates it and its folders where they are missing (readable by its owner only), and
    /// starts its writer. Takes about a millisecond.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] names the path and what the system said.
    pub fn open(path: &Path, options: SqliteOptions) -> Result<Self, DbError> {
        connection::create_file(path)?;
        let counters = Arc::new(Counters::default());
        let place = Arc::new(Place::new());
        let queue = Arc::new(Queue::new(options.queue, Arc::clone(&place)));
        // The writer comes first: it switches the file to WAL mode, which readers rely on.
        let connection = Connection::open_writer(path, &options, &counters)?;
        let anchor = Anchor::open(path, &options)?;
        let thread = writer::spawn(connection, anchor, place, Arc::clone(&queue), Arc::clone(&counters), &options)?;
        let readers = Arc::new(Readers::new(path, options));
        let shared = Shared { readers, queue, counters, writer: Mutex::new(Some(thread)) };
        Ok(Self(Arc::new(shared)))
    }

    /// Runs a short read on this thread, on this thread's own connection, without waiting for anything. About 1.3 µs for
    /// a row by primary key.
    ///
    /// `deadline` is looked at every 1,000 steps of SQLite's machine; a point read takes 15 and is answered even past it.
    ///
    /// `None` where it may not run inline: its planner did not prove it short, or it turned out long (some 64,000 steps
    /// of SQLite's machine, a millisecond or two) or met a lock. Then [`run`](Self::run) does it.
    #[inline]
    #[must_use]
    pub fn try_now(&self, work: &Work, deadline: Instant) -> Option<Result<Vec<u8>, DbError>> {
        match work {
            Work::Query { statement, .. } | Work::Scalar { statement, .. }
                if statement.access() == Access::ShortRead =>
            {
                self.0.readers.try_now(work, deadline)
            }
            _ => None,
        }
    }

    /// Runs one unit of work: short reads inline, other reads on a blocking thread, writes on the writer thread.
    ///
    /// Dropping the future skips a write that has not started and stops a read; a write that has started is finished.
    ///
    /// # Errors
    /// [`DbError::Timeout`] when `deadline` passed: then the work was not started, or was stopped and undone.
    /// [`DbError::PoolExhausted`] when no reader became free by then, or the writer's queue is full.
    pub async fn run(&self, work: Work, deadline: Instant) -> Result<Vec<u8>, DbError> {
        if let Some(answer) = self.try_now(&work, deadline) {
            return answer;
        }
        if work.is_read() {
            return self.0.readers.read(work, deadline).await;
        }
        if let Work::GetOrCreate { find, find_params, .. } = &work
            && let Some(answer) = self.0.readers.try_found(find, find_params, deadline)
        {
            return answer;
        }
        self.0.queue.submit(deadline, |answer| Task::Work { work, answer }).await
    }

    /// Begins a transaction (`BEGIN IMMEDIATE`): it has the writer to itself until it ends, at `deadline` at the latest.
    /// Other writes wait meanwhile, reads do not.
    ///
    /// # Errors
    /// [`DbError::Timeout`] when the writer did not become free by then.
    pub async fn begin(&self, deadline: Instant) -> Result<Transaction, DbError> {
        let begun = self.0.queue.submit(deadline, |answer| Task::Begin { answer });
        begun.await.map(Transaction::from)
    }

    /// Runs DDL in one transaction, all or nothing.
    ///
    /// # Errors
    /// That of the first statement that failed, with its SQL.
    pub async fn execute_batch(&self, sql: Vec<String>) -> Result<(), DbError> {
        let deadline = Instant::now() + BATCH_DEADLINE;
        self.0.queue.submit(deadline, |answer| Task::Batch { sql, answer }).await
    }

    /// Reads which tables there are, on a blocking thread: about 20 µs a table.
    ///
    /// # Errors
    /// [`DbError::Unavailable`].
    pub async fn introspect(&self) -> Result<Introspection, DbError> {
        let readers = Arc::clone(&self.0.readers);
        blocking(move || readers.with_stock(|connection| introspect::introspect(connection))).await?
    }

    /// Which SQLite this is: the one compiled in.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        let number = u32::try_from(rusqlite::version_number()).unwrap_or(0);
        let version = Version::new(number / 1_000_000, number / 1000 % 1000, number % 1000);
        Capabilities { product: Product::Sqlite, version }
    }

    /// What it has done since it was opened.
    #[must_use]
    pub fn stats(&self) -> SqliteStats {
        self.0.counters.read(self.0.queue.len())
    }

    /// Finishes queued writes, then closes every connection of every thread. Clones answer [`DbError::Unavailable`]
    /// afterwards. An open transaction is waited for, until its deadline at most. Once begun it goes on, also where the
    /// future is dropped.
    pub async fn close(self) {
        self.0.queue.close();
        let closed = blocking(move || {
            let thread = self.0.writer.lock().take();
            if let Some(thread) = thread
                && thread.join().is_err()
            {
                tracing::error!("the SQLite writer thread had panicked");
            }
            self.0.readers.close();
        });
        if let Err(error) = closed.await {
            tracing::error!("{error}");
        }
    }
}

/// Runs what blocks on a thread for such work.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, DbError> {
    let failed = |error| DbError::Unavailable(format!("a thread for blocking work failed: {error}"));
    tokio::task::spawn_blocking(work).await.map_err(failed)
}

impl Drop for Shared {
    fn drop(&mut self) {
        // Not joined: a drop must not block. The writer finishes what is queued and ends by itself.
        self.queue.close();
        self.readers.close();
    }
}
