//! Making `/dev/net/tun` usable to instances where only root may open it.
//!
//! Owns a device node of our own in the supervisor's mount namespace. The host's node and its mode stay as they are.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;

use rustix::fs::{FileType, Mode};
use rustix::mount::{MountFlags, UnmountFlags};

const DIRECTORY: &str = "/dev/net";
const NODE: &str = "/dev/net/tun";
/// `Documentation/admin-guide/devices.txt` of the kernel.
const MAJOR: u32 = 10;
const MINOR: u32 = 200;

/// Lays a directory with a node that everybody may open over [`DIRECTORY`]. For a supervisor that is root of the host, in a
/// mount namespace of its own from which nothing spreads. Does nothing where others may open the node already.
///
/// # Errors
/// The kernel's; for an ordinary user `EPERM`, unless there is nothing to do.
pub(crate) fn make_tun_available() -> io::Result<()> {
    if is_open_to_all() {
        return Ok(());
    }
    let flags = MountFlags::NOSUID | MountFlags::NOEXEC;
    if !Path::new(DIRECTORY).is_dir() {
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("{DIRECTORY} is not there")));
    }
    rustix::mount::mount("tmpfs", DIRECTORY, "tmpfs", flags, c"mode=755,size=4k,nr_inodes=4")?;
    let made = make_node();
    if made.is_err() {
        // The host's own node is seen again, and what is wrong with that one.
        rustix::mount::unmount(DIRECTORY, UnmountFlags::DETACH)?;
    }
    Ok(made?)
}

fn make_node() -> Result<(), rustix::io::Errno> {
    let (device, mode) = (rustix::fs::makedev(MAJOR, MINOR), Mode::from_raw_mode(0o666));
    rustix::fs::mknodat(rustix::fs::CWD, NODE, FileType::CharacterDevice, mode, device)?;
    rustix::fs::chmod(NODE, mode)
}

fn is_open_to_all() -> bool {
    let mode = rustix::fs::stat(NODE).map_or(0, |stat| stat.st_mode);
    mode & 0o006 == 0o006 && OpenOptions::new().read(true).write(true).open(NODE).is_ok()
}
