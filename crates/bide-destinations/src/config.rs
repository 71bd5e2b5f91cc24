//! The tables `[[destinations]]` of the settings file.
//!
//! Owns their keys, defaults and bounds. A key that is not known is an error.

use std::sync::Arc;
use std::time::Duration;

use bide_engine::{DestinationTarget, Mapping};
use bide_env::Clock;
use serde::Deserialize;

use crate::amqp::{Amqp, AmqpEntry};
use crate::http::{Http, HttpEntry};
use crate::kafka::{Kafka, KafkaEntry};
use crate::nats::{Nats, NatsEntry};
use crate::redis::{Redis, RedisEntry};
use crate::{CONCURRENCY_DEFAULT, CONCURRENCY_MAX, TIMEOUT_DEFAULT, TIMEOUT_MAX};

/// One table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Resource name, in which `*` leaves a part open.
    arn: String,
    /// Messages under way at once.
    concurrency: Option<usize>,
    timeout_seconds: Option<u64>,
    /// Failed attempts after which a record is given up.
    attempts: Option<u32>,
    target: TargetEntry,
}

/// The table `target`, by its key `kind`.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum TargetEntry {
    Http(HttpEntry),
    Amqp(AmqpEntry),
    Nats(NatsEntry),
    Redis(RedisEntry),
    Kafka(KafkaEntry),
}

/// The settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("destination '{arn}': {reason}")]
    Entry { arn: String, reason: String },
    #[error("{0} destinations; at most {max} are possible", max = crate::DESTINATIONS_MAX)]
    TooMany(usize),
}

/// What every kind of target has.
pub(crate) struct Common {
    pub(crate) arn: String,
    pub(crate) concurrency: usize,
    pub(crate) timeout: Duration,
    pub(crate) attempts: u32,
}

impl Entry {
    pub(crate) fn read(self) -> Result<(Common, TargetEntry), ConfigError> {
        let wrong = |reason: String| ConfigError::Entry { arn: self.arn.clone(), reason };
        let concurrency = self.concurrency.unwrap_or(CONCURRENCY_DEFAULT);
        if !(1..=CONCURRENCY_MAX).contains(&concurrency) {
            return Err(wrong(format!("concurrency must be from 1 to {CONCURRENCY_MAX}")));
        }
        let timeout = self.timeout_seconds.map_or(TIMEOUT_DEFAULT, Duration::from_secs);
        if timeout.is_zero() || timeout > TIMEOUT_MAX {
            return Err(wrong(format!("timeout_seconds must be from 1 to {}", TIMEOUT_MAX.as_secs())));
        }
        let attempts = self.attempts.unwrap_or(Mapping::ATTEMPTS_MAX);
        if !(1..=Mapping::ATTEMPTS_MAX).contains(&attempts) {
            return Err(wrong(format!("attempts must be from 1 to {}", Mapping::ATTEMPTS_MAX)));
        }
        Ok((Common { arn: self.arn, concurrency, timeout, attempts }, self.target))
    }
}

impl TargetEntry {
    /// The target, without a connection yet.
    pub(crate) fn build(self, clock: &Arc<dyn Clock>) -> Result<Arc<dyn DestinationTarget>, String> {
        match self {
            Self::Http(entry) => Ok(Arc::new(Http::new(entry, Arc::clone(clock))?)),
            Self::Amqp(entry) => Ok(Arc::new(Amqp::new(entry)?)),
            Self::Nats(entry) => Ok(Arc::new(Nats::new(entry)?)),
            Self::Redis(entry) => Ok(Arc::new(Redis::new(entry)?)),
            Self::Kafka(entry) => Ok(Arc::new(Kafka::new(entry)?)),
        }
    }
}

#[cfg(test)]
mod tests;
