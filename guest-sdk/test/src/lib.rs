//! Tests of a plugin, run in the real host: `cargo test` builds the plugin for its sandbox, serves it on a free port with a
//! fresh SQLite database, and asks it over HTTP.
//!
//! ```no_run
//! use covet_test::App;
//!
//! # fn main() -> Result<(), covet_test::Error> {
//! let app = App::start()?;
//! let answer = app.get("/hello/Ada")?;
//! assert_eq!(answer.status(), 200, "{answer}");
//! assert_eq!(answer.text(), "Hello, Ada!");
//! # Ok(())
//! # }
//! ```
//!
//! What it promises: nothing is mocked; every [`App`] has its own host, ports, database and temporary directory; all of it is
//! gone when the `App` is dropped, and also when the test process is killed. The plugin is built once a test process, by the
//! same `covet build` that makes the deployed `.wasm`; a build that has nothing to do takes some 0.3 s.
//!
//! The `covet` command is looked for in `COVET_BIN`, then in the `target` directory of an enclosing checkout of Covet, then
//! in `PATH`.
//!
//! `app` is the plugin under test; `host` a host process, for tests that need several plugins or restarts; `client` the
//! HTTP client; `covet` finds and runs the command.

#![allow(clippy::missing_panics_doc, reason = "a test helper speaks by failing the test")]

mod app;
mod client;
mod covet;
mod error;
mod host;

pub use app::{App, Options};
pub use client::{Client, Response};
pub use covet::{binary, build};
pub use error::Error;
pub use host::{Host, HostOptions};
