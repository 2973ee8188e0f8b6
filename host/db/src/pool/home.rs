//! Where a connection lives: its socket is watched by the runtime that opened it.
//!
//! Used from another runtime it works, but each answer takes a detour through two event loops; so the pool prefers those of
//! the caller's own. When its runtime ends, a connection is dead, which nothing but a failed read would tell; so each has a
//! task there that does nothing and says so when it is dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::runtime::{Handle, Id};
use tokio::task::AbortHandle;

pub(super) struct Home {
    runtime: Option<Id>,
    alive: Arc<AtomicBool>,
    beacon: Option<AbortHandle>,
}

impl Home {
    /// The runtime that this code runs on.
    pub(super) fn here() -> Option<Id> {
        Handle::try_current().ok().map(|runtime| runtime.id())
    }

    /// A home on the current runtime.
    pub(super) fn settle() -> Self {
        let alive = Arc::new(AtomicBool::new(true));
        let Ok(runtime) = Handle::try_current() else {
            return Self { runtime: None, alive, beacon: None };
        };
        let last_words = LastWords(Arc::clone(&alive));
        let beacon = runtime.spawn(async move {
            let _last_words = last_words;
            std::future::pending::<()>().await;
        });
        Self { runtime: Some(runtime.id()), alive, beacon: Some(beacon.abort_handle()) }
    }

    pub(super) fn is(&self, runtime: Option<Id>) -> bool {
        self.runtime == runtime
    }

    pub(super) fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Acquire)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if let Some(beacon) = &self.beacon {
            beacon.abort();
        }
    }
}

struct LastWords(Arc<AtomicBool>);

impl Drop for LastWords {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}
