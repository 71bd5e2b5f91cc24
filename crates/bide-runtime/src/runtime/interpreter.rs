//! The interpreters of the built-in runtimes: where they are, and how they are started with our agents.
//!
//! Owns one question to each interpreter at server start: where are you really? Version managers put shims on the
//! `PATH` that cost more than the interpreter itself (92 ms against 8 ms for `python3 -S`, measured), so the answer is
//! asked once and used for every instance. Nothing survives a crash.

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bide_sandbox::{LaunchSpec, Launcher, Mount};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;

use super::Start;
use crate::layout::{agents_mount, read_only};

/// Longest answer of an interpreter.
const ANSWER_BYTES_MAX: u64 = 16 * 1024;
/// An interpreter that is silent for so long is not used.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Stands before each path of an answer; shims may print lines of their own.
const MARK: &str = "bide:";

/// An interpreter and what a sandbox has to show for it.
pub(super) struct Interpreter {
    program: PathBuf,
    mounts: Vec<Mount>,
}

impl Interpreter {
    /// Runs `program` with `args`; it must print its real path and then the directories that it needs, one a line, each
    /// after [`MARK`]. `None` if it does not.
    pub(super) async fn ask(
        launcher: &dyn Launcher,
        program: &Path,
        args: &[&str],
        search_path: &str,
        agents: &Path,
    ) -> Option<Self> {
        let answer = answer(launcher, program, args, search_path).await?;
        let mut paths = answer.lines().filter_map(|line| line.trim().strip_prefix(MARK)).map(PathBuf::from);
        let program = paths.next().filter(|path| path.is_absolute())?;
        let mut directories: Vec<PathBuf> =
            paths.filter(|path| path.is_absolute() && path.parent().is_some()).collect();
        // Outer directories before inner ones.
        directories.sort();
        directories.dedup();
        let mounts = directories.iter().map(|directory| read_only(directory, directory));
        Some(Self { program, mounts: std::iter::once(agents_mount(agents)).chain(mounts).collect() })
    }

    /// The command line that starts `agent` in an instance.
    pub(super) fn command(&self, start: &Start<'_>, options: &[&str], agent: &Path) -> Vec<OsString> {
        let mut argv: Vec<OsString> = vec![self.program.clone().into()];
        argv.extend(options.iter().map(OsString::from));
        argv.push(start.layout.agent(agent).into());
        argv
    }

    pub(super) fn mounts(&self) -> &[Mount] {
        &self.mounts
    }
}

/// Writes a file that instances read, whatever user they run as.
pub(super) fn publish(path: &Path, content: &str) -> io::Result<()> {
    fs::write(path, content)?;
    open_to_all(path)
}

/// Lets everybody read a file of ours.
pub(super) fn open_to_all(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(0o644))
}

async fn answer(launcher: &dyn Launcher, program: &Path, args: &[&str], search_path: &str) -> Option<String> {
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
    Some(answer)
}
