//! The task that looks after idle connections: closes old ones, keeps `min_size`, reports leaks.

use std::sync::{Arc, Weak};

use tokio::time::{Duration, sleep};

use super::pooled::Slot;
use super::{Driver, Instant, Shared};

/// Bounds of the pause between two rounds.
const SHORTEST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(5);

/// Starts the keeper on this runtime. The caller has marked in the state that one is at work.
pub(super) fn start<D: Driver>(shared: &Arc<Shared<D>>) {
    let keeper = Keeper(Arc::downgrade(shared));
    tokio::spawn(async move {
        let Some(pause) = keeper.0.upgrade().map(|shared| pause(&shared)) else { return };
        loop {
            // Not held while it sleeps: a pool that nobody has any more goes, and its keeper with it.
            match keeper.0.upgrade() {
                Some(shared) if !shared.state.lock().closed => shared.round().await,
                _ => return,
            }
            sleep(pause).await;
        }
    });
}

/// Says that it is gone, also when its runtime ends: then the next acquisition starts another.
struct Keeper<D: Driver>(Weak<Shared<D>>);

impl<D: Driver> Drop for Keeper<D> {
    fn drop(&mut self) {
        if let Some(shared) = self.0.upgrade() {
            shared.state.lock().keeper = false;
        }
    }
}

fn pause<D: Driver>(shared: &Shared<D>) -> Duration {
    let options = &shared.options;
    let shortest = options.max_inactive_time.min(options.max_lifetime).min(options.leak_threshold);
    (shortest / 4).clamp(SHORTEST, LONGEST)
}

impl<D: Driver> Shared<D> {
    async fn round(self: &Arc<Self>) {
        let now = Instant::now();
        let (expired, leaks) = {
            let mut state = self.state.lock();
            let expired = state.take_expired(now, self.options.max_inactive_time, self.options.min_size);
            (expired, state.fresh_leaks(now, self.options.leak_threshold))
        };
        expired.into_iter().for_each(|live| self.discard(live));
        for leak in leaks {
            tracing::warn!(
                holder = &*leak.holder,
                held_s = leak.held.as_secs(),
                "a database connection is held for long"
            );
        }
        self.fill().await;
    }

    /// Opens connections up to `min_size`, each in a slot of its own like anybody's.
    async fn fill(self: &Arc<Self>) {
        while self.state.lock().total() < self.options.min_size {
            let Ok(permit) = self.permits.try_acquire() else { return };
            let slot = Slot::empty(self, permit, &Arc::from("the pool, to keep min_size"));
            // The next round tries again.
            if let Err(error) = self.open(slot, None).await {
                tracing::debug!("cannot keep {} connections open: {error}", self.options.min_size);
                return;
            }
        }
    }
}
