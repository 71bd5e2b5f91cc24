//! The `bide` binary: the server and its command line.
//!
//! Owns the table of commands and their exit codes. Each command is a file in `commands`.

mod client;
mod commands;
mod containment;
mod descriptors;
mod logging;
mod monitoring;
mod node;
mod output;
mod settings;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Durable asynchronous function invocation, self-hosted.
#[derive(Parser)]
#[command(name = "bide", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Serve(Box<commands::serve::Args>),
    #[command(name = "deadletters")]
    DeadLetters(commands::deadletters::Args),
    Demo(commands::demo::Args),
    Aliases(commands::aliases::Args),
    Deploy(commands::deploy::Args),
    Functions(commands::functions::Args),
    Instances(commands::instances::Args),
    Invoke(commands::invoke::Args),
    Tasks(commands::tasks::Args),
    Timers(commands::timers::Args),
    Verify(commands::verify::Args),
    Versions(commands::versions::Args),
}

fn main() -> ExitCode {
    bide_sandbox::take_over();
    let done = match Cli::parse().command {
        Command::Serve(args) => commands::serve::run(&args),
        Command::DeadLetters(args) => commands::deadletters::run(args),
        Command::Demo(args) => commands::demo::run(&args),
        Command::Aliases(args) => commands::aliases::run(args),
        Command::Deploy(args) => commands::deploy::run(args),
        Command::Functions(args) => commands::functions::run(args),
        Command::Instances(args) => commands::instances::run(args),
        Command::Invoke(args) => commands::invoke::run(args),
        Command::Tasks(args) => commands::tasks::run(args),
        Command::Timers(args) => commands::timers::run(args),
        Command::Verify(args) => commands::verify::run(&args),
        Command::Versions(args) => commands::versions::run(args),
    };
    output::exit_code(done)
}
