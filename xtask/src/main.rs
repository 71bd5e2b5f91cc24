//! Automation of this repository: `cargo xtask <command>`.
//!
//! Owns the table of commands and nothing else: one command is one module. CI runs `verify` and has no checks of its
//! own.

mod bench;
mod components;
mod conformance;
mod escape;
mod packages;
mod process;
mod report;
mod tidy;
mod time;
mod verify;

use std::process::ExitCode;

/// One row of the table: what it is called, how, what it does.
struct Command {
    name: &'static str,
    arguments: &'static str,
    about: &'static str,
    run: fn(&[String]) -> anyhow::Result<()>,
}

const COMMANDS: &[Command] = &[
    Command { name: "verify", arguments: "", about: "everything that CI runs", run: verify::run },
    Command { name: "tidy", arguments: "", about: "the rules that no compiler checks", run: tidy::run },
    Command {
        name: "conformance",
        arguments: "[--keep] [python|node|go]...",
        about: "the official client libraries against a real server",
        run: conformance::run,
    },
    Command {
        name: "escape",
        arguments: "[--without-sandbox]",
        about: "hostile functions, tried by an ordinary user",
        run: escape::run,
    },
    Command {
        name: "components",
        arguments: "",
        about: "servers that tests start and no package of the system brings",
        run: components::run,
    },
    Command {
        name: "bench",
        arguments: "submit|run|idle|start|warm|many [options]",
        about: "figures of a whole node, each beside its limit",
        run: bench::run,
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> anyhow::Result<()> {
    let Some((name, rest)) = arguments.split_first() else {
        anyhow::bail!("no command\n\n{}", usage());
    };
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        anyhow::bail!("no command '{name}'\n\n{}", usage());
    };
    (command.run)(rest)
}

fn usage() -> String {
    COMMANDS.iter().fold("Usage:".to_owned(), |text, command| {
        let line = format!("cargo xtask {} {}", command.name, command.arguments);
        format!("{text}\n  {line:<54} {}", command.about)
    })
}
