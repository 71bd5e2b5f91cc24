//! `cargo xtask tidy`: the rules of this repository that no compiler checks.
//!
//! Owns the list of rules and what they look at: the files that git tracks, or would after `git add`. A rule is a
//! function from the tree to findings, in a module of its own, with tests that show how it fails. Rules never write.

mod arrows;
mod error_pages;
mod headers;
mod links;
mod places;
mod safety;
mod size;
mod source;
mod tree;
mod words;

use anyhow::ensure;

use crate::process;
use tree::Tree;

/// One place that a rule is not content with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    severity: Severity,
    path: String,
    /// 0 when the finding concerns the file as a whole.
    line: usize,
    message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Severity {
    Warning,
    Error,
}

impl Finding {
    fn error(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, path: path.to_owned(), line, message: message.into() }
    }

    fn warning(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, path: path.to_owned(), line, message: message.into() }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let severity = match self.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        match self.line {
            0 => write!(f, "{severity}: {}: {}", self.path, self.message),
            line => write!(f, "{severity}: {}:{line}: {}", self.path, self.message),
        }
    }
}

const RULES: &[fn(&Tree) -> Vec<Finding>] = &[
    arrows::check,
    error_pages::check,
    headers::check,
    links::check,
    places::check,
    safety::check,
    size::check,
    words::check,
];

pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    ensure!(arguments.is_empty(), "tidy takes no arguments");
    eprintln!("{}", check_repository()?);
    Ok(())
}

/// Checks the repository, prints what it finds and returns a one-line summary.
///
/// # Errors
/// When a rule is broken; warnings are not errors.
pub(crate) fn check_repository() -> anyhow::Result<String> {
    let tree = Tree::of_repository(&process::root())?;
    let findings: Vec<_> = RULES.iter().flat_map(|rule| rule(&tree)).collect();
    for finding in &findings {
        eprintln!("{finding}");
    }
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    ensure!(errors == 0, "{errors} rules broken in {} files", tree.files().len());
    Ok(format!("{} files, {} warnings", tree.files().len(), findings.len()))
}

#[cfg(test)]
mod tests;
