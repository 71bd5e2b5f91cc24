//! `nodejs*`: our agent in a Node interpreter.
//!
//! Owns the command line. If the interpreter is missing, the functions of this runtime fail as a system error.

use std::path::{Path, PathBuf};

use bide_sandbox::Launcher;

use super::interpreter::{self, Interpreter};
use super::{Live, Runtime, Start, StartFailure, agent};
use crate::PoolOptions;
use crate::executor::BoxFuture;

const AGENT: &str = include_str!("node/agent.js");

/// Prints the interpreter's real path, and the directory that holds it.
const WHERE: &str =
    "console.log(`bide:${process.execPath}\\nbide:${require('path').dirname(process.execPath)}`)";

pub(super) struct Node {
    interpreter: Option<Interpreter>,
    agent: PathBuf,
}

impl Node {
    pub(super) async fn prepare(
        options: &PoolOptions,
        agents: &Path,
        launcher: &dyn Launcher,
    ) -> std::io::Result<Self> {
        let agent = agents.join("agent.js");
        interpreter::publish(&agent, AGENT)?;
        let (program, path) = (&options.node, &options.search_path);
        let interpreter = Interpreter::ask(launcher, program, &["-e", WHERE], path, agents).await;
        Ok(Self { interpreter, agent })
    }
}

impl Runtime for Node {
    fn start<'a>(&'a self, start: &'a Start<'a>) -> BoxFuture<'a, Result<Live, StartFailure>> {
        Box::pin(async move {
            let interpreter = self
                .interpreter
                .as_ref()
                .ok_or_else(|| StartFailure::System("no usable Node interpreter was found".to_owned()))?;
            let argv = interpreter.command(start, &[], &self.agent);
            agent::start(start, argv, interpreter.mounts()).await
        })
    }
}
