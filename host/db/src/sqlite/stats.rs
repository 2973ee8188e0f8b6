//! What the driver counts.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a SQLite database has done since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SqliteStats {
    /// Commits that wrote, each one fsync: counted by SQLite's own commit hook.
    pub commits: u64,
    /// Writes waiting for the writer now.
    pub queued: usize,
    /// Checkpoints: pages moved from the write-ahead log into the file.
    pub checkpoints: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub commits: AtomicU64,
    pub checkpoints: AtomicU64,
    /// Pages in the write-ahead log after the last commit.
    pub wal_pages: AtomicU64,
}

impl Counters {
    pub(super) fn read(&self, queued: usize) -> SqliteStats {
        SqliteStats {
            commits: self.commits.load(Ordering::Relaxed),
            checkpoints: self.checkpoints.load(Ordering::Relaxed),
            queued,
        }
    }
}
