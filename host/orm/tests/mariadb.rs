//! The suite on MariaDB. Which database it is, `common::Engine::here` knows by this file's name.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test is how it speaks")]

mod common;
mod suite;
