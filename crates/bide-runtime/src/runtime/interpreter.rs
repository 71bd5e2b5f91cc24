//! Finding the interpreters of the built-in runtimes.
//!
//! Owns one question to each interpreter at server start: where are you really? Version managers put shims on the
//! `PATH` that cost more than the interpreter itself (92 ms against 8 ms for `python3 -S`, measured), so the answer is
//! asked once and used for every instance. Nothing survives a crash.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bide_sandbox::{LaunchSpec, Launcher};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;

/// Longest answer of an interpreter.
const ANSWER_BYTES_MAX: u64 = 16 * 1024;
/// An interpreter that is silent for so long is not used.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Runs `program` with `args`; what it printed if it succeeded.
pub(crate) async fn ask(
    launcher: &dyn Launcher,
    program: &Path,
    args: &[&str],
    search_path: &str,
) -> Option<PathBuf> {
    let mut argv: Vec<OsString> = vec![program.into()];
    argv.extend(args.iter().map(OsString::from));
    let spec = LaunchSpec {
        env: std::env::vars_os()
            .filter(|(name, _)| name != "PATH")
            .chain([("PATH".into(), search_path.into())])
            .collect(),
        ..LaunchSpec::new(argv)
    };
    let mut process = launcher.spawn(spec).await.ok()?;
    let output = Receiver::from_owned_fd(process.take_output()?).ok()?;
    let mut answer = String::new();
    let read = async {
        output.take(ANSWER_BYTES_MAX).read_to_string(&mut answer).await.ok()?;
        (process.handle().exited().await.code == Some(0)).then_some(())
    };
    tokio::time::timeout(ANSWER_TIMEOUT, read).await.ok()??;
    let path = PathBuf::from(answer.lines().last()?.trim());
    path.is_absolute().then_some(path)
}
