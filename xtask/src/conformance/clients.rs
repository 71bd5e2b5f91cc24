//! The client libraries under test: one row each, one module each.
//!
//! Owns where their installed files live. A stamp beside them holds what was installed; another wish installs anew.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Context as _;

use super::{go, node, python};
use crate::process::root;

/// A library, how to install it, and the program that uses it.
#[derive(Clone, Copy)]
pub(crate) struct Client {
    pub(crate) name: &'static str,
    pub(crate) library: &'static str,
    pub(crate) set_up: fn() -> anyhow::Result<()>,
    /// The command that runs the program; it lacks only where the server is.
    pub(crate) program: fn() -> Command,
}

pub(crate) const CLIENTS: &[Client] = &[python::CLIENT, node::CLIENT, go::CLIENT];

/// Where the programs are.
pub(super) fn sources(name: &str) -> PathBuf {
    root().join("tests/conformance").join(name)
}

/// Where what a client needs is installed.
pub(super) fn installed(name: &str) -> PathBuf {
    root().join("target/conformance").join(name)
}

/// Runs `install` unless the same `wish` was installed before. The stamp is written last, so that an installation cut
/// short is repeated.
pub(super) fn install_once(
    name: &str,
    wish: &str,
    install: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let directory = installed(name);
    let stamp = directory.join("installed.txt");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wish) {
        eprintln!("{name}: installed before");
        return Ok(());
    }
    if directory.exists() {
        std::fs::remove_dir_all(&directory)
            .with_context(|| format!("cannot clear {}", directory.display()))?;
    }
    std::fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
    eprintln!("{name}: installing");
    install()?;
    std::fs::write(&stamp, wish).with_context(|| format!("cannot write {}", stamp.display()))
}
