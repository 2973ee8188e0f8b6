//! What lies in the pool and who has the rest. Behind one lock, held for some 20 ns.

use std::sync::Arc;

use slab::Slab;
use tokio::runtime::Id;
use tokio::time::{Duration, Instant};

use super::options::PoolOptions;
use super::pooled::Live;
use super::stats::{Leak, PoolStats, Tally};

pub(super) struct State<C> {
    /// In the order of their last use; the one used last is at the end.
    idle: Vec<Idle<C>>,
    held: Slab<Held>,
    pub(super) closed: bool,
    /// A keeper is at work.
    pub(super) keeper: bool,
    pub(super) tally: Tally,
}

/// An idle connection for a caller.
pub(super) struct Found<C> {
    pub(super) live: Live<C>,
    pub(super) idle_since: Instant,
    /// Used so lately that it needs no ping.
    pub(super) checked: bool,
}

struct Idle<C> {
    live: Live<C>,
    since: Instant,
}

/// A place in use: with a connection, or with one that is being opened or checked.
struct Held {
    since: Instant,
    holder: Arc<str>,
    reported: bool,
}

impl<C> State<C> {
    pub(super) fn new() -> Self {
        Self { idle: Vec::new(), held: Slab::new(), closed: false, keeper: false, tally: Tally::default() }
    }

    pub(super) fn active(&self) -> usize {
        self.held.len()
    }

    pub(super) fn total(&self) -> usize {
        self.held.len() + self.idle.len()
    }

    pub(super) fn hold(&mut self, holder: Arc<str>, since: Instant) -> usize {
        self.held.insert(Held { since, holder, reported: false })
    }

    pub(super) fn restart(&mut self, key: usize, since: Instant) {
        if let Some(held) = self.held.get_mut(key) {
            held.since = since;
        }
    }

    pub(super) fn describe(&mut self, key: usize, holder: Arc<str>) {
        if let Some(held) = self.held.get_mut(key) {
            held.holder = holder;
        }
    }

    pub(super) fn let_go(&mut self, key: usize) {
        self.held.try_remove(key);
    }

    /// An idle connection, and those found on the way that are too old. One that needs no ping is counted as acquired.
    #[inline]
    pub(super) fn find(
        &mut self,
        here: Option<Id>,
        now: Instant,
        options: &PoolOptions,
        waited: Duration,
    ) -> (Option<Found<C>>, Vec<Live<C>>) {
        let mut spent = Vec::new();
        while let Some(Idle { live, since }) = self.take_idle(here) {
            let idle_for = now.saturating_duration_since(since);
            if live.is_spent(now) || idle_for >= options.max_inactive_time {
                spent.push(live);
                continue;
            }
            let checked = idle_for < options.ping_after;
            if checked {
                self.tally.count(waited, true);
            }
            return (Some(Found { live, idle_since: since, checked }), spent);
        }
        (None, spent)
    }

    /// The connection used last that lives on this runtime, else the one used last of all.
    fn take_idle(&mut self, here: Option<Id>) -> Option<Idle<C>> {
        let own = self.idle.iter().rposition(|idle| idle.live.lives_in(here));
        let at = own.or_else(|| self.idle.len().checked_sub(1))?;
        Some(self.idle.remove(at))
    }

    /// Gives a connection back that a closed pool does not take.
    pub(super) fn put_idle(&mut self, live: Live<C>, since: Instant) -> Option<Live<C>> {
        if self.closed {
            return Some(live);
        }
        self.idle.push(Idle { live, since });
        None
    }

    /// Those not used since.
    pub(super) fn take_idle_before(&mut self, since: Instant) -> Vec<Live<C>> {
        self.idle.extract_if(.., |idle| idle.since <= since).map(|idle| idle.live).collect()
    }

    pub(super) fn take_all_idle(&mut self) -> Vec<Live<C>> {
        self.idle.drain(..).map(|idle| idle.live).collect()
    }

    /// Those too old, and, above `min_size`, those idle for too long.
    pub(super) fn take_expired(&mut self, now: Instant, max_inactive: Duration, min_size: usize) -> Vec<Live<C>> {
        let mut surplus = self.total().saturating_sub(min_size);
        let expired = self.idle.extract_if(.., |idle| {
            let inactive = now - idle.since >= max_inactive && surplus > 0;
            let goes = inactive || idle.live.is_spent(now);
            surplus -= usize::from(goes && surplus > 0);
            goes
        });
        expired.map(|idle| idle.live).collect()
    }

    /// Those held for longer than the threshold, each only once.
    pub(super) fn fresh_leaks(&mut self, now: Instant, threshold: Duration) -> Vec<Leak> {
        let mut leaks = Vec::new();
        for (_, held) in &mut self.held {
            if !held.reported && now - held.since >= threshold {
                held.reported = true;
                leaks.push(Leak { holder: Arc::clone(&held.holder), held: now - held.since });
            }
        }
        self.tally.leaks += leaks.len() as u64;
        leaks
    }

    pub(super) fn leaks(&self, now: Instant, threshold: Duration) -> Vec<Leak> {
        let late = self.held.iter().filter(|(_, held)| now - held.since >= threshold);
        late.map(|(_, held)| Leak { holder: Arc::clone(&held.holder), held: now - held.since }).collect()
    }

    pub(super) fn stats(&self, max_size: usize, waiting: usize) -> PoolStats {
        self.tally.stats(self.held.len(), self.idle.len(), max_size, waiting)
    }
}
