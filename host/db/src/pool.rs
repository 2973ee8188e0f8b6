//! A pool of connections to a database server, around any [`Driver`].
//!
//! ```text
//! acquire ─┬ a permit is free ──────────┬ idle connection, used last ──▶ ping if it idled long ──▶ Pooled
//!          └ wait in the queue (queue) ─┘ none idle ──▶ connect (on a task of its own) ─────────▶ Pooled
//! drop ────┬ clean ──▶ idle, the permit goes to the next in the queue
//!          ├ a transaction is open ──▶ reset on a task, then as clean
//!          └ broken, mid-protocol, too old ──▶ closed
//! ```
//!
//! Promises:
//! - connections in use, being opened and idle are never more than `max_size` together;
//! - whoever waits longest is next; a waiter that leaves hands its turn on;
//! - no connection comes back dirty: one whose future was dropped mid-protocol is closed;
//! - an acquisition that leaves while its connection is being opened does not waste it: it becomes idle.
//!
//! Why not `deadpool` or sqlx's own pool: docs/decisions/006-pool.md. The fair queue is tokio's semaphore.

mod driver;
mod home;
mod keeper;
mod options;
mod pooled;
mod state;
mod stats;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore, SemaphorePermit, TryAcquireError, oneshot};
use tokio::time::{Duration, Instant, timeout, timeout_at};

use crate::DbError;
use pooled::{Live, Slot};
use state::{Found, State};

pub use driver::{Condition, Driver};
pub use options::PoolOptions;
pub use pooled::Pooled;
pub use stats::{Leak, PoolStats, WAIT_BOUNDS};

/// A pool. Clones share its connections; dropping the last closes them.
pub struct Pool<D: Driver>(Arc<Shared<D>>);

struct Shared<D: Driver> {
    driver: D,
    options: PoolOptions,
    permits: Semaphore,
    waiting: AtomicUsize,
    state: Mutex<State<D::Connection>>,
    /// Told when the last connection of a closed pool came back.
    emptied: Notify,
}

impl<D: Driver> Clone for Pool<D> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<D: Driver> std::fmt::Debug for Pool<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

impl<D: Driver> Pool<D> {
    /// A pool without connections yet: the first is opened when it is asked for, and `min_size` of them from then on. So a
    /// database that is away at the start of the host stops nothing.
    ///
    /// # Errors
    /// [`DbError::BadQuery`] names the option that is out of range.
    pub fn new(driver: D, options: PoolOptions) -> Result<Self, DbError> {
        options.check()?;
        Ok(Self(Arc::new(Shared {
            permits: Semaphore::new(options.max_size),
            waiting: AtomicUsize::new(0),
            state: Mutex::new(State::new()),
            emptied: Notify::new(),
            driver,
            options,
        })))
    }

    /// A connection: idle, or new, or the next that comes back. About 0.1 µs where one is idle.
    ///
    /// `holder` says in a leak report who has it. Must be called on a tokio runtime.
    ///
    /// # Errors
    /// [`DbError::PoolExhausted`] when none came back until `deadline` or within `acquire_timeout`, or at once when `queue`
    /// callers wait already. [`DbError::Timeout`] when `deadline` passed while one was being opened.
    /// [`DbError::Unavailable`] when none could be opened, or the pool is closed.
    pub async fn acquire(&self, deadline: std::time::Instant, holder: &Arc<str>) -> Result<Pooled<D>, DbError> {
        match self.try_acquire(deadline, holder).await {
            Ok(pooled) => Ok(pooled),
            Err(error) => {
                self.0.state.lock().tally.failed += 1;
                Err(error)
            }
        }
    }

    async fn try_acquire(&self, deadline: std::time::Instant, holder: &Arc<str>) -> Result<Pooled<D>, DbError> {
        let shared = &self.0;
        let (permit, waited, begun) = match shared.permits.try_acquire() {
            Ok(permit) => (permit, Duration::ZERO, Instant::now()),
            Err(TryAcquireError::Closed) => return Err(closed()),
            Err(TryAcquireError::NoPermits) => {
                let from = Instant::now();
                let permit = shared.wait(from, deadline).await?;
                let now = Instant::now();
                (permit, now - from, now)
            }
        };
        let limit = (begun + shared.options.acquire_timeout).min(Instant::from_std(deadline));
        let (slot, mut found) = Slot::take(shared, permit, holder, begun, waited);
        while let Some(Found { mut live, idle_since, checked }) = found {
            if checked {
                return Ok(Pooled::new(slot, live));
            }
            let pinged = timeout(shared.options.ping_timeout, shared.driver.ping(&mut live.connection));
            if matches!(timeout_at(limit, pinged).await, Ok(Ok(Ok(())))) {
                slot.filled(waited, true);
                return Ok(Pooled::new(slot, live));
            }
            // Those that idled as long go the same way, instead of each costing somebody a failed ping.
            let dead = shared.state.lock().take_idle_before(idle_since);
            tracing::debug!("an idle connection does not answer; it and {} others are closed", dead.len());
            dead.into_iter().chain([live]).for_each(|live| shared.discard(live));
            found = slot.another(waited);
        }
        self.connect(slot, waited, limit, deadline).await
    }

    /// Opens a connection on a task of its own: a caller whose deadline is shorter than a handshake leaves an idle
    /// connection behind, not a half-open one, so impatient callers cannot keep the pool empty for ever.
    async fn connect(
        &self,
        slot: Slot<D>,
        waited: Duration,
        limit: Instant,
        deadline: std::time::Instant,
    ) -> Result<Pooled<D>, DbError> {
        let (told, opened) = oneshot::channel();
        let pool = self.clone();
        tokio::spawn(async move {
            // Unheard, the connection is dropped here, which makes it idle.
            let _unheard = told.send(pool.0.open(slot, Some(waited)).await);
        });
        match timeout_at(limit, opened).await {
            Ok(Ok(result)) => result,
            Ok(Err(_ended)) => Err(DbError::Unavailable("the runtime ended while connecting".to_owned())),
            Err(_late) if limit >= Instant::from_std(deadline) => Err(DbError::Timeout),
            Err(_late) => Err(DbError::Unavailable(format!(
                "the database server did not let us in within {} ms (acquire_timeout)",
                self.0.options.acquire_timeout.as_millis()
            ))),
        }
    }

    /// What it did and has.
    #[must_use]
    pub fn stats(&self) -> PoolStats {
        self.0.state.lock().stats(self.0.options.max_size, self.0.waiting.load(Ordering::Relaxed))
    }

    /// Connections held longer than `leak_threshold`, and who holds them.
    #[must_use]
    pub fn leaks(&self) -> Vec<Leak> {
        self.0.state.lock().leaks(Instant::now(), self.0.options.leak_threshold)
    }

    /// Its driver.
    #[must_use]
    pub fn driver(&self) -> &D {
        &self.0.driver
    }

    /// Its options.
    #[must_use]
    pub fn options(&self) -> &PoolOptions {
        &self.0.options
    }

    /// Closes every connection: the idle ones at once, those in use when they come back, which is waited for. Whoever waits
    /// or comes later gets [`DbError::Unavailable`].
    pub async fn close(&self) {
        let shared = &self.0;
        shared.permits.close();
        let idle = {
            let mut state = shared.state.lock();
            state.closed = true;
            state.take_all_idle()
        };
        for live in idle {
            let _late = timeout(shared.options.ping_timeout, shared.driver.close(live.connection)).await;
        }
        loop {
            let emptied = shared.emptied.notified();
            if shared.state.lock().active() == 0 {
                return;
            }
            emptied.await;
        }
    }
}

impl<D: Driver> Shared<D> {
    /// A place in the queue until it is this caller's turn.
    async fn wait(&self, from: Instant, deadline: std::time::Instant) -> Result<SemaphorePermit<'_>, DbError> {
        struct Waiting<'a>(&'a AtomicUsize);
        impl Drop for Waiting<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::Relaxed);
            }
        }
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        if before >= self.options.queue {
            return Err(DbError::PoolExhausted);
        }
        let limit = (from + self.options.acquire_timeout).min(Instant::from_std(deadline));
        match timeout_at(limit, self.permits.acquire()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_closed)) => Err(closed()),
            Err(_late) => Err(DbError::PoolExhausted),
        }
    }

    /// Fills a slot with a new connection; `waited` where somebody asked for it.
    async fn open(&self, slot: Slot<D>, waited: Option<Duration>) -> Result<Pooled<D>, DbError> {
        let limit = self.options.connect_timeout;
        let connection = match timeout(limit, self.driver.connect()).await {
            Ok(connected) => connected?,
            Err(_late) => {
                return Err(DbError::Unavailable(format!(
                    "the database server did not let us in within {} ms (connect_timeout)",
                    limit.as_millis()
                )));
            }
        };
        let number = {
            let mut state = self.state.lock();
            state.tally.created += 1;
            state.tally.created
        };
        if let Some(waited) = waited {
            slot.filled(waited, false);
        }
        let live = Live::new(connection, number, self.options.lifetime(number));
        Ok(Pooled::new(slot, live))
    }

    /// Takes a connection out of the pool for good. Closed on a task; without a runtime, hung up on.
    fn discard(self: &Arc<Self>, live: Live<D::Connection>) {
        self.state.lock().tally.destroyed += 1;
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let shared = Arc::clone(self);
            runtime.spawn(async move {
                let _late = timeout(shared.options.connect_timeout, shared.driver.close(live.connection)).await;
            });
        }
    }
}

fn closed() -> DbError {
    DbError::Unavailable("the database was closed".to_owned())
}
