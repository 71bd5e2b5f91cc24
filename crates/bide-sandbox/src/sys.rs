//! System calls that no library wraps, each behind a safe function.
//!
//! Owns the `unsafe` of the supervisor and of what it clones. Never decides anything.

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::process::Pid;

/// Which side of [`clone`] one is on.
pub(crate) enum Cloned {
    Child,
    /// The child's number here, and a descriptor for it.
    Parent(Pid, OwnedFd),
}

/// Copies the calling process into new namespaces (`CLONE_NEW*`); the parent is told of the child's end by `SIGCHLD`.
///
/// Only for processes with a single thread: the child goes on with whatever locks other threads held.
pub(crate) fn clone(namespaces: c_int) -> io::Result<Cloned> {
    let mut pidfd: c_int = -1;
    let flags = namespaces | libc::CLONE_PIDFD | libc::SIGCHLD;
    // SAFETY: without CLONE_VM the child has a copy of the memory and of the stack, as after fork. `pidfd` outlives the
    // call; the kernel writes the new descriptor to it, which nobody else owns.
    unsafe {
        match libc::syscall(libc::SYS_clone, flags, 0, &raw mut pidfd, 0, 0) {
            0 => Ok(Cloned::Child),
            child if child > 0 => parent(child, pidfd),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// As [`clone`], with the child born in a control group of version 2.
pub(crate) fn clone_into(namespaces: c_int, group: BorrowedFd<'_>) -> io::Result<Cloned> {
    /// `CLONE_INTO_CGROUP` (linux/sched.h); the constant of libc does not fit its type.
    const INTO_CGROUP: u64 = 0x2_0000_0000;
    let mut pidfd: c_int = -1;
    let descriptor = u64::try_from(group.as_raw_fd()).map_err(io::Error::other)?;
    let flags = u64::from((namespaces | libc::CLONE_PIDFD).cast_unsigned()) | INTO_CGROUP;
    let arguments = CloneArguments {
        flags,
        pidfd: (&raw mut pidfd).expose_provenance() as u64,
        exit_signal: u64::from(libc::SIGCHLD.cast_unsigned()),
        cgroup: descriptor,
        ..CloneArguments::default()
    };
    // SAFETY: as in `clone`; `arguments` is a valid structure of the given size and outlives the call.
    unsafe {
        match libc::syscall(libc::SYS_clone3, &raw const arguments, size_of::<CloneArguments>()) {
            0 => Ok(Cloned::Child),
            child if child > 0 => parent(child, pidfd),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// `struct clone_args` (linux/sched.h).
#[derive(Default)]
#[repr(C)]
struct CloneArguments {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// # Safety
/// Nobody else owns `pidfd`.
unsafe fn parent(child: libc::c_long, pidfd: c_int) -> io::Result<Cloned> {
    let child = c_int::try_from(child).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::Other)?;
    // SAFETY: as the caller promises.
    Ok(Cloned::Parent(child, unsafe { OwnedFd::from_raw_fd(pidfd) }))
}

/// The number of a process in this namespace; `None` if it has ended or has none here.
pub(crate) fn number_of(process: &OwnedFd) -> Option<Pid> {
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", process.as_raw_fd())).ok()?;
    let number = info.lines().find_map(|line| line.strip_prefix("Pid:"))?;
    // -1 if it has ended.
    let number = number.trim().parse().ok().filter(|number| *number > 0)?;
    Pid::from_raw(number)
}

/// Sets attributes (`MOUNT_ATTR_*`) of a mount and, if `recursive`, of all mounts beneath it.
pub(crate) fn set_mount_attributes(
    mount: BorrowedFd<'_>,
    attributes: u64,
    recursive: bool,
) -> io::Result<()> {
    change_mount(mount, attributes, 0, recursive)
}

/// Sets attributes of a mount, and its propagation (`MS_SHARED`, `MS_SLAVE` or `MS_PRIVATE`).
pub(crate) fn set_propagation(mount: BorrowedFd<'_>, attributes: u64, propagation: u64) -> io::Result<()> {
    change_mount(mount, attributes, propagation, false)
}

fn change_mount(mount: BorrowedFd<'_>, attributes: u64, propagation: u64, recursive: bool) -> io::Result<()> {
    let change = libc::mount_attr { attr_set: attributes, attr_clr: 0, propagation, userns_fd: 0 };
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path is a string with its NUL, and `change` a valid structure of the given size; both outlive the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const change,
            size_of::<libc::mount_attr>(),
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Blocks these signals and returns a descriptor from which they can be read.
pub(crate) fn signals(signals: &[c_int]) -> io::Result<OwnedFd> {
    // SAFETY: `set` is initialised by `sigemptyset` before it is read and outlives the calls; the new descriptor is
    // nobody else's.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for signal in signals {
            libc::sigaddset(&raw mut set, *signal);
        }
        check(libc::sigprocmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut()))?;
        let fd = check(libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK))?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// Undoes [`signals`] and what the runtime of Rust set: nothing is blocked, everything has its default effect.
pub(crate) fn reset_signals() -> io::Result<()> {
    // SAFETY: as in `signals`; no handler is installed, so none can run.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        check(libc::sigprocmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut()))?;
        if libc::signal(libc::SIGPIPE, libc::SIG_DFL) == libc::SIG_ERR {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Ends the calling process when the thread that made it ends. Cleared by fork and by changes of identity.
pub(crate) fn die_with_parent() -> io::Result<()> {
    hear_of_parents_end(libc::SIGKILL)
}

/// Sends the calling process a signal when the thread that made it ends. Cleared as in [`die_with_parent`].
pub(crate) fn hear_of_parents_end(signal: c_int) -> io::Result<()> {
    // SAFETY: a plain system call on integers.
    unsafe { check(libc::prctl(libc::PR_SET_PDEATHSIG, signal)) }?;
    Ok(())
}

/// Whether others of the same user may look into the calling process.
pub(crate) fn set_dumpable(dumpable: bool) -> io::Result<()> {
    // SAFETY: a plain system call on integers.
    unsafe { check(libc::prctl(libc::PR_SET_DUMPABLE, c_int::from(dumpable), 0, 0, 0)) }?;
    Ok(())
}

/// Lowers a resource limit (`RLIMIT_*`) to `value`; a limit that is lower already stays. Returns what holds.
pub(crate) fn limit(resource: libc::__rlimit_resource_t, value: u64) -> io::Result<u64> {
    let mut current = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `current` is a valid rlimit that outlives both calls.
    unsafe {
        check(libc::getrlimit(resource, &raw mut current))?;
        current.rlim_max = current.rlim_max.min(value);
        current.rlim_cur = current.rlim_max;
        check(libc::setrlimit(resource, &raw const current))?;
    }
    Ok(current.rlim_cur)
}

/// Raises the limit on open descriptors as far as it goes; returns it.
pub(crate) fn raise_descriptor_limit() -> io::Result<u64> {
    limit(libc::RLIMIT_NOFILE, u64::MAX)
}

/// Closes every descriptor from `first` on, or marks it to be closed when a program is executed.
pub(crate) fn close_from(first: c_int, on_exec: bool) -> io::Result<()> {
    close_range(first, c_int::MAX, on_exec)
}

/// Closes every descriptor that is not listed.
pub(crate) fn close_all_but(keep: &mut [c_int]) -> io::Result<()> {
    keep.sort_unstable();
    let mut first = 0;
    for fd in keep {
        if *fd > first {
            close_range(first, *fd - 1, false)?;
        }
        first = *fd + 1;
    }
    close_range(first, c_int::MAX, false)
}

fn close_range(first: c_int, last: c_int, on_exec: bool) -> io::Result<()> {
    let flags = if on_exec { libc::CLOSE_RANGE_CLOEXEC } else { 0 };
    // SAFETY: callers close only what no live `OwnedFd` of theirs will use again, which they say where they call.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Replaces the calling process by a program; returns only the error. `argv` and `env` end with a null pointer.
pub(crate) fn execute(program: &std::ffi::CStr, argv: &[*const i8], env: &[*const i8]) -> io::Error {
    assert!(argv.last().is_some_and(|last| last.is_null()) && env.last().is_some_and(|last| last.is_null()));
    // SAFETY: both lists are terminated, as just checked, and their other pointers come from `CString`s that the caller
    // still holds.
    unsafe { libc::execve(program.as_ptr(), argv.as_ptr(), env.as_ptr()) };
    io::Error::last_os_error()
}

/// Sends a signal to every process of the calling one's namespace but itself.
pub(crate) fn signal_all(signal: c_int) {
    // SAFETY: a plain system call on integers. It fails only when there is nobody.
    unsafe { libc::kill(-1, signal) };
}

/// Ends the calling process at once, without running anything else.
pub(crate) fn exit(code: c_int) -> ! {
    // SAFETY: ends the process.
    unsafe { libc::_exit(code) }
}

fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
