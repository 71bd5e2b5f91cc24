//! The error codes that callers see: one exhaustive list, each with its HTTP status.
//!
//! Owns code names and statuses (FC "Error codes"; fc-api 3.6). Never holds a message: the message belongs to the
//! place that found the fault. Every code has a page in `docs/errors/`, which a test checks.

macro_rules! error_codes {
    ($($(#[$doc:meta])* $name:ident = $status:literal,)*) => {
        /// A code on the wire; alphabetical.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode { $($(#[$doc])* $name,)* }

        impl ErrorCode {
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// HTTP status of an answer with this code.
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }
        }
    };
}

error_codes! {
    AccessDenied = 403,
    /// An alias names its main version as the additional one, too.
    AdditionalVersionContainsMajorVersion = 400,
    AliasAlreadyExists = 409,
    AliasNotFound = 404,
    AsyncConfigNotExists = 404,
    /// The invocation was stopped already.
    AsyncInvocationStopped = 412,
    /// What the function answered an HTTP call with cannot be passed on.
    BadResponse = 502,
    ConcurrentUpdateError = 409,
    DeadLetterNotFound = 404,
    DomainNameAlreadyExists = 409,
    DomainNameNotFound = 404,
    /// No route of the custom domain fits the path.
    DomainRouteNotFound = 404,
    EntityTooLarge = 400,
    FunctionAlreadyExists = 409,
    /// The function still has triggers.
    FunctionNotEmpty = 409,
    FunctionNotFound = 404,
    InternalServerError = 500,
    InvalidAccessKeyID = 403,
    InvalidArgument = 400,
    LayerNotFound = 404,
    LayerVersionNotFound = 404,
    LimitExceededError = 400,
    MissingRequiredHeader = 400,
    OnDemandConfigNotFound = 404,
    PathNotSupported = 400,
    PreconditionFailed = 412,
    /// Instances are still kept ready for what is to be deleted.
    ProvisionConfigExist = 409,
    ProvisionConfigNotFound = 404,
    ResourceExhausted = 429,
    ServiceAlreadyExists = 409,
    ServiceNotEmpty = 409,
    ServiceNotFound = 404,
    /// The node cannot make the work durable, or is shutting down: nothing was stored.
    ServiceUnavailable = 503,
    SignatureNotMatch = 403,
    StatefulAsyncInvocationAlreadyExists = 409,
    StatefulAsyncInvocationNotFound = 404,
    TriggerAlreadyExists = 409,
    TriggerNotFound = 404,
    /// An alias names the version that is to be deleted.
    VersionInUse = 409,
    VersionNotFound = 404,
}

impl ErrorCode {
    /// Whether the same call may succeed later without a change by the caller.
    pub const fn retryable(self) -> bool {
        self.status() >= 500 || matches!(self, Self::ResourceExhausted | Self::ConcurrentUpdateError)
    }
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests;
