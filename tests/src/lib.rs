//! What the end-to-end tests share: plugins built once a test run, hosts, raw connections, a look at a process from outside.
//!
//! ```no_run
//! # fn main() -> Result<(), covet_tests::Error> {
//! let host = covet_tests::serving("probe")?;
//! host.client().get("/")?.expect_status(200);
//! # Ok(())
//! # }
//! ```
//!
//! Hosts, clients and answers are those of the harness for plugin authors ([`covet_test`]): what they use is what we test with.

#![allow(clippy::missing_panics_doc, clippy::missing_errors_doc, reason = "test helpers speak by failing the test")]

mod plugins;
mod process;
mod raw;

pub use covet_test::{App, Client, Error, Host, HostOptions, Options, Response, binary};
pub use plugins::{checkout, example, plugin, wasm_of};
pub use process::{cpu_seconds, kill9, resident_bytes, terminate, wait_until};
pub use raw::{Raw, raw};

/// A host with one of `tests/plugins`, mounted at `/`.
pub fn serving(name: &str) -> Result<Host, Error> {
    serving_with(name, Host::options())
}

/// The same, with settings: `serving_with("probe", Host::options().config("[plugins.probe.limits]\ndeadline = \"200ms\""))`.
pub fn serving_with(name: &str, options: HostOptions) -> Result<Host, Error> {
    let wasm = plugin(name)?;
    let host = options.start()?;
    host.deploy(name, &wasm, Some("/"))?;
    Ok(host)
}
