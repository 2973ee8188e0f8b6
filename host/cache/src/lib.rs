//! The host's cache: one process, many tenants, one bound on memory.
//!
//! - [`Cache`] keeps bytes under a *space* and a key. A space is a plugin's name; nobody sees another's keys.
//! - It is weighed in bytes, its entries expire one by one, and a hit allocates nothing and copies nothing.
//! - [`Cache::acquire`] is get-or-compute with single flight: of all that miss a key at once, one computes. See [`flight`].
//!
//! It knows no wasm, no HTTP and no database. Tiers behind this one (Redis) and versions come in a later floor.

mod cache;
mod entry;
pub mod flight;
mod stats;

pub use bytes::Bytes;
pub use cache::{Cache, CacheError, CacheOptions, MAX_KEY};
pub use flight::{Lease, Outcome};
pub use stats::CacheStats;
