//! `cargo xtask components`: servers that tests start and no package of the system brings.
//!
//! Owns where each comes from, at which version, and the directory that they are put into: `target/components`. What is
//! there is left as it is. Starts none of them: the tests do, on ports of their own.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

use crate::process::{command, root, run as run_command};

/// Programs and the Go modules that they are compiled from.
const GO: [(&str, &str); 2] = [
    ("nats-server", "github.com/nats-io/nats-server/v2@v2.12.1"),
    ("versitygw", "github.com/versity/versitygw/cmd/versitygw@v1.8.0"),
];

/// The artifact of Maven that is a broker of Kafka with all that it depends on.
const KAFKA: (&str, &str, &str) = ("org.apache.kafka", "kafka_2.13", "4.1.0");

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
    let kafka = directory().join("kafka");
    if !kafka.exists() {
        eprintln!("kafka: fetching");
        fetch_kafka(&kafka)?;
    }
    Ok(format!("{}, kafka", GO.map(|(program, _)| program).join(", ")))
}

/// Into a directory beside it first, so that what is there is whole.
fn fetch_kafka(directory: &Path) -> anyhow::Result<()> {
    let (group, artifact, version) = KAFKA;
    let part = directory.with_extension("part");
    let project = directory.with_extension("xml");
    let dependency =
        format!("<groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version>");
    let text = format!(
        "<project><modelVersion>4.0.0</modelVersion><groupId>bide</groupId><artifactId>kafka</artifactId>\
         <version>1</version><packaging>pom</packaging><dependencies><dependency>{dependency}</dependency>\
         </dependencies></project>"
    );
    std::fs::write(&project, text)?;
    let output = format!("-DoutputDirectory={}", part.display());
    let mut maven = command("mvn");
    maven
        .args(["--quiet", "--batch-mode", "--file"])
        .arg(&project)
        .args(["dependency:copy-dependencies", &output]);
    run_command(&mut maven).context("Maven and a Java of 17 or newer are needed")?;
    std::fs::rename(&part, directory)?;
    Ok(())
}

fn directory() -> PathBuf {
    root().join("target/components")
}
