//! What the developer sees: steps as they happen, a table at the end.
//!
//! Owns colour and layout. Colour only on a terminal; the words carry the meaning. Everything goes to standard error,
//! in one stream with the compilers' and test runners' own progress.

use std::io::IsTerminal;
use std::time::Duration;

use crate::time::{Stopwatch, show};

/// How a step ended when it did not fail.
pub(crate) enum Outcome {
    Passed { detail: String },
    Skipped { reason: String },
}

enum Verdict {
    Passed,
    Skipped,
    Failed,
}

impl Verdict {
    fn word(&self) -> String {
        let (colour, word) = match self {
            Self::Passed => ("32", "ok"),
            Self::Skipped => ("33", "SKIPPED"),
            Self::Failed => ("31", "FAILED"),
        };
        paint(colour, &format!("{word:<7}"))
    }
}

struct Row {
    name: &'static str,
    verdict: Verdict,
    took: Duration,
    detail: String,
}

/// Runs steps one after the other and remembers how each ended.
pub(crate) struct Report {
    title: &'static str,
    rows: Vec<Row>,
    stopwatch: Stopwatch,
}

impl Report {
    pub(crate) fn new(title: &'static str) -> Self {
        Self { title, rows: Vec::new(), stopwatch: Stopwatch::start() }
    }

    /// Runs one step. A failure is recorded and shown; the steps after it still run.
    pub(crate) fn step(&mut self, name: &'static str, step: impl FnOnce() -> anyhow::Result<Outcome>) {
        eprintln!("{}", paint("1", &format!("==> {name}")));
        let stopwatch = Stopwatch::start();
        let (verdict, detail) = match step() {
            Ok(Outcome::Passed { detail }) => (Verdict::Passed, detail),
            Ok(Outcome::Skipped { reason }) => {
                loudly(&format!("{name} was SKIPPED: {reason}"));
                (Verdict::Skipped, reason)
            }
            Err(error) => {
                eprintln!("{}", paint("31", &format!("{error:#}")));
                let summary = error.to_string().lines().next().unwrap_or_default().to_owned();
                (Verdict::Failed, summary)
            }
        };
        let row = Row { name, verdict, took: stopwatch.elapsed(), detail };
        eprintln!("    {}\n", line(&row));
        self.rows.push(row);
    }

    /// Prints the table.
    ///
    /// # Errors
    /// When a step failed.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        eprintln!("{}", paint("1", &format!("==> {} in {}", self.title, show(self.stopwatch.elapsed()))));
        for row in &self.rows {
            eprintln!("    {}", line(row));
        }
        let failed: Vec<_> = self
            .rows
            .iter()
            .filter(|row| matches!(row.verdict, Verdict::Failed))
            .map(|row| row.name)
            .collect();
        anyhow::ensure!(failed.is_empty(), "{} failed: {}", self.title, failed.join(", "));
        Ok(())
    }
}

fn line(row: &Row) -> String {
    format!("{:<16} {} {:>12}  {}", row.name, row.verdict.word(), show(row.took), row.detail)
}

/// A message that nobody can overlook.
pub(crate) fn loudly(message: &str) {
    let bar = "!".repeat(message.chars().count() + 8);
    eprintln!("{}", paint("33", &format!("{bar}\n!!! {message} !!!\n{bar}")));
}

fn paint(colour: &str, text: &str) -> String {
    if std::io::stderr().is_terminal() { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
}
