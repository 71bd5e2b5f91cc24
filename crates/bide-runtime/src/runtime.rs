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
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bide_env::Clock;
use bide_sandbox::{
    Adoption, Exit, LaunchError, LaunchSpec, Launcher, Limits, Network, Process, ProcessHandle,
    ProcessLauncher,
};
use bide_types::limits::INSTANCE_PROCESSES_MAX;
use bide_types::resource::{Function, RuntimeKind};
use bide_types::{InstanceId, RequestId};
use bytes::Bytes;
pub(crate) use custom::custom_port;

use crate::environment::{self, Environment};
use crate::executor::{
    AttemptResult, BoxFuture, FunctionErrorCause, FunctionErrorKind, FunctionSpec, InvokeRequest,
};
use crate::instance::{LAUNCHER_GONE, memory_max_mb};
use crate::layout::Layout;
use crate::logs::Logs;
use crate::standby::Standbys;
use crate::{PoolOptions, failure};

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

impl Hook {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::PreStop => "pre-stop",
            Self::PreFreeze => "pre-freeze",
        }
    }
}

/// Hands requests to one instance; several at once if the function allows it.
pub(crate) trait Channel: Send + Sync {
    fn initialize<'a>(&'a self, request_id: &'a RequestId) -> BoxFuture<'a, Result<Reply, Broken>>;

    /// Calls a hook that the function's configuration names, also while a request runs. The caller bounds the time; that a
    /// hook failed is for the log only.
    fn hook<'a>(&'a self, hook: Hook, request_id: &'a RequestId) -> BoxFuture<'a, Result<Reply, Broken>>;

    fn invoke<'a>(&'a self, request: &'a InvokeRequest) -> BoxFuture<'a, Result<Reply, Broken>>;

    /// Asks a server whether it is well, by a `GET` of `path`; whoever is no server is well. The caller bounds the time.
    fn probe<'a>(&'a self, _path: &'a str) -> BoxFuture<'a, bool> {
        Box::pin(async { true })
    }

    /// Whether a request that is given up leaves those beside it unharmed.
    fn lets_go(&self) -> bool {
        false
    }

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
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum StartFailure {
    /// The platform's fault.
    #[error("the platform could not start it: {0}")]
    System(String),
    /// The function's fault, already as the result of the attempt that waited for the start.
    #[error("{}", failure::message_of(.0))]
    Function(AttemptResult),
}

impl StartFailure {
    pub(crate) fn not_started(message: &str) -> Self {
        Self::Function(failure::not_started(message))
    }

    /// The process ended before the instance was ready; `message` tells its author so.
    pub(crate) fn ended(process: &ProcessHandle, exit: Exit, function: &Function, message: &str) -> Self {
        if !exit.is_known() {
            Self::System(LAUNCHER_GONE.to_owned())
        } else if exit.out_of_memory {
            Self::Function(failure::out_of_memory(function.memory_mb, memory_max_mb(process)))
        } else {
            Self::not_started(message)
        }
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
    /// The unpacked package on the host.
    pub(crate) code_dir: &'a Path,
    pub(crate) layout: Layout,
    pub(crate) logs: &'a Arc<Logs>,
    pub(crate) launcher: &'a dyn Launcher,
    pub(crate) standbys: &'a Standbys,
    pub(crate) clock: &'a Arc<dyn Clock>,
    pub(crate) search_path: &'a str,
}

impl Start<'_> {
    pub(crate) fn environment(&self) -> Environment {
        environment::of(self)
    }

    /// What the instance has that no other one has.
    pub(crate) fn late(&self) -> Adoption {
        let Limits { memory_bytes_max, cpu_millis, .. } = limits_of(&self.spec.function);
        Adoption {
            mounts: self.layout.own_mounts().to_vec(),
            hostname: self.instance.to_string(),
            memory_bytes_max,
            cpu_millis,
        }
    }

    /// Starts a program with the function's environment and `extra`, in the code directory.
    pub(crate) async fn launch(
        &self,
        argv: Vec<OsString>,
        extra: &[(&str, String)],
    ) -> Result<Process, LaunchError> {
        let mut env = self.environment();
        extra.iter().for_each(|(name, value)| env.set(name, value));
        let spec = LaunchSpec {
            env: env.into_pairs(),
            working_dir: self.layout.code().to_owned(),
            hostname: self.instance.to_string(),
            mounts: [self.layout.own_mounts(), self.layout.shared_mounts()].concat(),
            network: network_of(self.spec),
            limits: limits_of(&self.spec.function),
            ..LaunchSpec::new(argv)
        };
        self.launch_as(spec).await
    }

    /// Starts a program; its output goes to the logs.
    pub(crate) async fn launch_as(&self, spec: LaunchSpec) -> Result<Process, LaunchError> {
        let mut process = self.launcher.spawn(spec).await?;
        self.log_output(&mut process)?;
        Ok(process)
    }

    /// Has the output of a process go to the logs, unless it does.
    pub(crate) fn log_output(&self, process: &mut Process) -> Result<(), LaunchError> {
        let Some(output) = process.take_output() else { return Ok(()) };
        self.logs.attach(output).map_err(|source| LaunchError::Spawn {
            program: "the reader of the instance's output".to_owned(),
            source,
        })
    }
}

pub(crate) fn network_of(spec: &FunctionSpec) -> Network {
    if spec.internet_access { Network::Outbound } else { Network::Loopback }
}

pub(crate) fn limits_of(function: &Function) -> Limits {
    let bytes = |megabytes: u32| u64::from(megabytes) * 1024 * 1024;
    Limits {
        memory_bytes_max: Some(bytes(function.memory_mb)),
        cpu_millis: function.cpu_millis,
        processes_max: INSTANCE_PROCESSES_MAX,
        tmp_bytes_max: bytes(function.disk_mb),
        ..Limits::default()
    }
}

/// Every runtime of this server.
pub(crate) struct Runtimes {
    python: python::Python,
    node: node::Node,
    custom: custom::Custom,
}

impl Runtimes {
    /// Writes the agents into the cache and finds the interpreters, which are asked outside of any sandbox: they belong
    /// to the host, and their answers say what a sandbox has to show.
    pub(crate) async fn prepare(options: &PoolOptions) -> std::io::Result<Self> {
        let agents: PathBuf = options.cache_dir.join("agents");
        std::fs::create_dir_all(&agents)?;
        std::fs::set_permissions(&agents, std::fs::Permissions::from_mode(0o755))?;
        let launcher = &ProcessLauncher::new()?;
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
