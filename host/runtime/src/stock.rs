//! Idle instances. Each thread has its own stock: taking one and putting it back touches nothing shared.
//!
//! Last in, first out: the instance used last is warmest, and the ones below grow idle and are dropped. Dropping happens
//! on the thread that owns the stock, when it calls [`reap`] (the server does, from a timer on each worker and when generations change) or takes from
//! that shelf. An instance made ahead of time by a deploy, on whatever thread, lies in a place of its own until a worker
//! finds its shelf empty.

use std::{cell::RefCell, collections::HashMap};

use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use crate::{generation::Generation, instance::Instance};

thread_local! {
    static STOCK: RefCell<FxHashMap<u64, Vec<Instance>>> = RefCell::default();
}

/// Instances made by `Plugin::warm`, by generation.
static SPARE: Mutex<Option<HashMap<u64, Instance>>> = Mutex::new(None);

/// An idle instance of this generation, the warmest.
pub(crate) fn take(generation: &Generation) -> Option<Instance> {
    let found = STOCK.with_borrow_mut(|stock| stock.get_mut(&generation.key).and_then(Vec::pop));
    if found.is_some() || generation.spare_gone() {
        return found;
    }
    let spare = SPARE.lock().as_mut().and_then(|spares| spares.remove(&generation.key));
    generation.set_spare(false);
    spare
}

/// Lays an instance down for the next request, unless it has served its time.
pub(crate) fn put(instance: Instance) {
    if !instance.reusable() {
        return;
    }
    let key = instance.generation().key;
    STOCK.with_borrow_mut(|stock| stock.entry(key).or_default().push(instance));
}

/// Keeps one for whichever worker asks first.
pub(crate) fn put_spare(instance: Instance) {
    let generation = std::sync::Arc::clone(instance.generation());
    SPARE.lock().get_or_insert_default().insert(generation.key, instance);
    generation.set_spare(true);
}

/// Forgets a generation here and now; other threads do when they reap.
pub(crate) fn forget(generation: &Generation) {
    let spare = SPARE.lock().as_mut().and_then(|spares| spares.remove(&generation.key));
    generation.set_spare(false);
    let idle = STOCK.try_with(|stock| stock.try_borrow_mut().ok().and_then(|mut stock| stock.remove(&generation.key)));
    // Dropped only now, outside of the borrow: it runs the destructors of whatever the guest holds.
    drop((spare, idle));
}

/// Makes room when the pool is exhausted: drops the calling thread's idle instance that has been idle longest. False when
/// there is none.
pub(crate) fn evict() -> bool {
    let oldest = STOCK.with_borrow_mut(|stock| {
        // The first of each shelf is its coldest.
        let key = *stock
            .iter()
            .filter(|(_, shelf)| !shelf.is_empty())
            .min_by_key(|(_, shelf)| shelf.first().map(|i| i.idle_since))?
            .0;
        stock.get_mut(&key).map(|shelf| shelf.remove(0))
    });
    oldest.is_some()
}

/// Drops the calling thread's instances that have been idle too long, and those of retired generations. Call it on every
/// worker thread, every second or so; it costs nothing when there is nothing to do.
pub fn reap() {
    let gone = STOCK.with_borrow_mut(|stock| {
        let mut gone = Vec::new();
        stock.retain(|_, shelf| {
            gone.extend(shelf.extract_if(.., |instance| instance.expired()));
            !shelf.is_empty()
        });
        gone
    });
    drop(gone);
}
