//! Control objects: small named records with a revision (services, functions, configurations).
//!
//! The store keeps them as bytes under a path; what they mean is the engine's business.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::batch::Submission;

/// A path of text segments joined by `/`, e.g. `function/10001/demo-svc/demo-fn`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ControlKey(Arc<str>);

impl ControlKey {
    /// # Panics
    /// If a segment is empty or holds a `/`: segments are validated names.
    pub fn new(segments: &[&str]) -> Self {
        assert!(
            segments.iter().all(|segment| !segment.is_empty() && !segment.contains('/')),
            "segments of a control key are names: {segments:?}"
        );
        Self(Arc::from(segments.join("/")))
    }

    /// A key as the store kept it.
    pub fn from_stored(text: &str) -> Self {
        Self(Arc::from(text))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ControlKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A stored control object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlObject {
    /// Grows with every change of this key; starts at 1, and again at 1 after a removal: an id in the value, not the
    /// revision, tells an object from its predecessor.
    pub revision: u64,
    pub value: Bytes,
}

/// Writes that happen together or not at all, one after the other.
#[derive(Clone, Debug, Default)]
pub struct ControlChange {
    pub writes: Vec<ControlWrite>,
    /// Invocations that are submitted if and only if the writes happen. One whose task exists already is passed over.
    pub submissions: Vec<Submission>,
}

impl ControlChange {
    pub fn of(writes: Vec<ControlWrite>) -> Self {
        Self { writes, submissions: Vec::new() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlWrite {
    pub key: ControlKey,
    pub expected: Expected,
    /// `None` removes the object.
    pub value: Option<Bytes>,
}

/// What must be there for the write to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    Absent,
    Revision(u64),
    Anything,
}

/// Another write came first.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("control object {key:?} is at revision {found:?}, which is not what the writer expected")]
pub struct ControlConflict {
    pub key: ControlKey,
    pub found: Option<u64>,
}
