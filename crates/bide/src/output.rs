//! What people and programs see: data on standard output, everything else on standard error.
//!
//! Owns colour (only on a terminal, never with `NO_COLOR`), tables, JSON, and the exit codes: 0 done, 1 the function
//! or task failed, 2 wrong usage (clap), 3 the server refused, 4 the server could not be reached or failed, 5 anything
//! else on this side.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::process::ExitCode;

use clap::ValueEnum;

use bide_client::ClientError;

/// Form of the data on standard output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    #[default]
    Text,
    Json,
}

/// The command worked, but what it ran did not.
#[derive(Debug)]
pub(crate) struct RunFailed(pub(crate) String);

impl std::fmt::Display for RunFailed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for RunFailed {}

/// Prints the error, if any, and chooses the exit code.
pub(crate) fn exit_code(done: anyhow::Result<()>) -> ExitCode {
    let Err(error) = done else { return ExitCode::SUCCESS };
    note(&format!("{} {error:#}", paint(Colour::Red, "error:", std::io::stderr().is_terminal())));
    if error.is::<RunFailed>() {
        return ExitCode::from(1);
    }
    match error.downcast_ref::<ClientError>() {
        Some(ClientError::Refused { status, .. }) if *status < 500 => ExitCode::from(3),
        Some(ClientError::Refused { .. } | ClientError::Unreachable { .. }) => ExitCode::from(4),
        Some(ClientError::Endpoint(_) | ClientError::Request(_) | ClientError::Answer(_)) | None => {
            ExitCode::from(5)
        }
    }
}

/// A line of data. A reader that has gone away ends the output, not the program.
pub(crate) fn line(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Bytes of data, as they are.
pub(crate) fn bytes(data: &[u8]) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(data).and_then(|()| out.flush());
}

/// A line for the person at the terminal.
pub(crate) fn note(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

pub(crate) fn json(value: &serde_json::Value) {
    line(&serde_json::to_string_pretty(value).expect("JSON values have text keys"));
}

#[derive(Clone, Copy)]
pub(crate) enum Colour {
    Red,
    Green,
    Yellow,
    Blue,
    Dim,
}

/// `text` in a colour, if standard output is a terminal.
pub(crate) fn coloured(colour: Colour, text: &str) -> String {
    paint(colour, text, std::io::stdout().is_terminal())
}

fn paint(colour: Colour, text: &str, terminal: bool) -> String {
    if !terminal || std::env::var_os("NO_COLOR").is_some() {
        return text.to_owned();
    }
    let code = match colour {
        Colour::Red => 31,
        Colour::Green => 32,
        Colour::Yellow => 33,
        Colour::Blue => 34,
        Colour::Dim => 2,
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

/// The colour of a task status.
pub(crate) fn status_colour(status: &str) -> Colour {
    match status {
        "Succeeded" => Colour::Green,
        "Failed" | "Expired" | "Invalid" => Colour::Red,
        "Retrying" | "Stopping" | "Stopped" => Colour::Yellow,
        "Running" => Colour::Blue,
        _ => Colour::Dim,
    }
}

/// A field as plain text.
pub(crate) fn cell(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Prints some fields of JSON objects as a table.
pub(crate) fn items(headings: &[&str], fields: &[&str], items: &[serde_json::Value]) {
    let row = |item: &serde_json::Value| fields.iter().map(|field| cell(&item[*field])).collect();
    table(headings, &items.iter().map(row).collect::<Vec<_>>());
}

/// Prints rows under headings, columns aligned; cells hold plain text.
pub(crate) fn table(headings: &[&str], rows: &[Vec<String>]) {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([headings[column].len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let format_row = |cells: &mut dyn Iterator<Item = &str>| {
        let mut text = String::new();
        for (cell, width) in cells.zip(&widths) {
            let _ = write!(text, "{cell:<width$}  ");
        }
        text.trim_end().to_owned()
    };
    line(&coloured(Colour::Dim, &format_row(&mut headings.iter().copied())));
    for row in rows {
        line(&format_row(&mut row.iter().map(String::as_str)));
    }
}
