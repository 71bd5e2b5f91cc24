//! Rule: every module opens with `//!`.
//!
//! Sibling files of tests (`tests.rs`) have none: the module they test is their header.

use super::Finding;
use super::tree::Tree;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let modules = tree.files().iter().filter(|file| file.is_rust() && !file.path.ends_with("/tests.rs"));
    let bare = modules.filter(|file| !file.text.trim_start().starts_with("//!"));
    bare.map(|file| Finding::error(&file.path, 1, "the module does not open with `//!`: say what it owns"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(path: &str, text: &str) -> usize {
        check(&Tree::of(&[(path, text)])).len()
    }

    #[test]
    fn a_module_without_a_header_is_found() {
        assert_eq!(count("crates/x/src/a.rs", "use std::fmt;\n//! Late.\n"), 1);
        assert_eq!(count("crates/x/tests/it/main.rs", "mod a;\n"), 1);
        assert_eq!(count("crates/x/src/a.rs", "//! Owns a.\n"), 0);
    }

    #[test]
    fn sibling_tests_need_no_header() {
        assert_eq!(count("crates/x/src/a/tests.rs", "use super::*;\n"), 0);
    }
}
