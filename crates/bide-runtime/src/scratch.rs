//! The private directory of an instance, and that it goes away with it.
//!
//! Owns removal. What lies inside was made by user code: it may be much, so it is removed off the async threads, and it
//! may be closed to its owner, so it is opened up first. What cannot be removed is logged and never stops anything.
//! After a crash [`clean`] removes what is left at the next start.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tokio::runtime::Handle;

/// A private directory, removed when dropped.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn create(path: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let path = std::mem::take(&mut self.0);
        match Handle::try_current() {
            // Not joined: a directory that is left when the server ends is removed at the next start.
            Ok(runtime) => drop(runtime.spawn_blocking(move || remove_or_warn(&path))),
            Err(_) => remove_or_warn(&path),
        }
    }
}

/// Makes `root` an empty directory, except for what cannot be removed; instances never meet that, since their names
/// differ from those of any other start.
pub(crate) fn clean(root: &Path) -> io::Result<()> {
    remove_or_warn(root);
    fs::create_dir_all(root)
}

fn remove_or_warn(path: &Path) {
    if let Err(error) = remove(path) {
        tracing::warn!(path = %path.display(), %error, "a scratch directory is left behind");
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_up(path)?;
            fs::remove_dir_all(path)
        }
        result => result,
    }
}

/// Lets the owner enter and change every directory from `path` on. Never follows a link.
fn open_up(path: &Path) -> io::Result<()> {
    let mut closed = vec![path.to_owned()];
    while let Some(directory) = closed.pop() {
        fs::set_permissions(&directory, Permissions::from_mode(0o700))?;
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                closed.push(entry.path());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_that_are_closed_to_their_owner_go_as_well() {
        let root = tempfile::tempdir().expect("a directory");
        let scratch = Scratch::create(root.path().join("c-1")).expect("created");
        let path = scratch.path().to_owned();
        let inner = path.join("a/b");
        fs::create_dir_all(&inner).expect("created");
        fs::write(inner.join("file"), "x").expect("written");
        for closed in [&inner, &path.join("a")] {
            fs::set_permissions(closed, Permissions::from_mode(0o000)).expect("closed");
        }
        drop(scratch);
        assert!(!path.exists());
        clean(root.path()).expect("cleaned");
        assert!(root.path().is_dir());
    }

    #[test]
    fn opening_up_reaches_every_directory_and_follows_no_link() {
        let root = tempfile::tempdir().expect("a directory");
        let outside = tempfile::tempdir().expect("a directory");
        fs::set_permissions(outside.path(), Permissions::from_mode(0o500)).expect("set");
        let inner = root.path().join("a/b");
        fs::create_dir_all(&inner).expect("created");
        std::os::unix::fs::symlink(outside.path(), root.path().join("link")).expect("linked");
        fs::set_permissions(&inner, Permissions::from_mode(0o000)).expect("closed");
        open_up(root.path()).expect("opened");
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode(&inner), mode(outside.path())), (0o700, 0o500));
    }
}
