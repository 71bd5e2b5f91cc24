//! Control groups against the kernel: limits that hold, ways in, and what is left behind.
//!
//! They need a host that lets this process make control groups; elsewhere the tests say so and pass.

#![allow(unsafe_code)]

use std::fs::read_to_string;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use bide_sandbox::cgroup::{Bounds, Cgroups, Controller, InstanceCgroup, Site};

const MIB: u64 = 1 << 20;

/// Groups with `controller`, or `None` if this host withholds it.
fn groups_with(controller: Controller, test: &str) -> Option<Cgroups> {
    let own = read_to_string("/proc/self/cgroup").unwrap();
    let label = format!("test-{}-{test}", std::process::id());
    let cgroups =
        Cgroups::detect(&Site { root: Path::new("/sys/fs/cgroup"), own: &own, label: &label, server: &[] });
    if cgroups.version_of(controller).is_none() {
        eprintln!("SKIPPED: no {controller} controller here: {:?}", cgroups.missing());
        return None;
    }
    Some(cgroups)
}

fn shell_in(group: &InstanceCgroup, script: &str) -> Command {
    let entry = group.entry().unwrap();
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    // SAFETY: `enter` makes plain system calls on open descriptors.
    unsafe { command.pre_exec(move || entry.enter(false)) };
    command
}

fn status_in(group: &InstanceCgroup, script: &str) -> ExitStatus {
    shell_in(group, script).stdin(Stdio::null()).status().unwrap()
}

/// Until the last process of the group is reaped by whoever adopted it, the kernel refuses to remove it.
fn until_tidy(cgroups: &Cgroups) {
    while cgroups.tidy() > 0 {
        std::thread::yield_now();
    }
}

#[test]
fn a_hog_of_memory_is_killed_and_counted() {
    let Some(cgroups) = groups_with(Controller::Memory, "hog") else { return };
    let bounds = Bounds { memory_bytes: Some(24 * MIB), ..Bounds::default() };
    let group = cgroups.create("i", &bounds).unwrap();
    assert_eq!(status_in(&group, ":").code(), Some(0));
    assert_eq!(group.oom_kills(), 0);
    // `tail` keeps the last line, and this one has no end.
    let status = status_in(&group, "exec tail /dev/zero");
    assert_eq!(status.signal(), Some(9));
    assert!(group.oom_kills() >= 1);
    assert_eq!(group.charged_peak_bytes(), Some(24 * MIB));
    drop(group);
    until_tidy(&cgroups);
}

#[test]
fn memory_in_use_is_that_of_the_processes_and_not_of_the_files_they_write() {
    let Some(cgroups) = groups_with(Controller::Memory, "figures") else { return };
    let group = cgroups.create("i", &Bounds { memory_bytes: Some(256 * MIB), ..Bounds::default() }).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    let script = format!("head -c {} /dev/zero > {}; echo; read line", 64 * MIB, file.path().display());
    let mut child = shell_in(&group, &script).spawn().unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line)
        .unwrap();
    let now = group.memory_now().unwrap();
    assert!(now < 32 * MIB, "{now}");
    assert!(group.charged_peak_bytes().unwrap() >= 64 * MIB);
    assert_eq!(group.memory_peak_bytes(), Some(now));
    drop(child.stdin.take());
    child.wait().unwrap();
    drop(group);
    until_tidy(&cgroups);
}

#[test]
fn no_more_processes_than_allowed() {
    let Some(cgroups) = groups_with(Controller::Pids, "pids") else { return };
    let group = cgroups.create("i", &Bounds { tasks: Some(5), ..Bounds::default() }).unwrap();
    let status = status_in(&group, "for i in 1 2 3 4 5 6 7 8; do read line <&3 & done; wait");
    assert!(!status.success());
    drop(group);
    until_tidy(&cgroups);
}

#[test]
fn a_frozen_group_stands_still_and_can_be_killed() {
    let Some(cgroups) = groups_with(Controller::Freezer, "freezer") else { return };
    let group = cgroups.create("i", &Bounds::default()).unwrap();
    let mut child = shell_in(&group, "read line; exit 7").spawn().unwrap();
    assert!(group.freeze().unwrap());
    drop(child.stdin.take());
    assert!(child.try_wait().unwrap().is_none());
    group.thaw().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(7));

    let mut child = shell_in(&group, "read line").spawn().unwrap();
    group.freeze().unwrap();
    child.kill().unwrap();
    group.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    drop(group);
    until_tidy(&cgroups);
}

#[test]
fn a_process_can_be_moved_in_and_a_busy_group_is_removed_later() {
    let Some(cgroups) = groups_with(Controller::Pids, "busy") else { return };
    let group = cgroups.create("i", &Bounds::default()).unwrap();
    let mut child = Command::new("/bin/sh").args(["-c", "read line"]).stdin(Stdio::piped()).spawn().unwrap();
    group.add(child.id()).unwrap();
    assert_eq!(group.tasks_now(), Some(1));
    drop(group);
    assert!(cgroups.tidy() > 0);
    drop(child.stdin.take());
    child.wait().unwrap();
    until_tidy(&cgroups);
}

#[test]
fn cpu_time_is_limited() {
    let Some(cgroups) = groups_with(Controller::Cpu, "cpu") else { return };
    let group = cgroups.create("i", &Bounds { cpu_millis: Some(100), ..Bounds::default() }).unwrap();
    let script = "i=0; while [ $i -lt 120000 ]; do i=$((i+1)); done; times";
    let begin = uptime();
    let output = shell_in(&group, script).stdin(Stdio::null()).output().unwrap();
    let passed = uptime() - begin;
    // The shell's own line: user and system time, as `0m0.120000s`.
    let times = String::from_utf8(output.stdout).unwrap();
    let times = times.lines().next().unwrap().split(' ');
    let used: f64 =
        times.map(|time| time.split_once('m').unwrap().1.trim_end_matches('s').parse::<f64>().unwrap()).sum();
    // At a tenth of a CPU it takes ten times as long; half of that leaves room for the first period.
    assert!(passed > used * 5.0, "{passed} s for {used} s of CPU time");
    drop(group);
    until_tidy(&cgroups);
}

fn uptime() -> f64 {
    read_to_string("/proc/uptime").unwrap().split(' ').next().unwrap().parse().unwrap()
}
