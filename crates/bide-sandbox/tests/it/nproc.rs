//! `RLIMIT_NPROC` against the kernel: what the sandbox relies on, that it is counted per user namespace (Linux 5.14).
//!
//! Without that, instances that share a user of the host, as those of an ordinary user do, would starve each other.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, Stdio};

/// Forks as often as it is told and may, says how often that was, and waits for the end of its input.
const FORKER: &str = "
import os, resource, sys
limit, wanted = int(sys.argv[1]), int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_NPROC, (limit, limit))
made = 0
try:
    for _ in range(wanted):
        if os.fork() == 0:
            os.read(0, 1)
            os._exit(0)
        made += 1
except BlockingIOError:
    pass
print(made, flush=True)
os.read(0, 1)
";

/// A forker in a user namespace of its own, of an ordinary user; and how many children it made.
fn forker(limit: u32, wanted: u32) -> (Child, BufReader<ChildStdout>, u32) {
    let mut command = Command::new("/usr/bin/unshare");
    command.args(["--user", "python3", "-c", FORKER, &limit.to_string(), &wanted.to_string()]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    if rustix::process::getuid().is_root() {
        command.uid(65533).gid(65533);
    }
    let mut child = command.spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    let made = line.trim().parse().unwrap();
    (child, output, made)
}

#[test]
fn processes_are_limited_per_user_namespace() {
    let (first, first_output, made_first) = forker(1000, 30);
    assert_eq!(made_first, 30);
    let (second, second_output, made_second) = forker(10, 30);
    // Itself and nine more, although the same user has 31 processes in the other namespace.
    assert_eq!(made_second, 9);
    for (mut child, output) in [(first, first_output), (second, second_output)] {
        drop(child.stdin.take());
        child.wait().unwrap();
        drop(output);
    }
}
