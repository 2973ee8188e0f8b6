//! A connection on loan, and the place in the pool that it takes up meanwhile.

use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use tokio::sync::SemaphorePermit;
use tokio::time::{Duration, Instant, timeout};

use super::driver::{Condition, Driver};
use super::home::Home;
use super::state::Found;
use super::{Shared, keeper};

/// A connection with what the pool knows about it.
pub(super) struct Live<C> {
    pub(super) connection: C,
    pub(super) number: u64,
    expires: Instant,
    home: Home,
}

impl<C> Live<C> {
    pub(super) fn new(connection: C, number: u64, lifetime: Duration) -> Self {
        Self { connection, number, expires: Instant::now() + lifetime, home: Home::settle() }
    }

    /// Too old, or its runtime has ended.
    pub(super) fn is_spent(&self, now: Instant) -> bool {
        now >= self.expires || !self.home.is_alive()
    }

    pub(super) fn lives_in(&self, runtime: Option<tokio::runtime::Id>) -> bool {
        self.home.is(runtime)
    }
}

/// One of the pool's `max_size` places; free again when dropped.
pub(super) struct Slot<D: Driver> {
    shared: Arc<Shared<D>>,
    /// Where the state notes who holds it; none once that is undone.
    key: Option<usize>,
}

impl<D: Driver> Slot<D> {
    /// A place for a permit, without a connection.
    pub(super) fn empty(shared: &Arc<Shared<D>>, permit: SemaphorePermit<'_>, holder: &Arc<str>) -> Self {
        // The slot gives it back, whose drop may come on any task.
        permit.forget();
        let key = shared.state.lock().hold(Arc::clone(holder), Instant::now());
        Self { shared: Arc::clone(shared), key: Some(key) }
    }

    /// A place for a permit, and the connection that goes with it where one is idle.
    #[inline]
    pub(super) fn take(
        shared: &Arc<Shared<D>>,
        permit: SemaphorePermit<'_>,
        holder: &Arc<str>,
        now: Instant,
        waited: Duration,
    ) -> (Self, Option<Found<D::Connection>>) {
        permit.forget();
        let (key, found, spent, keep) = {
            let mut state = shared.state.lock();
            let key = state.hold(Arc::clone(holder), now);
            let (found, spent) = state.find(Home::here(), now, &shared.options, waited);
            (key, found, spent, !std::mem::replace(&mut state.keeper, true))
        };
        let slot = Self { shared: Arc::clone(shared), key: Some(key) };
        spent.into_iter().for_each(|live| shared.discard(live));
        if keep {
            keeper::start(shared);
        }
        (slot, found)
    }

    /// The next idle connection, where the last one was of no use.
    pub(super) fn another(&self, waited: Duration) -> Option<Found<D::Connection>> {
        let (found, spent) = self.shared.state.lock().find(Home::here(), Instant::now(), &self.shared.options, waited);
        spent.into_iter().for_each(|live| self.shared.discard(live));
        found
    }

    /// It has its connection. The time before does not count as a leak.
    pub(super) fn filled(&self, waited: Duration, reused: bool) {
        let mut state = self.shared.state.lock();
        state.tally.count(waited, reused);
        if let Some(key) = self.key {
            state.restart(key, Instant::now());
        }
    }

    /// Gives the place back with a connection that is idle from now on. In one step: at no time are there more than
    /// `max_size`.
    fn give_back(mut self, live: Live<D::Connection>, now: Instant) {
        let refused = {
            let mut state = self.shared.state.lock();
            if let Some(key) = self.key.take() {
                state.let_go(key);
            }
            state.put_idle(live, now)
        };
        if let Some(refused) = refused {
            self.shared.discard(refused);
        }
    }
}

impl<D: Driver> Drop for Slot<D> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.shared.state.lock().let_go(key);
        }
        // Last: whoever is woken by the permit finds the place free and the connection idle.
        self.shared.permits.add_permits(1);
        if self.shared.permits.is_closed() {
            self.shared.emptied.notify_waiters();
        }
    }
}

/// A connection on loan. Dropped, it goes back; in what condition, the driver says.
pub struct Pooled<D: Driver> {
    live: ManuallyDrop<Live<D::Connection>>,
    slot: ManuallyDrop<Slot<D>>,
    /// A connection is reset once a loan: where that did not help, it is closed.
    may_reset: bool,
}

impl<D: Driver> Pooled<D> {
    pub(super) fn new(slot: Slot<D>, live: Live<D::Connection>) -> Self {
        Self { live: ManuallyDrop::new(live), slot: ManuallyDrop::new(slot), may_reset: true }
    }

    /// What a leak report says from now on.
    pub fn describe(&self, holder: Arc<str>) {
        if let Some(key) = self.slot.key {
            self.slot.shared.state.lock().describe(key, holder);
        }
    }

    /// The how-manieth connection of this pool it is.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.live.number
    }
}

impl<D: Driver> Deref for Pooled<D> {
    type Target = D::Connection;

    fn deref(&self) -> &D::Connection {
        &self.live.connection
    }
}

impl<D: Driver> DerefMut for Pooled<D> {
    fn deref_mut(&mut self) -> &mut D::Connection {
        &mut self.live.connection
    }
}

impl<D: Driver> std::fmt::Debug for Pooled<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pooled").field("number", &self.live.number).finish_non_exhaustive()
    }
}

impl<D: Driver> Drop for Pooled<D> {
    fn drop(&mut self) {
        // SAFETY: both are taken only here, and `self` is not used afterwards.
        let (live, slot) = unsafe { (ManuallyDrop::take(&mut self.live), ManuallyDrop::take(&mut self.slot)) };
        let shared = Arc::clone(&slot.shared);
        let now = Instant::now();
        match shared.driver.condition(&live.connection) {
            Condition::Clean if !live.is_spent(now) => slot.give_back(live, now),
            Condition::Dirty if self.may_reset && tokio::runtime::Handle::try_current().is_ok() => {
                let mut pooled = Self::new(slot, live);
                pooled.may_reset = false;
                tokio::spawn(async move {
                    let limit = shared.options.connect_timeout;
                    // Whatever came of it, the drop of `pooled` looks at its condition again.
                    let _outcome = timeout(limit, shared.driver.reset(&mut pooled)).await;
                });
            }
            Condition::Clean | Condition::Dirty | Condition::Broken => {
                shared.discard(live);
                drop(slot);
            }
        }
    }
}
