//! Code packages: one file each, named by the digest of its content.
//!
//! Owns `packages/<sha256>.zip`. A file is written under a temporary name, flushed, renamed, and the directory flushed;
//! so under its final name it is always whole, and after a crash a temporary file may be left, which the next
//! clean-up removes. What is read is compared with its name.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use bide_store::StoreError;
use bytes::Bytes;
use sha2::{Digest as _, Sha256};

const SUFFIX: &str = ".zip";
const TEMPORARY_SUFFIX: &str = ".new";
const DIGEST_CHARS: usize = 64;

pub(crate) struct Packages {
    directory: PathBuf,
    /// One change at a time: two writers of the same package would share a temporary name.
    changing: Mutex<()>,
}

impl Packages {
    pub(crate) fn open(directory: PathBuf) -> io::Result<Self> {
        if !directory.exists() {
            fs::create_dir(&directory)?;
            sync(directory.parent().unwrap_or(Path::new(".")))?;
        }
        Ok(Self { directory, changing: Mutex::new(()) })
    }

    /// Keeps `zip` under `digest`.
    pub(crate) fn put(&self, digest: &str, zip: &[u8]) -> Result<(), StoreError> {
        let _changing = self.changing.lock().expect("nobody panics while changing packages");
        if digest_of(zip) != digest {
            return Err(failed("keep", digest, &io::Error::other("its content has another digest")));
        }
        let path = self.path(digest);
        // What is there under its name was flushed, unless its content is damaged: then this mends it.
        if fs::read(&path).is_ok_and(|stored| stored == zip) {
            return Ok(());
        }
        let temporary = self.directory.join(format!("{digest}{TEMPORARY_SUFFIX}"));
        self.write(&temporary, &path, zip).map_err(|error| {
            // Whether it is on disk is not known, so it must not be found by a later call.
            let _ = fs::remove_file(&temporary);
            let _ = fs::remove_file(&path);
            failed("keep", digest, &error)
        })
    }

    fn write(&self, temporary: &Path, path: &Path, zip: &[u8]) -> io::Result<()> {
        let mut file = File::create(temporary)?;
        file.write_all(zip)?;
        file.sync_all()?;
        fs::rename(temporary, path)?;
        sync(&self.directory)
    }

    pub(crate) fn get(&self, digest: &str) -> Result<Option<Bytes>, StoreError> {
        if !is_digest(digest) {
            return Ok(None);
        }
        let zip = match fs::read(self.path(digest)) {
            Ok(zip) => zip,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("read", digest, &error)),
        };
        match digest_of(&zip) == digest {
            true => Ok(Some(Bytes::from(zip))),
            false => Err(StoreError::Damaged {
                place: format!("packages/{digest}{SUFFIX}"),
                reason: "its content does not match its name".to_owned(),
            }),
        }
    }

    /// Removes every package that is not in `keep`, and what crashes left; returns how many packages went.
    pub(crate) fn retain(&self, keep: &[String]) -> Result<usize, StoreError> {
        let _changing = self.changing.lock().expect("nobody panics while changing packages");
        let mut removed = 0;
        for name in self.names().map_err(|error| failed("list", "*", &error))? {
            let digest = name.strip_suffix(SUFFIX);
            if digest.is_some_and(|digest| keep.iter().any(|kept| kept == digest)) {
                continue;
            }
            if digest.is_some() || Self::is_leftover(&name) {
                fs::remove_file(self.directory.join(&name))
                    .map_err(|error| failed("remove", &name, &error))?;
                removed += usize::from(digest.is_some());
            }
        }
        Ok(removed)
    }

    /// Names of the files in the directory.
    pub(crate) fn names(&self) -> io::Result<Vec<String>> {
        fs::read_dir(&self.directory)?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect()
    }

    /// The digest in a file name, if it is the name of a package.
    pub(crate) fn digest_in(name: &str) -> Option<&str> {
        name.strip_suffix(SUFFIX).filter(|digest| is_digest(digest))
    }

    /// Whether a crash left this file.
    pub(crate) fn is_leftover(name: &str) -> bool {
        name.ends_with(TEMPORARY_SUFFIX)
    }

    fn path(&self, digest: &str) -> PathBuf {
        self.directory.join(format!("{digest}{SUFFIX}"))
    }
}

fn is_digest(text: &str) -> bool {
    text.len() == DIGEST_CHARS && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn digest_of(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(DIGEST_CHARS);
    for byte in Sha256::digest(bytes) {
        write!(text, "{byte:02x}").expect("a string takes everything");
    }
    text
}

fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

fn failed(action: &str, name: &str, error: &io::Error) -> StoreError {
    StoreError::Read { reason: format!("cannot {action} package {name}: {error}") }
}
