//! The watch over a running statement: SQLite calls it every [`STEPS`] steps of its machine, and it says whether to go on.
//! It is registered once a connection; arming it for a statement is three stores.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::place::Place;

/// Steps of SQLite's machine between two looks at the clock: 10 to 100 µs, so a look (25 ns) costs nothing, and a
/// deadline is overrun by a tenth of a millisecond. A point read takes some 15 steps and never looks.
pub(super) const STEPS: i32 = 1000;

/// Looks that a read may take on the worker's own thread before it is moved to a blocking thread: 64,000 steps, 1 to 3 ms.
const INLINE_LOOKS: u32 = 64;

// All orders are relaxed: arming and looking happen on the same thread; `follow` hands its flag over under a lock.
#[derive(Debug)]
pub(super) struct Watch {
    base: Instant,
    /// Nanoseconds after `base`.
    until: AtomicU64,
    looks: AtomicU32,
    passed: AtomicBool,
    /// Set by a caller that no longer wants the answer.
    gone: Mutex<Option<Arc<AtomicBool>>>,
    /// Of the writer only: a statement that is looked at is long.
    place: OnceLock<Arc<Place>>,
}

impl Watch {
    pub(super) fn new() -> Self {
        Self {
            base: Instant::now(),
            until: AtomicU64::new(u64::MAX),
            looks: AtomicU32::new(u32::MAX),
            passed: AtomicBool::new(false),
            gone: Mutex::new(None),
            place: OnceLock::new(),
        }
    }

    /// Stops what runs next at `deadline`.
    #[inline]
    pub(super) fn arm(&self, deadline: Instant) {
        self.set(deadline, u32::MAX);
    }

    /// Stops what runs next at `deadline`, or when it proves too long for the worker's thread.
    #[inline]
    pub(super) fn arm_inline(&self, deadline: Instant) {
        self.set(deadline, INLINE_LOOKS);
    }

    #[inline]
    fn set(&self, deadline: Instant, looks: u32) {
        let nanos = deadline.saturating_duration_since(self.base).as_nanos();
        self.until.store(u64::try_from(nanos).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.looks.store(looks, Ordering::Relaxed);
        self.passed.store(false, Ordering::Relaxed);
    }

    /// Lets what runs next finish: for BEGIN, COMMIT and ROLLBACK.
    pub(super) fn disarm(&self) {
        self.until.store(u64::MAX, Ordering::Relaxed);
        self.looks.store(u32::MAX, Ordering::Relaxed);
        self.passed.store(false, Ordering::Relaxed);
    }

    /// Makes the writer leave its caller's CPU when a statement is long.
    pub(super) fn watch_place(&self, place: Arc<Place>) {
        let _first = self.place.set(place);
    }

    /// Stops what runs as soon as `gone` is set; `None` ends that.
    pub(super) fn follow(&self, gone: Option<Arc<AtomicBool>>) {
        *self.gone.lock() = gone;
    }

    /// Whether the deadline (or a caller that left) stopped the last statement, rather than its length or a lock.
    pub(super) fn passed(&self) -> bool {
        self.passed.load(Ordering::Relaxed)
    }

    /// SQLite asks: stop?
    pub(super) fn look(&self) -> bool {
        if let Some(place) = self.place.get() {
            place.leave();
        }
        let until = Duration::from_nanos(self.until.load(Ordering::Relaxed));
        let left = self.gone.lock().as_ref().is_some_and(|gone| gone.load(Ordering::Relaxed));
        if left || self.base.elapsed() >= until {
            self.passed.store(true, Ordering::Relaxed);
            return true;
        }
        let looks = self.looks.load(Ordering::Relaxed);
        if looks != u32::MAX {
            self.looks.store(looks.saturating_sub(1), Ordering::Relaxed);
        }
        looks == 0
    }
}

/// Sets a flag when it is dropped: the caller has left.
#[derive(Debug)]
pub(super) struct LeaveOnDrop(pub Arc<AtomicBool>);

impl Drop for LeaveOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
