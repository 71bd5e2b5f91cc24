//! `cargo xtask bench <what>`: builds the server and the benchmarks for release, then runs one of them.
//!
//! Owns the build; what is measured and how is in `crates/bide-bench`.

use std::process::Command;

use crate::process::{cargo, run as run_command};

pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    run_command(cargo().args([
        "build",
        "--quiet",
        "--release",
        "--package",
        "bide",
        "--package",
        "bide-bench",
    ]))?;
    run_command(Command::new("target/release/bide-bench").args(arguments))
}
