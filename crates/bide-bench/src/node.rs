//! The server under test: a process of its own, on a data directory under `target`.
//!
//! Owns the process and its directory; both are gone when it is dropped.

use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;
use bide_api::auth::{Credential, Secret};
use bide_client::Client;
use bide_types::AccountId;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

const ACCOUNT: &str = "10001";
const KEY_ID: &str = "bench-key";
const SECRET: &str = "bench-secret";

pub(crate) struct Node {
    process: Child,
    endpoint: String,
    dir: TempDir,
}

impl Node {
    /// Starts `server serve` and waits until it says where it listens.
    pub(crate) fn start(server: &Path) -> anyhow::Result<Self> {
        Self::start_with(server, &[])
    }

    /// Likewise, with more arguments.
    pub(crate) fn start_with(server: &Path, arguments: &[&str]) -> anyhow::Result<Self> {
        let dir = scratch()?;
        std::fs::create_dir(dir.path().join("tmp"))?;
        let mut command = Command::new(server);
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(dir.path().join("data"))
            .args(arguments)
            .env("BIDE_ACCOUNT_ID", ACCOUNT)
            .env("BIDE_ACCESS_KEY_ID", KEY_ID)
            .env("BIDE_ACCESS_KEY_SECRET", SECRET)
            .env("BIDE_LOG_FILTER", "error")
            // Whoever looks for leftovers looks here.
            .env("TMPDIR", dir.path().join("tmp"))
            .stderr(Stdio::piped());
        let mut process = command.spawn().with_context(|| format!("cannot start {}", server.display()))?;
        let stderr = process.stderr.take().expect("piped");
        match ready_address(BufReader::new(stderr)) {
            Some(endpoint) => Ok(Self { process, endpoint, dir }),
            None => {
                let _ = process.kill();
                anyhow::bail!("the server ended without getting ready")
            }
        }
    }

    /// Starts this program's bare server.
    pub(crate) fn start_bare() -> anyhow::Result<Self> {
        let mut process =
            Command::new(std::env::current_exe()?).arg("bare").stdout(Stdio::piped()).spawn()?;
        let stdout = process.stdout.take().expect("piped");
        let endpoint = ready_address(BufReader::new(stdout)).context("the bare server did not start")?;
        Ok(Self { process, endpoint, dir: scratch()? })
    }

    /// Ends it in order; returns when it has ended.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        kill_process(Pid::from_child(&self.process), Signal::TERM)?;
        let status = self.process.wait()?;
        anyhow::ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }

    /// Host and port.
    pub(crate) fn authority(&self) -> &str {
        self.endpoint.trim_start_matches("http://")
    }

    pub(crate) fn client(&self) -> anyhow::Result<Client> {
        Ok(Client::new(&self.endpoint, credential()?)?)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // The process may have ended by itself; there is nothing left to do then.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The credential that the server under test accepts.
pub(crate) fn credential() -> anyhow::Result<Credential> {
    Ok(Credential::new(KEY_ID, &Secret::new(SECRET), AccountId::new(ACCOUNT)?))
}

/// A directory of its own for one run.
pub(crate) fn scratch() -> anyhow::Result<TempDir> {
    let root = PathBuf::from("target/bench");
    std::fs::create_dir_all(&root)?;
    Ok(tempfile::tempdir_in(root)?)
}

/// Reads lines until one names the address; goes on reading in the background, so that the process never blocks.
fn ready_address(mut lines: impl std::io::BufRead + Send + 'static) -> Option<String> {
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(at) = line.find("http://") {
            let address = line[at..].trim().trim_end_matches(|last: char| !last.is_ascii_digit());
            let address = address.split([',', ' ']).next()?.to_owned();
            std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
            return Some(address);
        }
    }
}
