//! Landlock: a second line behind the mount namespace.
//!
//! Owns the rules for an instance: everything that its root shows may be read and executed, only the named places may be
//! written, and nothing outside its domain can be signalled or reached by an abstract socket. Where the kernel has no
//! Landlock, or an older one, less of it or nothing is in force, and that is said. The rules end with the processes.

use std::io;
use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, Errno, PathBeneath, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError, Scope,
};
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags, open};

/// The newest interface that the rules know: version 5 for files, 6 for signals and sockets (Linux 6.12).
const NEWEST: ABI = ABI::V6;

/// The version of Landlock that rules are enforced by, at most the newest one used here; `None` without Landlock.
pub fn version() -> Option<u32> {
    // SAFETY: the call with this flag takes no structure and only returns a number.
    let version = unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<u8>(), 0, CREATE_RULESET_VERSION)
    };
    u32::try_from(version).ok().filter(|version| *version > 0).map(|version| version.min(NEWEST as u32))
}

/// `LANDLOCK_CREATE_RULESET_VERSION` (linux/landlock.h).
const CREATE_RULESET_VERSION: libc::c_uint = 1;

/// Restricts the calling thread and its future children, which must have `no_new_privs`. Nothing happens without Landlock.
///
/// # Errors
/// The kernel's, and `NotFound` if a place does not exist; the thread is not restricted then.
pub fn restrict(writable: &[&Path]) -> io::Result<()> {
    if version().is_none() {
        return Ok(());
    }
    let root = look_at(Path::new("/"))?;
    let places = writable.iter().map(|place| look_at(place)).collect::<io::Result<Vec<_>>>()?;
    apply(&root, &places).map_err(|error| io::Error::from_raw_os_error(*Errno::from(error)))
}

fn look_at(place: &Path) -> io::Result<OwnedFd> {
    Ok(open(place, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?)
}

fn apply(root: &OwnedFd, writable: &[OwnedFd]) -> Result<(), RulesetError> {
    // The library leaves out what the kernel does not know, and what does not apply to a place that is no directory.
    let everything = AccessFs::from_all(NEWEST);
    let mut rules = Ruleset::default()
        .handle_access(everything)?
        .scope(Scope::Signal | Scope::AbstractUnixSocket)?
        .create()?
        .no_new_privs(false)
        .add_rule(PathBeneath::new(root, AccessFs::from_read(NEWEST)))?;
    for place in writable {
        rules = rules.add_rule(PathBeneath::new(place, everything))?;
    }
    rules.restrict_self()?;
    Ok(())
}
