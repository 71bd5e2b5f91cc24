//! `cargo xtask conformance`: the official client libraries, unmodified, against a real server.
//!
//! Owns the run: set up the libraries, build and start `bide`, run one program per library, stop the server, re-count
//! its data. The programs are in `tests/conformance/`; each prints `ok - …` per check and ends at the first wrong
//! thing. Nothing here knows the wire protocol.

mod clients;
mod go;
mod node;
mod python;
mod server;

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};

use crate::process::stream;
use crate::report::loudly;
use crate::time::{Stopwatch, show};
pub(crate) use clients::{CLIENTS, Client};
use server::Server;

/// A program whose own deadlines fail is killed after this.
const PROGRAM_TIME_MAX: Duration = Duration::from_secs(5 * 60);

/// Whether the server's data and log outlive the run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    Yes,
    No,
}

pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let (keep, clients) = parse(arguments)?;
    set_up(&clients)?;
    server::build()?;
    let summary = check(&clients, keep)?;
    eprintln!("{summary}");
    Ok(())
}

fn parse(arguments: &[String]) -> anyhow::Result<(Keep, Vec<Client>)> {
    let mut keep = Keep::No;
    let mut chosen = Vec::new();
    for argument in arguments {
        match CLIENTS.iter().find(|client| client.name == argument) {
            Some(client) => chosen.push(*client),
            None if argument == "--keep" => keep = Keep::Yes,
            None => bail!("no client '{argument}': there are python, node and go, and the option --keep"),
        }
    }
    Ok((keep, if chosen.is_empty() { CLIENTS.to_vec() } else { chosen }))
}

/// Installs what the programs need, once; later calls find it in `target/conformance/`.
pub(crate) fn set_up(clients: &[Client]) -> anyhow::Result<String> {
    for client in clients {
        (client.set_up)().with_context(|| format!("cannot set up the {} client", client.name))?;
    }
    Ok(clients.iter().map(|client| client.library).collect::<Vec<_>>().join(", "))
}

/// Runs the programs against the server that was built last, and returns a one-line summary.
///
/// # Errors
/// When a program fails, or the server does not start, stop or keep its books.
pub(crate) fn check(clients: &[Client], keep: Keep) -> anyhow::Result<String> {
    let server = Server::start()?;
    let runs: Vec<_> = clients.iter().map(|client| run_program(client, &server)).collect();
    let closed = server.stop(keep);
    show_table(&runs);
    if let Err(error) = &closed {
        loudly(&format!("{error:#}"));
    }
    let failed: Vec<_> = runs.iter().filter(|run| run.error.is_some()).map(|run| run.client.name).collect();
    ensure!(failed.is_empty(), "conformance failed: {}", failed.join(", "));
    closed?;
    let checks: usize = runs.iter().map(|run| run.checks).sum();
    Ok(format!("{checks} checks with {} clients", runs.len()))
}

struct Run {
    client: Client,
    checks: usize,
    took: Duration,
    error: Option<anyhow::Error>,
}

fn run_program(client: &Client, server: &Server) -> Run {
    eprintln!("--- {}", client.library);
    let stopwatch = Stopwatch::start();
    let mut checks = 0;
    let mut command = (client.program)();
    let status = stream(server.describe_to(&mut command), PROGRAM_TIME_MAX, |line| {
        eprintln!("    {line}");
        checks += usize::from(line.starts_with("ok - "));
    });
    let error = match status {
        Ok(status) if !status.success() => Some(anyhow::anyhow!("the program ended with {status}")),
        // A program that checks nothing proves nothing.
        Ok(_) if checks == 0 => Some(anyhow::anyhow!("the program printed no check")),
        Ok(_) => None,
        Err(error) => Some(error),
    };
    if error.is_some() {
        server.show_log();
    }
    Run { client: *client, checks, took: stopwatch.elapsed(), error }
}

fn show_table(runs: &[Run]) {
    eprintln!("    {:<8} {:>6} {:>12}  result", "client", "checks", "time");
    for run in runs {
        let result = run.error.as_ref().map_or_else(|| "ok".to_owned(), |error| format!("FAILED: {error:#}"));
        eprintln!("    {:<8} {:>6} {:>12}  {result}", run.client.name, run.checks, show(run.took));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(arguments: &[&str]) -> Option<Vec<&'static str>> {
        let arguments: Vec<_> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let (_, clients) = parse(&arguments).ok()?;
        Some(clients.iter().map(|client| client.name).collect())
    }

    #[test]
    fn all_clients_run_unless_some_are_named() {
        assert_eq!(names(&[]), Some(vec!["python", "node", "go"]));
        assert_eq!(names(&["--keep", "go"]), Some(vec!["go"]));
        assert_eq!(names(&["java"]), None);
    }
}
