//! A server that can open no more files: what it asks of the supervisor fails, and what runs goes on.

use std::fs::File;
use std::process::Command;

use bide_sandbox::{LaunchError, Launcher as _};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{launcher, shell};

/// Enough for a launcher and its processes.
const DESCRIPTORS_MAX: u64 = 64;

/// Not a test by itself: the server of [`a_server_short_of_descriptors_loses_one_launch_and_nothing_else`], which has a
/// process of its own because the limit is one of the whole process.
#[test]
fn server_short_of_descriptors() {
    if std::env::var_os(crate::AS_SERVER).is_none() {
        return;
    }
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: Some(DESCRIPTORS_MAX), maximum }).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let launcher = launcher().await;
        let first = launcher.spawn(shell("sleep 1000")).await.unwrap();
        let mut files: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
        // Room for the pipe of a launch, and so for one of the descriptors that are to come back.
        files.truncate(files.len() - 2);
        let marker = format!("1000.{}", std::process::id());
        let error = launcher.spawn(shell(&format!("exec sleep {marker}"))).await.unwrap_err();
        let is_ours = |source: &std::io::Error| source.raw_os_error() == Some(libc::EMFILE);
        assert!(matches!(&error, LaunchError::Spawn { source, .. } if is_ours(source)), "{error:?}");
        drop(files);
        while is_run(&marker) {
            tokio::task::yield_now().await;
        }
        assert_eq!(launcher.spawn(shell("exit 3")).await.unwrap().handle().exited().await.code, Some(3));
        assert!(!first.handle().has_exited());
    });
}

/// Whether a process has this argument.
fn is_run(argument: &str) -> bool {
    let lines = std::fs::read_dir("/proc").unwrap().flatten();
    lines.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok()).any(|line| {
        let mut arguments = line.split(|byte| *byte == 0);
        arguments.next() == Some(b"sleep") && arguments.next() == Some(argument.as_bytes())
    })
}

#[test]
fn a_server_short_of_descriptors_loses_one_launch_and_nothing_else() {
    let server = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sandbox::descriptors::server_short_of_descriptors", "--nocapture"])
        .env(crate::AS_SERVER, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&server.stderr);
    assert!(server.status.success(), "{text}");
    assert!(String::from_utf8_lossy(&server.stdout).contains("1 passed"));
}
