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

fn main() -> ExitCode {
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
