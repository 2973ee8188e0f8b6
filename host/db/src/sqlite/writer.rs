//! The one thread that writes, and the group commit.
//!
//! Everything that waits is run in one transaction, each unit by itself: one that fails is undone alone. Then one COMMIT
//! (one fsync) makes all of it durable, then all are answered. When COMMIT fails, all are told so.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::anchor::Anchor;
use super::connection::Connection;
use super::place::Place;
use super::queue::{Answer, Found, Job, Queue, Task};
use super::readers::until;
use super::stats::Counters;
use super::{SqliteOptions, perform, transaction};
use crate::{Access, DbError, Statement, Work};

/// The writer moves logged pages into the file when the log has so many (4 KiB each) and nothing waits …
const IDLE_CHECKPOINT: u64 = 256;

/// … for so long.
const IDLE_AFTER: Duration = Duration::from_millis(50);

/// After so long it moves whatever is there: reads are fastest with an empty log. Also how far the anchor may stay behind
/// when another process writes.
const QUIET_AFTER: Duration = Duration::from_secs(1);

/// Or at so many, whatever waits: 8 MiB. Reads get slower as the log grows, and so does coming up after a crash.
const BUSY_CHECKPOINT: u64 = 2048;

/// At most so long the writer waits for a group to gather, and never longer than half of what a commit takes.
const MAX_WINDOW: Duration = Duration::from_millis(1);

/// Statements of the writer's own.
#[derive(Debug)]
pub(super) struct Control {
    pub(super) begin: Statement,
    pub(super) commit: Statement,
    pub(super) rollback: Statement,
    savepoint: Statement,
    release: Statement,
    rollback_to: Statement,
}

impl Control {
    fn new() -> Self {
        let statement = |sql: &str| Statement::new(sql, Vec::new(), Access::Write);
        Self {
            begin: statement("BEGIN IMMEDIATE"),
            commit: statement("COMMIT"),
            rollback: statement("ROLLBACK"),
            savepoint: statement("SAVEPOINT covet_unit"),
            release: statement("RELEASE covet_unit"),
            rollback_to: statement("ROLLBACK TO covet_unit"),
        }
    }
}

#[derive(Debug)]
pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) control: Control,
    anchor: Anchor,
    place: Arc<Place>,
    queue: Arc<Queue>,
    counters: Arc<Counters>,
    group: usize,
    /// Writers that were there lately: as many are waited for, a moment.
    expected: usize,
    /// Of the last groups, smoothed.
    commit_time: Duration,
}

/// Starts the writer thread. It ends when the queue is closed and empty.
pub(super) fn spawn(
    connection: Connection,
    anchor: Anchor,
    place: Arc<Place>,
    queue: Arc<Queue>,
    counters: Arc<Counters>,
    options: &SqliteOptions,
) -> Result<std::thread::JoinHandle<()>, DbError> {
    connection.watch().watch_place(Arc::clone(&place));
    let mut writer = Writer {
        connection,
        control: Control::new(),
        anchor,
        place,
        queue,
        counters,
        group: options.group.max(1),
        expected: 1,
        commit_time: Duration::ZERO,
    };
    std::thread::Builder::new()
        .name("covet-sqlite".to_owned())
        .spawn(move || {
            let _abort = AbortOnDrop(Arc::clone(&writer.queue));
            writer.place.settle();
            writer.serve();
        })
        .map_err(|error| DbError::Unavailable(format!("cannot start the writer thread: {error}")))
}

/// However the thread ends, nobody waits for it in vain.
struct AbortOnDrop(Arc<Queue>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A unit that was started, and its answer once it ran.
struct Unit {
    work: Work,
    answer: Answer<Vec<u8>>,
    deadline: Instant,
    result: Result<Vec<u8>, DbError>,
}

impl Unit {
    fn answer(self) {
        // A caller that has left needs no answer.
        let _left = self.answer.send(self.result);
    }

    fn fail(self, error: DbError) {
        let _left = self.answer.send(Err(error));
    }
}

impl Writer {
    fn serve(&mut self) {
        let mut jobs = VecDeque::new();
        loop {
            let pages = self.counters.wal_pages.load(Ordering::Relaxed);
            let idle = if pages >= IDLE_CHECKPOINT { IDLE_AFTER } else { QUIET_AFTER };
            let window = (self.commit_time / 2).min(MAX_WINDOW);
            match self.queue.take(&mut jobs, self.expected, window, idle) {
                Found::Jobs => self.run(&mut jobs),
                Found::Idle if pages > 0 => self.checkpoint(),
                Found::Idle => {}
                Found::Closed => return,
            }
            if self.counters.wal_pages.load(Ordering::Relaxed) >= BUSY_CHECKPOINT {
                self.checkpoint();
            }
            self.anchor.follow();
        }
    }

    fn run(&mut self, jobs: &mut VecDeque<Job>) {
        self.expected = jobs.len().clamp(1, self.group);
        let mut units = Vec::with_capacity(self.expected);
        while let Some(job) = jobs.pop_front() {
            if !job.start() {
                continue;
            }
            let deadline = job.deadline;
            match job.task {
                Task::Work { work, answer } => {
                    units.push(Unit { work, answer, deadline, result: Err(DbError::Timeout) });
                    if units.len() < self.group {
                        continue;
                    }
                    self.units(std::mem::take(&mut units));
                }
                // What came before goes first: its callers may have waited for it before they asked for this.
                Task::Begin { answer } => {
                    self.units(std::mem::take(&mut units));
                    transaction::serve(self, deadline, answer);
                }
                Task::Batch { sql, answer } => {
                    self.units(std::mem::take(&mut units));
                    let _left = answer.send(self.batch(&sql, deadline));
                }
            }
        }
        self.units(units);
    }

    /// Runs started units and answers them.
    fn units(&mut self, mut units: Vec<Unit>) {
        let started = Instant::now();
        match units.len() {
            0 => return,
            1 => {
                if let Some(unit) = units.pop() {
                    self.one(unit);
                }
            }
            _ => {
                self.place.leave();
                self.group(units);
            }
        }
        self.commit_time = (self.commit_time * 7 + started.elapsed()) / 8;
    }

    /// A unit of one statement needs no transaction around it: SQLite commits it by itself.
    fn one(&mut self, mut unit: Unit) {
        if perform::is_many(&unit.work) {
            return self.group(vec![unit]);
        }
        unit.result = until(unit.deadline, &mut self.connection, |connection| perform::perform(connection, &unit.work));
        unit.answer();
    }

    fn group(&mut self, mut units: Vec<Unit>) {
        'again: while !units.is_empty() {
            if let Err(error) = self.begin(&mut units) {
                return units.into_iter().for_each(|unit| unit.fail(error.clone()));
            }
            let mut at = 0;
            while let Some(unit) = units.get_mut(at) {
                unit.result = self.unit(&unit.work, unit.deadline);
                if self.connection.is_autocommit() {
                    // A stopped write, a full disk and the like: SQLite has rolled back the whole transaction, so all but the
                    // culprit run again. Each round answers one, so it ends.
                    units.remove(at).answer();
                    continue 'again;
                }
                at += 1;
            }
            match self.commit() {
                Ok(()) => units.into_iter().for_each(Unit::answer),
                // A deferred constraint shows at COMMIT only, and not whose it is: find out one by one.
                Err(DbError::ForeignKeyViolation(_)) if units.len() > 1 => {
                    units.into_iter().for_each(|unit| self.group(vec![unit]));
                }
                Err(error) => units.into_iter().for_each(|unit| unit.fail(error.clone())),
            }
            return;
        }
    }

    /// Begins a transaction for a group. While another process holds the lock, units whose deadline passes are answered.
    fn begin(&mut self, units: &mut Vec<Unit>) -> Result<(), DbError> {
        loop {
            self.connection.watch().disarm();
            match self.connection.control(&self.control.begin) {
                Err(DbError::Timeout) => {
                    let now = Instant::now();
                    let late: Vec<Unit> = units.extract_if(.., |unit| unit.deadline <= now).collect();
                    late.into_iter().for_each(|unit| unit.fail(DbError::Timeout));
                    if units.is_empty() {
                        return Err(DbError::Timeout);
                    }
                }
                begun => return begun,
            }
        }
    }

    /// One unit inside an open transaction, undone by itself when it fails.
    pub(super) fn unit(&mut self, work: &Work, deadline: Instant) -> Result<Vec<u8>, DbError> {
        if Instant::now() >= deadline {
            return Err(DbError::Timeout);
        }
        let many = perform::is_many(work);
        if many {
            self.connection.control(&self.control.savepoint)?;
        }
        self.connection.watch().arm(deadline);
        let result = perform::perform(&mut self.connection, work);
        self.connection.watch().disarm();
        if many && !self.connection.is_autocommit() {
            if result.is_err() {
                self.connection.control(&self.control.rollback_to)?;
            }
            self.connection.control(&self.control.release)?;
        }
        result
    }

    /// Commits, or rolls back what could not be committed.
    pub(super) fn commit(&mut self) -> Result<(), DbError> {
        self.connection.watch().disarm();
        let committed = self.connection.control(&self.control.commit);
        if committed.is_err() {
            self.rollback();
        }
        committed
    }

    /// Rolls back, if there is still something to roll back.
    pub(super) fn rollback(&mut self) {
        self.connection.watch().disarm();
        if !self.connection.is_autocommit()
            && let Err(error) = self.connection.control(&self.control.rollback)
        {
            tracing::error!(%error, "SQLite could not roll back");
        }
    }

    fn batch(&mut self, sql: &[String], deadline: Instant) -> Result<(), DbError> {
        let control = &self.control.begin;
        until(deadline, &mut self.connection, |connection| connection.control(control))?;
        self.connection.watch().arm(deadline);
        for statement in sql {
            if let Err(error) = self.connection.batch(statement) {
                self.rollback();
                return Err(error);
            }
        }
        self.commit()
    }

    /// Moves logged pages into the file; readers go on meanwhile. What readers still need stays in the log till next time.
    fn checkpoint(&mut self) {
        self.counters.wal_pages.store(0, Ordering::Relaxed);
        self.connection.watch().disarm();
        self.anchor.let_go();
        match self.connection.batch("PRAGMA wal_checkpoint(PASSIVE)") {
            Ok(()) => self.counters.checkpoints.fetch_add(1, Ordering::Relaxed),
            Err(error) => {
                tracing::warn!(%error, "SQLite checkpoint failed; the log keeps growing");
                0
            }
        };
    }
}
