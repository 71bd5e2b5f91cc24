//! Rule: `unsafe` stays in the one crate that talks to the kernel, and nothing outside tests panics by `unwrap`.

use super::Finding;
use super::source::has_word;
use super::tree::Tree;

const UNSAFE_ALLOWED: &str = "crates/bide-sandbox/";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in tree.sources() {
        for (number, line, is_test) in source.lines() {
            if has_word(line, "unsafe") && !source.path.starts_with(UNSAFE_ALLOWED) {
                let message = format!("`unsafe` is allowed in {UNSAFE_ALLOWED} only");
                findings.push(Finding::error(&source.path, number, message));
            }
            if line.contains(".unwrap()") && !is_test {
                let message =
                    "no `unwrap()` outside tests: return the error, or say why it cannot be with `expect`";
                findings.push(Finding::error(&source.path, number, message));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(path: &str, text: &str) -> usize {
        check(&Tree::of(&[(path, text)])).len()
    }

    #[test]
    fn unsafe_is_found_outside_its_crate() {
        assert_eq!(count("crates/bide/src/a.rs", "unsafe { f() }\n"), 1);
        assert_eq!(count("crates/bide-sandbox/src/a.rs", "unsafe { f() }\n"), 0);
        assert_eq!(count("crates/bide/src/a.rs", "// unsafe\n#![deny(unsafe_code)]\n"), 0);
    }

    #[test]
    fn unwrap_is_found_outside_tests() {
        assert_eq!(count("crates/bide/src/a.rs", "fn a() { b().unwrap(); }\n"), 1);
        assert_eq!(count("crates/bide/src/a.rs", "#[test]\nfn a() {\n b().unwrap();\n}\n"), 0);
        assert_eq!(count("crates/bide/src/a.rs", "//! Never `.unwrap()`.\n"), 0);
    }
}
