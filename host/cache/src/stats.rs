//! Counters. Relaxed everywhere: they are read by people, nothing is decided by them.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What happened since the start, and what is in the cache now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStats {
    pub hits: u64,
    pub misses: u64,
    pub sets: u64,
    /// Deletes that found an entry.
    pub deletes: u64,
    /// Entries dropped to make room, or because their time was over.
    pub evictions: u64,
    /// Callers of `acquire` that waited for somebody else's value.
    pub waits: u64,
    /// Entries held; an estimate that trails by some milliseconds.
    pub entries: u64,
    /// Bytes held, keys, values and tables; an estimate that trails by some milliseconds.
    pub bytes: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub hits: AtomicU64,
    pub misses: AtomicU64,
    pub sets: AtomicU64,
    pub deletes: AtomicU64,
    pub evictions: AtomicU64,
    pub waits: AtomicU64,
    pub bytes: AtomicU64,
}

impl Counters {
    pub fn read(&self, entries: u64) -> CacheStats {
        CacheStats {
            hits: self.hits.load(Relaxed),
            misses: self.misses.load(Relaxed),
            sets: self.sets.load(Relaxed),
            deletes: self.deletes.load(Relaxed),
            evictions: self.evictions.load(Relaxed),
            waits: self.waits.load(Relaxed),
            entries,
            bytes: self.bytes.load(Relaxed),
        }
    }
}

pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}
