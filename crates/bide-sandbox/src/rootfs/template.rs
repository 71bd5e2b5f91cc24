//! Templates: the part of the root that all instances with the same mount points share.
//!
//! Owns what every instance sees of the host: programs and libraries, a few devices, an `/etc` of its own. A template is
//! a small read-only tmpfs with mounts on it; copying it costs a few microseconds, making it anew for every launch would
//! cost a millisecond. Lives in the supervisor's mount namespace.

use std::ffi::{CStr, CString, OsStr};
use std::fs::{self, Permissions};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::CWD;
use rustix::mount::{
    MountFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount, move_mount, open_tree, unmount,
};

use super::slot::Slot;
use super::{DETACHED, STAGES, SYSTEM_ATTRIBUTES, copy_of, etc, relative};
use crate::protocol::{Bind, During, Fault};
use crate::sys;

/// Directories of the host that every instance sees, with what lies beneath; links among them stay links.
const SYSTEM: [&str; 8] = ["usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "nix"];
/// Devices that every instance sees.
const DEVICES: [&str; 5] = ["null", "zero", "full", "random", "urandom"];
/// Links of `/dev`. There is one quota for all that an instance writes: shared memory lies in `/tmp`.
const DEVICE_LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("shm", "/tmp"),
];
/// Directories that are mounted on, or that programs expect to exist.
const EMPTY: [&str; 8] = ["proc", "tmp", "code", "opt", "run", "var", "home", "root"];
/// A template holds some small files only.
const SIZE: &CStr = c"size=4m,nr_inodes=4096,mode=0755";
/// Where process 1 attaches its root.
const NEW: &str = "new";
/// What a slot shows before it is filled.
const NOTHING: &str = "nothing";
/// Sets of mount points differ by interpreter, hardly more.
const TEMPLATES_MAX: usize = 32;

/// Whether every template shows a directory of the host under its own path.
pub(crate) fn shows(source: &CStr, target: &CStr) -> bool {
    let path = Path::new(OsStr::from_bytes(source.to_bytes()));
    source == target && SYSTEM.iter().any(|name| path.starts_with(Path::new("/").join(name)))
}

/// The templates made so far.
pub(crate) struct Templates {
    stage: PathBuf,
    made: Vec<Template>,
    next: usize,
}

struct Template {
    targets: Vec<CString>,
    path: PathBuf,
}

impl Templates {
    /// Prepares the place for them. The calling process must have a mount namespace of its own.
    pub(crate) fn new() -> Result<Self, Fault> {
        let is_directory = |path: &str| fs::symlink_metadata(path).is_ok_and(|file| file.is_dir());
        let stage = STAGES.iter().find(|path| is_directory(path)).ok_or(io::ErrorKind::NotFound);
        let stage = PathBuf::from(stage.map_err(io::Error::from).during("find a place for templates")?);
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        mount(c"tmpfs", &stage, c"tmpfs", flags, Some(c"size=64k,mode=0755")).during("mount a tmpfs")?;
        for name in [NEW, NOTHING] {
            make_mount_point(&stage.join(name)).during("make a mount point")?;
        }
        Ok(Self { stage, made: Vec::new(), next: 0 })
    }

    /// Where process 1 attaches its root before it moves there.
    pub(crate) fn attach_point(&self) -> PathBuf {
        self.stage.join(NEW)
    }

    /// Makes a slot; also the end for the instance.
    pub(crate) fn make_slot(&mut self) -> io::Result<(Slot, OwnedFd)> {
        self.next += 1;
        Slot::make(self.stage.join(format!("slot-{}", self.next)), &self.stage.join(NOTHING))
    }

    /// A detached copy of the template with mount points for these.
    pub(crate) fn copy(&mut self, binds: &[Bind], slots: &[CString]) -> Result<OwnedFd, Fault> {
        let mounted = binds.iter().filter(|bind| !shows(&bind.source, &bind.target));
        let mut targets: Vec<CString> = mounted.map(|bind| &bind.target).chain(slots).cloned().collect();
        targets.sort();
        targets.dedup();
        let found = self.made.iter().position(|template| template.targets == targets);
        let template = match found {
            Some(at) => &self.made[at],
            None => self.make(targets)?,
        };
        open_tree(CWD, &template.path, DETACHED | OpenTreeFlags::AT_RECURSIVE).during("copy the template")
    }

    fn make(&mut self, targets: Vec<CString>) -> Result<&Template, Fault> {
        if self.made.len() >= TEMPLATES_MAX {
            let oldest = self.made.remove(0);
            let _ = unmount(&oldest.path, UnmountFlags::DETACH);
            let _ = fs::remove_dir(&oldest.path);
        }
        let path = self.stage.join(self.next.to_string());
        self.next += 1;
        make_mount_point(&path).during("make a mount point")?;
        mount(c"tmpfs", &path, c"tmpfs", MountFlags::NOSUID | MountFlags::NODEV, Some(SIZE))
            .during("mount a tmpfs")?;
        if let Err(fault) = fill(&path, &targets) {
            let _ = unmount(&path, UnmountFlags::DETACH);
            let _ = fs::remove_dir(&path);
            return Err(fault);
        }
        self.made.push(Template { targets, path });
        Ok(self.made.last().expect("just pushed"))
    }
}

/// Process 1, another user, must be able to go there.
pub(super) fn make_mount_point(path: &Path) -> io::Result<()> {
    fs::create_dir(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o755))
}

fn fill(root: &Path, targets: &[CString]) -> Result<(), Fault> {
    for name in EMPTY {
        fs::create_dir(root.join(name)).during("make a directory")?;
    }
    symlink("../tmp", root.join("var/tmp")).during("make a link")?;
    for name in SYSTEM {
        show(root, Path::new(name)).during("show the system's programs")?;
    }
    devices(&root.join("dev")).during("show devices")?;
    let etc = root.join("etc");
    fs::create_dir(&etc).and_then(|()| etc::fill(&etc)).during("make /etc")?;
    for entry in fs::read_dir("/etc").during("list /etc")?.filter_map(Result::ok) {
        let name = entry.file_name();
        if name.as_bytes().starts_with(etc::DIRECTORY_PREFIX.as_bytes()) {
            show(root, &Path::new("etc").join(name)).during("show a directory of /etc")?;
        }
    }
    for name in etc::DIRECTORIES {
        show(root, &Path::new("etc").join(name)).during("show a directory of /etc")?;
    }
    for target in targets {
        let path = root.join(OsStr::from_bytes(relative(target).to_bytes()));
        fs::create_dir_all(&path).during(&format!("make a mount point at {}", target.to_string_lossy()))?;
    }
    open_up(root).during("open the root to everybody")?;
    let this = open_tree(CWD, root, OpenTreeFlags::OPEN_TREE_CLOEXEC).during("open the template")?;
    sys::set_mount_attributes(this.as_fd(), SYSTEM_ATTRIBUTES, false).during("seal the template")
}

/// Shows a directory of the host under its own path, if the host has it; a link is copied.
fn show(root: &Path, name: &Path) -> io::Result<()> {
    let (source, target) = (Path::new("/").join(name), root.join(name));
    let Ok(found) = fs::symlink_metadata(&source) else { return Ok(()) };
    if target.symlink_metadata().is_ok() {
        return Ok(());
    }
    if found.is_symlink() {
        return symlink(fs::read_link(&source)?, target);
    }
    if !found.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(&target)?;
    attach(&source, &target, SYSTEM_ATTRIBUTES)
}

fn devices(directory: &Path) -> io::Result<()> {
    fs::create_dir(directory)?;
    for name in DEVICES {
        let target = directory.join(name);
        fs::write(&target, "")?;
        attach(&Path::new("/dev").join(name), &target, libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NOEXEC)?;
    }
    for (name, target) in DEVICE_LINKS {
        symlink(target, directory.join(name))?;
    }
    Ok(())
}

fn attach(source: &Path, target: &Path, attributes: u64) -> io::Result<()> {
    let source = CString::new(source.as_os_str().as_bytes())?;
    let tree = copy_of(&source, attributes)?;
    move_mount(&tree, c"", CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
    Ok(())
}

/// Makes directories and files of the template itself readable, whatever the mask of the server is. Leaves alone what
/// is mounted on it.
fn open_up(root: &Path) -> io::Result<()> {
    let device = std::os::unix::fs::MetadataExt::dev(&fs::metadata(root)?);
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        fs::set_permissions(&directory, Permissions::from_mode(0o755))?;
        for entry in fs::read_dir(&directory)? {
            let path = entry?.path();
            let found = fs::symlink_metadata(&path)?;
            if std::os::unix::fs::MetadataExt::dev(&found) != device {
                continue;
            }
            if found.is_dir() {
                directories.push(path);
            } else if found.is_file() {
                fs::set_permissions(&path, Permissions::from_mode(0o644))?;
            }
        }
    }
    Ok(())
}
