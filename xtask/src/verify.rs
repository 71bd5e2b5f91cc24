//! `cargo xtask verify`: everything that CI runs.
//!
//! Owns the order of the steps. Every step runs even when one before it failed, so that one run shows all that is
//! wrong. What a machine lacks (rustfmt, clippy, cargo-deny) is skipped and said loudly; the client libraries,
//! packages and servers that the tests need are installed. As root, the escape suite runs a second time as an ordinary user.

use std::time::Duration;

use anyhow::ensure;

use crate::components;
use crate::conformance::{self, Keep};
use crate::escape;
use crate::packages;
use crate::process::{cargo, run as run_command, stream, succeeds};
use crate::report::{Outcome, Report};
use crate::tidy;

/// No step hangs a CI run for longer than this.
const TESTS_TIME_MAX: Duration = Duration::from_secs(20 * 60);

pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    ensure!(arguments.is_empty(), "verify takes no arguments");
    let mut report = Report::new("verify");
    report.step("packages", packages::set_up);
    report.step("components", || passed(components::set_up()));
    report.step("set-up", || passed(conformance::set_up(conformance::CLIENTS)));
    report.step("fmt", || cargo_tool("fmt", &["--all", "--check"]));
    report.step("clippy", || {
        cargo_tool("clippy", &["--quiet", "--workspace", "--all-targets", "--", "--deny", "warnings"])
    });
    report.step("tidy", || passed(tidy::check_repository()));
    report.step("deny", || cargo_tool("deny", &["--log-level", "warn", "check"]));
    report.step("build", || passed(build()));
    report.step("test", || passed(test()));
    report.step("escape as nobody", escape::as_ordinary_user);
    report.step("conformance", || passed(conformance::check(conformance::CLIENTS, Keep::No)));
    report.finish()
}

fn passed(result: anyhow::Result<String>) -> anyhow::Result<Outcome> {
    result.map(|detail| Outcome::Passed { detail })
}

/// Runs a tool that comes with cargo, or does not.
fn cargo_tool(tool: &str, arguments: &[&str]) -> anyhow::Result<Outcome> {
    if !succeeds(cargo().args([tool, "--version"])) {
        return Ok(Outcome::Skipped { reason: format!("cargo {tool} is not installed on this machine") });
    }
    run_command(cargo().arg(tool).args(arguments))?;
    Ok(Outcome::Passed { detail: String::new() })
}

/// Builds what the tests and the conformance run use, once: building the server by itself would compile it again,
/// because its dependencies have fewer features without the tests.
fn build() -> anyhow::Result<String> {
    run_command(cargo().args(["build", "--quiet", "--workspace", "--all-targets"]))?;
    Ok(String::new())
}

/// Runs all tests and repeats the closing line of each runner at the end, where it can be found.
fn test() -> anyhow::Result<String> {
    let mut closing = Vec::new();
    let status = stream(cargo().args(["test", "--workspace", "--no-fail-fast"]), TESTS_TIME_MAX, |line| {
        eprintln!("{line}");
        if line.starts_with("test result: ") {
            closing.push(line.to_owned());
        }
    })?;
    for line in &closing {
        eprintln!("{line}");
    }
    let sum = |what: &str| closing.iter().filter_map(|line| count(line, what)).sum::<u64>();
    let counts = format!("{} passed, {} failed, {} ignored", sum("passed"), sum("failed"), sum("ignored"));
    ensure!(status.success(), "cargo test: {counts} ({status})");
    Ok(format!("{counts} in {} runs", closing.len()))
}

/// The number before `what` in a line such as `test result: ok. 3 passed; 0 failed; …`.
fn count(line: &str, what: &str) -> Option<u64> {
    let before = line.split_once(&format!(" {what}"))?.0;
    before.rsplit(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_line_of_a_runner_is_counted() {
        let line =
            "test result: ok. 12 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.02s";
        assert_eq!(count(line, "passed"), Some(12));
        assert_eq!(count(line, "failed"), Some(1));
        assert_eq!(count("nothing of the kind", "passed"), None);
    }
}
