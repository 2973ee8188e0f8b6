//! The host's cache: shared by all instances of the plugin, and by nobody else. Entries may be evicted at any time.
//!
//! Values are any type that serde knows, stored as JSON; the `…_bytes` functions store what they are given.
//!
//! ```
//! use covet::prelude::*;
//!
//! # async fn slow() -> Result<u64> { Ok(1) }
//! # async fn f() -> Result<()> {
//! let visitors: u64 = cache::get_or_compute("visitors", minutes(5), async || slow().await).await?;
//! cache::set("motto", &"weave", hours(1)).await?;
//! let motto: Option<String> = cache::get("motto").await?;
//! # Ok(()) }
//! ```

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bindings::covet::cache::cache as wit;
use crate::{Error, Result};

/// Until when an entry is good: a [`Duration`], or `None` for the configured default.
pub trait Ttl {
    /// In milliseconds.
    fn millis(self) -> Option<u64>;
}
impl Ttl for Duration {
    fn millis(self) -> Option<u64> {
        Some(u64::try_from(self.as_millis()).unwrap_or(u64::MAX))
    }
}
impl Ttl for Option<Duration> {
    fn millis(self) -> Option<u64> {
        self.and_then(Ttl::millis)
    }
}

/// The value under `key`, or none. A hit in process never suspends.
///
/// # Errors
/// [`Error::Denied`], [`Error::TooLarge`] for a key past 512 bytes, [`Error::Unavailable`]; internal when the entry is
/// not a `T`.
pub async fn get<T: DeserializeOwned>(key: &str) -> Result<Option<T>> {
    match get_bytes(key).await? {
        Some(bytes) => read(key, &bytes).map(Some),
        None => Ok(None),
    }
}

/// Stores a value.
///
/// # Errors
/// As [`get`]; [`Error::TooLarge`] also for the value.
pub async fn set<T: Serialize + ?Sized>(key: &str, value: &T, ttl: impl Ttl) -> Result<()> {
    set_bytes(key, serde_json::to_vec(value)?, ttl).await
}

/// Removes an entry; true when there was one.
///
/// # Errors
/// As [`get`].
pub async fn delete(key: &str) -> Result<bool> {
    Ok(wit::delete(key.to_owned()).await?)
}

/// The value under `key`, or else what `compute` returns, stored. Of all that miss the same key at once, over all
/// instances, one computes and the others wait for its value. An `Err` is not stored: the next one tries.
///
/// # Errors
/// Those of `compute`, and as [`get`].
pub async fn get_or_compute<T, E, F>(key: &str, ttl: impl Ttl, compute: F) -> Result<T, E>
where
    T: Serialize + DeserializeOwned,
    E: From<Error>,
    F: AsyncFnOnce() -> Result<T, E>,
{
    match acquire(key).await? {
        wit::Outcome::Hit(bytes) => Ok(read(key, &bytes)?),
        wit::Outcome::Miss(lease) => {
            let value = compute().await?;
            let bytes = serde_json::to_vec(&value).map_err(Error::from)?;
            wit::Lease::fill(lease, bytes, ttl.millis()).await.map_err(Error::from)?;
            Ok(value)
        }
    }
}

/// As [`get`], the bytes as they were stored.
///
/// # Errors
/// As [`get`].
pub async fn get_bytes(key: &str) -> Result<Option<Vec<u8>>> {
    match wit::peek(key)? {
        Some(bytes) => Ok(Some(bytes)),
        None => Ok(wit::get(key.to_owned()).await?),
    }
}

/// As [`set`], these bytes.
///
/// # Errors
/// As [`set`].
pub async fn set_bytes(key: &str, value: impl Into<Vec<u8>>, ttl: impl Ttl) -> Result<()> {
    Ok(wit::set(key.to_owned(), value.into(), ttl.millis()).await?)
}

/// As [`get_or_compute`], bytes.
///
/// # Errors
/// As [`get_or_compute`].
pub async fn get_or_compute_bytes<E, F>(key: &str, ttl: impl Ttl, compute: F) -> Result<Vec<u8>, E>
where
    E: From<Error>,
    F: AsyncFnOnce() -> Result<Vec<u8>, E>,
{
    match acquire(key).await? {
        wit::Outcome::Hit(bytes) => Ok(bytes),
        wit::Outcome::Miss(lease) => {
            let value = compute().await?;
            wit::Lease::fill(lease, value.clone(), ttl.millis()).await.map_err(Error::from)?;
            Ok(value)
        }
    }
}

async fn acquire(key: &str) -> Result<wit::Outcome> {
    match wit::peek(key)? {
        Some(bytes) => Ok(wit::Outcome::Hit(bytes)),
        None => Ok(wit::acquire(key.to_owned()).await?),
    }
}

fn read<T: DeserializeOwned>(key: &str, bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| {
        Error::internal(format!("cache: the entry {key:?} is not a {}: {error}", std::any::type_name::<T>()))
    })
}
