//! Running other programs: always from the root of the repository, always bounded.
//!
//! Owns how a command is built and how its failure is worded. Programs that talk to the server are built with
//! [`offline`]: proxies of the environment would catch their loopback calls.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use anyhow::{Context as _, ensure};

use crate::time::Stopwatch;

const PROXY_VARIABLES: [&str; 6] =
    ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"];

/// Lines that wait to be shown; a program that prints faster waits for us.
const LINES_QUEUED_MAX: usize = 1024;

/// The directory that holds the workspace.
pub(crate) fn root() -> PathBuf {
    let manifest =
        std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    PathBuf::from(manifest).parent().map_or_else(|| PathBuf::from("."), PathBuf::from)
}

/// A command that runs in the root.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root()).stdin(Stdio::null());
    command
}

/// `cargo`, the one that runs us.
pub(crate) fn cargo() -> Command {
    let mut command = command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.env_remove("CARGO_MANIFEST_DIR");
    command
}

/// A command that reaches loopback and nothing else by way of a proxy.
pub(crate) fn offline(program: impl AsRef<OsStr>) -> Command {
    let mut command = command(program);
    for variable in PROXY_VARIABLES {
        command.env_remove(variable);
    }
    command
}

/// Whether `command` runs and succeeds; its output is dropped.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Runs `command` with its output shown.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let shown = show(command);
    let status = command.status().with_context(|| format!("cannot run `{shown}`"))?;
    ensure!(status.success(), "`{shown}` failed: {status}");
    Ok(())
}

/// Runs `command` and returns its standard output.
pub(crate) fn capture(command: &mut Command) -> anyhow::Result<String> {
    let shown = show(command);
    let output =
        command.stderr(Stdio::inherit()).output().with_context(|| format!("cannot run `{shown}`"))?;
    ensure!(output.status.success(), "`{shown}` failed: {}", output.status);
    String::from_utf8(output.stdout).with_context(|| format!("`{shown}` printed something that is not UTF-8"))
}

/// Runs `command`, gives `seen` each line of its standard output as it comes, and kills it after `limit`.
pub(crate) fn stream(
    command: &mut Command,
    limit: Duration,
    mut seen: impl FnMut(&str),
) -> anyhow::Result<ExitStatus> {
    let shown = show(command);
    let stopwatch = Stopwatch::start();
    let mut child =
        command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot run `{shown}`"))?;
    let output = child.stdout.take().context("standard output was piped")?;
    let (sender, lines) = mpsc::sync_channel(LINES_QUEUED_MAX);
    let reader = std::thread::Builder::new().spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    })?;
    loop {
        match lines.recv_timeout(limit.saturating_sub(stopwatch.elapsed())) {
            Ok(line) => seen(&line),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                child.kill()?;
                child.wait()?;
                anyhow::bail!("`{shown}` was killed: it took longer than {} s", limit.as_secs());
            }
        }
    }
    // Ends at once: the channel closed because the reader did.
    let _ = reader.join();
    Ok(child.wait()?)
}

/// The command as a person would type it: paths from the root, programs by name.
fn show(command: &Command) -> String {
    let root = root();
    let shorten = |word: &OsStr| {
        let path = Path::new(word);
        path.strip_prefix(&root).unwrap_or(path).display().to_string()
    };
    let program = Path::new(command.get_program());
    let program = program.file_name().unwrap_or(program.as_os_str());
    let words = std::iter::once(shorten(program)).chain(command.get_args().map(shorten));
    words.collect::<Vec<_>>().join(" ")
}
