//! The server under test: a `bide serve` of its own port, data directory and credentials.
//!
//! Owns its life: build, start, ready, stop. It never outlives the run: dropping it kills it. After a stop no process
//! may be left, and its data is re-counted offline, so that what the programs did leaves a ledger that balances.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::Keep;
use crate::process::{cargo, offline, root, run};
use crate::time::wait_until;

const ACCOUNT: &str = "123456789012";
const KEY_ID: &str = "conformance-key";
const KEY_SECRET: &str = "conformance-secret";

/// Something stands for one resource of each kind. Nothing is ever sent there.
const SETTINGS: &str = r#"
[[destinations]]
arn = "acs:mns:*:*:/queues/results/messages"
target = { kind = "http", url = "http://127.0.0.1:9/", allow_private = true }
[[destinations]]
arn = "acs:mns:*:*:/topics/results/messages"
target = { kind = "http", url = "http://127.0.0.1:9/", allow_private = true }
[[destinations]]
arn = "acs:eventbridge:*:*:eventbus/results"
target = { kind = "http", url = "http://127.0.0.1:9/", allow_private = true, format = "cloudevents" }
[[destinations]]
arn = "acs:mq:*:*:/instances/*/topics/results"
target = { kind = "http", url = "http://127.0.0.1:9/", allow_private = true }
"#;

const START_TIME_MAX: Duration = Duration::from_secs(30);
const STOP_TIME_MAX: Duration = Duration::from_secs(60);
const ANSWER_TIME_MAX: Duration = Duration::from_secs(2);
const ANSWER_BYTES_MAX: u64 = 4096;
/// Lines of the server's log shown when something failed.
const LOG_LINES_SHOWN: usize = 40;

pub(super) struct Server {
    child: Child,
    address: SocketAddr,
    directory: TempDir,
}

/// Builds the server as developers run it.
pub(super) fn build() -> anyhow::Result<()> {
    run(cargo().args(["build", "--quiet", "--package", "bide", "--bin", "bide"]))
}

impl Server {
    /// Starts the server, which was built before, and waits until it is ready.
    pub(super) fn start() -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("bide-conformance-").tempdir()?;
        let address = free_address()?;
        let log = std::fs::File::create(directory.path().join("server.log"))?;
        let settings = directory.path().join("bide.toml");
        std::fs::write(&settings, SETTINGS)?;
        let child = offline(binary())
            .arg("serve")
            .arg("--config")
            .arg(settings)
            .args(["--listen", &address.to_string()])
            .arg("--data-dir")
            .arg(directory.path().join("data"))
            .env("BIDE_ACCOUNT_ID", ACCOUNT)
            .env("BIDE_ACCESS_KEY_ID", KEY_ID)
            .env("BIDE_ACCESS_KEY_SECRET", KEY_SECRET)
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("cannot start the server")?;
        let mut server = Self { child, address, directory };
        if let Err(error) = server.wait_until_ready() {
            server.show_log();
            return Err(error);
        }
        Ok(server)
    }

    fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let address = self.address;
        let child = &mut self.child;
        let ready = wait_until(START_TIME_MAX, || {
            if let Some(status) = child.try_wait()? {
                bail!("the server ended with {status} before it was ready");
            }
            Ok(is_ready(address).then_some(()))
        })?;
        ready.with_context(|| format!("the server was not ready after {} s", START_TIME_MAX.as_secs()))
    }

    /// Tells a program where the server is and who may call it.
    pub(super) fn describe_to<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("BIDE_ENDPOINT", format!("http://{}", self.address))
            .env("BIDE_ACCOUNT_ID", ACCOUNT)
            .env("BIDE_ACCESS_KEY_ID", KEY_ID)
            .env("BIDE_ACCESS_KEY_SECRET", KEY_SECRET)
    }

    /// Drains the server and re-counts what it stored.
    ///
    /// # Errors
    /// When it does not end by itself with success, or its data does not add up.
    pub(super) fn stop(mut self, keep: Keep) -> anyhow::Result<()> {
        let ended = self.terminate().and_then(|status| {
            ensure!(status.success(), "the server ended with {status} after SIGTERM");
            self.ensure_nothing_is_left()
        });
        if ended.is_err() {
            self.show_log();
        }
        let result = ended.and_then(|()| run(offline(binary()).arg("verify").arg(self.data())));
        if keep == Keep::Yes {
            self.directory.disable_cleanup(true);
            eprintln!("kept: {}", self.directory.path().display());
        }
        result
    }

    fn terminate(&mut self) -> anyhow::Result<ExitStatus> {
        let pid =
            i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("the server has no pid")?;
        kill_process(pid, Signal::TERM).context("cannot signal the server")?;
        let child = &mut self.child;
        let status = wait_until(STOP_TIME_MAX, || Ok(child.try_wait()?))?;
        status.with_context(|| format!("the server still ran {} s after SIGTERM", STOP_TIME_MAX.as_secs()))
    }

    /// Looks for processes whose command line names our directory, as those of functions do.
    fn ensure_nothing_is_left(&self) -> anyhow::Result<()> {
        let directory = self.directory.path().display().to_string();
        let processes = std::fs::read_dir("/proc").context("cannot list processes")?;
        let left = processes.filter_map(Result::ok).filter(|process| {
            // Unreadable when it has just ended.
            let command = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&command).contains(&directory)
        });
        let left: Vec<_> = left.map(|process| process.file_name().display().to_string()).collect();
        ensure!(left.is_empty(), "the server ended and left processes behind: {}", left.join(", "));
        Ok(())
    }

    /// Prints the end of the server's log.
    pub(super) fn show_log(&self) {
        let log = std::fs::read(self.directory.path().join("server.log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<_> = log.lines().collect();
        eprintln!("--- the server's log, at its end:");
        for line in &lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..] {
            eprintln!("    {line}");
        }
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only when it has ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn binary() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    target.join("debug/bide")
}

fn free_address() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    Ok(listener.local_addr()?)
}

/// Whether `GET /readyz` answers 200; anything else means not yet.
fn is_ready(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&address, ANSWER_TIME_MAX)?;
        stream.set_read_timeout(Some(ANSWER_TIME_MAX))?;
        write!(stream, "GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    ask().is_ok_and(|answer| answer.split(' ').nth(1) == Some("200"))
}
