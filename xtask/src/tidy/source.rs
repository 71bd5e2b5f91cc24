//! Rust source as the rules see it: code without comments and literals, and which lines are tests.
//!
//! Owns the lexing that the rules need, and no more: it finds where comments, strings and characters end, and matches
//! braces. It never rejects a file; the compiler does that.

use super::tree::File;

/// A Rust file. `code` has the lines of the file with comments and the insides of literals blanked.
pub(super) struct Source {
    pub(super) path: String,
    pub(super) code: Vec<String>,
    is_test: Vec<bool>,
}

impl Source {
    /// Reads all Rust files; together, because a file may be a test by how another one declares it.
    pub(super) fn read_all(files: &[File]) -> Vec<Self> {
        let mut sources: Vec<_> = files
            .iter()
            .filter(|file| file.is_rust())
            .map(|file| Self::read(&file.path, &file.text))
            .collect();
        let test_modules: Vec<_> = sources.iter().flat_map(Self::test_modules).collect();
        for source in &mut sources {
            let declared = |module: &String| {
                source.path == format!("{module}.rs") || source.path.starts_with(&format!("{module}/"))
            };
            if is_test_path(&source.path) || test_modules.iter().any(declared) {
                source.is_test.fill(true);
            }
        }
        sources
    }

    fn read(path: &str, text: &str) -> Self {
        let code: Vec<_> = blank(text).lines().map(str::to_owned).collect();
        let is_test = mark_tests(&code);
        Self { path: path.to_owned(), code, is_test }
    }

    /// Lines of code with their numbers from 1, and whether they belong to a test.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &str, bool)> {
        let lines = self.code.iter().zip(&self.is_test).enumerate();
        lines.map(|(index, (line, is_test))| (index + 1, line.as_str(), *is_test))
    }

    pub(super) fn lines_without_tests(&self) -> usize {
        self.is_test.iter().filter(|is_test| !**is_test).count()
    }

    /// Modules that this file declares for tests only, as paths without `.rs`.
    fn test_modules(&self) -> Vec<String> {
        let stem = self.path.trim_end_matches(".rs");
        let (parent, name) = stem.rsplit_once('/').unwrap_or(("", stem));
        let directory = if matches!(name, "lib" | "main" | "mod") { parent } else { stem };
        let declarations = self.lines().filter(|(_, _, is_test)| *is_test).filter_map(|(_, line, _)| {
            let declaration = line.trim().strip_suffix(';')?;
            let (_, name) = declaration.split_once("mod ")?;
            is_identifier(name).then(|| format!("{directory}/{name}"))
        });
        declarations.collect()
    }
}

fn is_test_path(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    name == "tests.rs" || path.split('/').any(|part| matches!(part, "tests" | "benches"))
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_word)
}

pub(super) fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Whether `line` has `word` with no part of a longer word on either side.
pub(super) fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + word.len()..].chars().next();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

/// Marks the items under `#[test]`, `#[tokio::test]`, `#[cfg(test)]` and the like.
fn mark_tests(code: &[String]) -> Vec<bool> {
    let mut is_test = vec![false; code.len()];
    if code.iter().any(|line| line.trim() == "#![cfg(test)]") {
        return vec![true; code.len()];
    }
    for index in 0..code.len() {
        if is_test_attribute(code[index].trim()) {
            let end = item_end(code, index);
            is_test[index..=end].fill(true);
        }
    }
    is_test
}

fn is_test_attribute(line: &str) -> bool {
    let Some(attribute) = line.strip_prefix("#[") else { return false };
    has_word(attribute, "test") && !attribute.contains("not(test)") && !attribute.starts_with("cfg_attr")
}

/// The last line of the item that begins at `start` with its attributes: the closing brace, or the semicolon when
/// there is no block.
pub(super) fn item_end(code: &[String], start: usize) -> usize {
    let mut braces = 0_usize;
    let mut brackets = 0_usize;
    for (index, line) in code.iter().enumerate().skip(start) {
        for character in line.chars() {
            match character {
                '[' | '(' => brackets += 1,
                ']' | ')' => brackets = brackets.saturating_sub(1),
                '{' => braces += 1,
                '}' => {
                    braces = braces.saturating_sub(1);
                    if braces == 0 && brackets == 0 {
                        return index;
                    }
                }
                ';' if braces == 0 && brackets == 0 => return index,
                _ => {}
            }
        }
    }
    code.len().saturating_sub(1)
}

/// Replaces comments and the insides of literals by spaces; lines stay where they are.
fn blank(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < characters.len() {
        let end = opaque_end(&characters, at);
        if end == at {
            out.push(characters[at]);
            at += 1;
        } else {
            out.extend(
                characters[at..end].iter().map(|character| if *character == '\n' { '\n' } else { ' ' }),
            );
            at = end;
        }
    }
    out
}

/// Where the comment or literal that starts at `at` ends; `at` itself when none starts there.
fn opaque_end(characters: &[char], at: usize) -> usize {
    let next = |offset: usize| characters.get(at + offset).copied();
    let after_word = at > 0 && is_word(characters[at - 1]);
    match characters[at] {
        '/' if next(1) == Some('/') => find(characters, at, |character| character == '\n'),
        '/' if next(1) == Some('*') => block_comment_end(characters, at),
        '"' => string_end(characters, at),
        '\'' if next(1) == Some('\\') || next(2) == Some('\'') => character_end(characters, at),
        'r' if !after_word => raw_string_end(characters, at, at + 1),
        'b' | 'c' if !after_word && next(1) == Some('r') => raw_string_end(characters, at, at + 2),
        _ => at,
    }
}

fn find(characters: &[char], from: usize, wanted: impl Fn(char) -> bool) -> usize {
    (from..characters.len()).find(|index| wanted(characters[*index])).unwrap_or(characters.len())
}

fn block_comment_end(characters: &[char], start: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = start;
    while at + 1 < characters.len() {
        match (characters[at], characters[at + 1]) {
            ('/', '*') => (depth, at) = (depth + 1, at + 2),
            ('*', '/') => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    characters.len()
}

fn string_end(characters: &[char], start: usize) -> usize {
    escaped_end(characters, start, '"')
}

fn character_end(characters: &[char], start: usize) -> usize {
    escaped_end(characters, start, '\'')
}

/// The end of a literal that closes with `quote` and may escape it.
fn escaped_end(characters: &[char], start: usize, quote: char) -> usize {
    let mut at = start + 1;
    while at < characters.len() {
        match characters[at] {
            '\\' => at += 2,
            character if character == quote => return at + 1,
            _ => at += 1,
        }
    }
    characters.len()
}

/// The end of `r"…"` or `r#"…"#` whose hashes start at `hashes`; `start` when it is no raw string.
fn raw_string_end(characters: &[char], start: usize, hashes: usize) -> usize {
    let quote = find(characters, hashes, |character| character != '#');
    if characters.get(quote) != Some(&'"') {
        return start;
    }
    let count = quote - hashes;
    let closes = |at: usize| {
        characters[at] == '"'
            && characters[at + 1..].iter().take(count).filter(|c| **c == '#').count() == count
    };
    let end = (quote + 1..characters.len()).find(|at| closes(*at));
    end.map_or(characters.len(), |at| at + 1 + count)
}

#[cfg(test)]
mod tests;
