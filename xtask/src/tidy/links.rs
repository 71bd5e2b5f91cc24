//! Rule: a relative link in a document leads to a file of the repository.
//!
//! Looks at Markdown links of the form `[text](target)` outside code blocks. Never opens a network address.

use super::Finding;
use super::tree::{File, Tree};

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    if tree.file("README.md").is_none() {
        findings.push(Finding::error("README.md", 0, "there is no README"));
    }
    let documents = tree.files().iter().filter(|file| file.path.ends_with(".md"));
    findings.extend(documents.flat_map(|document| check_document(tree, document)));
    findings
}

fn check_document(tree: &Tree, document: &File) -> Vec<Finding> {
    let directory = document.path.rsplit_once('/').map_or("", |(directory, _)| directory);
    let mut in_code = false;
    let mut findings = Vec::new();
    for (index, line) in document.text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        let targets = if in_code { Vec::new() } else { targets(line) };
        for target in targets {
            if !leads_somewhere(tree, directory, target) {
                findings.push(Finding::error(
                    &document.path,
                    index + 1,
                    format!("the link to {target} is dead"),
                ));
            }
        }
    }
    findings
}

fn targets(line: &str) -> Vec<&str> {
    let starts = line.match_indices("](").map(|(at, mark)| &line[at + mark.len()..]);
    starts.filter_map(|rest| rest.split([')', ' ']).next()).collect()
}

fn leads_somewhere(tree: &Tree, directory: &str, target: &str) -> bool {
    let path = target.split('#').next().unwrap_or_default();
    if target.contains("://") || target.starts_with("mailto:") || path.is_empty() {
        return true;
    }
    resolve(directory, path).is_some_and(|path| tree.exists(&path))
}

/// `path` as seen from `directory`; `None` when it leaves the repository.
fn resolve(directory: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = directory.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(path: &str, text: &str) -> Vec<String> {
        let tree = Tree::of(&[("README.md", ""), ("docs/a.md", ""), (path, text)]);
        check(&tree).into_iter().map(|finding| finding.message).collect()
    }

    #[test]
    fn links_to_files_and_directories_are_followed() {
        for text in
            ["[a](a.md)", "[a](./a.md#part)", "[r](../README.md)", "[d](../docs/)", "[w](https://x.example)"]
        {
            assert!(messages("docs/b.md", text).is_empty(), "{text}");
        }
    }

    #[test]
    fn dead_links_are_found() {
        for text in ["[a](gone.md)", "see [a](a.md) and [b](../gone/)", "[up](../../../README.md)"] {
            assert_eq!(messages("docs/b.md", text).len(), 1, "{text}");
        }
    }

    #[test]
    fn code_blocks_are_no_links() {
        assert!(messages("docs/b.md", "```\n[a](gone.md)\n```\n").is_empty());
    }

    #[test]
    fn a_repository_without_a_readme_is_found() {
        assert_eq!(check(&Tree::of(&[("docs/a.md", "")])).len(), 1);
    }
}
