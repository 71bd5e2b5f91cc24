//! What stands for queues, topics and event buses: targets of other systems, as the settings map them.
//!
//! Owns the mapping of resource names to targets, and one module per kind of target that sends a message and waits for
//! its confirmation. Never decides when something is sent or how often: the engine's outbox does. Keeps nothing: after
//! a crash the outbox sends again what was not confirmed.

mod amqp;
mod config;
mod http;
mod kafka;
mod message;
mod nats;
mod pattern;
mod redis;
mod secret;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use bide_engine::{Destinations, Mapping};
use bide_env::Clock;

pub use amqp::AmqpBroker;
pub use config::{ConfigError, Entry};
pub use http::signing_keys;
pub use nats::NatsBroker;
pub use secret::{Secret, SecretSource};

use config::Common;
use pattern::Pattern;

/// Most tables `[[destinations]]`.
pub const DESTINATIONS_MAX: usize = 256;
/// Messages under way to one target at once: default and most.
pub const CONCURRENCY_DEFAULT: usize = 8;
pub const CONCURRENCY_MAX: usize = 64;
/// Wait for a confirmation: default and longest.
pub const TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);
pub const TIMEOUT_MAX: Duration = Duration::from_secs(60);

/// The mapping of the settings. The first entry that fits a resource name counts.
pub struct Targets(Vec<(Pattern, Mapping)>);

impl Targets {
    /// Reads secrets and makes targets; connects to none of them yet.
    ///
    /// # Errors
    /// [`ConfigError`], which names the entry.
    pub fn new(entries: Vec<Entry>, clock: &Arc<dyn Clock>) -> Result<Self, ConfigError> {
        if entries.len() > DESTINATIONS_MAX {
            return Err(ConfigError::TooMany(entries.len()));
        }
        entries
            .into_iter()
            .enumerate()
            .map(|(index, entry)| mapped(index, entry, clock))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

fn mapped(index: usize, entry: Entry, clock: &Arc<dyn Clock>) -> Result<(Pattern, Mapping), ConfigError> {
    let (Common { arn, concurrency, timeout, attempts }, target) = entry.read()?;
    let wrong = |reason: String| ConfigError::Entry { arn: arn.clone(), reason };
    let pattern = Pattern::new(&arn).map_err(wrong)?;
    let target = target.build(clock).map_err(wrong)?;
    // The place tells apart two entries with one pattern, of which the second is never found.
    let name = format!("{index}:{arn}").into();
    Ok((pattern, Mapping { name, target, concurrency, timeout, attempts }))
}

impl Destinations for Targets {
    fn find(&self, resource: &str) -> Option<Mapping> {
        self.0.iter().find(|(pattern, _)| pattern.fits(resource)).map(|(_, mapping)| mapping.clone())
    }
}
