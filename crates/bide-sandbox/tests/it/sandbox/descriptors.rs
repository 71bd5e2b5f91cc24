//! Descriptors: of a server that can open no more, what it asks of the supervisor fails, and what runs goes on; those of
//! instances that have ended are closed.

use std::collections::HashMap;
use std::fs::File;
use std::process::Command;

use bide_sandbox::{LaunchError, LaunchSpec, Launcher as _, Network};
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
    run_server("server_short_of_descriptors");
}

/// Not a test by itself: the server of [`nothing_stays_open_of_instances_that_have_ended`], in a process of its own, whose
/// descendants are then those of one supervisor.
#[test]
fn server_of_instances_that_end() {
    if std::env::var_os(crate::AS_SERVER).is_none() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let launcher = launcher().await;
        let before = open_below(std::process::id());
        for script in ["exit 0", "exec sleep 1000", "exit 0", "exec sleep 1000"] {
            let spec = LaunchSpec { network: Network::Outbound, ..shell(script) };
            let process = launcher.spawn(spec).await.unwrap();
            if script != "exit 0" {
                process.handle().kill();
            }
            process.handle().exited().await;
        }
        // The kernel takes its time with devices, which is why others than the supervisor wait for that.
        while open_below(std::process::id()) > before {
            tokio::task::yield_now().await;
        }
    });
}

/// How many descriptors the descendants of a process have.
fn open_below(ancestor: u32) -> usize {
    let mut parents = HashMap::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let parent = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)?.parse().ok());
        parents.insert(pid, parent.unwrap_or(0_u32));
    }
    let descends = |pid: &u32| {
        std::iter::successors(parents.get(pid), |parent| parents.get(parent))
            .any(|parent| *parent == ancestor)
    };
    let descendants = parents.keys().filter(|pid| descends(pid));
    descendants.filter_map(|pid| std::fs::read_dir(format!("/proc/{pid}/fd")).ok()).map(Iterator::count).sum()
}

#[test]
fn nothing_stays_open_of_instances_that_have_ended() {
    run_server("server_of_instances_that_end");
}

fn run_server(test: &str) {
    let server = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("sandbox::descriptors::{test}"), "--nocapture"])
        .env(crate::AS_SERVER, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&server.stderr);
    assert!(server.status.success(), "{text}");
    assert!(String::from_utf8_lossy(&server.stdout).contains("1 passed"));
}
