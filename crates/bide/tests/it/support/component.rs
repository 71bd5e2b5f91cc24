//! Real brokers under test: processes on free ports of this host, with data in directories of their own.
//!
//! Owns their start and their end: dropping one kills it and all that it started. A program that is missing fails the
//! test and says how to install it.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;
use tokio::net::TcpStream;

use super::until;

/// Where `cargo xtask components` puts what no package of the system brings.
const COMPONENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/components/bin");

/// A process group that is killed with this.
pub(crate) struct Process(Child);

impl Process {
    /// Starts a program; its output goes to `log`.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Self {
        let file = std::fs::File::options().create(true).append(true).open(log).expect("a log");
        let program = command.get_program().to_owned();
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a log"))
            .stderr(file)
            .process_group(0)
            .spawn();
        Self(child.unwrap_or_else(|error| {
            panic!("{} does not start ({error}); `cargo xtask verify` installs it", program.display())
        }))
    }

    /// Kills it without warning, as if its machine were gone.
    pub(crate) fn kill(&mut self) {
        // Fails only where nothing is left.
        let _ = kill_process_group(Pid::from_child(&self.0), Signal::KILL);
        let _ = self.0.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A program that `cargo xtask components` installed.
pub(crate) fn installed(name: &str) -> PathBuf {
    Path::new(COMPONENTS).join(name)
}

/// A port that was free a moment ago, and stays the component's own.
pub(crate) fn port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("an address").port()
}

pub(crate) async fn until_listens(port: u16) {
    until("the component listens", async || {
        TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await.ok().map(drop)
    })
    .await;
}

pub(crate) fn data() -> TempDir {
    tempfile::Builder::new().prefix("bide-component-").tempdir().expect("a directory")
}

/// A certificate of `localhost` and its key, new in a directory: `cert.pem`, `key.pem`.
pub(crate) fn certify(directory: &Path) {
    let openssl = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"])
        .args(["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(directory.join("key.pem"))
        .arg("-out")
        .arg(directory.join("cert.pem"))
        .output()
        .expect("openssl runs");
    assert!(openssl.status.success(), "{openssl:?}");
}
