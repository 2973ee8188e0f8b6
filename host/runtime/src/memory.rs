//! Memory of guests: a cap on each store, and one on all of them together.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use wasmtime::ResourceLimiter;

/// Bytes of a table's element, as the pool lays them out.
const ELEMENT: usize = 8;

/// What all guests of one engine may have together.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: u64,
    used: AtomicU64,
}

impl Budget {
    pub fn new(limit: u64) -> Arc<Budget> {
        Arc::new(Budget { limit, used: AtomicU64::new(0) })
    }

    pub fn used(&self) -> u64 {
        self.used.load(Relaxed)
    }

    fn take(&self, bytes: u64) -> bool {
        let before = self.used.fetch_add(bytes, Relaxed);
        if before.saturating_add(bytes) <= self.limit {
            return true;
        }
        self.used.fetch_sub(bytes, Relaxed);
        false
    }
}

/// Counts one store: all its memories and tables, from their first page on.
#[derive(Debug)]
pub(crate) struct Meter {
    budget: Arc<Budget>,
    limit: u64,
    used: u64,
    /// A refusal since [`Meter::reset`]: a trap that follows is called out of memory.
    pub denied: bool,
}

impl Meter {
    pub fn new(budget: Arc<Budget>, limit: u64) -> Meter {
        Meter { budget, limit, used: 0, denied: false }
    }

    fn grow(&mut self, current: usize, desired: usize, maximum: Option<usize>, unit: usize) -> bool {
        let bytes = (desired.saturating_sub(current) as u64).saturating_mul(unit as u64);
        let fits = self.used.saturating_add(bytes) <= self.limit
            && maximum.is_none_or(|maximum| desired <= maximum)
            && self.budget.take(bytes);
        if fits {
            self.used += bytes;
        } else {
            self.denied = true;
        }
        fits
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.grow(current, desired, maximum, 1))
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.grow(current, desired, maximum, ELEMENT))
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.used, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_and_tables_are_summed_and_given_back() {
        let budget = Budget::new(1_000);
        let mut one = Meter::new(Arc::clone(&budget), 600);
        assert!(one.memory_growing(0, 400, None).unwrap());
        assert!(one.table_growing(0, 20, None).unwrap());
        assert_eq!(one.used, 560);
        assert!(!one.memory_growing(400, 500, None).unwrap());
        assert!(one.denied);

        let mut other = Meter::new(Arc::clone(&budget), 600);
        assert!(!other.memory_growing(0, 500, None).unwrap(), "past what all may have together");
        drop(one);
        assert_eq!(budget.used(), 0);
        assert!(other.memory_growing(0, 500, None).unwrap());
    }
}
