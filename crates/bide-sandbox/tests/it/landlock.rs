//! Landlock against the kernel: what is not named cannot be written, and nobody outside can be signalled.

#![allow(unsafe_code)]

use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use bide_sandbox::landlock::{restrict, version};

/// Runs a shell script that may write to `/dev` and `writable` only.
fn output_of(script: &str, writable: &Path) -> io::Result<Output> {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]).stdin(Stdio::null());
    if rustix::process::getuid().is_root() {
        command.uid(65534).gid(65534);
    }
    let writable: PathBuf = writable.to_owned();
    // SAFETY: `restrict` allocates, which glibc allows after fork even in a program with several threads.
    unsafe {
        command.pre_exec(move || {
            if libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 {
                return Err(io::Error::last_os_error());
            }
            restrict(&[Path::new("/dev"), &writable])
        });
    }
    command.output()
}

/// A directory that everybody may write to, and a file beside it.
fn places() -> (tempfile::TempDir, PathBuf, PathBuf) {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let open = |path: &Path| std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
    let (inside, outside) = (directory.path().join("inside"), directory.path().join("outside"));
    for path in [&inside, &outside] {
        std::fs::create_dir(path).unwrap();
        open(path);
    }
    open(directory.path());
    (directory, inside, outside)
}

#[test]
fn only_named_places_can_be_written() {
    if version().is_none() {
        eprintln!("SKIPPED: this kernel has no Landlock");
        return;
    }
    let (_directory, inside, outside) = places();
    let (inside_path, outside_path) = (inside.display(), outside.display());
    let script = format!(
        "echo a >{inside_path}/a && mkdir {inside_path}/b && mv {inside_path}/a {inside_path}/b && cat {inside_path}/b/a \
         && echo x >/dev/null && ls {outside_path} && echo a >{outside_path}/a"
    );
    let output = output_of(&script, &inside).unwrap();
    assert!(!output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stdout), "a\n", "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("outside/a: Permission denied"), "{said}");
}

#[test]
fn processes_outside_cannot_be_signalled() {
    if version().is_none_or(|version| version < 6) {
        eprintln!("SKIPPED: Landlock {:?} does not know signals", version());
        return;
    }
    let mut other = Command::new("/bin/cat");
    other.stdin(Stdio::piped()).stdout(Stdio::null());
    if rustix::process::getuid().is_root() {
        other.uid(65534).gid(65534);
    }
    let mut other = other.spawn().unwrap();
    let (_directory, inside, _) = places();
    let script = format!("kill -0 $$ && echo self; kill -9 {} || echo other", other.id());
    let output = output_of(&script, &inside).unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "self\nother\n", "{output:?}");
    drop(other.stdin.take());
    assert!(other.wait().unwrap().success());
}

#[test]
fn a_place_that_does_not_exist_is_an_error() {
    if version().is_some() {
        let error = output_of(":", Path::new("/no/such/place")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
