//! Rule: every error code has a page that tells the truth about it.
//!
//! Owns how a page begins: the code as title, then status and whether the same call may succeed later. The list of
//! codes is read from its source, so that tidy builds when the crates do not.

use super::Finding;
use super::tree::Tree;

const CODES: &str = "crates/bide-types/src/error_code.rs";
const PAGES: &str = "docs/errors/";

struct Code<'a> {
    name: &'a str,
    status: &'a str,
}

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let Some(source) = tree.file(CODES) else {
        return vec![Finding::error(CODES, 0, "the list of error codes is gone")];
    };
    let codes = codes(&source.text);
    if codes.is_empty() {
        return vec![Finding::error(CODES, 0, "no error codes found; has the list changed its form?")];
    }
    let mut findings: Vec<_> = codes.iter().flat_map(|code| check_page(tree, code)).collect();
    findings.extend(stale_pages(tree, &codes));
    findings
}

/// The rows `Name = status,` of the list.
fn codes(text: &str) -> Vec<Code<'_>> {
    let rows = text.lines().filter_map(|line| {
        let (name, status) = line.trim().strip_suffix(',')?.split_once(" = ")?;
        let is_name = name.starts_with(|c: char| c.is_ascii_uppercase())
            && name.chars().all(|character| character.is_ascii_alphanumeric());
        let is_status = status.len() == 3 && status.chars().all(|character| character.is_ascii_digit());
        (is_name && is_status).then_some(Code { name, status })
    });
    rows.collect()
}

fn check_page(tree: &Tree, code: &Code<'_>) -> Option<Finding> {
    let path = format!("{PAGES}{}.md", code.name);
    let Some(page) = tree.file(&path) else {
        return Some(Finding::error(&path, 0, "this error code has no page"));
    };
    let title = format!("# {}", code.name);
    let facts = format!("Status {}, ", code.status);
    let mut lines = page.text.lines().filter(|line| !line.is_empty());
    if lines.next() != Some(title.as_str()) {
        return Some(Finding::error(&path, 1, format!("the page must begin with `{title}`")));
    }
    let says = lines.next().unwrap_or_default();
    if !says.starts_with(&facts) || !says.contains("retryable") {
        let wanted = format!("`{facts}retryable.` or `{facts}not retryable.`");
        return Some(Finding::error(&path, 3, format!("the title must be followed by {wanted}")));
    }
    None
}

fn stale_pages(tree: &Tree, codes: &[Code<'_>]) -> Vec<Finding> {
    let pages = tree.files().iter().filter_map(|file| {
        let name = file.path.strip_prefix(PAGES)?.strip_suffix(".md")?;
        let known = codes.iter().any(|code| code.name == name);
        (!known).then(|| Finding::error(&file.path, 0, "no error code has this name"))
    });
    pages.collect()
}

#[cfg(test)]
mod tests;
