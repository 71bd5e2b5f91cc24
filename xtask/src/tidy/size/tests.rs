use super::super::Severity;
use super::*;

const PATH: &str = "crates/x/src/a.rs";

fn severities(text: &str) -> Vec<Severity> {
    check(&Tree::of(&[(PATH, text)])).into_iter().map(|finding| finding.severity).collect()
}

fn function(lines: usize) -> String {
    format!("pub(crate) fn long() {{\n{}}}\n", "    step();\n".repeat(lines - 2))
}

#[test]
fn functions_are_judged_at_the_edges_of_their_budget() {
    assert_eq!(severities(&function(40)), []);
    assert_eq!(severities(&function(41)), [Severity::Warning]);
    assert_eq!(severities(&function(70)), [Severity::Warning]);
    assert_eq!(severities(&function(71)), [Severity::Error]);
}

#[test]
fn files_are_judged_at_the_edges_of_their_budget() {
    for (lines, expected) in [(400, vec![]), (401, vec![Severity::Warning]), (801, vec![Severity::Error])] {
        assert_eq!(severities(&"const A: u8 = 0;\n".repeat(lines)), expected, "{lines}");
    }
}

#[test]
fn tests_do_not_count() {
    let text = format!("#[cfg(test)]\nmod tests {{\n{}{}}}\n", function(90), "// more\n".repeat(900));
    assert_eq!(severities(&text), []);
}

#[test]
fn braces_in_literals_do_not_end_a_function() {
    let text = format!("fn long() {{\n    let a = \"}}\";\n{}}}\n", "    step();\n".repeat(80));
    assert_eq!(severities(&text), [Severity::Error]);
}

#[test]
fn only_declarations_are_functions() {
    assert_eq!(function_name("pub async fn run(self) {"), Some("run"));
    assert_eq!(function_name("    run: fn(&[String]) -> u8,"), None);
    assert_eq!(function_name("let often = 1;"), None);
}
