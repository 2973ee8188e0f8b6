//! What is served now: one immutable value, swapped as a whole.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use arc_swap::ArcSwap;
use covet_runtime::Plugin;

use crate::{generations::Record, router::Table};

/// All published generations and the table that leads to them.
#[derive(Default)]
pub(crate) struct Snapshot {
    pub table: Table,
    /// `router::Target::plugin` is an index into it.
    pub plugins: Vec<Arc<Live>>,
    /// Those that should be served and could not be loaded at start.
    pub failed: Vec<Failed>,
}

/// One published generation.
pub(crate) struct Live {
    pub name: String,
    pub record: Record,
    /// Where it is served: `covet.toml` may differ from the record.
    pub mount: String,
    pub host: Option<String>,
    pub plugin: Plugin,
    /// Generations that can be rolled back to, newest first.
    pub history: Vec<Record>,
}

#[derive(Clone, Debug)]
pub(crate) struct Failed {
    pub name: String,
    pub record: Record,
    pub code: String,
    pub reason: String,
}

/// Where workers look. Reading the version is one load of a cache line that nobody writes between deploys; only after a change
/// does a worker touch the pointer, and then it keeps the value.
#[derive(Default)]
pub(crate) struct Published {
    version: AtomicU64,
    current: ArcSwap<Snapshot>,
}

impl Published {
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    pub fn load(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// From the moment this returns, every request that arrives is served from `snapshot`.
    pub fn publish(&self, snapshot: Arc<Snapshot>) {
        self.current.store(snapshot);
        // After the pointer: who sees the new version finds the new snapshot (or a newer one).
        self.version.fetch_add(1, Ordering::Release);
    }
}

impl Snapshot {
    pub fn find(&self, name: &str) -> Option<&Arc<Live>> {
        self.plugins.iter().find(|live| live.name == name)
    }
}
