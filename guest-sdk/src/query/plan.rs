//! From a shape to a plan's number, and from there to the rows.
//!
//! Each instance keeps a table from the words of a shape to the number that the host gave. A hit costs a hash and a
//! comparison of the words; only a miss builds the WIT record and calls `prepare`. A number is good for one generation,
//! and an instance lives in one generation, so entries are never stale; a plan that the host refuses all the same is
//! forgotten, so that the next call asks anew.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use super::shape::{Lookup, Path, Shape, Verb, WordHasher, compare};
use super::transaction::{self, Tx};
use crate::bindings::covet::orm::query as wit;
use crate::model::meta::ModelMeta;
use crate::wire::Array;
use crate::{Error, Result};

type Table = HashMap<Box<[u64]>, u32, BuildHasherDefault<WordHasher>>;

thread_local! {
    static PLANS: RefCell<Table> = RefCell::new(Table::default());
}

fn number(shape: &Shape) -> Result<u32> {
    if let Some(plan) = PLANS.with_borrow(|plans| plans.get(shape.words()).copied()) {
        return Ok(plan);
    }
    let plan = wit::prepare(&shape.to_wire())?;
    PLANS.with_borrow_mut(|plans| plans.insert(shape.words().into(), plan));
    Ok(plan)
}

/// Runs a shape with its parameters: in the transaction that was given, else in the one around the caller, else alone.
pub(crate) async fn run(shape: Shape, params: Array, tx: Option<&Tx>) -> Result<Vec<u8>> {
    let plan = number(&shape)?;
    let result = call(plan, params.finish(), tx).await;
    if let Err(Error::BadQuery(_)) = &result {
        PLANS.with_borrow_mut(|plans| plans.remove(shape.words()));
    }
    result
}

/// `run` for the one shape that matters most: all fields of the row with this key. Its plan lies in the model's own
/// static, so there is nothing to hash.
pub(crate) async fn run_by_key(meta: &'static ModelMeta, params: Array, tx: Option<&Tx>) -> Result<Vec<u8>> {
    let plan = match meta.by_key.get() {
        Some(plan) => plan,
        None => {
            let filter = [compare(Path::field(meta.key), Lookup::Exact)];
            let shape = Shape::new(meta, Verb::Select, 0, &filter, &[], &[], &[]);
            let plan = number(&shape)?;
            meta.by_key.set(plan);
            plan
        }
    };
    let result = call(plan, params.finish(), tx).await;
    if let Err(Error::BadQuery(_)) = &result {
        meta.by_key.clear();
    }
    result
}

async fn call(plan: u32, params: Vec<u8>, tx: Option<&Tx>) -> Result<Vec<u8>> {
    match tx {
        Some(tx) => tx.run(plan, params).await,
        None => match transaction::current() {
            Some(tx) => tx.run(plan, params).await,
            None => Ok(wit::run(plan, params).await?),
        },
    }
}
