//! The writer's queue: bounded, first in, first out. Work that its caller gave up, or whose deadline passed, never starts.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;
use tokio::time::timeout_at;

use super::errors::closed;
use super::place::Place;
use super::transaction::SqliteTransaction;
use crate::{DbError, Work};

/// Where an answer goes.
pub(super) type Answer<T> = oneshot::Sender<Result<T, DbError>>;

/// What the writer is asked to do.
pub(super) enum Task {
    Work { work: Work, answer: Answer<Vec<u8>> },
    Begin { answer: Answer<SqliteTransaction> },
    Batch { sql: Vec<String>, answer: Answer<()> },
}

/// A task in the queue.
pub(super) struct Job {
    pub(super) task: Task,
    pub(super) deadline: Instant,
    ticket: Arc<Ticket>,
}

impl Job {
    /// Whether the caller still wants it; from here on it is answered, in time or not.
    pub(super) fn start(&self) -> bool {
        self.ticket.turn(STARTED)
    }
}

/// Who was faster: the writer that starts the task, or the caller that gives it up. Decides that a caller who is told
/// `Timeout` while it waits can rely on nothing being written.
#[derive(Debug)]
struct Ticket(AtomicU8);

const WAITING: u8 = 0;
const STARTED: u8 = 1;
const GIVEN_UP: u8 = 2;

impl Ticket {
    fn turn(&self, to: u8) -> bool {
        // Relaxed: the ticket orders nothing else; task and answer travel under the queue's lock and in the channel.
        self.0.compare_exchange(WAITING, to, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// Gives the task up when the caller drops its future.
struct GiveUpOnDrop(Arc<Ticket>);

impl Drop for GiveUpOnDrop {
    fn drop(&mut self) {
        self.0.turn(GIVEN_UP);
    }
}

#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    capacity: usize,
    place: Arc<Place>,
}

#[derive(Debug)]
struct State {
    jobs: VecDeque<Job>,
    /// The writer sleeps until so many jobs are there; 0 while it is awake. Saves waking it once a job.
    wake_at: usize,
    closed: bool,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

/// What the writer found.
pub(super) enum Found {
    /// At least one job, in order.
    Jobs,
    /// Nothing for as long as it was willing to wait.
    Idle,
    /// Nothing, and nothing will come.
    Closed,
}

impl Queue {
    pub(super) fn new(capacity: usize, place: Arc<Place>) -> Self {
        let state = State { jobs: VecDeque::new(), wake_at: 0, closed: false };
        Self { state: Mutex::new(state), filled: Condvar::new(), capacity: capacity.max(1), place }
    }

    pub(super) fn len(&self) -> usize {
        self.state.lock().jobs.len()
    }

    /// Queues a task and waits for its answer.
    pub(super) async fn submit<T>(
        &self,
        deadline: Instant,
        task: impl FnOnce(Answer<T>) -> Task,
    ) -> Result<T, DbError> {
        let (answer, mut answered) = oneshot::channel();
        let ticket = Arc::new(Ticket(AtomicU8::new(WAITING)));
        self.push(Job { task: task(answer), deadline, ticket: Arc::clone(&ticket) })?;
        let give_up = GiveUpOnDrop(ticket);
        let answer = match timeout_at(deadline.into(), &mut answered).await {
            Ok(answer) => answer,
            Err(_) if give_up.0.turn(GIVEN_UP) => return Err(DbError::Timeout),
            // It runs: the writer stops it at the deadline and answers, or commits it this moment.
            Err(_) => answered.await,
        };
        answer.unwrap_or_else(|_| Err(closed()))
    }

    fn push(&self, job: Job) -> Result<(), DbError> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(closed());
        }
        if state.jobs.len() >= self.capacity {
            return Err(DbError::PoolExhausted);
        }
        state.jobs.push_back(job);
        if state.wake_at > 0 && state.jobs.len() >= state.wake_at {
            // Asleep for one job, not gathering a group. Under the lock: without it the writer might end meanwhile.
            if state.wake_at == 1 {
                self.place.call_here();
            }
            state.wake_at = 0;
            drop(state);
            self.filled.notify_one();
        }
        Ok(())
    }

    /// Waits for jobs, at most `idle`.
    ///
    /// Once one is there, waits up to `window` for as many as `expected`: writers that were just answered come back
    /// with their next row within microseconds, and one fsync for all of them beats one for the first and one for the rest.
    pub(super) fn take(&self, into: &mut VecDeque<Job>, expected: usize, window: Duration, idle: Duration) -> Found {
        let mut state = self.state.lock();
        while state.jobs.is_empty() {
            if state.closed {
                return Found::Closed;
            }
            state.wake_at = 1;
            if self.filled.wait_for(&mut state, idle).timed_out() && state.jobs.is_empty() {
                state.wake_at = 0;
                return Found::Idle;
            }
        }
        let until = Instant::now() + window;
        while state.jobs.len() < expected && !state.closed {
            state.wake_at = expected;
            if self.filled.wait_until(&mut state, until).timed_out() {
                break;
            }
        }
        state.wake_at = 0;
        std::mem::swap(&mut state.jobs, into);
        Found::Jobs
    }

    /// No more jobs from now on; those queued are still done.
    pub(super) fn close(&self) {
        self.state.lock().closed = true;
        self.filled.notify_all();
    }

    /// Turns away those queued too: the writer is gone.
    pub(super) fn abort(&self) {
        let jobs = {
            let mut state = self.state.lock();
            state.closed = true;
            std::mem::take(&mut state.jobs)
        };
        // Outside the lock: dropping an answer wakes its caller.
        drop(jobs);
    }
}
