//! Rule: nothing is left for later, nothing is switched off, and tests wait for conditions.
//!
//! Notes to self are looked for in every text file, unfinished code in Rust, naps in tests. The functions that the
//! conformance programs deploy may take a nap, and so may the tests of the clock: it is what is tested.

use super::Finding;
use super::source::has_word;
use super::tree::{File, Tree};

const NOTES: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
const UNFINISHED: [&str; 3] = ["todo!", "unimplemented!", "#[ignore"];
/// In documentation, where the code scanner does not look.
const IGNORED_EXAMPLE: &str = concat!("```ig", "nore");
const NAPS: [&str; 2] = ["sleep(", "Sleep("];

const CLOCK: &str = "crates/bide-env/";
const PROGRAMS: &str = "tests/conformance/";
const PROGRAM_FUNCTIONS: &str = "tests/conformance/functions/";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings: Vec<_> =
        tree.files().iter().filter(|file| !file.is_lockfile()).flat_map(notes).collect();
    for source in tree.sources() {
        for (number, line, is_test) in source.lines() {
            if let Some(mark) = UNFINISHED.into_iter().find(|mark| line.contains(mark)) {
                findings.push(Finding::error(
                    &source.path,
                    number,
                    format!("unfinished or switched off: `{mark}`"),
                ));
            }
            if is_test && naps(line) && !source.path.starts_with(CLOCK) {
                findings.push(Finding::error(&source.path, number, "a test sleeps: wait for the condition"));
            }
        }
    }
    findings.extend(tree.files().iter().flat_map(program_naps));
    findings
}

fn notes(file: &File) -> Vec<Finding> {
    let lines = file.text.lines().enumerate().filter_map(|(index, line)| {
        if file.is_rust() && line.contains(IGNORED_EXAMPLE) {
            return Some(Finding::error(
                &file.path,
                index + 1,
                "an example that is never built: make it `text` or run it",
            ));
        }
        let note = NOTES.into_iter().find(|note| has_word(line, note))?;
        Some(Finding::error(
            &file.path,
            index + 1,
            format!("a note to self ({note}): do it, or file an issue"),
        ))
    });
    lines.collect()
}

fn naps(line: &str) -> bool {
    NAPS.iter().any(|nap| line.contains(nap))
}

fn program_naps(file: &File) -> Vec<Finding> {
    let is_program = file.path.starts_with(PROGRAMS)
        && !file.path.starts_with(PROGRAM_FUNCTIONS)
        && [".py", ".js", ".go"].iter().any(|extension| file.path.ends_with(extension));
    if !is_program {
        return Vec::new();
    }
    let lines = file.text.lines().enumerate().filter(|(_, line)| naps(line));
    lines
        .map(|(index, _)| Finding::error(&file.path, index + 1, "a program sleeps: wait for the condition"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(path: &str, text: &str) -> usize {
        check(&Tree::of(&[(path, text)])).len()
    }

    #[test]
    fn notes_to_self_are_found_in_any_file() {
        for note in NOTES {
            assert_eq!(count("docs/a.md", &format!("and then ({note}: more)")), 1, "{note}");
        }
        assert_eq!(count("a.sh", "mktemp -t a.XXXXXX"), 0);
    }

    #[test]
    fn unfinished_code_is_found_and_mention_of_it_is_not() {
        for mark in ["todo!()", "unimplemented!()", "#[ignore]", "#[ignore = \"slow\"]"] {
            assert_eq!(count("crates/x/src/a.rs", &format!("{mark}\nfn a() {{}}\n")), 1, "{mark}");
            assert_eq!(count("crates/x/src/a.rs", &format!("// {mark}\n")), 0, "{mark}");
        }
    }

    #[test]
    fn examples_that_are_never_built_are_found() {
        assert_eq!(count("crates/x/src/a.rs", &format!("//! {IGNORED_EXAMPLE}\n//! a();\n//! ```\n")), 1);
        assert_eq!(count("crates/x/src/a.rs", "//! ```text\n//! a -> b\n//! ```\n"), 0);
    }

    #[test]
    fn naps_are_found_in_tests_only() {
        let nap = "#[test]\nfn a() {\n    std::thread::sleep(second);\n}\n";
        assert_eq!(count("crates/x/src/a.rs", nap), 1);
        assert_eq!(count("crates/bide-env/src/clock.rs", nap), 0);
        assert_eq!(count("crates/x/src/a.rs", "fn a() {\n    clock.sleep(second);\n}\n"), 0);
    }

    #[test]
    fn naps_are_found_in_programs_but_not_in_their_functions() {
        assert_eq!(count("tests/conformance/python/tasks.py", "time.sleep(1)\n"), 1);
        assert_eq!(count("tests/conformance/go/tasks.go", "time.Sleep(second)\n"), 1);
        assert_eq!(count("tests/conformance/functions/python/index.py", "time.sleep(1)\n"), 0);
    }
}
