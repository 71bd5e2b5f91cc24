//! The Python client: `aliyun-fc2` in a virtual environment, with all versions pinned.

use std::process::Command;

use anyhow::Context as _;

use super::clients::{Client, install_once, installed, sources};
use crate::process::{command, offline, run};

pub(super) const CLIENT: Client =
    Client { name: NAME, library: "aliyun-fc2 2.5.2 (Python)", set_up, program };

const NAME: &str = "python";

fn set_up() -> anyhow::Result<()> {
    let requirements = sources(NAME).join("requirements.txt");
    let wish = std::fs::read_to_string(&requirements).context("requirements.txt")?;
    install_once(NAME, &wish, || {
        let venv = installed(NAME).join("venv");
        run(command("python3").args(["-m", "venv"]).arg(&venv))?;
        let pip = command(venv.join("bin/python"));
        run({ pip }.args(["-m", "pip", "install", "--quiet", "--requirement"]).arg(&requirements))
    })
}

fn program() -> Command {
    let mut command = offline(installed(NAME).join("venv/bin/python"));
    command.env("PYTHONDONTWRITEBYTECODE", "1").arg("-u").arg(sources(NAME).join("main.py"));
    command
}
