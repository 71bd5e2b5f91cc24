//! Where an instance finds things: at FC's paths in a sandbox, where they lie on the host without one.
//!
//! Owns the paths and the mounts that make them true. Touches no file.

use std::path::{Path, PathBuf};

use bide_sandbox::{Access, Mount};

/// Where FC puts the code package.
pub(crate) const CODE: &str = "/code";
/// Where FC puts the layers of a function.
const LAYERS: &str = "/opt";
/// The only directory that an instance of FC can write to.
const TMP: &str = "/tmp";
/// Where the agents lie in a sandbox.
const AGENTS: &str = "/var/bide";

/// The paths of one instance.
#[derive(Debug)]
pub(crate) enum Layout {
    Sandbox { own: Vec<Mount>, shared: Vec<Mount> },
    Host { code: PathBuf, layers: Option<PathBuf>, scratch: PathBuf },
}

impl Layout {
    /// `layers`: the function's layers unpacked together, if it has any.
    pub(crate) fn sandbox(code: &Path, layers: Option<&Path>, shared_dirs: &[PathBuf]) -> Self {
        let code = read_only(code, Path::new(CODE));
        let layers = layers.map(|layers| read_only(layers, Path::new(LAYERS)));
        let shared = shared_dirs.iter().map(|directory| Mount {
            source: directory.clone(),
            target: directory.clone(),
            access: Access::ReadWrite,
        });
        Self::Sandbox { own: std::iter::once(code).chain(layers).collect(), shared: shared.collect() }
    }

    /// `scratch`: private, writable, removed after the instance.
    pub(crate) fn host(code: &Path, layers: Option<&Path>, scratch: &Path) -> Self {
        Self::Host { code: code.to_owned(), layers: layers.map(Path::to_owned), scratch: scratch.to_owned() }
    }

    /// The unpacked package, as the instance sees it.
    pub(crate) fn code(&self) -> &Path {
        match self {
            Self::Sandbox { .. } => Path::new(CODE),
            Self::Host { code, .. } => code,
        }
    }

    /// The layers, as the instance sees them, if the function has any.
    pub(crate) fn layers(&self) -> Option<&Path> {
        match self {
            Self::Sandbox { own, .. } => {
                own.iter().map(|mount| mount.target.as_path()).find(|target| *target == Path::new(LAYERS))
            }
            Self::Host { layers, .. } => layers.as_deref(),
        }
    }

    /// A private directory that the instance can write to.
    pub(crate) fn home(&self) -> &Path {
        match self {
            Self::Sandbox { .. } => Path::new(TMP),
            Self::Host { scratch, .. } => scratch,
        }
    }

    /// A file of the directory with the agents, as the instance sees it.
    pub(crate) fn agent(&self, agent: &Path) -> PathBuf {
        match (self, agent.file_name()) {
            (Self::Sandbox { .. }, Some(name)) => Path::new(AGENTS).join(name),
            _ => agent.to_owned(),
        }
    }

    /// What this function has of its own.
    pub(crate) fn own_mounts(&self) -> &[Mount] {
        match self {
            Self::Sandbox { own, .. } => own,
            Self::Host { .. } => &[],
        }
    }

    /// What every function has.
    pub(crate) fn shared_mounts(&self) -> &[Mount] {
        match self {
            Self::Sandbox { shared, .. } => shared,
            Self::Host { .. } => &[],
        }
    }
}

/// The directory with the agents.
pub(crate) fn agents_mount(directory: &Path) -> Mount {
    read_only(directory, Path::new(AGENTS))
}

pub(crate) fn read_only(source: &Path, target: &Path) -> Mount {
    Mount { source: source.to_owned(), target: target.to_owned(), access: Access::ReadOnly }
}
