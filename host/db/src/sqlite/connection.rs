//! One connection with its prepared statements.

use std::collections::hash_map::Entry;
use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::ptr::NonNull;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Once};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{OpenFlags, PrepFlags, ffi};
use rustc_hash::FxHashMap;

use super::errors::from_sqlite;
use super::stats::Counters;
use super::watch::{STEPS, Watch};
use super::{SqliteOptions, bind, functions};
use crate::{DbError, Statement, Value};

/// How long SQLite itself waits for a lock that another process holds. Short: the writer looks at its deadlines in between.
const LOCK_WAIT: Duration = Duration::from_millis(20);

/// The write-ahead log's file is cut back to this size when it starts over, in bytes.
const WAL_FILE: u64 = 64 << 20;

/// A connection and the statements prepared on it, found by [`Statement::id`] without looking at their text.
pub(super) struct Connection {
    /// Borrow from `sqlite`, so they go first: see `drop`.
    statements: FxHashMap<u64, Prepared>,
    /// From `Box::into_raw`; owned.
    sqlite: NonNull<rusqlite::Connection>,
    watch: Arc<Watch>,
    capacity: usize,
    uses: u64,
    pub(super) max_result_bytes: usize,
}

/// A statement prepared on one connection.
pub(super) struct Prepared {
    pub(super) statement: rusqlite::Statement<'static>,
    /// Size of its last answer, a guess at the next.
    pub(super) answer_size: usize,
    params: usize,
    used: u64,
}

// SAFETY: `Connection` owns the rusqlite connection and every statement that borrows from it, and lends them only by `&mut
// self`, so whole and parts move to another thread together. `rusqlite::Connection` is Send (SQLite is built thread-safe);
// `rusqlite::Statement` is not only because its borrow could stay behind on another thread. The one `Rc` that can hang on a
// statement, a bound list, has no second owner: `bind` gives it away.
unsafe impl Send for Connection {}

impl Drop for Connection {
    fn drop(&mut self) {
        self.statements.clear();
        // SAFETY: the pointer came from `Box::into_raw`, is freed only here, and the statements that borrowed from it are gone.
        drop(unsafe { Box::from_raw(self.sqlite.as_ptr()) });
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("statements", &self.statements.len()).finish_non_exhaustive()
    }
}

impl Connection {
    /// The one connection that writes.
    pub(super) fn open_writer(path: &Path, options: &SqliteOptions, counters: &Arc<Counters>) -> Result<Self, DbError> {
        let mut sqlite = open(path)?;
        let settings = format!(
            // WAL: readers and the writer do not wait for each other, and a commit is one fsync of an appended log.
            // FULL: that fsync happens at every commit. NORMAL would be 20 times faster and lose answered writes with the power.
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             PRAGMA foreign_keys = ON;
             PRAGMA journal_size_limit = {WAL_FILE};
             PRAGMA cache_size = -{};
             PRAGMA mmap_size = {};
             PRAGMA temp_store = MEMORY;",
            options.writer_cache_kib, options.mmap_bytes
        );
        // Another process may hold the file for a moment.
        sqlite.busy_timeout(Duration::from_secs(5)).map_err(from_sqlite)?;
        sqlite.execute_batch(&settings).map_err(|error| cannot_open(path, &error))?;
        sqlite.busy_timeout(LOCK_WAIT).map_err(from_sqlite)?;
        let mode: String =
            sqlite.query_row("PRAGMA journal_mode", [], |row| row.get(0)).map_err(|error| cannot_open(path, &error))?;
        if mode != "wal" {
            return Err(DbError::Unavailable(format!(
                "{}: the file system does not allow write-ahead logging (journal mode is {mode}); use a local disk",
                path.display()
            )));
        }
        let counted = Arc::clone(counters);
        let on_commit = move || {
            counted.commits.fetch_add(1, Ordering::Relaxed);
            false
        };
        sqlite.commit_hook(Some(on_commit)).map_err(from_sqlite)?;
        // This hook takes the place of SQLite's automatic checkpoint, which would run inside some commit and be paid by
        // whoever waits for it. The writer checkpoints when it is idle instead.
        let counted = Arc::clone(counters);
        let on_wal = move |_: &mut rusqlite::hooks::Wal, pages: i32| {
            counted.wal_pages.store(u64::try_from(pages).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        };
        sqlite.wal_hook(Some(on_wal)).map_err(from_sqlite)?;
        Self::new(sqlite, options)
    }

    /// A connection that only reads.
    pub(super) fn open_reader(path: &Path, options: &SqliteOptions) -> Result<Self, DbError> {
        let sqlite = open(path)?;
        let settings = format!(
            // Not opened read-only: a reader must be able to make the shared memory file of the write-ahead log.
            "PRAGMA query_only = ON;
             PRAGMA cache_size = -{};
             PRAGMA mmap_size = {};
             PRAGMA temp_store = MEMORY;",
            options.reader_cache_kib, options.mmap_bytes
        );
        sqlite.busy_timeout(LOCK_WAIT).map_err(from_sqlite)?;
        sqlite.execute_batch(&settings).map_err(|error| cannot_open(path, &error))?;
        Self::new(sqlite, options)
    }

    fn new(mut sqlite: rusqlite::Connection, options: &SqliteOptions) -> Result<Self, DbError> {
        // A plan depends on the SQL alone. Without this SQLite looks at the value bound to a LIMIT and parses and plans the
        // statement anew each time one is bound: 20 µs instead of 8 for ten rows by an index.
        sqlite.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(from_sqlite)?;
        functions::register(&sqlite).map_err(from_sqlite)?;
        let watch = Arc::new(Watch::new());
        let looking = Arc::clone(&watch);
        sqlite.progress_handler(STEPS, Some(move || looking.look())).map_err(from_sqlite)?;
        Ok(Self {
            statements: FxHashMap::default(),
            sqlite: NonNull::from(Box::leak(Box::new(sqlite))),
            watch,
            capacity: options.statements.max(16),
            uses: 0,
            max_result_bytes: options.max_result_bytes,
        })
    }

    /// rusqlite's connection.
    pub(super) fn sqlite(&self) -> &rusqlite::Connection {
        // SAFETY: alive until `drop`; only shared references are ever made of it.
        unsafe { self.sqlite.as_ref() }
    }

    /// The watch over what runs here.
    #[inline]
    pub(super) fn watch(&self) -> &Watch {
        &self.watch
    }

    /// Whether no transaction is open: also after a fault by which SQLite rolled it back.
    pub(super) fn is_autocommit(&self) -> bool {
        self.sqlite().is_autocommit()
    }

    /// The prepared form of a statement, with its parameters bound. The second value: clear the bindings after use.
    #[inline]
    pub(super) fn bound(&mut self, statement: &Statement, params: &[Value]) -> Result<(&mut Prepared, bool), DbError> {
        let prepared = self.prepared(statement)?;
        if prepared.params != params.len() {
            let (wants, given) = (prepared.params, params.len());
            return Err(DbError::BadQuery(format!(
                "{given} parameters for {wants} placeholders in: {}",
                statement.sql()
            )));
        }
        let clear = bind::bind(&mut prepared.statement, params)?;
        Ok((prepared, clear))
    }

    #[inline]
    fn prepared(&mut self, statement: &Statement) -> Result<&mut Prepared, DbError> {
        if self.statements.len() >= self.capacity && !self.statements.contains_key(&statement.id()) {
            self.forget_oldest();
        }
        self.uses += 1;
        match self.statements.entry(statement.id()) {
            Entry::Occupied(found) => {
                let prepared = found.into_mut();
                prepared.used = self.uses;
                Ok(prepared)
            }
            Entry::Vacant(place) => {
                // SAFETY: the connection is on the heap, does not move and outlives `statements` (see `drop`), so a statement may
                // borrow from it for as long as it is in there; it is never lent for longer than `&mut self`.
                let sqlite: &'static rusqlite::Connection = unsafe { &*self.sqlite.as_ptr() };
                let prepared = prepare(sqlite, statement)?;
                Ok(place.insert(Prepared { used: self.uses, ..prepared }))
            }
        }
    }

    /// A scan of the whole stock, but as cheap as it is beside the preparing that follows.
    #[cold]
    fn forget_oldest(&mut self) {
        let oldest = self.statements.iter().min_by_key(|(_, prepared)| prepared.used).map(|(id, _)| *id);
        if let Some(id) = oldest {
            self.statements.remove(&id);
        }
    }

    /// Runs SQL that is not worth keeping prepared, as DDL; several statements separated by semicolons.
    pub(super) fn batch(&mut self, sql: &str) -> Result<(), DbError> {
        self.sqlite().execute_batch(sql).map_err(|error| match from_sqlite(error) {
            DbError::BadQuery(message) if !message.contains(sql) => DbError::BadQuery(format!("{message} in: {sql}")),
            other => other,
        })
    }

    /// Runs a statement without parameters and lets go of its rows unseen.
    pub(super) fn step(&mut self, statement: &Statement) -> Result<(), DbError> {
        self.prepared(statement)?.statement.raw_query().next().map(drop).map_err(from_sqlite)
    }

    /// Runs a statement without parameters and rows, as COMMIT.
    pub(super) fn control(&mut self, statement: &Statement) -> Result<(), DbError> {
        self.prepared(statement)?.statement.raw_execute().map(drop).map_err(from_sqlite)
    }
}

#[cold]
fn prepare(sqlite: &'static rusqlite::Connection, statement: &Statement) -> Result<Prepared, DbError> {
    let prepared =
        sqlite.prepare_with_flags(statement.sql(), PrepFlags::SQLITE_PREPARE_PERSISTENT).map_err(from_sqlite)?;
    if prepared.column_count() < statement.width() {
        let (has, wants) = (prepared.column_count(), statement.width());
        let sql = statement.sql();
        return Err(DbError::BadQuery(format!("the statement yields {has} columns, its layout has {wants}: {sql}")));
    }
    let params = prepared.parameter_count();
    Ok(Prepared { statement: prepared, answer_size: 0, params, used: 0 })
}

/// Turns SQLite's count of its memory off, once, before the first connection: it takes a lock that all threads share at each
/// allocation, several a query.
fn configure() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: MEMSTATUS takes one int. Where SQLite is in use already the call is refused and changes nothing.
        unsafe { ffi::sqlite3_config(ffi::SQLITE_CONFIG_MEMSTATUS, 0) };
    });
}

fn open(path: &Path) -> Result<rusqlite::Connection, DbError> {
    configure();
    // NO_MUTEX: each connection is used by one thread at a time, which the borrow checker sees to.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    rusqlite::Connection::open_with_flags(path, flags).map_err(|error| cannot_open(path, &error))
}

fn cannot_open(path: &Path, error: &rusqlite::Error) -> DbError {
    DbError::Unavailable(format!("cannot open the SQLite database {}: {error}", path.display()))
}

/// Makes the file, readable and writable by its owner only (SQLite gives its log the same mode), and its folders.
pub(super) fn create_file(path: &Path) -> Result<(), DbError> {
    let failed = |what: &str, at: &Path, error: io::Error| {
        DbError::Unavailable(format!("cannot {what} {}: {error}", at.display()))
    };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|error| failed("create the folder", folder, error))?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(failed("create the SQLite database", path, error)),
    }
}
