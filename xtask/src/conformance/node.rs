//! The Node client: `@alicloud/fc2`, installed from the committed lockfile outside the source tree.

use std::process::Command;

use anyhow::Context as _;

use super::clients::{Client, install_once, installed, sources};
use crate::process::{command, offline, run};

pub(super) const CLIENT: Client =
    Client { name: NAME, library: "@alicloud/fc2 2.6.6 (Node)", set_up, program };

const NAME: &str = "node";
const MANIFESTS: [&str; 2] = ["package.json", "package-lock.json"];

fn set_up() -> anyhow::Result<()> {
    let mut wish = String::new();
    for manifest in MANIFESTS {
        wish += &std::fs::read_to_string(sources(NAME).join(manifest)).context(manifest)?;
    }
    install_once(NAME, &wish, || {
        for manifest in MANIFESTS {
            std::fs::copy(sources(NAME).join(manifest), installed(NAME).join(manifest)).context(manifest)?;
        }
        let npm = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"];
        run(command("npm").args(npm).current_dir(installed(NAME)))
    })
}

fn program() -> Command {
    let mut command = offline("node");
    command.env("NODE_PATH", installed(NAME).join("node_modules")).arg(sources(NAME).join("main.js"));
    command
}
