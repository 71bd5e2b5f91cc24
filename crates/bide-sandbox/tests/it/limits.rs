//! Limits of a sandbox against programs that try to take more: each fails by itself, and nobody else notices.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use bide_sandbox::{Exit, LaunchSpec, Launcher, Limits, Protection, SandboxLauncher};

use super::read_all;

const MIB: u64 = 1 << 20;
const LIMITS: Limits = Limits {
    memory_bytes_max: Some(48 * MIB),
    cpu_millis: None,
    processes_max: 20,
    open_files_max: 50,
    file_bytes_max: 64 * MIB,
    tmp_bytes_max: 8 * MIB,
};

async fn launcher() -> SandboxLauncher {
    SandboxLauncher::start(env!("CARGO_BIN_EXE_bide-sandbox").into()).await.unwrap()
}

/// How a program ends under [`LIMITS`], and what it says.
async fn run(argv: &[&str]) -> (Exit, String) {
    let launcher = launcher().await;
    let spec = LaunchSpec {
        env: vec![("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into())],
        limits: LIMITS,
        ..LaunchSpec::new(argv.iter().map(OsString::from).collect())
    };
    let mut process = launcher.spawn(spec).await.unwrap();
    let output = read_all(process.take_output().unwrap()).await;
    let exit = process.handle().exited().await;
    (exit, output)
}

#[tokio::test]
async fn a_hog_of_memory_is_ended_and_it_is_said_why() {
    // `tail` keeps the last line, and this one has no end.
    let (exit, output) = run(&["tail", "/dev/zero"]).await;
    assert!(exit.out_of_memory, "{exit:?} {output}");
    assert_eq!(exit.code, None);
}

#[tokio::test]
async fn memory_of_children_counts_as_well() {
    let (exit, output) = run(&["/bin/sh", "-c", "tail /dev/zero & wait; sleep 1000"]).await;
    assert!(exit.out_of_memory, "{exit:?} {output}");
}

#[tokio::test]
async fn files_in_tmp_are_no_memory_of_the_program() {
    let script =
        "head -c 7M /dev/zero >/tmp/a && head -c 60M /dev/zero | tail -c 30M >/dev/null && echo fine";
    let (exit, output) = run(&["/bin/sh", "-c", script]).await;
    assert_eq!((exit.code, exit.out_of_memory, output.as_str()), (Some(0), false, "fine\n"));
}

#[tokio::test]
async fn a_program_that_fails_within_its_memory_is_not_out_of_memory() {
    let (exit, _) = run(&["/bin/sh", "-c", "kill -9 $$"]).await;
    assert_eq!((exit.signal, exit.out_of_memory), (Some(9), false));
}

#[tokio::test]
async fn tmp_is_full_at_its_quota() {
    let (exit, output) = run(&["/bin/sh", "-c", "head -c 9M /dev/zero >/tmp/a; stat -c %s /tmp/a"]).await;
    assert_eq!((exit.code, exit.out_of_memory), (Some(0), false));
    assert!(output.contains("No space left on device"), "{output}");
    assert!(output.ends_with("8388608\n"), "{output}");
}

#[tokio::test]
async fn tmp_has_an_end_of_empty_files_too() {
    let script = "i=0; while : >/tmp/$i; do i=$((i+1)); done; echo $i";
    let (exit, output) = run(&["/bin/sh", "-c", script]).await;
    // The shell ends at a redirection that fails.
    assert_eq!((exit.code, exit.out_of_memory), (Some(2), false), "{output}");
    assert!(output.contains("No space left on device"), "{output}");
}

#[tokio::test]
async fn a_fork_bomb_gets_eagain_at_the_limit() {
    let program = "
import os
made = 0
try:
    while True:
        if os.fork() == 0:
            os.pause() if hasattr(os, 'pause') else __import__('signal').pause()
        made += 1
except BlockingIOError as error:
    print(made, error.errno, flush=True)
";
    let (exit, output) = run(&["python3", "-c", program]).await;
    // The program itself is one of the twenty; process 1 is none.
    assert_eq!(output, format!("19 {}\n", libc::EAGAIN));
    assert_eq!(exit.code, Some(0));
}

#[tokio::test]
async fn descriptors_have_an_end() {
    let program = "
import os
try:
    while True: last = os.dup(0)
except OSError as error:
    print(last, error.errno)
";
    let (_, output) = run(&["python3", "-c", program]).await;
    assert_eq!(output, format!("49 {}\n", libc::EMFILE));
}

#[tokio::test]
async fn the_program_is_under_the_filter_and_without_privileges() {
    let (exit, output) = run(&["/bin/cat", "/proc/self/status", "/proc/1/status"]).await;
    assert_eq!(exit.code, Some(0), "{output}");
    // Process 1 as well: it is within reach of the program.
    for line in
        ["Seccomp:\t2\n", "NoNewPrivs:\t1\n", "CapEff:\t0000000000000000\n", "CapBnd:\t0000000000000000\n"]
    {
        assert_eq!(output.matches(line).count(), 2, "{line} {output}");
    }
}

#[tokio::test]
async fn what_is_missing_on_this_host_is_said() {
    let protections = launcher().await.protections();
    for protection in [Protection::MemoryLimit, Protection::ProcessLimit, Protection::SystemCallFilter] {
        assert!(protections.in_force.contains(&protection), "{protections:?}");
    }
    let is_missing = protections.missing.contains(&Protection::CpuLimit);
    assert_eq!(is_missing, protections.notes.iter().any(|note| note.starts_with("cpu: ")), "{protections:?}");
}

/// Runs the tests of this file again, as somebody who is not root.
#[test]
fn the_limits_hold_for_an_ordinary_user() {
    if !rustix::process::getuid().is_root() {
        return;
    }
    let program = std::env::current_exe().unwrap();
    let is_reachable = Command::new("/bin/test").arg("-x").arg(&program).uid(65534).gid(65534).status();
    assert!(is_reachable.unwrap().success(), "an ordinary user must be able to run {}", program.display());
    let output = Command::new(program)
        .args(["limits::", "--test-threads=2"])
        .current_dir(Path::new("/"))
        .uid(65534)
        .gid(65534)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
