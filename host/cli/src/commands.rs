//! What each command does, one file a command.

mod deploy;
mod dev;
mod doctor;
mod logs;
mod new;
mod plugins;
mod serve;

use clap::CommandFactory;

use crate::args::{Args, Build, Command};
use crate::outcome::Result;
use crate::output::Output;
use crate::{build, project};

pub fn run(command: Command, output: Output) -> Result<()> {
    match command {
        Command::New(args) => new::run(&args, output),
        Command::Build(args) => build_command(&args, output),
        Command::Serve(args) => serve::run(&args, output),
        Command::Dev(args) => dev::run(&args, output),
        Command::Deploy(args) => deploy::run(&args, output),
        Command::Plugins(args) => plugins::run(&args, output),
        Command::Routes(args) => plugins::routes(&args.target, output),
        Command::Logs(args) => logs::run(&args, output),
        Command::Doctor(args) => doctor::run(&args, output),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Args::command(), "covet", &mut std::io::stdout());
            Ok(())
        }
    }
}

fn build_command(args: &Build, output: Output) -> Result<()> {
    let project = project::Project::find(&args.path)?;
    let built = build::build(&project, args.quiet)?;
    output.result(&built.json(), || built.text());
    Ok(())
}
