//! wasmtime, and the host side of everything that a plugin may import.
//!
//! [`Engine`] (one a process) → [`Plugin::load`] (one a generation) → [`Plugin::handle`] (one a request). The room promises:
//!
//! - whatever a guest does (loops, allocates, recurses, panics, floods its log, never answers), it is bounded, it costs its own
//!   request and no other, and it is said once under the plugin's name;
//! - loading changes nothing until it has wholly succeeded;
//! - a request into a warm instance touches nothing that threads share but two counters.
//!
//! It knows no HTTP: requests come packed ([`Head`]), routes are data ([`Description`]), and statuses are the server's choice.
//!
//! A request's way: [`plugin`](Plugin) → `admission` (a turn) → `stock` (an idle instance of this thread) → `desk` (the guest
//! takes it) → `imports` (what it asks for) → `desk` (the guest's answer) → `pump` (what goes on after the head).

mod admission;
mod bindings;
mod clock;
mod compile;
mod describe;
mod description;
mod desk;
mod engine;
mod epochs;
mod error;
mod feed;
mod generation;
mod grants;
mod handler;
mod imports;
mod instance;
pub mod limits;
mod log;
mod memory;
mod message;
mod plugin;
mod pump;
mod relay;
mod services;
mod state;
mod stock;
mod trap;
mod wasi;

pub use description::{Description, Method, Route};
pub use engine::{Engine, EngineOptions};
pub use error::{HandleError, LoadError, RuntimeError};
pub use generation::PluginStats;
pub use limits::{Isolation, Limits};
pub use message::{BodyFault, BodyStream, Head, Headers, Request, RequestBody, Response, ResponseBody, ResponseStream};
pub use plugin::{CompileFacts, Plugin};
pub use services::{Level, LogSink, NoLog, Services};
pub use stock::reap;
