//! The `covet` command: a thin shell around the server, cargo and the admin API.
//!
//! `args` is what can be typed, `commands/` what each command does, `build` and `toolchain` how a plugin becomes a `.wasm`,
//! `admin` how a running host is talked to, `outcome` how a command ends.

mod admin;
mod args;
mod build;
mod commands;
mod component;
mod host;
mod needs;
mod outcome;
mod output;
mod project;
mod sdk;
mod signals;
mod toolchain;
mod watch;

use std::process::ExitCode;

use clap::Parser;

/// A request into a guest makes some ten short-lived allocations (wasmtime's bookkeeping of a call): the system's allocator takes
/// twice as long for them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // SAFETY: first thing in `main`, no other thread runs yet.
    //
    // With RUST_BACKTRACE set, every error value inside the serving path would capture the host's own stack: 5 µs a fresh
    // instance. Panics of the host still show theirs, guests' backtraces are not affected.
    unsafe { std::env::set_var("RUST_LIB_BACKTRACE", "0") };
    let args = args::Args::parse();
    let output = output::Output::new(args.json);
    match commands::run(args.command, output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.failure(&failure);
            ExitCode::from(failure.exit as u8)
        }
    }
}
