//! Single flight: of all callers that miss one key at once, one computes and the others get its value.
//!
//! A *flight* exists from the first miss of a key to its fill. Whoever opened it holds the [`Lease`]. The rest queue up:
//!
//! - a fill wakes them all, with the value itself (so that neither expiry nor eviction can come in between);
//! - a lease dropped unfilled (error, trap, deadline) goes to the caller that has waited longest and is still there;
//! - when nobody waits, the flight is over and the next miss opens another.
//!
//! A lease on its way to a waiter that has just gone is dropped with the channel it lies in, and so goes to the next: no
//! order of events strands a waiter. Callers bound their own wait (drop the future); a caller that asks for a key whose
//! lease it holds itself waits for itself.

use std::{
    collections::{HashMap, VecDeque, hash_map},
    fmt,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::{
    cache::{Cache, CacheError, Inner, check_key},
    entry::{Key, KeyRef},
    stats::count,
};

/// What [`Cache::acquire`] found.
#[derive(Debug)]
pub enum Outcome {
    Hit(Bytes),
    /// Compute the value, then [`Lease::fill`] it.
    Miss(Lease),
}

/// Keys being computed, and who waits for them. Only misses come here, so that one lock serves.
#[derive(Default)]
pub(crate) struct Flights {
    open: Mutex<HashMap<Key, VecDeque<oneshot::Sender<Outcome>>>>,
}

impl Cache {
    /// The value under `key`, or the duty to compute it; waits while somebody else computes it. A hit costs what
    /// [`Cache::get`] costs and never suspends.
    ///
    /// # Errors
    /// [`CacheError::TooLarge`] for a key past [`MAX_KEY`](crate::MAX_KEY).
    pub async fn acquire(&self, space: &str, key: &str) -> Result<Outcome, CacheError> {
        check_key(key)?;
        let borrowed = KeyRef { space, key };
        if let Some(value) = self.inner().look_up(borrowed) {
            return Ok(Outcome::Hit(value));
        }
        loop {
            let waiting = {
                let mut open = self.inner().flights.open.lock();
                match open.entry(borrowed.to_key()) {
                    hash_map::Entry::Occupied(mut flight) => {
                        let (wake, waiting) = oneshot::channel();
                        flight.get_mut().push_back(wake);
                        waiting
                    }
                    hash_map::Entry::Vacant(flight) => {
                        // Filled between our look and the lock: a fill stores first and closes its flight after.
                        if let Some(value) = self.inner().look_again(flight.key()) {
                            return Ok(Outcome::Hit(value));
                        }
                        let key = flight.key().clone();
                        flight.insert(VecDeque::new());
                        return Ok(Outcome::Miss(Lease::new(Arc::clone(self.inner()), key)));
                    }
                }
            };
            count(&self.inner().counters.waits);
            if let Ok(outcome) = waiting.await {
                return Ok(outcome);
            }
        }
    }
}

/// The duty to compute one value. Dropped unfilled, it goes to the next that waits.
pub struct Lease {
    /// None once the flight is somebody else's, or over.
    held: Option<(Arc<Inner>, Key)>,
}

impl Lease {
    fn new(cache: Arc<Inner>, key: Key) -> Lease {
        Lease { held: Some((cache, key)) }
    }

    /// Stores the value and wakes everybody who waits for it.
    ///
    /// # Errors
    /// [`CacheError::TooLarge`] when the value is not stored; those who wait get it all the same.
    pub fn fill(mut self, value: Bytes, ttl: Option<Duration>) -> Result<(), CacheError> {
        let Some((cache, key)) = self.held.take() else {
            return Ok(());
        };
        let stored = cache.store(key.clone(), value.clone(), ttl);
        let waiting = cache.flights.open.lock().remove(&key);
        for waiter in waiting.into_iter().flatten() {
            let _gone = waiter.send(Outcome::Hit(value.clone()));
        }
        stored
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some((cache, key)) = self.held.take() else {
            return;
        };
        let mut lease = Lease::new(cache, key);
        loop {
            let next = {
                let Some((cache, key)) = &lease.held else {
                    return;
                };
                let mut open = cache.flights.open.lock();
                let next = open.get_mut(key).and_then(VecDeque::pop_front);
                if next.is_none() {
                    open.remove(key);
                }
                next
            };
            let Some(next) = next else {
                lease.held = None;
                return;
            };
            match next.send(Outcome::Miss(lease)) {
                Ok(()) => return,
                // That waiter is gone; the lease came back.
                Err(Outcome::Miss(back)) => lease = back,
                Err(Outcome::Hit(_)) => return,
            }
        }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("key", &self.held.as_ref().map(|(_, key)| &key.key)).finish()
    }
}
