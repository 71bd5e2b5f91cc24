//! Control objects: services, functions and their configurations, layers, triggers and custom domains.
//!
//! Owns their fields and defaults, in the form in which the catalog stores them (JSON, see
//! `docs/storage-format.md`): a field may be added with a default, never renamed or given another meaning.
//! Never knows a wire format: the API crates translate.

mod domain;
mod trigger;
mod version;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use domain::{CustomDomain, Route, RoutePath, RoutePathError};
pub use trigger::{
    EventBridgeTrigger, HttpAuth, HttpFormat, HttpMethod, HttpTrigger, OssTrigger, TimerTrigger, Trigger,
    TriggerConfig,
};
pub use version::{AdditionalVersion, Alias, ServiceVersion};

use crate::limits;
use crate::{AccountId, FunctionId, FunctionName, LayerName, Qualifier, ServiceName, Timestamp};

/// Groups functions (API generations 2016-08-15 and 2021-04-06).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    pub account: AccountId,
    pub name: ServiceName,
    pub service_id: String,
    pub description: String,
    pub role: String,
    pub internet_access: bool,
    /// Options that bide keeps and returns but does not act on, by their API name (e.g. `logConfig`); values are JSON.
    pub opaque: BTreeMap<String, String>,
    /// Number of the newest version ever published; a number is never given twice, also after a deletion.
    #[serde(default)]
    pub last_version: u32,
    pub created_at: Timestamp,
    pub modified_at: Timestamp,
}

/// A function as it stands: configuration and the digest of its code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Function {
    pub id: FunctionId,
    pub account: AccountId,
    pub service: ServiceName,
    pub name: FunctionName,
    pub description: String,
    pub runtime: Runtime,
    pub handler: String,
    pub initializer: Option<String>,
    pub initialization_timeout_seconds: u32,
    pub timeout_seconds: u32,
    pub memory_mb: u32,
    pub instance_concurrency: u32,
    pub environment: BTreeMap<String, String>,
    pub custom_port: u16,
    /// Start command of a custom runtime; with empty arguments, empty means `/code/bootstrap`.
    pub custom_command: Vec<String>,
    /// Follow the command.
    #[serde(default)]
    pub custom_args: Vec<String>,
    /// Health check of a custom runtime.
    #[serde(default)]
    pub health_check: Option<HealthCheck>,
    /// Called before an instance is ended.
    #[serde(default)]
    pub pre_stop: Option<LifecycleHook>,
    /// Called before an idle instance is frozen.
    #[serde(default)]
    pub pre_freeze: Option<LifecycleHook>,
    /// Unpacked together under `/opt`; where two have the same file, the first in the list wins (FC "Use layers").
    #[serde(default)]
    pub layers: Vec<LayerReference>,
    /// Size of the private `/tmp`, in MB.
    #[serde(default = "disk_mb_default")]
    pub disk_mb: u32,
    /// CPU time per wall-clock time, in thousandths of a core; `None` means not limited.
    #[serde(default)]
    pub cpu_millis: Option<u32>,
    pub code: Code,
    /// Grows with every change of code or configuration; instances of an older revision are drained.
    pub revision: u64,
    pub created_at: Timestamp,
    pub modified_at: Timestamp,
}

impl Function {
    /// A function with FC's defaults: not stored yet, and without code.
    pub fn new(
        account: AccountId,
        service: ServiceName,
        name: FunctionName,
        runtime: Runtime,
        handler: String,
        now: Timestamp,
    ) -> Self {
        Self {
            id: FunctionId::new(0),
            account,
            service,
            name,
            description: String::new(),
            runtime,
            handler,
            initializer: None,
            initialization_timeout_seconds: limits::INITIALIZER_TIMEOUT_SECONDS_DEFAULT,
            timeout_seconds: limits::FUNCTION_TIMEOUT_SECONDS_DEFAULT,
            memory_mb: limits::MEMORY_MB_DEFAULT,
            instance_concurrency: 1,
            environment: BTreeMap::new(),
            custom_port: limits::CUSTOM_RUNTIME_PORT_DEFAULT,
            custom_command: Vec::new(),
            custom_args: Vec::new(),
            health_check: None,
            pre_stop: None,
            pre_freeze: None,
            layers: Vec::new(),
            disk_mb: limits::DISK_MB_DEFAULT,
            cpu_millis: None,
            code: Code { digest: String::new(), crc64: 0, size_bytes: 0 },
            revision: 0,
            created_at: now,
            modified_at: now,
        }
    }

    pub fn timeout(&self) -> Duration {
        Duration::from_secs(u64::from(self.timeout_seconds))
    }

    pub fn initialization_timeout(&self) -> Duration {
        Duration::from_secs(u64::from(self.initialization_timeout_seconds))
    }
}

fn disk_mb_default() -> u32 {
    limits::DISK_MB_DEFAULT
}

/// A call to the instance at a turn of its life (FC "Lifecycle hooks for function instances").
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifecycleHook {
    /// `file.function`; without meaning for custom runtimes.
    pub handler: String,
    pub timeout_seconds: u32,
}

/// How a custom runtime is asked whether it is well (FC "CustomHealthCheckConfig").
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// Path and query of the `GET`.
    pub path: String,
    pub initial_delay_seconds: u32,
    pub period_seconds: u32,
    pub timeout_seconds: u32,
    pub failure_threshold: u32,
    pub success_threshold: u32,
}

/// One version of a layer, as a function names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerReference {
    pub arn: String,
    /// Digest of its package, as in [`Code::digest`].
    pub digest: String,
    /// Size of its files.
    #[serde(default)]
    pub unpacked_bytes: u64,
}

/// A layer: numbered versions of a package that functions share under `/opt`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    pub account: AccountId,
    pub name: LayerName,
    /// Number of the newest version ever published; a number is never given twice, also after a deletion.
    pub last_version: u32,
    /// Those that exist, in the order of their numbers.
    pub versions: Vec<LayerVersion>,
}

/// One version of a [`Layer`]; never changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerVersion {
    pub version: u32,
    pub description: String,
    /// Kept and returned; a function of another runtime may use the layer all the same.
    pub compatible_runtimes: Vec<String>,
    pub code: Code,
    /// Size of its files.
    pub unpacked_bytes: u64,
    pub created_at: Timestamp,
}

/// Identity and size of a code package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code {
    /// Lower-case hex SHA-256 of the zip; the key under which the store keeps it.
    pub digest: String,
    /// CRC-64 (ECMA-182) of the zip, as the deployment tools of FC compare it.
    pub crc64: u64,
    pub size_bytes: u64,
}

/// The language environment a function runs in, by FC's names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Runtime {
    name: String,
    kind: RuntimeKind,
}

/// What bide does to run a [`Runtime`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuntimeKind {
    Python,
    Node,
    /// An HTTP server started from the package.
    Custom,
}

/// The runtime name is unknown, or known and not supported.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("runtime '{0}' is not supported: use python3*, nodejs*, custom or custom.debian*")]
pub struct UnsupportedRuntime(String);

impl Runtime {
    /// # Errors
    /// [`UnsupportedRuntime`] for any other name.
    pub fn parse(name: &str) -> Result<Self, UnsupportedRuntime> {
        let version = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let kind = if name.len() > limits::NAME_CHARS_MAX {
            return Err(UnsupportedRuntime(name.chars().take(limits::NAME_CHARS_MAX).collect()));
        } else if name.strip_prefix("python3").is_some_and(version) {
            RuntimeKind::Python
        } else if name.strip_prefix("nodejs").is_some_and(version) {
            RuntimeKind::Node
        } else if name == "custom" || name.strip_prefix("custom.debian").is_some_and(version) {
            RuntimeKind::Custom
        } else {
            return Err(UnsupportedRuntime(name.chars().take(limits::NAME_CHARS_MAX).collect()));
        };
        Ok(Self { name: name.to_owned(), kind })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn kind(&self) -> RuntimeKind {
        self.kind
    }
}

impl TryFrom<String> for Runtime {
    type Error = UnsupportedRuntime;

    fn try_from(name: String) -> Result<Self, UnsupportedRuntime> {
        Self::parse(&name)
    }
}

impl From<Runtime> for String {
    fn from(runtime: Runtime) -> Self {
        runtime.name
    }
}

/// How asynchronous invocations of one function and qualifier are treated (FC "AsyncConfig").
/// `None` means "not set": the default applies and the field reads back as absent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AsyncInvokeConfig {
    pub function: FunctionId,
    pub qualifier: Qualifier,
    pub stateful: Option<bool>,
    pub retry_attempts_max: Option<u32>,
    pub event_age_max_seconds: Option<u64>,
    pub on_success: Option<String>,
    pub on_failure: Option<String>,
    /// Set once the qualifier is gone: it then only says who hears of what was sent to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former_since: Option<Timestamp>,
    pub created_at: Timestamp,
    pub modified_at: Timestamp,
}

/// How many instances one function and qualifier have (FC "ProvisionConfig" and "OnDemandConfig").
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScalingConfig {
    pub function: FunctionId,
    pub qualifier: Qualifier,
    /// Instances that are kept ready; 0 is none.
    pub provisioned: u32,
    /// Most instances beside these; 0 allows none, `None` leaves it to the caps of the server.
    pub on_demand_max: Option<u32>,
}

#[cfg(test)]
mod tests;
