//! Benchmarks of a whole node, each beside the limit it is to be held against, in the same run.
//!
//! Owns the table of benchmarks; `cargo xtask bench` builds and runs it. Every figure is a median of rounds or a
//! percentile of many samples, printed with the durability mode. No figure can fail a build; what must not happen at
//! all (something left behind) fails the benchmark that looks for it.

mod bare;
mod bare_program;
mod disk;
mod figures;
mod functions;
mod idle;
mod leftovers;
mod list;
mod load;
mod many;
mod node;
mod processes;
mod run;
mod start;
mod subject;
mod submit;
mod warm;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Benchmarks of a bide node")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Durable submits per second at several numbers of connections
    Submit(submit::Args),
    /// Invocations settled per second, submit-to-start time, lateness of deferred starts
    Run(run::Args),
    /// Memory and processor time of a server without work
    Idle(idle::Args),
    /// Cold starts by runtime, beside plain spawns of the same interpreter and bwrap
    Start(start::Args),
    /// Warm synchronous calls by runtime, beside the bare interpreter over the same kind of socket
    Warm(warm::Args),
    /// Many instances at once: memory of each, and whether anything is left behind
    Many(many::Args),
    /// Pages of very many task records, and submits beside them
    List(list::Args),
    /// The HTTP stack alone; started by `submit`
    #[command(hide = true)]
    Bare,
}

fn main() -> anyhow::Result<()> {
    let command = Cli::parse().command;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        match command {
            Command::Submit(args) => submit::run(&args).await,
            Command::Run(args) => run::run(&args).await,
            Command::Idle(args) => idle::run(&args).await,
            Command::Start(args) => start::run(&args).await,
            Command::Warm(args) => warm::run(&args).await,
            Command::Many(args) => many::run(&args).await,
            Command::List(args) => list::run(&args).await,
            Command::Bare => bare::serve().await,
        }
    })
}
