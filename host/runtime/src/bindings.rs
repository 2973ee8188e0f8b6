//! `wit/` as Rust. Generated; only this crate sees it.
//!
//! Every WIT `async func` that we implement gets an [`Accessor`](wasmtime::component::Accessor) instead of the store
//! (`store`), so that a guest may have several calls open at once; plain funcs are plain. All may trap: a guest that
//! breaks the rules of the wall (a forged handle) is stopped, and so is one whose deadline has passed.
//!
//! `covet:http/requests` is not linked through these types but through those of `handler`, which lower and lift without
//! copying content twice.

#![allow(missing_docs, reason = "generated; the documentation is in wit/")]

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "covet:plugin/plugin",
    imports: { default: trappable },
    exports: { default: async | store },
    with: {
        "covet:orm/query.transaction": crate::imports::orm::Transaction,
        "covet:cache/cache.lease": covet_cache::Lease,
    },
});
