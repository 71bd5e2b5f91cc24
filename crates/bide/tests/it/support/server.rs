//! A server under test: `bide serve` as a process, from its start to its end.
//!
//! Owns the promise that nothing is left: dropping a server kills it and every process that its functions started.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use bide_api::auth::{Credential, Secret};
use bide_types::AccountId;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Api, Function, Journal, is_of_instance, is_ours, is_standby, processes_of, until};

pub(crate) const ACCOUNT: &str = "123456789012";
pub(crate) const KEY_ID: &str = "test-key";
pub(crate) const KEY_SECRET: &str = "test-secret-that-no-log-may-show";

/// The function that collects records.
const COLLECTOR: &str = "collector";
/// Lines of the server's log shown when a test fails.
const LOG_LINES_SHOWN: usize = 60;

pub(crate) fn credential() -> Credential {
    Credential::new(KEY_ID, &Secret::new(KEY_SECRET), AccountId::new(ACCOUNT).unwrap())
}

/// A running server with its directory and a client.
pub(crate) struct World {
    pub(crate) api: Api,
    pub(crate) server: Server,
    pub(crate) journal: Journal,
    pub(crate) dir: TempDir,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts a server with some settings by environment.
    pub(crate) async fn start_with(settings: &[(&str, &str)]) -> Self {
        let dir = directory();
        let mut launch = Launch::new(&dir.path().join("data"));
        for (name, value) in settings {
            launch = launch.env(name, value);
        }
        let server = launch.ready().await;
        let api = Api::of(&server);
        let journal = Journal::of_directory(dir.path());
        Self { api, server, journal, dir }
    }

    /// Ends the server in order and starts one on the same data.
    pub(crate) async fn restart(&mut self) {
        self.server.stop().await;
        self.start_again().await;
    }

    /// Kills the server and starts one on the same data.
    pub(crate) async fn crash(&mut self) {
        self.server.kill().await;
        self.start_again().await;
    }

    /// Starts a server on the data of the one that has ended.
    pub(crate) async fn start_again(&mut self) {
        self.server = Launch::new(&self.dir.path().join("data")).ready().await;
        self.api = Api::of(&self.server);
    }

    /// Processes of functions that run at this moment.
    pub(crate) fn instances(&self) -> Vec<u64> {
        self.server.instances()
    }

    /// Processes that one instance runs at this moment.
    pub(crate) fn processes_of(&self, instance: &str) -> Vec<u64> {
        self.instances().into_iter().filter(|pid| is_of_instance(*pid, instance)).collect()
    }

    /// A path that functions can reach as well.
    pub(crate) fn shared(&self, name: &str) -> PathBuf {
        shared(self.dir.path()).join(name)
    }

    /// Deploys a function that collects the records of `function`'s ends, and configures `function` with it.
    pub(crate) async fn collect(&self, function: &str, mut config: Value) {
        let keeps = "def handler(event, context):\n    return 'kept'\n";
        self.api.deploy(COLLECTOR, Function::python(keeps)).await;
        self.api.configure(COLLECTOR, json!({ "statefulInvocation": true })).await;
        let target = json!({ "destination": self.api.arn(COLLECTOR) });
        config["destinationConfig"] = json!({ "onSuccess": target, "onFailure": target });
        self.api.configure(function, config).await;
    }

    /// The records collected so far, oldest first.
    pub(crate) async fn records(&self) -> Vec<Value> {
        let tasks = self.api.tasks(COLLECTOR).await;
        let record =
            |task: &Value| serde_json::from_str(task["invocationPayload"].as_str().unwrap()).unwrap();
        tasks.iter().map(record).collect()
    }
}

/// A directory for a server's data and all that belongs to a test.
pub(crate) fn directory() -> TempDir {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::Builder::new().prefix("bide-it-").tempdir().unwrap();
    let shared = shared(dir.path());
    std::fs::create_dir(&shared).unwrap();
    std::fs::set_permissions(&shared, std::fs::Permissions::from_mode(0o777)).unwrap();
    dir
}

/// Where functions and the test can meet.
pub(crate) fn shared(dir: &Path) -> PathBuf {
    dir.join("shared")
}

/// The binary under test. `BIDE_TEST_PROGRAM` names a copy, for a user who cannot read the directory of builds.
pub(crate) fn program() -> OsString {
    std::env::var_os("BIDE_TEST_PROGRAM").unwrap_or_else(|| env!("CARGO_BIN_EXE_bide").into())
}

/// How a server is to be started.
pub(crate) struct Launch {
    data_dir: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(String, OsString)>,
    file_blocks_max: Option<u32>,
}

impl Launch {
    /// On a port that the kernel chooses, with the credentials of the tests. `data_dir` lies in a [`directory`].
    pub(crate) fn new(data_dir: &Path) -> Self {
        let shared = shared(data_dir.parent().expect("it lies in a directory"));
        Self {
            arguments: vec!["--data-dir".into(), data_dir.into()],
            ..Self::bare(data_dir)
                .env("BIDE_LISTEN", "127.0.0.1:0")
                .env("BIDE_SHARED_DIRS", shared)
                .env("BIDE_ACCOUNT_ID", ACCOUNT)
                .env("BIDE_ACCESS_KEY_ID", KEY_ID)
                .env("BIDE_ACCESS_KEY_SECRET", KEY_SECRET)
        }
    }

    /// Without any setting; `data_dir` only says whose processes are to be cleaned up.
    pub(crate) fn bare(data_dir: &Path) -> Self {
        Self {
            data_dir: data_dir.to_owned(),
            arguments: Vec::new(),
            environment: Vec::new(),
            file_blocks_max: None,
        }
    }

    pub(crate) fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn args<S: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// No file may grow beyond this many blocks of 512 bytes: a disk that becomes full.
    pub(crate) fn file_blocks_max(mut self, blocks: u32) -> Self {
        self.file_blocks_max = Some(blocks);
        self
    }

    /// Starts the process and waits for nothing.
    pub(crate) fn spawn(self) -> Server {
        let mut command = match self.file_blocks_max {
            None => Command::new(program()),
            Some(blocks) => {
                let mut command = Command::new("sh");
                // With the signal ignored, a write beyond the limit fails with EFBIG.
                command.args(["-c", "trap '' XFSZ; ulimit -f \"$0\"; exec \"$@\"", &blocks.to_string()]);
                command.arg(program());
                command
            }
        };
        without_settings(&mut command);
        let child = command
            .arg("serve")
            .args(&self.arguments)
            .envs(self.environment)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("the binary starts");
        Server::adopt(child, self.data_dir)
    }

    /// Starts the process and waits until it serves.
    pub(crate) async fn ready(self) -> Server {
        let mut server = self.spawn();
        server.wait_until_ready().await;
        server
    }
}

/// Takes every setting of `bide` out of the environment, so that the developer's own do not matter.
pub(super) fn without_settings(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("BIDE_") {
            command.env_remove(name);
        }
    }
    command.env_remove("NO_COLOR");
}

pub(crate) struct Server {
    child: Child,
    pid: Pid,
    data_dir: PathBuf,
    address: String,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
    /// From when it served until it was seen that none of its processes is left.
    may_have_processes: bool,
}

impl Server {
    fn adopt(mut child: Child, data_dir: PathBuf) -> Self {
        let pid = Pid::from_child(&child);
        let log = Arc::new(Mutex::new(String::new()));
        let lines = BufReader::new(child.stderr.take().expect("it was piped")).split(b'\n');
        let written = Arc::clone(&log);
        let reader = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mut log = written.lock().unwrap();
                log.push_str(&String::from_utf8_lossy(&line));
                log.push('\n');
            }
        });
        Self {
            child,
            pid,
            data_dir,
            address: String::new(),
            log,
            reader: Some(reader),
            may_have_processes: false,
        }
    }

    async fn wait_until_ready(&mut self) {
        self.address = until("the server says that it is ready", async || {
            let status = self.child.try_wait().unwrap();
            assert!(status.is_none(), "the server ended: {status:?}");
            let log = self.log();
            let line = log.lines().find(|line| line.starts_with("bide: ready on "))?;
            let (address, _) = line.trim_start_matches("bide: ready on ").split_once(',')?;
            Some(address.to_owned())
        })
        .await;
        self.may_have_processes = true;
    }

    /// `http://ADDRESS`.
    pub(crate) fn endpoint(&self) -> &str {
        &self.address
    }

    pub(crate) fn pid(&self) -> u64 {
        u64::from(self.child.id())
    }

    /// All that the server wrote to standard error so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Processes of functions that run at this moment.
    pub(crate) fn instances(&self) -> Vec<u64> {
        self.processes().into_iter().filter(|pid| !is_ours(*pid) && !is_standby(*pid)).collect()
    }

    /// Processes that wait for a function at this moment.
    pub(crate) fn standbys(&self) -> Vec<u64> {
        self.processes().into_iter().filter(|pid| !is_ours(*pid) && is_standby(*pid)).collect()
    }

    /// These, and those of our own that keep them.
    fn processes(&self) -> Vec<u64> {
        processes_of(&self.data_dir).into_iter().filter(|pid| *pid != self.pid()).collect()
    }

    pub(crate) fn terminate(&self) {
        kill_process(self.pid, Signal::TERM).unwrap();
    }

    /// Waits for the end of the process and of its log.
    pub(crate) async fn exited(&mut self) -> ExitStatus {
        let status = until("the server ends", async || self.child.try_wait().unwrap()).await;
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        status
    }

    /// Ends the server in order.
    pub(crate) async fn stop(&mut self) {
        self.terminate();
        self.ended_in_order().await;
    }

    /// Waits for the end of a server that was asked to end: it must say so with 0 and leave no process behind.
    pub(crate) async fn ended_in_order(&mut self) {
        let status = self.exited().await;
        assert!(status.success(), "the server ended with {status} after SIGTERM");
        let left = self.processes();
        assert!(left.is_empty(), "the server left processes behind: {left:?}");
        self.may_have_processes = false;
    }

    /// Kills the server, and waits until the kernel has ended its functions as well.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().unwrap();
        self.exited().await;
        until("no process of a function is left", async || self.processes().is_empty().then_some(())).await;
        self.may_have_processes = false;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // All of this fails only where there is nothing left to end.
        if let Ok(None) = self.child.try_wait() {
            let _ = kill_process_group(self.pid, Signal::KILL);
            let _ = self.child.wait();
        }
        let left = if self.may_have_processes { self.processes() } else { Vec::new() };
        for pid in left {
            if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            eprintln!("--- the server's log, at its end:");
            for line in &lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..] {
                eprintln!("    {line}");
            }
        }
    }
}
