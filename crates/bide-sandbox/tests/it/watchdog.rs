//! The watchdog against real processes in a pid namespace of their own.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use bide_sandbox::watchdog::Watchdog;

const MIB: u64 = 1 << 20;

/// A shell in new namespaces, and in it a program that holds 32 MiB of its own and 32 MiB to share until its input ends, and has a child then.
fn holder() -> (Child, u32) {
    let hold = "import os, mmap\na = b'x' * (32 << 20)\nx = mmap.mmap(-1, len(a))\nx.write(a)\nif os.fork() == 0: os.read(0, 1); os._exit(0)\nprint(1, flush=True)\nos.wait()";
    let mut command = Command::new("/usr/bin/unshare");
    command.args(["--user", "--pid", "--fork", "--kill-child", "python3", "-c", hold]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    if rustix::process::getuid().is_root() {
        command.uid(65534).gid(65534);
    }
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "1\n");
    let children = format!("/proc/{0}/task/{0}/children", child.id());
    let inner = std::fs::read_to_string(children).unwrap().trim().parse().unwrap();
    (child, inner)
}

#[test]
fn memory_of_a_namespace_is_seen_and_not_that_of_others() {
    let watchdog = Watchdog::new("/proc".into());
    let (mut child, inner) = holder();
    let namespace = watchdog.namespace_of(inner).unwrap();
    assert_ne!(namespace, watchdog.namespace_of(std::process::id()).unwrap());
    let usage = watchdog.look().unwrap().remove(&namespace).unwrap();
    assert_eq!(usage.processes.len(), 2, "{usage:?}");
    // Both processes have what one of them made its own; only the first has touched the shared part.
    assert!(usage.memory_bytes > 96 * MIB, "{usage:?}");
    let shared_out = watchdog.shared_out(&usage);
    assert!((64 * MIB..96 * MIB).contains(&shared_out), "{shared_out}");
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    assert!(!watchdog.look().unwrap().contains_key(&namespace));
}
