//! Standbys: what a program sees of what it is given late, and that nobody else sees it.

use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use bide_sandbox::{Adoption, Standby};

use super::*;

/// A shell that waits for a line on its control socket before it does anything.
async fn waiting(launcher: &SandboxLauncher, script: &str) -> (Standby, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let spec = LaunchSpec { control: Some(theirs.into()), ..shell(&format!("read go <&3; {script}")) };
    let slots = ["/code", "/opt"].map(PathBuf::from).to_vec();
    (launcher.stand_by(spec, slots).await.unwrap(), ours)
}

fn adoption(mounts: Vec<Mount>) -> Adoption {
    Adoption { mounts, hostname: "c-2".to_owned(), memory_bytes_max: None, cpu_millis: None }
}

/// Adopts it, lets its program go, and returns what that prints.
async fn go(standby: Standby, mut control: UnixStream, adoption: &Adoption) -> String {
    let mut process = standby.adopt(adoption).await.unwrap();
    control.write_all(b"go\n").unwrap();
    read_all(process.take_output().unwrap()).await
}

/// A directory that every user may read, with one file in it.
fn directory(text: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::write(dir.path().join("file"), text).unwrap();
    std::fs::set_permissions(dir.path().join("file"), std::fs::Permissions::from_mode(0o644)).unwrap();
    dir
}

/// Lines of the supervisor's mount table; `pid` is that of an instance's program.
fn mounts_of_supervisor(pid: u32) -> usize {
    let supervisor = parent_of(parent_of(pid));
    std::fs::read_to_string(format!("/proc/{supervisor}/mountinfo")).unwrap().lines().count()
}

#[tokio::test]
async fn what_comes_late_is_there_as_if_it_had_come_at_once() {
    let launcher = launcher().await;
    let (code, layers) = (directory("code"), directory("layers"));
    let (standby, control) = waiting(
        &launcher,
        "hostname; cat /code/file /opt/file; ls -A /code; touch /code/x 2>&1 | grep -o Read-only; \
         grep -E ' /(code|opt) ' /proc/self/mounts | tail -n 1 | cut -d' ' -f4 | grep -oE '^ro,nosuid,nodev'",
    )
    .await;
    let adoption = adoption(vec![read_only(code.path(), "/code"), read_only(layers.path(), "/opt")]);
    let seen = go(standby, control, &adoption).await;
    assert_eq!(seen, "c-2\ncodelayersfile\nRead-only\nro,nosuid,nodev\n");
}

#[tokio::test]
async fn a_slot_that_gets_nothing_stays_empty() {
    let launcher = launcher().await;
    let code = directory("code");
    let (standby, control) = waiting(&launcher, "ls -A /opt; touch /opt/x 2>&1 | grep -o Read-only").await;
    let seen = go(standby, control, &adoption(vec![read_only(code.path(), "/code")])).await;
    assert_eq!(seen, "Read-only\n");
}

#[tokio::test]
async fn each_sees_its_own_and_one_that_waits_sees_nothing() {
    let launcher = launcher().await;
    let (first, second) = (directory("first"), directory("second"));
    let script = "cat /code/file; hostname; grep -c ' /code ' /proc/self/mounts";
    let (one, to_one) = waiting(&launcher, script).await;
    let (two, to_two) = waiting(&launcher, script).await;
    let (three, mut to_three) = waiting(&launcher, "ls -A /code; hostname").await;
    let seen = go(one, to_one, &adoption(vec![read_only(first.path(), "/code")])).await;
    assert_eq!(seen, "firstc-2\n2\n", "the slot and what fills it");
    let late = Adoption { hostname: "c-3".to_owned(), ..adoption(vec![read_only(second.path(), "/code")]) };
    assert_eq!(go(two, to_two, &late).await, "secondc-3\n2\n");
    // Let go without being adopted: nothing of the others has come its way.
    to_three.write_all(b"go\n").unwrap();
    assert_eq!(three.handle().exited().await.code, Some(0));
    let (three, control) = waiting(&launcher, "ls -A /code").await;
    assert_eq!(go(three, control, &adoption(Vec::new())).await, "");
}

#[tokio::test]
async fn limits_that_come_late_are_in_force() {
    let launcher = launcher().await;
    // A variable of the shell that doubles until it is too much.
    let (standby, mut control) = waiting(&launcher, "x=0123456789abcdef; while :; do x=$x$x; done").await;
    let limits = Adoption { memory_bytes_max: Some(32 * 1024 * 1024), ..adoption(Vec::new()) };
    let process = standby.adopt(&limits).await.unwrap();
    control.write_all(b"go\n").unwrap();
    assert!(process.handle().exited().await.out_of_memory);
}

#[tokio::test]
async fn nothing_is_left_of_slots_neither_of_the_filled_nor_of_the_unused() {
    let launcher = launcher().await;
    let code = directory("code");
    let (first, control) = waiting(&launcher, "cat /code/file; read go <&3").await;
    let pid = first.handle().pid();
    let with_one = mounts_of_supervisor(pid);
    let (second, _to_second) = waiting(&launcher, "").await;
    assert_eq!(mounts_of_supervisor(pid), with_one + 2);
    let handle = second.handle();
    drop(second);
    handle.exited().await;
    assert_eq!(mounts_of_supervisor(pid), with_one);
    let process = first.adopt(&adoption(vec![read_only(code.path(), "/code")])).await.unwrap();
    assert_eq!(mounts_of_supervisor(pid), with_one - 2, "while the instance runs on");
    drop((process, control));
}

#[tokio::test]
async fn one_that_has_ended_cannot_be_adopted() {
    let launcher = launcher().await;
    let (standby, _control) = waiting(&launcher, "").await;
    let handle = standby.handle();
    handle.kill();
    handle.exited().await;
    let error = standby.adopt(&adoption(Vec::new())).await.unwrap_err();
    assert!(matches!(error, LaunchError::Gone), "{error:?}");
}

#[tokio::test]
async fn what_cannot_be_shown_ends_it() {
    let launcher = launcher().await;
    for (source, target) in [("/no/such/directory", "/code"), ("/usr", "/elsewhere")] {
        let (standby, _control) = waiting(&launcher, "").await;
        let handle = standby.handle();
        let error = standby.adopt(&adoption(vec![read_only(Path::new(source), target)])).await.unwrap_err();
        assert!(matches!(error, LaunchError::Sandbox { .. }), "{error:?}");
        handle.exited().await;
    }
}

#[tokio::test]
async fn without_sandboxes_there_are_none() {
    let launcher = bide_sandbox::ProcessLauncher::new().unwrap();
    let error = launcher.stand_by(shell("exit 0"), Vec::new()).await.unwrap_err();
    assert!(matches!(error, LaunchError::NoStandbys), "{error:?}");
}
