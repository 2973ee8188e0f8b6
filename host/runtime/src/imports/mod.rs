//! The host side of every import: thin adapters onto `covet-orm`, `covet-db` and `covet-cache`.
//!
//! Errors cross one to one. What the guest cannot have meant (a handle that it does not hold) traps.

mod cache;
mod config;
mod log;
pub(crate) mod orm;
mod requests;
pub(crate) mod shapes;

use wasmtime::component::Linker;

use crate::{
    bindings::covet,
    state::{Imports, State},
};

/// Why an import refuses while `describe` runs.
const WITHHELD: &str = "capabilities are withheld while `describe` runs; do this in a handler";

/// All that a plugin may import, linked once for the whole process.
pub(crate) fn linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    covet::orm::query::add_to_linker::<_, Imports>(&mut linker, |state| state)?;
    covet::cache::cache::add_to_linker::<_, Imports>(&mut linker, |state| state)?;
    covet::config::config::add_to_linker::<_, Imports>(&mut linker, |state| state)?;
    covet::log::log::add_to_linker::<_, Imports>(&mut linker, |state| state)?;
    requests::add_to_linker(&mut linker)?;
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    Ok(linker)
}

// An interface of types only.
impl covet::orm::schema::Host for State {}
