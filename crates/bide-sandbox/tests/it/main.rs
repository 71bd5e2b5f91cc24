//! The launcher against real processes: what they inherit, how they end, what they leave behind.

#![allow(clippy::unwrap_used)] // helpers of tests

mod sandbox;

mod capabilities;
mod cgroups;
mod landlock;
mod limits;
mod nproc;
mod seccomp;
mod watchdog;

use std::ffi::OsString;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::path::Path;

use bide_sandbox::{Exit, LaunchError, LaunchSpec, Launcher, Process, ProcessHandle, ProcessLauncher};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;

/// Set when this program is run as the server that a test kills.
const AS_SERVER: &str = "BIDE_TEST_AS_SERVER";

fn shell(script: &str) -> LaunchSpec {
    LaunchSpec {
        env: vec![("PATH".into(), "/usr/bin:/bin".into()), ("ONLY".into(), "this".into())],
        ..LaunchSpec::new(["/bin/sh", "-c", script].map(OsString::from).to_vec())
    }
}

async fn spawn(spec: LaunchSpec) -> Process {
    ProcessLauncher::new().unwrap().spawn(spec).await.unwrap()
}

/// Reads the output until `bytes` have come or it ends.
async fn read_some(output: OwnedFd, enough: impl Fn(&str) -> bool) -> String {
    let mut output = Receiver::from_owned_fd(output).unwrap();
    let mut text = String::new();
    let mut buffer = [0; 4096];
    while !enough(&text) {
        match output.read(&mut buffer).await.unwrap() {
            0 => break,
            read => text.push_str(std::str::from_utf8(&buffer[..read]).unwrap()),
        }
    }
    text
}

async fn read_all(output: OwnedFd) -> String {
    read_some(output, |_| false).await
}

/// Whether the process runs; a zombie, which only its parent can remove, does not.
fn runs(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z')))
}

async fn until_gone(pid: u32) {
    while runs(pid) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_process_inherits_nothing_but_what_it_is_given() {
    let mut process = spawn(shell("env | sort; ls /proc/self/fd | tr '\\n' ' '; ulimit -c; umask")).await;
    let output = read_all(process.take_output().unwrap()).await;
    // 3 is the directory that `ls` itself reads.
    assert_eq!(output, "ONLY=this\nPATH=/usr/bin:/bin\nPWD=/\n0 1 2 3 0\n0077\n");
    assert_eq!(process.handle().exited().await.code, Some(0));
    assert!(process.take_output().is_none());
}

#[tokio::test]
async fn the_control_socket_arrives_under_the_number_in_the_environment() {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let mut spec = shell("");
    // Not /bin/sh: its redirections know single digits only.
    spec.argv = ["/bin/bash", "-c", "echo hello >&$BIDE_CONTROL_FD"].map(OsString::from).to_vec();
    spec.control = Some(theirs.into());
    let process = spawn(spec).await;
    process.handle().exited().await;
    let mut text = String::new();
    (&ours).read_to_string(&mut text).unwrap();
    assert_eq!(text, "hello\n");
}

#[tokio::test]
async fn a_program_that_does_not_exist_is_an_error() {
    let mut spec = shell("");
    spec.argv = vec!["/no/such/program".into()];
    let error = ProcessLauncher::new().unwrap().spawn(spec).await.unwrap_err();
    assert!(
        matches!(error, LaunchError::Spawn { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
    );
}

#[tokio::test]
async fn kill_reaches_grandchildren_that_ignore_sigterm() {
    let mut process = spawn(shell("trap '' TERM; sleep 1000 & echo $!; wait; wait")).await;
    let child = read_some(process.take_output().unwrap(), |text| text.ends_with('\n')).await;
    let child: u32 = child.trim().parse().unwrap();
    let handle = process.handle();
    handle.kill();
    assert_eq!(handle.exited().await.signal, Some(9));
    assert!(!Path::new(&format!("/proc/{}", handle.pid())).exists(), "reaped");
    until_gone(child).await;
}

#[tokio::test]
async fn grandchildren_do_not_outlive_a_leader_that_exits() {
    let mut process = spawn(shell("sleep 1000 >/dev/null 2>&1 & echo $!; exit 3")).await;
    let child: u32 = read_all(process.take_output().unwrap()).await.trim().parse().unwrap();
    assert_eq!(process.handle().exited().await.code, Some(3));
    until_gone(child).await;
}

#[tokio::test]
async fn terminate_lets_a_process_end_by_itself() {
    // The shell comments on its killed child; nobody reads that any more.
    let mut process = spawn(shell(
        "exec 2>/dev/null; trap 'exit 7' TERM; echo ready; while :; do sleep 1000 & wait $!; done",
    ))
    .await;
    read_some(process.take_output().unwrap(), |text| text.ends_with('\n')).await;
    process.handle().terminate();
    assert_eq!(process.handle().exited().await, Exit { code: Some(7), ..Exit::default() });
}

#[tokio::test]
async fn a_dropped_process_is_killed() {
    let process = spawn(shell("sleep 1000")).await;
    let handle: ProcessHandle = process.handle();
    drop(process);
    assert_eq!(handle.exited().await.signal, Some(9));
    handle.kill(); // harmless when it is gone
}

#[test]
fn a_runtime_that_shuts_down_takes_its_processes_along() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let process = runtime.block_on(spawn(shell("trap '' TERM; sleep 1000; sleep 1000")));
    let pid = process.handle().pid();
    drop(runtime);
    assert!(!runs(pid));
}

#[tokio::test]
async fn memory_use_is_known_during_and_after_the_run() {
    let mut process = spawn(shell("echo ready; read line")).await;
    read_some(process.take_output().unwrap(), |text| text.ends_with('\n')).await;
    let handle = process.handle();
    handle.exited().await;
    assert!(handle.memory_peak_bytes() < 1024 * 1024 * 1024);
}

#[test]
fn what_is_not_enforced_is_said() {
    let protections = ProcessLauncher::new().unwrap().protections();
    assert!(protections.missing.contains(&bide_sandbox::Protection::FileSystemIsolation));
    assert!(protections.in_force.iter().all(|protection| !protections.missing.contains(protection)));
}

/// Runs a test of this program, by its full name, as a server; also the number of the process that it has started.
fn start_server(test: &str) -> (std::process::Child, u32) {
    let mut server = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(AS_SERVER, "1")
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let lines = std::io::BufRead::lines(std::io::BufReader::new(server.stdout.take().unwrap()));
    let child =
        lines.map(Result::unwrap).find_map(|line| line.strip_prefix("child ").map(str::to_owned)).unwrap();
    (server, child.parse().unwrap())
}

/// Not a test by itself: the server that [`processes_die_when_the_server_is_killed`] kills.
#[test]
fn server_to_be_killed() {
    if std::env::var_os(AS_SERVER).is_none() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        // `exec`: a child of the process would outlive it (`Protection::DescendantsDieWithServer` is missing).
        let process = spawn(shell("trap '' TERM; exec sleep 1000")).await;
        println!("\nchild {}", process.handle().pid());
        process.handle().exited().await;
    });
}

#[tokio::test]
async fn processes_die_when_the_server_is_killed() {
    let (mut server, child) = start_server("server_to_be_killed");
    assert!(runs(child));
    server.kill().unwrap();
    server.wait().unwrap();
    until_gone(child).await;
}
