//! Privileges against the kernel: after they are given up, `/proc` shows none, and no program brings one back.

#![allow(unsafe_code)]

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use bide_sandbox::capabilities::drop_all;

/// Runs a program that has given up everything. `as_user`: as an ordinary user, in a user namespace of its own.
fn output_of(program: &str, args: &[&str], as_user: bool) -> String {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null());
    if as_user && rustix::process::getuid().is_root() {
        command.uid(65534).gid(65534);
    }
    // SAFETY: plain system calls.
    unsafe {
        command.pre_exec(move || {
            if as_user && libc::unshare(libc::CLONE_NEWUSER) < 0 {
                return Err(io::Error::last_os_error());
            }
            drop_all()
        });
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn check(as_user: bool) {
    let status = output_of("/bin/cat", &["/proc/self/status"], as_user);
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap_or_else(|| panic!("no {name} in {status}")).trim()
    };
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(u64::from_str_radix(field(set), 16).unwrap(), 0, "{set}");
    }
    assert_eq!(field("NoNewPrivs"), "1");
}

#[test]
fn all_five_sets_are_empty() {
    check(true);
    if rustix::process::getuid().is_root() {
        check(false);
    } else {
        eprintln!("SKIPPED: the part as root");
    }
}

#[test]
fn a_program_with_privileges_of_its_own_gets_none() {
    // `mount` is a set-user-id program on most systems.
    let script = "umask 077; cat /proc/self/status | grep CapEff; mount -t tmpfs none /mnt 2>/dev/null || echo refused";
    let text = output_of("/bin/sh", &["-c", script], true);
    assert_eq!(text, "CapEff:\t0000000000000000\nrefused\n");
}

#[test]
fn without_the_right_to_give_up_rights_it_is_an_error() {
    let mut command = Command::new("/bin/true");
    if rustix::process::getuid().is_root() {
        command.uid(65534).gid(65534);
    }
    // SAFETY: plain system calls.
    unsafe { command.pre_exec(drop_all) };
    assert_eq!(command.status().unwrap_err().kind(), io::ErrorKind::PermissionDenied);
}
