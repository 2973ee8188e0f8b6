//! The engine's heartbeat: one thread that advances wasmtime's epoch and a coarse clock every 10 ms.
//!
//! The epoch lets a running guest be interrupted (see `epochs`). The coarse clock spares the hot path a look at the real
//! one: a deadline is accurate to a tick, which it is anyway, since nobody looks more often.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use crate::error::RuntimeError;

/// Length of a tick: how often a guest that computes lets others run, and the grain of `limits.cpu`.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// Time as of the last tick.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    start: Instant,
    micros: Arc<AtomicU64>,
}

impl Clock {
    /// Starts the thread. It ends within a tick of the last engine.
    pub fn start(engine: &wasmtime::Engine) -> Result<Clock, RuntimeError> {
        let clock = Clock { start: Instant::now(), micros: Arc::default() };
        let weak = engine.weak();
        let ticking = clock.clone();
        std::thread::Builder::new()
            .name("covet-epoch".into())
            .spawn(move || {
                loop {
                    std::thread::sleep(TICK);
                    let Some(engine) = weak.upgrade() else { return };
                    ticking.micros.store(ticking.start.elapsed().as_micros() as u64, Relaxed);
                    engine.increment_epoch();
                }
            })
            .map_err(|error| RuntimeError::Engine(format!("no thread for the epoch: {error}")))?;
        Ok(clock)
    }

    /// Microseconds since the start, at most a tick behind.
    pub fn micros(&self) -> u64 {
        self.micros.load(Relaxed)
    }

    /// Now, at most a tick behind.
    pub fn now(&self) -> Instant {
        self.start + Duration::from_micros(self.micros())
    }

    /// The moment `limit` from now; a tick later, because "now" may be a tick ago.
    pub fn deadline(&self, limit: Duration) -> Instant {
        self.now() + limit + TICK
    }
}
