//! What a check found.

use std::fmt;

/// Problems that are told one by one; beyond, they are only counted.
const PROBLEMS_TOLD_MAX: usize = 100;

/// How far a check has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// A keyspace, or `packages`.
    pub part: &'static str,
    pub examined: u64,
}

/// Something that should not be as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Keyspace and key, or a file.
    pub place: String,
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// The outcome of a check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Entries examined, by keyspace.
    pub entries: Vec<(&'static str, u64)>,
    /// Packages whose content matches their name.
    pub packages: u64,
    /// The first problems.
    pub problems: Vec<Problem>,
    /// All problems.
    pub problem_count: u64,
}

impl Report {
    pub fn is_sound(&self) -> bool {
        self.problem_count == 0
    }

    pub(super) fn add(&mut self, place: String, what: String) {
        self.problem_count += 1;
        if self.problems.len() < PROBLEMS_TOLD_MAX {
            self.problems.push(Problem { place, what });
        }
    }
}
