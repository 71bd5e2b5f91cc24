//! The stored form of how an invocation ended.

use bide_core::{Failure, Outcome};
use serde::{Deserialize, Serialize};

use super::numbers;
use crate::keys::codec::Undecodable;

#[derive(Serialize, Deserialize)]
pub(crate) enum OutcomeV1<'a> {
    Succeeded,
    Failed(FailureV1),
    Stopped,
    Expired,
    Invalid {
        #[serde(borrow)]
        reason: &'a str,
    },
}

#[derive(Serialize, Deserialize)]
pub(crate) enum FailureV1 {
    /// The number of the function error.
    Function(u8),
    Throttled,
    System,
}

impl<'a> From<&'a Outcome> for OutcomeV1<'a> {
    fn from(outcome: &'a Outcome) -> Self {
        match outcome {
            Outcome::Succeeded => Self::Succeeded,
            Outcome::Failed { failure } => Self::Failed(match failure {
                Failure::Function(error) => FailureV1::Function(numbers::function_error(*error)),
                Failure::Throttled => FailureV1::Throttled,
                Failure::System => FailureV1::System,
            }),
            Outcome::Stopped => Self::Stopped,
            Outcome::Expired => Self::Expired,
            Outcome::Invalid { reason } => Self::Invalid { reason },
        }
    }
}

impl OutcomeV1<'_> {
    pub(crate) fn into_domain(self) -> Result<Outcome, Undecodable> {
        Ok(match self {
            Self::Succeeded => Outcome::Succeeded,
            Self::Failed(failure) => Outcome::Failed {
                failure: match failure {
                    FailureV1::Function(error) => Failure::Function(numbers::to_function_error(error)?),
                    FailureV1::Throttled => Failure::Throttled,
                    FailureV1::System => Failure::System,
                },
            },
            Self::Stopped => Outcome::Stopped,
            Self::Expired => Outcome::Expired,
            Self::Invalid { reason } => Outcome::Invalid { reason: reason.to_owned() },
        })
    }
}
