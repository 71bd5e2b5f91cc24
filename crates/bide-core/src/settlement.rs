//! The end of an invocation and the record that a destination gets of it.
//!
//! Owns the wording of outcomes: `condition`, `functionError` and the status code of the destination record
//! (FC "Result callback"; fc-behaviour 2.2). Never holds payloads: the store joins them when it delivers.

use std::time::Duration;

use bide_types::{FunctionId, InstanceId, InvocationId, Qualifier, RequestId, Timestamp, TraceParent};

use crate::command::{Failure, FunctionError};
use crate::invocation::{CallKind, Invocation};
use crate::policy::Policy;

/// How and when an invocation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    pub outcome: Outcome,
    pub at: Timestamp,
    /// Execution time of the last attempt; zero if none ran.
    pub duration: Duration,
    /// Where the last attempt ran.
    pub instance: Option<InstanceId>,
}

/// The final states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Succeeded,
    /// No attempts are left, or the platform refused for the whole retry window.
    Failed {
        failure: Failure,
    },
    Stopped,
    /// Waited longer than the maximum event age.
    Expired,
    /// Can never run, e.g. because the function is gone.
    Invalid {
        reason: String,
    },
}

impl Outcome {
    /// The error code of the invocation; empty for success. Distinct for each way to end.
    pub fn condition(&self) -> &str {
        match self {
            Self::Succeeded => "",
            Self::Failed { failure } => failure.condition(),
            Self::Stopped => "InvocationStopped",
            Self::Expired => "EventAgeExceeded",
            Self::Invalid { .. } => "FunctionNotFound",
        }
    }

    /// What the task record shows as its error: the failure's name, or why the work was invalid.
    pub fn error_message(&self) -> &str {
        match self {
            Self::Failed { failure: Failure::Function(error) } => error.error_type(),
            Self::Invalid { reason } => reason,
            Self::Succeeded | Self::Failed { .. } | Self::Stopped | Self::Expired => self.condition(),
        }
    }

    /// The platform's status for the call; anything but 200 means that the platform, not the function, failed.
    pub fn status_code(&self) -> u16 {
        match self {
            Self::Succeeded | Self::Stopped | Self::Expired => 200,
            Self::Failed { failure } => match failure {
                Failure::Function(_) => 200,
                Failure::Throttled => 429,
                Failure::System => 500,
            },
            Self::Invalid { .. } => 404,
        }
    }

    /// The error type of the function, empty unless its code failed.
    pub fn function_error(&self) -> &str {
        match self {
            Self::Failed { failure: Failure::Function(error) } => error.error_type(),
            Self::Succeeded | Self::Failed { .. } | Self::Stopped | Self::Expired | Self::Invalid { .. } => {
                ""
            }
        }
    }
}

impl Failure {
    pub fn condition(&self) -> &'static str {
        match self {
            Self::Function(error) => match error {
                FunctionError::TimedOut => "FunctionTimeoutError",
                FunctionError::OutOfMemory => "FunctionOOMError",
                FunctionError::Handled | FunctionError::Unhandled => error.error_type(),
            },
            Self::Throttled => "FunctionResourceExhausted",
            Self::System => "InternalServerError",
        }
    }
}

impl FunctionError {
    /// The value of `X-Fc-Error-Type` (FC "InvokeFunction").
    pub fn error_type(self) -> &'static str {
        match self {
            Self::Handled => "HandledInvocationError",
            Self::Unhandled | Self::TimedOut | Self::OutOfMemory => "UnhandledInvocationError",
        }
    }
}

/// Which of the two destinations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    Success,
    Failure,
}

/// A destination record to be delivered at least once; everything of it but the two payloads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The settled invocation; it has one end, so one delivery.
    pub invocation: InvocationId,
    pub function: FunctionId,
    pub qualifier: Qualifier,
    pub request_id: RequestId,
    /// What the original payload is.
    pub kind: CallKind,
    /// The trace that the caller was in.
    pub parent: Option<TraceParent>,
    pub accepted_at: Timestamp,
    pub slot: Slot,
    /// Resource name of the target.
    pub target: String,
    pub outcome: Outcome,
    /// Number of runs.
    pub invoke_count: u32,
    pub hops: u8,
}

/// The delivery that `outcome` of `invocation` calls for under `policy`.
pub(crate) fn delivery(
    invocation: &Invocation,
    outcome: &Outcome,
    policy: Option<&Policy>,
) -> Option<Delivery> {
    let policy = policy?;
    let (slot, target) = match outcome {
        Outcome::Succeeded => (Slot::Success, policy.on_success.as_ref()?),
        Outcome::Failed { .. } | Outcome::Stopped | Outcome::Expired | Outcome::Invalid { .. } => {
            (Slot::Failure, policy.on_failure.as_ref()?)
        }
    };
    Some(Delivery {
        invocation: invocation.id,
        function: invocation.function,
        qualifier: invocation.qualifier.clone(),
        request_id: invocation.request_id.clone(),
        kind: invocation.kind,
        parent: invocation.parent,
        accepted_at: invocation.accepted_at,
        slot,
        target: target.clone(),
        outcome: outcome.clone(),
        invoke_count: invocation.runs,
        hops: invocation.hops,
    })
}

#[cfg(test)]
mod tests;
