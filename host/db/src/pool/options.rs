//! Settings of a pool, each with its reason.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use crate::DbError;

/// Settings of a pool.
#[derive(Debug, Clone)]
pub struct PoolOptions {
    /// Connections kept although nobody needs them, from the first use on. Default 5.
    pub min_size: usize,
    /// The most connections, in use and idle together. Default 20. The server must allow that for each host.
    pub max_size: usize,
    /// How long one waits for a connection. Default 5 s. A request's own deadline may be shorter.
    pub acquire_timeout: Duration,
    /// A connection idle for so long is closed, down to `min_size`. Default 5 min.
    pub max_inactive_time: Duration,
    /// A connection so old is closed when it is next idle. Default 1 h, less up to a tenth by chance, so that those opened
    /// together are not all replaced together.
    pub max_lifetime: Duration,
    /// How long opening one may take: name, TCP, TLS, log-in. Default 10 s.
    pub connect_timeout: Duration,
    /// A connection idle for so long is asked whether it is alive before it is used. Default 30 s: shorter than firewalls
    /// forget, longer than the pauses of a busy host, which thus never pays the extra exchange.
    pub ping_after: Duration,
    /// How long the answer to that may take. Default 1 s.
    pub ping_timeout: Duration,
    /// Callers that may wait; one more is [`DbError::PoolExhausted`] at once. Default 1,024.
    pub queue: usize,
    /// A connection held for so long is reported with its holder. Default 60 s.
    pub leak_threshold: Duration,
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self {
            min_size: 5,
            max_size: 20,
            acquire_timeout: Duration::from_secs(5),
            max_inactive_time: Duration::from_secs(5 * 60),
            max_lifetime: Duration::from_secs(60 * 60),
            connect_timeout: Duration::from_secs(10),
            ping_after: Duration::from_secs(30),
            ping_timeout: Duration::from_secs(1),
            queue: 1024,
            leak_threshold: Duration::from_secs(60),
        }
    }
}

/// More connections than any server takes; also far below what the semaphore counts.
const MAX_SIZE: usize = 10_000;

impl PoolOptions {
    /// Refuses what cannot work.
    pub(super) fn check(&self) -> Result<(), DbError> {
        let refuse = |why: String| Err(DbError::BadQuery(format!("pool options: {why}")));
        if !(1..=MAX_SIZE).contains(&self.max_size) {
            return refuse(format!("max_size is {}, it must be 1 to {MAX_SIZE}", self.max_size));
        }
        if self.min_size > self.max_size {
            return refuse(format!("min_size ({}) is above max_size ({})", self.min_size, self.max_size));
        }
        let times = [
            ("acquire_timeout", self.acquire_timeout),
            ("max_inactive_time", self.max_inactive_time),
            ("max_lifetime", self.max_lifetime),
            ("connect_timeout", self.connect_timeout),
            ("ping_timeout", self.ping_timeout),
            ("leak_threshold", self.leak_threshold),
        ];
        match times.iter().find(|(_, time)| time.is_zero()) {
            Some((name, _)) => refuse(format!("{name} is zero")),
            None => Ok(()),
        }
    }

    /// The lifetime of one connection: `max_lifetime`, less up to a tenth.
    pub(super) fn lifetime(&self, number: u64) -> Duration {
        let chance = RandomState::new().hash_one(number) % 1024;
        self.max_lifetime - self.max_lifetime / 10 / 1024 * u32::try_from(chance).unwrap_or(0)
    }
}
