//! `covet:cache/cache`. A plugin's space is its name: generations share it.

use std::time::Duration;

use bytes::Bytes;
use covet_cache::{Cache, CacheError, Lease, Outcome};
use wasmtime::component::{Accessor, Resource};

use crate::{
    bindings::covet::cache::cache::{self, Error},
    epochs,
    state::{Imports, State},
};

impl State {
    fn cache(&self) -> Result<&Cache, Error> {
        if self.withheld {
            return Err(Error::Denied(super::WITHHELD.into()));
        }
        self.generation.services.cache.as_ref().ok_or_else(|| {
            Error::Denied(format!("plugin {} was not granted a cache; grant one in covet.toml", self.generation.name))
        })
    }
}

impl From<CacheError> for Error {
    fn from(error: CacheError) -> Error {
        match error {
            CacheError::TooLarge(why) => Error::TooLarge(why),
            CacheError::Unavailable(why) => Error::Unavailable(why),
        }
    }
}

impl cache::Host for State {
    fn peek(&mut self, key: String) -> Answer<Option<Vec<u8>>> {
        Ok(self.cache().and_then(|cache| Ok(cache.peek(&self.generation.name, &key)?.map(Vec::from))))
    }
}

impl cache::HostLease for State {
    /// Unfilled: the next waiter gets it.
    fn drop(&mut self, lease: Resource<Lease>) -> wasmtime::Result<()> {
        drop(self.table.delete(lease)?);
        Ok(())
    }
}

type Answer<T> = wasmtime::Result<Result<T, Error>>;

impl<T: Send> cache::HostWithStore<T> for Imports {
    async fn get(accessor: &Accessor<T, Self>, key: String) -> Answer<Option<Vec<u8>>> {
        Ok(accessor.with(|mut access| {
            let state = access.get();
            let value = state.cache()?.get(&state.generation.name, &key)?;
            Ok(value.map(Vec::from))
        }))
    }

    async fn set(accessor: &Accessor<T, Self>, key: String, value: Vec<u8>, ttl: Option<u64>) -> Answer<()> {
        Ok(accessor.with(|mut access| {
            let state = access.get();
            state.cache()?.set(&state.generation.name, &key, value.into(), ttl.map(Duration::from_millis))?;
            Ok(())
        }))
    }

    async fn delete(accessor: &Accessor<T, Self>, key: String) -> Answer<bool> {
        Ok(accessor.with(|mut access| {
            let state = access.get();
            Ok(state.cache()?.delete(&state.generation.name, &key)?)
        }))
    }

    async fn acquire(accessor: &Accessor<T, Self>, key: String) -> Answer<cache::Outcome> {
        let found = accessor.with(|mut access| {
            let state = access.get();
            let cache = state.cache()?;
            Ok::<_, Error>((cache.clone(), std::sync::Arc::clone(&state.generation)))
        });
        let (cache, generation) = match found {
            Ok(found) => found,
            Err(error) => return Ok(Err(error)),
        };
        let outcome = match cache.acquire(&generation.name, &key).await {
            Ok(outcome) => outcome,
            Err(error) => return Ok(Err(error.into())),
        };
        accessor.with(|mut access| {
            epochs::restart_access(&mut access);
            Ok(Ok(match outcome {
                Outcome::Hit(value) => cache::Outcome::Hit(value.into()),
                Outcome::Miss(lease) => cache::Outcome::Miss(access.get().table.push(lease)?),
            }))
        })
    }
}

impl<T: Send> cache::HostLeaseWithStore<T> for Imports {
    async fn fill(accessor: &Accessor<T, Self>, this: Resource<Lease>, value: Vec<u8>, ttl: Option<u64>) -> Answer<()> {
        accessor.with(|mut access| {
            let lease = access.get().table.delete(this)?;
            Ok(lease.fill(Bytes::from(value), ttl.map(Duration::from_millis)).map_err(Error::from))
        })
    }
}
