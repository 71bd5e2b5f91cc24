//! The program's process: from fork to exec.
//!
//! Owns what user code starts with: its own session, three descriptors and at most one more, limits, and what Landlock lets
//! it write. Process 1, of which it is a copy, has given up every privilege before. Everything here runs before user code;
//! what fails is reported and nothing is executed.

use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;

use rustix::fs::{Mode, OFlags, open};
use rustix::io::{dup2, fcntl_dupfd_cloexec};
use rustix::net::SocketFlags;
use rustix::process::{Pid, chdir, setsid, umask};

use crate::protocol::{self, During, Fault, Launch};
use crate::spec::Limits;
use crate::sys::{self, Cloned};
use crate::{CONTROL_FD_VARIABLE, landlock};

/// Number of the control socket in the program's process.
const CONTROL_FD: i32 = 3;
/// Descriptors are moved from here on before they get their numbers, so that none is overwritten.
const ASIDE_FROM: i32 = 16;
/// POSIX message queues of one instance: some of the default size. Like the next one, taken from what the user has in all.
const MESSAGE_QUEUE_BYTES_MAX: u64 = 256 * 1024;
/// Signals and timers that wait.
const SIGNALS_PENDING_MAX: u64 = 4096;
/// A fault is a line of text.
const FAULT_BYTES_MAX: usize = 4096;

pub(super) struct Program {
    pub(super) pid: Pid,
    pub(super) descriptor: OwnedFd,
}

/// Returns when the program has been executed.
pub(super) fn start(launch: &Launch, output: &OwnedFd, control: Option<&OwnedFd>) -> Result<Program, Fault> {
    let (ours, theirs) = protocol::pair(SocketFlags::empty()).during("make a socket")?;
    match sys::clone(0).during("fork")? {
        Cloned::Child => {
            drop(ours);
            let fault = become_program(launch, output, control);
            let _ = protocol::send(&theirs, &fault, &[]);
            sys::exit(127)
        }
        Cloned::Parent(pid, descriptor) => {
            drop(theirs);
            // Ends without a message when the other side is closed by a successful exec.
            match protocol::receive::<Fault>(&ours, &mut [0; FAULT_BYTES_MAX])
                .during("wait for the program")?
            {
                Some((fault, _)) => Err(fault),
                None => Ok(Program { pid, descriptor }),
            }
        }
    }
}

/// Returns only what went wrong.
fn become_program(launch: &Launch, output: &OwnedFd, control: Option<&OwnedFd>) -> Fault {
    match prepare(launch, output, control) {
        Ok(()) => execute(launch, control.is_some()),
        Err(fault) => fault,
    }
}

fn prepare(launch: &Launch, output: &OwnedFd, control: Option<&OwnedFd>) -> Result<(), Fault> {
    setsid().during("start a session")?;
    descriptors(output, control).during("arrange descriptors")?;
    limits(&launch.limits).during("set limits")?;
    umask(Mode::from_raw_mode(0o077));
    sys::reset_signals().during("reset signals")?;
    chdir(launch.working_dir.as_c_str())
        .during(&format!("enter {}", launch.working_dir.to_string_lossy()))?;
    restrict(launch).during("restrict access by Landlock")
}

/// Process 1 is not restricted: the rules would keep it from signalling the program.
fn restrict(launch: &Launch) -> io::Result<()> {
    let mounts = launch.mounts.iter().filter(|mount| mount.writable);
    let mounts = mounts.map(|mount| Path::new(OsStr::from_bytes(mount.target.to_bytes())));
    // Of `/dev`, what the kernel lets an ordinary user write.
    let writable: Vec<_> = ["/tmp", "/dev"].map(Path::new).into_iter().chain(mounts).collect();
    landlock::restrict(&writable)
}

/// Standard input is empty, both outputs go to `output`; the rest is closed when the program is executed.
fn descriptors(output: &OwnedFd, control: Option<&OwnedFd>) -> io::Result<()> {
    let nothing = open(c"/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let nothing = fcntl_dupfd_cloexec(&nothing, ASIDE_FROM)?;
    let output = fcntl_dupfd_cloexec(output, ASIDE_FROM)?;
    let control = control.map(|control| fcntl_dupfd_cloexec(control, ASIDE_FROM)).transpose()?;
    put(&nothing, 0)?;
    put(&output, 1)?;
    put(&output, 2)?;
    let mut first = CONTROL_FD;
    if let Some(control) = &control {
        put(control, CONTROL_FD)?;
        first += 1;
    }
    sys::close_from(first, true)
}

/// Gives a descriptor a number, under which it stays open when the program is executed.
fn put(descriptor: &OwnedFd, number: i32) -> io::Result<()> {
    // SAFETY: what had this number belongs to no live `OwnedFd` that is used again: the process executes the program or
    // ends. The number is given up below and never closed.
    let mut target = unsafe { OwnedFd::from_raw_fd(number) };
    let result = dup2(descriptor, &mut target);
    debug_assert_eq!(target.as_raw_fd(), number);
    let _ = target.into_raw_fd();
    Ok(result?)
}

fn limits(limits: &Limits) -> io::Result<()> {
    sys::limit(libc::RLIMIT_CORE, 0)?;
    sys::limit(libc::RLIMIT_NOFILE, limits.open_files_max)?;
    sys::limit(libc::RLIMIT_FSIZE, limits.file_bytes_max)?;
    sys::limit(libc::RLIMIT_MSGQUEUE, MESSAGE_QUEUE_BYTES_MAX)?;
    sys::limit(libc::RLIMIT_SIGPENDING, SIGNALS_PENDING_MAX)?;
    // Counted per user namespace (Linux 5.14), so it bounds this instance alone; process 1 is one of them.
    sys::limit(libc::RLIMIT_NPROC, u64::from(limits.processes_max) + 1)?;
    Ok(())
}

/// Returns only the error.
fn execute(launch: &Launch, has_control: bool) -> Fault {
    let control = CString::new(format!("{CONTROL_FD_VARIABLE}={CONTROL_FD}")).unwrap_or_default();
    let env = launch.env.iter().chain(has_control.then_some(&control));
    let env: Vec<_> = env.map(|item| item.as_ptr()).chain([ptr::null()]).collect();
    let argv: Vec<_> = launch.argv.iter().map(|item| item.as_ptr()).chain([ptr::null()]).collect();
    let Some(name) = launch.argv.first() else {
        return fault(&io::ErrorKind::InvalidInput.into());
    };
    if name.to_bytes().contains(&b'/') {
        return fault(&sys::execute(name, &argv, &env));
    }
    let mut worst = io::Error::from_raw_os_error(libc::ENOENT);
    for directory in search_path(launch).split(|byte| *byte == b':') {
        let Ok(path) = CString::new([directory, b"/", name.to_bytes()].concat()) else { continue };
        let error = sys::execute(&path, &argv, &env);
        // As the C library does: only what is missing lets the search go on, and what may not be run is remembered.
        match error.raw_os_error() {
            Some(libc::ENOENT | libc::ENOTDIR) => {}
            Some(libc::EACCES) => worst = error,
            _ => return fault(&error),
        }
    }
    fault(&worst)
}

fn search_path(launch: &Launch) -> &[u8] {
    let path = launch.env.iter().find_map(|item: &CString| item.to_bytes().strip_prefix(b"PATH="));
    path.unwrap_or(DEFAULT_PATH.to_bytes())
}

const DEFAULT_PATH: &CStr = c"/usr/local/bin:/usr/bin:/bin";

fn fault(error: &io::Error) -> Fault {
    Fault { step: "execute".to_owned(), errno: error.raw_os_error().unwrap_or(libc::EIO), program: true }
}
