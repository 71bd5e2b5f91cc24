//! `nodejs*`: our agent in a Node interpreter.
//!
//! Owns the command line. If the interpreter is missing, the functions of this runtime fail as a system error.

use std::path::{Path, PathBuf};

use bide_sandbox::Launcher;

use super::{Live, Runtime, Start, StartFailure, agent, interpreter};
use crate::PoolOptions;
use crate::executor::BoxFuture;

const AGENT: &str = include_str!("node/agent.js");

pub(super) struct Node {
    interpreter: Option<PathBuf>,
    agent: PathBuf,
}

impl Node {
    pub(super) async fn prepare(
        options: &PoolOptions,
        agents: &Path,
        launcher: &dyn Launcher,
    ) -> std::io::Result<Self> {
        let agent = agents.join("agent.js");
        std::fs::write(&agent, AGENT)?;
        let args = ["-p", "process.execPath"];
        let interpreter = interpreter::ask(launcher, &options.node, &args, &options.search_path).await;
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
            agent::start(start, vec![interpreter.into(), self.agent.clone().into()]).await
        })
    }
}
