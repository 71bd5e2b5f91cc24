//! The line in which an asynchronous invocation waits: one per function and qualifier.
//!
//! What waits for one version is never held up by what waits for another. Owns the name of a line only; the store keeps
//! the order within it, and what a crash leaves is rebuilt from its records.

use std::fmt;

use crate::{FunctionId, Qualifier};

/// Names a line: a function, and the qualifier that its callers addressed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Line {
    pub function: FunctionId,
    pub qualifier: Qualifier,
}

impl Line {
    pub fn new(function: FunctionId, qualifier: Qualifier) -> Self {
        Self { function, qualifier }
    }

    /// The line of `LATEST`.
    pub fn latest(function: FunctionId) -> Self {
        Self::new(function, Qualifier::latest())
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.function, self.qualifier)
    }
}
