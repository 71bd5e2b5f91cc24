//! `cargo xtask components`: servers that tests start and no package of the system brings.
//!
//! Owns where each comes from, at which version, and the directory that they are put into: `target/components`. What is
//! there is left as it is. Starts none of them: the tests do, on ports of their own.

use std::path::PathBuf;

use anyhow::ensure;

use crate::process::{command, root, run as run_command};

/// Programs and the Go modules that they are compiled from.
const GO: [(&str, &str); 2] = [
    ("nats-server", "github.com/nats-io/nats-server/v2@v2.12.1"),
    ("versitygw", "github.com/versity/versitygw/cmd/versitygw@v1.8.0"),
];

pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    ensure!(arguments.is_empty(), "components takes no arguments");
    eprintln!("{}", set_up()?);
    Ok(())
}

/// Installs what is missing; says what is there then.
///
/// # Errors
/// When a registry does not answer or a program does not compile.
pub(crate) fn set_up() -> anyhow::Result<String> {
    let bin = directory().join("bin");
    for (program, module) in GO {
        if !bin.join(program).exists() {
            eprintln!("{program}: compiling");
            run_command(command("go").env("GOBIN", &bin).args(["install", module]))?;
        }
    }
    Ok(GO.map(|(program, _)| program).join(", "))
}

fn directory() -> PathBuf {
    root().join("target/components")
}
