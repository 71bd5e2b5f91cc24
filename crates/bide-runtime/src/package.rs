//! Code packages: what a zip may contain, and unpacking it.
//!
//! Owns the rules for entry names, symbolic links and sizes. [`inspect`] is pure and is what the API calls at upload;
//! [`unpack`] applies the same rules again, so that a package is safe even if nobody inspected it. Sizes count what
//! really comes out of the decompressor, never what headers claim. A crash while unpacking leaves a partial directory:
//! `code` unpacks beside the cache and renames, so it is never used.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io::{self, Cursor, Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use bide_types::limits::{CODE_FILES_MAX, CODE_UNPACKED_BYTES_MAX};
use zip::ZipArchive;
use zip::result::ZipError;

/// Longest path of an entry, and longest target of a symbolic link, in bytes (Linux `PATH_MAX` without the NUL).
const PATH_BYTES_MAX: usize = 4095;
/// Longest component of a path (Linux `NAME_MAX`).
const COMPONENT_BYTES_MAX: usize = 255;
const COPY_BYTES: usize = 64 * 1024;

/// What a valid package holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackageInfo {
    /// Entries: files, directories and symbolic links.
    pub entries: usize,
    /// Size of all files after decompression, in bytes.
    pub unpacked_bytes: u64,
}

/// Why a package is refused.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    #[error("the code package is not a readable zip file")]
    Broken(#[source] ZipError),
    #[error("the entry '{name}' of the code package cannot be decompressed")]
    BrokenEntry {
        name: String,
        #[source]
        source: io::Error,
    },
    #[error("the entry '{name}' of the code package is refused: {reason}")]
    BadEntry { name: String, reason: &'static str },
    #[error("the code package names an entry twice")]
    DuplicateNames,
    #[error("the code package has more than {CODE_FILES_MAX} entries")]
    TooManyFiles,
    #[error("the code package is larger than {CODE_UNPACKED_BYTES_MAX} bytes when unpacked")]
    TooLarge,
    #[error("the code package cannot be written")]
    Write(#[source] io::Error),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Directory,
    File { executable: bool },
    Symlink,
}

/// Checks a package without writing anything. Takes time in proportion to the unpacked size: call it off the async
/// threads.
///
/// # Errors
/// [`PackageError`], naming the entry at fault.
pub fn inspect(zip: &[u8]) -> Result<PackageInfo, PackageError> {
    walk(zip, |_, content| match content {
        Content::Directory | Content::Symlink(_) => Ok(()),
        Content::File { data, .. } => data.copy_to(&mut io::sink()),
    })
}

/// Writes a package into the existing, empty directory `root`; files become read-only and keep their exec bit.
///
/// # Errors
/// [`PackageError`]; `root` may hold a part of the package then.
pub(crate) fn unpack(zip: &[u8], root: &Path) -> Result<PackageInfo, PackageError> {
    walk(zip, |name, content| {
        let path = root.join(name);
        if let Some(parent) = path.parent() {
            make_directory(parent).map_err(PackageError::Write)?;
        }
        match content {
            Content::Directory => make_directory(&path).map_err(PackageError::Write),
            Content::Symlink(target) => symlink(target, &path).map_err(PackageError::Write),
            Content::File { data, executable } => {
                let mut file = File::create_new(&path).map_err(PackageError::Write)?;
                data.copy_to(&mut file)?;
                let mode = if executable { 0o555 } else { 0o444 };
                file.set_permissions(Permissions::from_mode(mode)).map_err(PackageError::Write)
            }
        }
    })
}

/// Makes a directory, and those above it, that everybody may enter, whatever the mask of the server is: instances run as
/// other users.
pub(crate) fn make_directory(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Ok(()) => fs::set_permissions(path, Permissions::from_mode(0o755)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => match path.parent() {
            Some(parent) if error.kind() == io::ErrorKind::NotFound => {
                make_directory(parent)?;
                make_directory(path)
            }
            _ => Err(error),
        },
    }
}

enum Content<'a> {
    Directory,
    File { data: Data<'a>, executable: bool },
    Symlink(&'a str),
}

/// The bytes of one entry, counted against what is left for the package.
struct Data<'a> {
    name: &'a str,
    reader: &'a mut dyn Read,
    left: &'a mut u64,
}

impl Data<'_> {
    fn copy_to(self, writer: &mut dyn Write) -> Result<(), PackageError> {
        let mut buffer = [0_u8; COPY_BYTES];
        loop {
            let broken = |source| PackageError::BrokenEntry { name: self.name.to_owned(), source };
            let read = match self.reader.read(&mut buffer).map_err(broken)? {
                0 => return Ok(()),
                read => read,
            };
            *self.left = self.left.checked_sub(read as u64).ok_or(PackageError::TooLarge)?;
            writer.write_all(&buffer[..read]).map_err(PackageError::Write)?;
        }
    }
}

/// Shows every entry to `visit`, after all names were checked.
fn walk(
    zip: &[u8],
    mut visit: impl FnMut(&str, Content<'_>) -> Result<(), PackageError>,
) -> Result<PackageInfo, PackageError> {
    let mut archive = ZipArchive::new(Cursor::new(zip)).map_err(PackageError::Broken)?;
    if archive.len() > CODE_FILES_MAX {
        return Err(PackageError::TooManyFiles);
    }
    if archive.has_duplicate_names() {
        return Err(PackageError::DuplicateNames);
    }
    let entries = entries(&mut archive)?;
    check_nesting(&entries)?;

    let mut left = CODE_UNPACKED_BYTES_MAX;
    for (name, (index, kind)) in &entries {
        let mut entry = archive.by_index(*index).map_err(PackageError::Broken)?;
        let data = Data { name, reader: &mut entry, left: &mut left };
        match kind {
            Kind::Directory => visit(name, Content::Directory)?,
            Kind::File { executable } => visit(name, Content::File { data, executable: *executable })?,
            Kind::Symlink => visit(name, Content::Symlink(&link_target(name, data)?))?,
        }
    }
    Ok(PackageInfo { entries: entries.len(), unpacked_bytes: CODE_UNPACKED_BYTES_MAX - left })
}

/// Names without a trailing slash, in order, so that a directory comes before what it holds.
fn entries(archive: &mut ZipArchive<Cursor<&[u8]>>) -> Result<BTreeMap<String, (usize, Kind)>, PackageError> {
    let mut entries = BTreeMap::new();
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(PackageError::Broken)?;
        let raw = entry.name_raw();
        let bad = |reason| PackageError::BadEntry { name: String::from_utf8_lossy(raw).into_owned(), reason };
        let name = std::str::from_utf8(raw).map_err(|_| bad("its name is not UTF-8"))?;
        let is_dir = name.ends_with('/');
        let name = name.strip_suffix('/').unwrap_or(name);
        check_name(name).map_err(bad)?;
        let mode = entry.unix_mode();
        let kind = match mode.map(|mode| mode & 0o170_000) {
            _ if is_dir => Kind::Directory,
            Some(0o120_000) => Kind::Symlink,
            None | Some(0 | 0o100_000) => {
                Kind::File { executable: mode.is_some_and(|mode| mode & 0o111 != 0) }
            }
            Some(_) => return Err(bad("it is neither a file, a directory nor a symbolic link")),
        };
        if entries.insert(name.to_owned(), (index, kind)).is_some() {
            return Err(PackageError::DuplicateNames);
        }
    }
    Ok(entries)
}

fn check_name(name: &str) -> Result<(), &'static str> {
    if name.is_empty() || name.len() > PATH_BYTES_MAX {
        return Err("its name is empty or too long");
    }
    if name.starts_with('/') {
        return Err("its path is absolute");
    }
    if name.chars().any(|c| c.is_control() || c == '\\') {
        return Err("its name has a backslash or a control character");
    }
    for component in name.split('/') {
        match component {
            "" | "." | ".." => return Err("its path has an empty, '.' or '..' part"),
            long if long.len() > COMPONENT_BYTES_MAX => return Err("a part of its path is too long"),
            _ => {}
        }
    }
    Ok(())
}

/// Nothing may lie beneath a file or a symbolic link.
fn check_nesting(entries: &BTreeMap<String, (usize, Kind)>) -> Result<(), PackageError> {
    for name in entries.keys() {
        let parents = name.match_indices('/').map(|(at, _)| &name[..at]);
        for parent in parents {
            if entries.get(parent).is_some_and(|(_, kind)| *kind != Kind::Directory) {
                let reason = "it lies beneath an entry that is no directory";
                return Err(PackageError::BadEntry { name: name.clone(), reason });
            }
        }
    }
    Ok(())
}

/// Reads and checks the target of a symbolic link.
///
/// `..` may only lead, and no more often than the link is deep: the directories above a link are real ones (see
/// [`check_nesting`]), so such a target stays inside, whatever other links it passes through.
fn link_target(name: &str, data: Data<'_>) -> Result<String, PackageError> {
    let bad = |reason| PackageError::BadEntry { name: name.to_owned(), reason };
    let broken = |source| PackageError::BrokenEntry { name: name.to_owned(), source };
    let mut target = String::new();
    data.reader.take(PATH_BYTES_MAX as u64 + 1).read_to_string(&mut target).map_err(broken)?;
    if target.is_empty() || target.len() > PATH_BYTES_MAX || target.contains('\0') {
        return Err(bad("its target is empty, too long or has a NUL"));
    }
    if target.starts_with('/') {
        return Err(bad("it is a symbolic link to an absolute path"));
    }
    let depth = name.matches('/').count();
    let ups = target.split('/').take_while(|part| *part == "..").count();
    let more_ups = target.split('/').skip(ups).any(|part| part == "..");
    if ups > depth || more_ups {
        return Err(bad("it is a symbolic link that may leave the package"));
    }
    Ok(target)
}

#[cfg(test)]
mod tests;
