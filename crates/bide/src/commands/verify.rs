//! `bide verify DIR`: counts a data directory again while no server runs on it.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use anyhow::Context as _;
use bide_store_local::{Progress, Report};
use serde_json::json;

use crate::output::{self, Colour, Format, RunFailed};

/// Check a data directory offline: ledgers, indexes, payloads, packages
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The data directory
    dir: PathBuf,
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

/// Entries between two signs of life.
const PROGRESS_STEP: u64 = 100_000;

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let terminal = std::io::stderr().is_terminal();
    let mut show = |progress: Progress| {
        if terminal && progress.examined.is_multiple_of(PROGRESS_STEP) {
            output::note(&format!("{} … {}", progress.part, progress.examined));
        }
    };
    let report = bide_store_local::verify(&args.dir, &mut show)
        .with_context(|| format!("cannot check {}", args.dir.display()))?;
    match args.output {
        Format::Json => output::json(&as_json(&report)),
        Format::Text => print(&report),
    }
    if report.is_sound() {
        Ok(())
    } else {
        Err(RunFailed(format!("{} problems", report.problem_count)).into())
    }
}

fn as_json(report: &Report) -> serde_json::Value {
    json!({
        "sound": report.is_sound(),
        "entries": report.entries.iter().copied().collect::<std::collections::BTreeMap<_, _>>(),
        "packages": report.packages,
        "problemCount": report.problem_count,
        "problems": report.problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

fn print(report: &Report) {
    let counts = report.entries.iter().copied().chain([("packages", report.packages)]);
    let rows: Vec<Vec<String>> =
        counts.map(|(part, count)| vec![part.to_owned(), count.to_string()]).collect();
    output::table(&["PART", "ENTRIES"], &rows);
    for problem in &report.problems {
        output::line(&output::coloured(Colour::Red, &problem.to_string()));
    }
    if report.is_sound() {
        output::line(&output::coloured(Colour::Green, "sound: every ledger balances, every index agrees"));
    }
}
