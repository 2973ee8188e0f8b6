//! What lies in the cache and what it is found by.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use equivalent::Equivalent;
use moka::Expiry;

/// An owned key. Its hash is that of [`KeyRef`]: space, then key, both as `str`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub space: Arc<str>,
    pub key: Box<str>,
}

/// A key to look up with: no allocation on the way to a hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct KeyRef<'a> {
    pub space: &'a str,
    pub key: &'a str,
}

impl KeyRef<'_> {
    pub fn to_key(self) -> Key {
        Key { space: self.space.into(), key: self.key.into() }
    }
}

impl Equivalent<Key> for KeyRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        *self.key == *key.key && *self.space == *key.space
    }
}

/// A value and how long it lives from the moment it was stored.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub value: Bytes,
    pub ttl: Duration,
}

/// What the cache's own tables need for an entry besides its bytes; measured with 1 million small entries, rounded up.
pub(crate) const ENTRY_OVERHEAD: u64 = 160;

pub(crate) fn footprint(key: &Key, entry: &Entry) -> u64 {
    key.key.len() as u64 + key.space.len() as u64 + entry.value.len() as u64 + ENTRY_OVERHEAD
}

/// Each entry expires by its own time; a new value starts its own.
pub(crate) struct PerEntry;

impl Expiry<Key, Entry> for PerEntry {
    fn expire_after_create(&self, _: &Key, entry: &Entry, _: Instant) -> Option<Duration> {
        Some(entry.ttl)
    }

    fn expire_after_update(&self, _: &Key, entry: &Entry, _: Instant, _: Option<Duration>) -> Option<Duration> {
        Some(entry.ttl)
    }
}
