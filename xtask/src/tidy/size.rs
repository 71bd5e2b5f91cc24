//! Rule: files and functions stay short enough to be read at once.
//!
//! Owns the budgets: a warning above the soft one, an error above the hard one. Tests do not count.

use super::Finding;
use super::source::{Source, is_word, item_end};
use super::tree::Tree;

struct Budget {
    soft: usize,
    hard: usize,
}

const FILE: Budget = Budget { soft: 400, hard: 800 };
const FUNCTION: Budget = Budget { soft: 40, hard: 70 };

impl Budget {
    fn judge(&self, path: &str, line: usize, what: &str, length: usize) -> Option<Finding> {
        let Self { soft, hard } = self;
        if length > *hard {
            Some(Finding::error(path, line, format!("{what} has {length} lines; at most {hard} are allowed")))
        } else if length > *soft {
            Some(Finding::warning(path, line, format!("{what} has {length} lines; about {soft} are meant")))
        } else {
            None
        }
    }
}

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.sources().iter().flat_map(check_source).collect()
}

fn check_source(source: &Source) -> Vec<Finding> {
    let file = FILE.judge(&source.path, 0, "the file", source.lines_without_tests());
    let functions = source.lines().filter(|(_, _, is_test)| !is_test).filter_map(|(number, line, _)| {
        let name = function_name(line)?;
        let length = item_end(&source.code, number - 1) + 2 - number;
        FUNCTION.judge(&source.path, number, &format!("function `{name}`"), length)
    });
    file.into_iter().chain(functions).collect()
}

/// The name of the function that `line` begins, if it begins one.
fn function_name(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("fn ")?;
    let end = after.find(|character| !is_word(character)).unwrap_or(after.len());
    (!before.ends_with(is_word) && end > 0).then(|| &after[..end])
}

#[cfg(test)]
mod tests;
