//! What can be typed. Each command's text ends with an example.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use crate::admin::Target;

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed; `doctor`: something needed is missing
  2  wrong arguments
  3  no host answers at the admin address
  4  the host refused, nothing changed
  5  the plugin does not build

In a hurry:
  covet new notes && cd notes && covet dev     # open http://127.0.0.1:8000, edit src/lib.rs, save";

/// Edge runtime for WebAssembly plugins, with the ORM in the host.
#[derive(Parser, Debug)]
#[command(name = "covet", version, after_help = EXIT_CODES, max_term_width = 110)]
pub struct Args {
    /// Print JSON: one value, or one line an event. Errors too: {"error":{"code","message","hint"}}
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Start a plugin project in a new directory
    #[command(after_help = "Example:\n  covet new notes --template blog")]
    New(New),
    /// Build a plugin into a .wasm that a host takes
    #[command(
        after_help = "Example:\n  covet build examples/blog\n\nThe result lies in target/covet/NAME.wasm, plugin.toml inside."
    )]
    Build(Build),
    /// Run a host
    #[command(
        after_help = "Example:\n  covet serve --config covet.toml\n\nWithout covet.toml: SQLite and state under ./data, cache in process. \
        The first SIGINT or SIGTERM drains, the second ends at once."
    )]
    Serve(Serve),
    /// Build, serve, watch; swap in a new version on each save
    #[command(
        after_help = "Example:\n  covet dev examples/blog\n\nA version that does not compile is shown here; the one before serves on."
    )]
    Dev(Dev),
    /// Bring a plugin, or a new version of it, onto a running host
    #[command(after_help = "Example:\n  covet deploy                       # the project here\n  \
        covet deploy blog.wasm --to http://127.0.0.1:8001 --mount /blog")]
    Deploy(Deploy),
    /// Look at the plugins of a running host, roll back, remove
    #[command(after_help = "Example:\n  covet plugins list\n  covet plugins rollback blog")]
    Plugins(Plugins),
    /// Every route of a running host, in the order it matches
    #[command(after_help = "Example:\n  covet routes --to http://127.0.0.1:8001")]
    Routes(OnHost),
    /// What a plugin logged
    #[command(after_help = "Example:\n  covet logs blog -f --tail 20")]
    Logs(Logs),
    /// What this machine has, what it lacks, and how to get it
    #[command(after_help = "Example:\n  covet doctor --for test\n\nExit code 1 when something needed is missing.")]
    Doctor(Doctor),
    /// Completions for a shell, on standard output
    #[command(after_help = "Example:\n  covet completions bash > ~/.local/share/bash-completion/completions/covet")]
    Completions { shell: clap_complete::Shell },
}

#[derive(clap::Args, Debug)]
pub struct New {
    /// Name of the plugin, and of its directory: small letters, digits, dashes
    pub name: String,
    #[arg(long, value_enum, default_value_t = Template::Hello)]
    pub template: Template,
    /// The SDK to depend on [default: guest-sdk of the checkout that this `covet` was built from]
    #[arg(long, value_name = "DIR")]
    pub sdk: Option<PathBuf>,
    /// Directory to create instead of ./NAME
    #[arg(long, value_name = "DIR")]
    pub path: Option<PathBuf>,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Template {
    /// Two routes and a test
    Hello,
    /// Models, pages from SQLite, a JSON API, a form, tests
    Blog,
}

#[derive(clap::Args, Debug)]
pub struct Build {
    /// The plugin's project
    #[arg(default_value = ".")]
    pub path: PathBuf,
    /// Only warnings and errors
    #[arg(long, short)]
    pub quiet: bool,
}

#[derive(clap::Args, Debug)]
pub struct Serve {
    /// The operator's file [default: covet.toml, when it is there]
    #[arg(long, value_name = "FILE", env = "COVET_CONFIG")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub host: HostFlags,
    /// End when standard input closes: no host outlives the test that started it
    #[arg(long, hide = true)]
    pub until_stdin_closes: bool,
}

/// What overrides `covet.toml`.
#[derive(clap::Args, Clone, Debug)]
pub struct HostFlags {
    /// Directory of all state: plugins, databases, token, compiled code
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Address for requests; port 0 takes a free one
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// Address of the admin API; port 0 takes a free one
    #[arg(long, value_name = "ADDR")]
    pub admin: Option<SocketAddr>,
}

#[derive(clap::Args, Debug)]
pub struct Dev {
    /// The plugin's project
    #[arg(default_value = ".")]
    pub path: PathBuf,
    /// The operator's file [default: covet.toml, when it is there]
    #[arg(long, value_name = "FILE", env = "COVET_CONFIG")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub host: HostFlags,
    /// Run this once the first version serves; COVET_URL holds the address
    #[arg(long, value_name = "COMMAND")]
    pub ready: Option<String>,
}

#[derive(clap::Args, Debug)]
pub struct Deploy {
    /// The plugin's project (it is built first), or a .wasm
    #[arg(default_value = ".")]
    pub path: PathBuf,
    /// Name on the host, when not the one in plugin.toml
    #[arg(long)]
    pub name: Option<String>,
    /// Path prefix on the host, when not the one in plugin.toml
    #[arg(long, value_name = "PATH")]
    pub mount: Option<String>,
    #[command(flatten)]
    pub target: Target,
}

#[derive(clap::Args, Debug)]
pub struct Plugins {
    #[command(subcommand)]
    pub command: PluginCommand,
    #[command(flatten)]
    pub target: Target,
}

#[derive(Subcommand, Debug)]
pub enum PluginCommand {
    /// All plugins
    #[command(after_help = "Example:\n  covet plugins list --json")]
    List,
    /// One plugin: generation, routes, models
    #[command(after_help = "Example:\n  covet plugins show blog")]
    Show { name: String },
    /// Back to the generation before, at once
    #[command(after_help = "Example:\n  covet plugins rollback blog")]
    Rollback { name: String },
    /// Stop serving a plugin; its tables and rows stay
    #[command(after_help = "Example:\n  covet plugins remove blog")]
    Remove { name: String },
}

#[derive(clap::Args, Debug)]
pub struct OnHost {
    #[command(flatten)]
    pub target: Target,
}

#[derive(clap::Args, Debug)]
pub struct Logs {
    /// The plugin's name
    pub name: String,
    /// Go on as new lines come
    #[arg(long, short)]
    pub follow: bool,
    /// Lines from the past to begin with
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub tail: u64,
    #[command(flatten)]
    pub target: Target,
}

#[derive(clap::Args, Debug)]
pub struct Doctor {
    /// What this machine shall do; more than one may be named
    #[arg(long = "for", value_enum, value_name = "WORK")]
    pub work: Vec<Work>,
    /// The operator's file, for addresses and the state directory [default: covet.toml, when it is there]
    #[arg(long, value_name = "FILE", env = "COVET_CONFIG")]
    pub config: Option<PathBuf>,
}

/// Kinds of work that have needs of their own; the words of scripts/needs.txt.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Write and build plugins, run a host (always looked at)
    Build,
    /// `make test`
    Test,
    /// `make bench`
    Bench,
    /// `make fuzz`
    Fuzz,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn every_command_shows_an_example_in_its_help() {
        fn check(command: &clap::Command) {
            for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
                let help = sub.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(help.contains("Example:"), "covet {} has no example", sub.get_name());
                check(sub);
            }
        }
        check(&Args::command());
    }
}
