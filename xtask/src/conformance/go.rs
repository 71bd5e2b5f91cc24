//! The Go client: `fc-go-sdk` at the version of `go.mod`, compiled into the program.
//!
//! The module and build caches are Go's own; compiling again is cheap, so there is no stamp.

use std::process::Command;

use super::clients::{Client, installed, sources};
use crate::process::{command, offline, run};

pub(super) const CLIENT: Client = Client { name: NAME, library: "fc-go-sdk (Go)", set_up, program };

const NAME: &str = "go";

fn set_up() -> anyhow::Result<()> {
    let build = ["build", "-mod=readonly", "-buildvcs=false", "-o"];
    eprintln!("go: compiling");
    run(command("go").args(build).arg(installed(NAME).join("program")).arg(".").current_dir(sources(NAME)))
}

fn program() -> Command {
    let mut command = offline(installed(NAME).join("program"));
    command.current_dir(sources(NAME));
    command
}
