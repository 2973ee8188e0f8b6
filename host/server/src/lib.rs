//! HTTP, routing, generations, admin: a host.
//!
//! [`Server::start`] brings one up from a [`config::Config`]. A request's way: `http` (sockets, protocol, limits) → [`router`]
//! (which generation, which route) → `covet_runtime::Plugin::handle`. A deploy's way: `admin` (bearer token, JSON) →
//! `generations` (check, publish by one pointer swap) → `state` (what survives `kill -9`).
//!
//! The room promises that a request is answered by exactly one generation, that a deploy which fails changes nothing, and that
//! no input panics it.

mod admin;
pub mod component;
pub mod config;
mod databases;
mod front;
mod generations;
mod http;
mod logs;
pub mod router;
mod server;
mod snapshot;
mod state;

pub use self::server::{Server, StartError};
