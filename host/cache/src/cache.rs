//! The cache itself.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use bytes::Bytes;

use crate::{
    entry::{Entry, Key, KeyRef, PerEntry, footprint},
    flight::Flights,
    stats::{CacheStats, Counters, count},
};

/// Bytes of the longest key.
pub const MAX_KEY: usize = 512;

/// How much is kept, and how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheOptions {
    /// Bytes held, keys and tables included. Default 256 MiB.
    pub max_bytes: u64,
    /// Entries held. Default 1,000,000. Kept by weight: an entry weighs at least `max_bytes / max_entries`.
    pub max_entries: u64,
    /// How long an entry lives that was stored without a time of its own. Default 5 minutes.
    pub default_ttl: Duration,
    /// Bytes of the largest value. Default 8 MiB.
    pub max_value: usize,
}

impl Default for CacheOptions {
    fn default() -> Self {
        CacheOptions {
            max_bytes: 256 << 20,
            max_entries: 1_000_000,
            default_ttl: Duration::from_secs(300),
            max_value: 8 << 20,
        }
    }
}

/// Why the cache refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CacheError {
    /// Names what is too large, its size and the limit.
    #[error("{0}")]
    TooLarge(String),
    /// The cache behind it cannot be reached. (Not with the one in process.)
    #[error("{0}")]
    Unavailable(String),
}

/// The cache. Cloning is one atomic increment; clones share everything.
#[derive(Clone)]
pub struct Cache {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    entries: moka::sync::Cache<Key, Entry>,
    pub counters: Arc<Counters>,
    pub flights: Flights,
    options: CacheOptions,
}

impl Cache {
    pub fn new(options: CacheOptions) -> Cache {
        let counters = Arc::new(Counters::default());
        // Two bounds, one scale: moka weighs, so that an entry which is lighter than the average one allowed counts as that.
        let least = options.max_bytes / options.max_entries.max(1);
        let leaving = Arc::clone(&counters);
        let entries = moka::sync::Cache::builder()
            .name("covet")
            .max_capacity(options.max_bytes)
            .weigher(move |key: &Key, entry: &Entry| {
                u32::try_from(footprint(key, entry).max(least)).unwrap_or(u32::MAX)
            })
            .expire_after(PerEntry)
            .eviction_listener(move |key: Arc<Key>, entry: Entry, cause| {
                leaving.bytes.fetch_sub(footprint(&key, &entry), Relaxed);
                if cause.was_evicted() {
                    count(&leaving.evictions);
                }
            })
            .build();
        Cache { inner: Arc::new(Inner { entries, counters, flights: Flights::default(), options }) }
    }

    /// The value under `key`, or none. An empty value is a value. About 0.1 µs; allocates nothing.
    ///
    /// # Errors
    /// [`CacheError::TooLarge`] for a key past [`MAX_KEY`].
    pub fn get(&self, space: &str, key: &str) -> Result<Option<Bytes>, CacheError> {
        check_key(key)?;
        Ok(self.inner.look_up(KeyRef { space, key }))
    }

    /// As [`Cache::get`], but only what is in process. A miss is not counted: [`Cache::get`] follows it.
    ///
    /// # Errors
    /// As [`Cache::get`].
    pub fn peek(&self, space: &str, key: &str) -> Result<Option<Bytes>, CacheError> {
        check_key(key)?;
        let found = self.inner.entries.get(&KeyRef { space, key });
        Ok(found.map(|entry| {
            count(&self.inner.counters.hits);
            entry.value
        }))
    }

    /// Stores `value` for `ttl`, or for the default time.
    ///
    /// # Errors
    /// [`CacheError::TooLarge`] for a key past [`MAX_KEY`] or a value past `max_value`; what was there before stays.
    pub fn set(&self, space: &str, key: &str, value: Bytes, ttl: Option<Duration>) -> Result<(), CacheError> {
        check_key(key)?;
        self.inner.store(KeyRef { space, key }.to_key(), value, ttl)
    }

    /// Forgets `key`; true when there was an entry.
    ///
    /// # Errors
    /// [`CacheError::TooLarge`] for a key past [`MAX_KEY`].
    pub fn delete(&self, space: &str, key: &str) -> Result<bool, CacheError> {
        check_key(key)?;
        let found = self.inner.entries.remove(&KeyRef { space, key }).is_some();
        if found {
            count(&self.inner.counters.deletes);
        }
        Ok(found)
    }

    /// Forgets all of one space. Walks the whole cache: for operators, not for requests. What is stored meanwhile may stay.
    pub fn purge(&self, space: &str) -> u64 {
        let mut purged = 0;
        for (key, _) in &self.inner.entries {
            if *key.space == *space && self.inner.entries.remove(key.as_ref()).is_some() {
                purged += 1;
            }
        }
        purged
    }

    pub fn options(&self) -> &CacheOptions {
        &self.inner.options
    }

    pub fn stats(&self) -> CacheStats {
        self.inner.counters.read(self.inner.entries.entry_count())
    }

    /// Carries out what is due (evictions, expiries), so that [`Cache::stats`] is exact. The cache does it by itself in
    /// small steps; call this before reading figures that must agree.
    pub fn settle(&self) {
        self.inner.entries.run_pending_tasks();
    }

    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }
}

impl Inner {
    /// Looks up and counts.
    pub fn look_up(&self, key: KeyRef<'_>) -> Option<Bytes> {
        match self.entries.get(&key) {
            Some(entry) => {
                count(&self.counters.hits);
                Some(entry.value)
            }
            None => {
                count(&self.counters.misses);
                None
            }
        }
    }

    /// Looks up a second time, under a lock: not counted.
    pub fn look_again(&self, key: &Key) -> Option<Bytes> {
        self.entries.get(key).map(|entry| entry.value)
    }

    pub fn store(&self, key: Key, value: Bytes, ttl: Option<Duration>) -> Result<(), CacheError> {
        let limit = self.options.max_value;
        if value.len() > limit {
            return Err(CacheError::TooLarge(format!(
                "cache key \"{}\": the value is {} bytes, the limit is {limit}; store less, or raise `cache.max_value`",
                key.key,
                value.len(),
            )));
        }
        let entry = Entry { value, ttl: ttl.unwrap_or(self.options.default_ttl) };
        self.counters.bytes.fetch_add(footprint(&key, &entry), Relaxed);
        count(&self.counters.sets);
        self.entries.insert(key, entry);
        Ok(())
    }
}

pub(crate) fn check_key(key: &str) -> Result<(), CacheError> {
    if key.len() > MAX_KEY {
        let head: String = key.chars().take(40).collect();
        return Err(CacheError::TooLarge(format!(
            "cache key \"{head}…\" is {} bytes, the limit is {MAX_KEY}; hash what is long",
            key.len()
        )));
    }
    Ok(())
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("options", &self.inner.options).field("stats", &self.stats()).finish()
    }
}
