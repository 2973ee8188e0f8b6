//! What a pool did.

use std::sync::Arc;
use std::time::Duration;

/// Upper bounds of the classes of [`PoolStats::wait_histogram`], each included; a last class has no bound.
pub const WAIT_BOUNDS: [Duration; 12] = [
    Duration::ZERO,
    Duration::from_micros(100),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
];

/// What a pool did since it was made, and what it has now.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PoolStats {
    /// Connections in use, being opened or being checked.
    pub active: usize,
    /// Connections that wait for work.
    pub idle: usize,
    /// Both together, never above `max_size`.
    pub total: usize,
    /// The limit.
    pub max_size: usize,
    /// Callers that wait now.
    pub waiting: usize,
    /// How long acquisitions waited for their turn, in milliseconds; those that did not wait count as 0.
    pub avg_wait_time: f64,
    /// The longest of them, in milliseconds.
    pub max_wait_time: f64,
    /// How many waited up to each of [`WAIT_BOUNDS`] (0: not at all), and longer than all of them.
    pub wait_histogram: [u64; WAIT_BOUNDS.len() + 1],
    /// Acquisitions that got a connection.
    pub acquisitions: u64,
    /// The share of them that got one opened before, 0 to 1.
    pub reuse_rate: f64,
    /// Acquisitions that got none.
    pub failed_acquisitions: u64,
    /// Connections opened.
    pub created: u64,
    /// Connections closed.
    pub destroyed: u64,
    /// Connections that were held longer than `leak_threshold`.
    pub leaks: u64,
}

/// A connection held longer than it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leak {
    /// Who has it.
    pub holder: Arc<str>,
    /// For how long.
    pub held: Duration,
}

#[derive(Default)]
pub(super) struct Tally {
    pub(super) failed: u64,
    pub(super) created: u64,
    pub(super) destroyed: u64,
    pub(super) leaks: u64,
    acquired: u64,
    reused: u64,
    waited: Duration,
    longest: Duration,
    histogram: [u64; WAIT_BOUNDS.len() + 1],
}

impl Tally {
    pub(super) fn count(&mut self, waited: Duration, reused: bool) {
        self.acquired += 1;
        self.reused += u64::from(reused);
        let class = WAIT_BOUNDS.iter().position(|bound| waited <= *bound).unwrap_or(WAIT_BOUNDS.len());
        if let Some(count) = self.histogram.get_mut(class) {
            *count += 1;
        }
        self.waited += waited;
        self.longest = self.longest.max(waited);
    }

    #[expect(clippy::cast_precision_loss, reason = "shares and means for people")]
    pub(super) fn stats(&self, active: usize, idle: usize, max_size: usize, waiting: usize) -> PoolStats {
        let of_acquired = |part: f64| if self.acquired == 0 { 0.0 } else { part / self.acquired as f64 };
        PoolStats {
            active,
            idle,
            total: active + idle,
            max_size,
            waiting,
            avg_wait_time: of_acquired(self.waited.as_secs_f64() * 1e3),
            max_wait_time: self.longest.as_secs_f64() * 1e3,
            wait_histogram: self.histogram,
            acquisitions: self.acquired,
            reuse_rate: of_acquired(self.reused as f64),
            failed_acquisitions: self.failed,
            created: self.created,
            destroyed: self.destroyed,
            leaks: self.leaks,
        }
    }
}
