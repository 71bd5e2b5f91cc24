//! The stored form of the log of an attempt, without its text.

use bide_store::{AttemptEnd, AttemptLog, LogText};
use bide_types::Timestamp;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::invocation::DurationV1;
use super::numbers;
use crate::keys::codec::Undecodable;

#[derive(Serialize, Deserialize)]
pub(crate) struct AttemptLogV1<'a> {
    attempt: u32,
    /// Microseconds since 1970.
    ended_at: u64,
    duration: DurationV1,
    #[serde(borrow)]
    instance: Option<&'a str>,
    end: AttemptEndV1,
    dropped_bytes: u64,
}

#[derive(Serialize, Deserialize)]
enum AttemptEndV1 {
    Succeeded,
    /// The number of the function error.
    Failed(u8),
    SystemError,
    Stopped,
    Interrupted,
    Lost,
}

impl<'a> From<&'a AttemptLog> for AttemptLogV1<'a> {
    fn from(log: &'a AttemptLog) -> Self {
        Self {
            attempt: log.attempt,
            ended_at: log.ended_at.as_micros(),
            duration: log.duration.into(),
            instance: log.instance.as_ref().map(|instance| instance.as_str()),
            end: match log.end {
                AttemptEnd::Succeeded => AttemptEndV1::Succeeded,
                AttemptEnd::Failed(error) => AttemptEndV1::Failed(numbers::function_error(error)),
                AttemptEnd::SystemError => AttemptEndV1::SystemError,
                AttemptEnd::Stopped => AttemptEndV1::Stopped,
                AttemptEnd::Interrupted => AttemptEndV1::Interrupted,
                AttemptEnd::Lost => AttemptEndV1::Lost,
            },
            dropped_bytes: log.log.dropped_bytes,
        }
    }
}

impl AttemptLogV1<'_> {
    pub(crate) fn into_domain(self, text: Bytes) -> Result<AttemptLog, Undecodable> {
        Ok(AttemptLog {
            attempt: self.attempt,
            ended_at: Timestamp::from_micros(self.ended_at),
            duration: self.duration.into_domain(),
            instance: self.instance.map(super::invocation::text).transpose()?,
            end: match self.end {
                AttemptEndV1::Succeeded => AttemptEnd::Succeeded,
                AttemptEndV1::Failed(error) => AttemptEnd::Failed(numbers::to_function_error(error)?),
                AttemptEndV1::SystemError => AttemptEnd::SystemError,
                AttemptEndV1::Stopped => AttemptEnd::Stopped,
                AttemptEndV1::Interrupted => AttemptEnd::Interrupted,
                AttemptEndV1::Lost => AttemptEnd::Lost,
            },
            log: LogText { text, dropped_bytes: self.dropped_bytes },
        })
    }
}
