//! Runtimes: how an instance of each kind is started and spoken to.
//!
//! Owns the two internal seams: [`Runtime`] starts an instance, [`Channel`] hands it requests. Adding a runtime means
//! one folder here and one arm in [`Runtimes::of`]. Never pools, times or kills anything: `instance` and `pool` do.
//! A crash of the server ends the process of every instance; the agents' files in the cache are written anew at each start.

pub(crate) mod agent;
mod custom;
mod frame;
mod http_event;
mod interpreter;
mod node;
mod python;
mod response;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bide_env::Clock;
use bide_sandbox::{Access, LaunchError, LaunchSpec, Launcher, Mount, Process};
use bide_types::resource::RuntimeKind;
use bide_types::{InstanceId, RequestId};
use bytes::Bytes;

use crate::executor::{
    AttemptResult, BoxFuture, FunctionErrorCause, FunctionErrorKind, FunctionSpec, InvokeRequest,
};
use crate::logs::Logs;
use crate::{PoolOptions, environment, failure};

/// An answer of an instance.
#[derive(Debug)]
pub(crate) enum Reply {
    Returned(Bytes),
    Failed {
        kind: FunctionErrorKind,
        error: Bytes,
        /// The instance must not serve again.
        replace: bool,
    },
}

/// The instance will not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// The request cannot have reached the handler.
    NotSent,
    /// The instance may have begun.
    Lost,
    /// Whoever waited for the response has left; the instance may still be at it.
    CallerLeft,
}

/// A turn of an instance's life that its code may be told of (FC "Lifecycle hooks for function instances").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hook {
    PreStop,
    PreFreeze,
}

/// Hands requests to one instance; several at once if the function allows it.
pub(crate) trait Channel: Send + Sync {
    fn initialize<'a>(&'a self, request_id: &'a RequestId) -> BoxFuture<'a, Result<Reply, Broken>>;

    /// Calls a hook that the function's configuration names, also while a request runs. The caller bounds the time; that a
    /// hook failed is for the log only.
    fn hook<'a>(&'a self, hook: Hook, request_id: &'a RequestId) -> BoxFuture<'a, Result<Reply, Broken>>;

    fn invoke<'a>(&'a self, request: &'a InvokeRequest) -> BoxFuture<'a, Result<Reply, Broken>>;

    /// Whether requests can still reach the instance.
    fn is_open(&self) -> bool {
        true
    }
}

/// A started instance, ready for its initializer.
pub(crate) struct Live {
    pub(crate) process: Process,
    pub(crate) channel: Box<dyn Channel>,
}

/// Starts instances of one kind.
pub(crate) trait Runtime: Send + Sync {
    /// Resolves when the instance can take requests. Bounded by the caller; dropping the future kills the instance.
    fn start<'a>(&'a self, start: &'a Start<'a>) -> BoxFuture<'a, Result<Live, StartFailure>>;
}

/// Why an instance did not start.
#[derive(Clone, Debug)]
pub(crate) enum StartFailure {
    /// The platform's fault.
    System(String),
    /// The function's fault, already as the result of the attempt that waited for the start.
    Function(AttemptResult),
}

impl StartFailure {
    pub(crate) fn not_started(message: &str) -> Self {
        Self::Function(failure::not_started(message))
    }

    pub(crate) fn reported(error: Bytes) -> Self {
        Self::Function(failure::reported(
            FunctionErrorKind::Unhandled,
            FunctionErrorCause::StartFailed,
            error,
        ))
    }
}

impl From<LaunchError> for StartFailure {
    fn from(error: LaunchError) -> Self {
        Self::System(with_causes(&error))
    }
}

/// The text of an error and of everything that caused it.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// What a runtime needs to start one instance.
pub(crate) struct Start<'a> {
    pub(crate) spec: &'a FunctionSpec,
    pub(crate) instance: &'a InstanceId,
    pub(crate) code_dir: &'a Path,
    /// The function's layers unpacked together, if it has any: what `/opt` shows in a sandbox.
    pub(crate) layers_dir: Option<&'a Path>,
    /// Private, writable, removed after the instance.
    pub(crate) scratch_dir: &'a Path,
    pub(crate) logs: &'a Arc<Logs>,
    pub(crate) launcher: &'a dyn Launcher,
    pub(crate) clock: &'a Arc<dyn Clock>,
    pub(crate) search_path: &'a str,
}

/// Where the sandbox shows a function's layers.
const LAYERS_TARGET: &str = "/opt";

impl Start<'_> {
    /// Where the code finds the function's layers, if it has any.
    pub(crate) fn layers_seen_at(&self) -> Option<&Path> {
        self.layers_dir.map(|host| if self.launcher.isolates() { Path::new(LAYERS_TARGET) } else { host })
    }

    /// Starts the program with the function's environment, `extra` added, and its output going to the logs.
    pub(crate) async fn launch(
        &self,
        argv: Vec<OsString>,
        extra: Vec<(String, String)>,
        control: Option<std::os::fd::OwnedFd>,
    ) -> Result<Process, LaunchError> {
        let mut env = environment::of(self);
        env.extend(extra.into_iter().map(|(name, value)| (name.into(), value.into())));
        let layers = self.layers_dir.map(|source| Mount {
            source: source.to_owned(),
            target: LAYERS_TARGET.into(),
            access: Access::ReadOnly,
        });
        let spec = LaunchSpec {
            env,
            working_dir: self.code_dir.to_owned(),
            control,
            mounts: layers.into_iter().collect(),
            ..LaunchSpec::new(argv)
        };
        let mut process = self.launcher.spawn(spec).await?;
        if let Some(output) = process.take_output() {
            self.logs.attach(output).map_err(|source| LaunchError::Spawn {
                program: "the reader of the instance's output".to_owned(),
                source,
            })?;
        }
        Ok(process)
    }
}

/// Every runtime of this server.
pub(crate) struct Runtimes {
    python: python::Python,
    node: node::Node,
    custom: custom::Custom,
}

impl Runtimes {
    /// Writes the agents into the cache and finds the interpreters.
    pub(crate) async fn prepare(options: &PoolOptions, launcher: &dyn Launcher) -> std::io::Result<Self> {
        let agents: PathBuf = options.cache_dir.join("agents");
        std::fs::create_dir_all(&agents)?;
        Ok(Self {
            python: python::Python::prepare(options, &agents, launcher).await?,
            node: node::Node::prepare(options, &agents, launcher).await?,
            custom: custom::Custom,
        })
    }

    pub(crate) fn of(&self, kind: RuntimeKind) -> &dyn Runtime {
        match kind {
            RuntimeKind::Python => &self.python,
            RuntimeKind::Node => &self.node,
            RuntimeKind::Custom => &self.custom,
        }
    }
}
