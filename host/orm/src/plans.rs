//! The plans of one generation: found by shape once, by number ever after.
//!
//! Numbers are handed to guests, so a lookup must trust none: any `u32` may come. It is on the path of every query and
//! touches no lock: plans lie in chunks that double in size and never move, and are only ever added.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use parking_lot::RwLock;

use crate::shape::Shape;
use crate::{Catalog, Dialect, Plan, QueryError, plan};

/// Most plans of a generation.
pub const MAX_PLANS: usize = 4_096;

/// Plans of the first chunk; chunk k has `FIRST << k`.
const FIRST: usize = 32;
/// 32 + 64 + … + 4,096 ≥ [`MAX_PLANS`].
const CHUNKS: usize = 8;

type Chunk = Box<[OnceLock<Arc<Plan>>]>;

/// The plans of one generation of a plugin. An empty one takes under 300 bytes besides its catalog.
#[derive(Debug)]
pub struct Plans {
    catalog: Arc<Catalog>,
    dialect: Dialect,
    chunks: [OnceLock<Chunk>; CHUNKS],
    /// SipHash, because the guest chooses the keys.
    numbers: RwLock<HashMap<Shape, u32>>,
}

fn place(number: u32) -> (usize, usize) {
    let shifted = number as usize + FIRST;
    let chunk = (shifted.ilog2() - FIRST.ilog2()) as usize;
    (chunk, shifted - (FIRST << chunk))
}

impl Plans {
    pub fn new(catalog: Arc<Catalog>, dialect: Dialect) -> Plans {
        Plans { catalog, dialect, chunks: [const { OnceLock::new() }; CHUNKS], numbers: RwLock::default() }
    }

    /// The number of a shape's plan, made now if it is new. About 1 µs when it is known, 50 µs when not.
    ///
    /// # Errors
    /// Those of [`plan`](plan()), and `TooLarge` past [`MAX_PLANS`].
    pub fn prepare(&self, shape: &Shape) -> Result<u32, QueryError> {
        if let Some(number) = self.numbers.read().get(shape) {
            return Ok(*number);
        }
        // Planned outside the lock: two threads may plan the same shape, one of them in vain.
        let made = Arc::new(plan(&self.catalog, self.dialect, shape)?);
        let mut numbers = self.numbers.write();
        if let Some(number) = numbers.get(shape) {
            return Ok(*number);
        }
        let next = numbers.len();
        if next >= MAX_PLANS {
            return Err(QueryError::TooLarge(format!(
                "a plugin has at most {MAX_PLANS} shapes of query: pass what varies as parameters, `in` lists too"
            )));
        }
        let number = u32::try_from(next).unwrap_or(u32::MAX);
        let (chunk, at) = place(number);
        let slots = self
            .chunks
            .get(chunk)
            .map(|slots| slots.get_or_init(|| std::iter::repeat_with(OnceLock::new).take(FIRST << chunk).collect()));
        match slots.and_then(|slots| slots.get(at)) {
            Some(slot) => _ = slot.set(made),
            None => {
                return Err(QueryError::TooLarge(format!("plan {number} is past the limit of {MAX_PLANS}")));
            }
        }
        numbers.insert(shape.clone(), number);
        Ok(number)
    }

    /// The plan of this number, or none. A few ns: two loads.
    #[inline]
    pub fn peek(&self, number: u32) -> Option<&Arc<Plan>> {
        let (chunk, at) = place(number);
        self.chunks.get(chunk)?.get()?.get(at)?.get()
    }

    /// As [`peek`](Self::peek), shared; adds the count that threads contend for.
    #[inline]
    pub fn get(&self, number: u32) -> Option<Arc<Plan>> {
        self.peek(number).cloned()
    }

    /// Plans made so far.
    pub fn len(&self) -> usize {
        self.numbers.read().len()
    }

    /// True before the first.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The models behind the plans.
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }
}
