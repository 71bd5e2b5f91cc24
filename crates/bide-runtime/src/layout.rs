//! Where an instance finds things: at FC's paths in a sandbox, where they lie on the host without one.
//!
//! Owns the paths and the mounts that make them true. Touches no file.

use std::path::{Path, PathBuf};

use bide_sandbox::{Access, Mount};

/// Where FC puts the code package.
const CODE: &str = "/code";
/// Where FC puts the layers of a function.
const LAYERS: &str = "/opt";
/// The only directory that an instance of FC can write to.
const TMP: &str = "/tmp";
/// Where the agents lie in a sandbox.
const AGENTS: &str = "/var/bide";

/// The paths of one instance.
#[derive(Debug)]
pub(crate) enum Layout {
    Sandbox { mounts: Vec<Mount>, has_layers: bool },
    Host { code: PathBuf, layers: Option<PathBuf>, scratch: PathBuf },
}

impl Layout {
    /// `layers`: the function's layers unpacked together, if it has any.
    pub(crate) fn sandbox(code: &Path, layers: Option<&Path>, shared_dirs: &[PathBuf]) -> Self {
        let mut mounts = vec![read_only(code, Path::new(CODE))];
        mounts.extend(layers.map(|layers| read_only(layers, Path::new(LAYERS))));
        mounts.extend(shared_dirs.iter().map(|directory| Mount {
            source: directory.clone(),
            target: directory.clone(),
            access: Access::ReadWrite,
        }));
        Self::Sandbox { mounts, has_layers: layers.is_some() }
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
            Self::Sandbox { has_layers, .. } => has_layers.then_some(Path::new(LAYERS)),
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

    pub(crate) fn mounts(&self) -> &[Mount] {
        match self {
            Self::Sandbox { mounts, .. } => mounts,
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
