//! Why a call to the engine failed, in terms of the caller's request.
//!
//! Owns the mapping to [`ErrorCode`]. Texts are for callers: no path, no secret, no internal detail.

use bide_store::StoreError;
use bide_types::{DomainName, ErrorCode, FunctionName, InvocationId, Qualifier, ServiceName, TaskId};

/// A refused or failed call. Unless stated otherwise nothing was stored.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    #[error("service '{0}' does not exist")]
    ServiceNotFound(String),
    #[error("function '{function}' does not exist in service '{service}'")]
    FunctionNotFound { service: String, function: String },
    #[error("version '{0}' does not exist")]
    VersionNotFound(Qualifier),
    #[error("alias '{0}' does not exist")]
    AliasNotFound(Qualifier),
    #[error("service '{0}' already exists")]
    ServiceExists(ServiceName),
    #[error("function '{function}' already exists in service '{service}'")]
    FunctionExists { service: ServiceName, function: FunctionName },
    #[error("alias '{0}' already exists")]
    AliasExists(Qualifier),
    #[error("version {version} cannot be deleted: alias '{alias}' names it")]
    VersionInUse { version: u32, alias: Qualifier },
    #[error("additionalVersionWeight names version {0}, which is the main version of the alias")]
    AdditionalVersionIsMain(u32),
    #[error("service '{0}' still has functions, versions or aliases")]
    ServiceNotEmpty(ServiceName),
    #[error("function '{0}' has active triggers")]
    FunctionNotEmpty(FunctionName),
    #[error("{0}")]
    TriggerExists(String),
    #[error("{0}")]
    TriggerNotFound(String),
    #[error("domain name '{0}' already exists")]
    DomainExists(DomainName),
    #[error("domain name '{0}' does not exist")]
    DomainNotFound(String),
    #[error("domain name '{0}' has no route for this path")]
    DomainRouteNotFound(DomainName),
    #[error("{0}")]
    AccessDenied(String),
    #[error("{0}")]
    BadResponse(&'static str),
    #[error("AsyncConfig for {service}:{function} does not exist.")]
    AsyncConfigNotExists { service: ServiceName, function: FunctionName },
    #[error("on-demand configuration for {service}:{function} does not exist")]
    OnDemandConfigNotFound { service: ServiceName, function: FunctionName },
    #[error("provision configuration for {service}:{function} does not exist")]
    ProvisionConfigNotFound { service: ServiceName, function: FunctionName },
    #[error(
        "function '{0}' has provisioned instances: set the target of its provision configuration to 0 first"
    )]
    ProvisionConfigExists(FunctionName),
    #[error("layer '{0}' does not exist")]
    LayerNotFound(String),
    #[error("version {version} of layer '{layer}' does not exist")]
    LayerVersionNotFound { layer: String, version: u32 },
    #[error("stateful async invocation '{0}' does not exist")]
    TaskNotFound(TaskId),
    #[error("dead letter '{0}' does not exist")]
    DeadLetterNotFound(InvocationId),
    #[error("stateful async invocation '{0}' already exists")]
    TaskExists(TaskId),
    #[error("{0}")]
    InvalidArgument(String),
    #[error("{0}")]
    TooLarge(String),
    #[error("{0}")]
    LimitExceeded(String),
    #[error("the resource being modified has been changed")]
    Conflict,
    #[error("{0}")]
    Exhausted(String),
    #[error("the platform could not run the function: {0}")]
    System(String),
    #[error("the service cannot store anything at present")]
    Store(#[source] StoreError),
    #[error("the service is shutting down")]
    ShuttingDown,
    #[error("the service has failed and must be started again: its {0} broke off")]
    Broken(&'static str),
}

impl Error {
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::ServiceNotFound(_) => ErrorCode::ServiceNotFound,
            Self::FunctionNotFound { .. } => ErrorCode::FunctionNotFound,
            Self::VersionNotFound(_) => ErrorCode::VersionNotFound,
            Self::AliasNotFound(_) => ErrorCode::AliasNotFound,
            Self::AliasExists(_) => ErrorCode::AliasAlreadyExists,
            Self::VersionInUse { .. } => ErrorCode::VersionInUse,
            Self::AdditionalVersionIsMain(_) => ErrorCode::AdditionalVersionContainsMajorVersion,
            Self::ServiceExists(_) => ErrorCode::ServiceAlreadyExists,
            Self::FunctionExists { .. } => ErrorCode::FunctionAlreadyExists,
            Self::ServiceNotEmpty(_) => ErrorCode::ServiceNotEmpty,
            Self::FunctionNotEmpty(_) => ErrorCode::FunctionNotEmpty,
            Self::TriggerExists(_) => ErrorCode::TriggerAlreadyExists,
            Self::TriggerNotFound(_) => ErrorCode::TriggerNotFound,
            Self::DomainExists(_) => ErrorCode::DomainNameAlreadyExists,
            Self::DomainNotFound(_) => ErrorCode::DomainNameNotFound,
            Self::DomainRouteNotFound(_) => ErrorCode::DomainRouteNotFound,
            Self::AccessDenied(_) => ErrorCode::AccessDenied,
            Self::BadResponse(_) => ErrorCode::BadResponse,
            Self::AsyncConfigNotExists { .. } => ErrorCode::AsyncConfigNotExists,
            Self::OnDemandConfigNotFound { .. } => ErrorCode::OnDemandConfigNotFound,
            Self::ProvisionConfigNotFound { .. } => ErrorCode::ProvisionConfigNotFound,
            Self::ProvisionConfigExists(_) => ErrorCode::ProvisionConfigExist,
            Self::LayerNotFound(_) => ErrorCode::LayerNotFound,
            Self::LayerVersionNotFound { .. } => ErrorCode::LayerVersionNotFound,
            Self::TaskNotFound(_) => ErrorCode::StatefulAsyncInvocationNotFound,
            Self::DeadLetterNotFound(_) => ErrorCode::DeadLetterNotFound,
            Self::TaskExists(_) => ErrorCode::StatefulAsyncInvocationAlreadyExists,
            Self::InvalidArgument(_) => ErrorCode::InvalidArgument,
            Self::TooLarge(_) => ErrorCode::EntityTooLarge,
            Self::LimitExceeded(_) => ErrorCode::LimitExceededError,
            Self::Conflict => ErrorCode::ConcurrentUpdateError,
            Self::Exhausted(_) => ErrorCode::ResourceExhausted,
            Self::System(_) => ErrorCode::InternalServerError,
            Self::Store(_) | Self::ShuttingDown | Self::Broken(_) => ErrorCode::ServiceUnavailable,
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Closed => Self::ShuttingDown,
            StoreError::Faulted { .. }
            | StoreError::Read { .. }
            | StoreError::Damaged { .. }
            | StoreError::NoSpace { .. } => Self::Store(error),
        }
    }
}
