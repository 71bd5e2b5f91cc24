//! The tables `[[event_sources]]` of the settings file.
//!
//! Owns their keys, defaults and bounds. A key that is not known is an error.

use std::collections::BTreeSet;

use bide_destinations::{AmqpBroker, NatsBroker, SecretSource};
use bide_types::{AccountId, Qualifier};
use serde::Deserialize;

use crate::amqp::Amqp;
use crate::intake::FunctionName;
use crate::nats::Nats;
use crate::{CONCURRENCY_DEFAULT, CONCURRENCY_MAX, SOURCES_MAX};

/// Longest names in the protocols of the brokers.
const NAME_BYTES_MAX: usize = 255;

/// One table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Part of the identity of its messages: another name takes them as others.
    name: String,
    /// May be left out where there is one.
    account_id: Option<String>,
    service: String,
    function: String,
    qualifier: Option<String>,
    /// Messages under way at once.
    concurrency: Option<usize>,
    source: SourceEntry,
}

/// The table `source`, by its key `kind`.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum SourceEntry {
    Nats(NatsEntry),
    Amqp(AmqpEntry),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NatsEntry {
    /// `nats://host:port`, or `tls://host:port`.
    url: String,
    username: Option<String>,
    /// Of the user; without a user, a token.
    password: Option<SecretSource>,
    stream: String,
    /// Of the stream's messages, those of this subject, which may have wildcards.
    subject: Option<String>,
    /// Name of the durable consumer, which is made if it is not there.
    consumer: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AmqpEntry {
    host: String,
    port: Option<u16>,
    #[serde(default)]
    tls: bool,
    vhost: Option<String>,
    username: String,
    password: SecretSource,
    queue: String,
}

/// The settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("event source '{name}': {reason}")]
    Entry { name: String, reason: String },
    #[error("{0} event sources; at most {SOURCES_MAX} are possible")]
    TooMany(usize),
}

/// A source that can be started.
pub struct Source {
    pub(crate) name: String,
    pub(crate) function: FunctionName,
    pub(crate) broker: Broker,
}

pub(crate) enum Broker {
    Nats(Box<Nats>),
    Amqp(Box<Amqp>),
}

impl Source {
    /// Reads secrets; connects to nothing yet. `sole_account` is the account of all credentials, if there is one only.
    ///
    /// # Errors
    /// [`ConfigError`], which names the entry.
    pub fn read(entries: Vec<Entry>, sole_account: Option<&AccountId>) -> Result<Vec<Self>, ConfigError> {
        if entries.len() > SOURCES_MAX {
            return Err(ConfigError::TooMany(entries.len()));
        }
        let mut names = BTreeSet::new();
        let read = entries.into_iter().map(|entry| {
            let name = entry.name.clone();
            let is_new = names.insert(name.clone());
            let source =
                if is_new { entry.read(sole_account) } else { Err("its name is given twice".to_owned()) };
            source.map_err(|reason| ConfigError::Entry { name, reason })
        });
        read.collect()
    }
}

impl Entry {
    fn read(self, sole_account: Option<&AccountId>) -> Result<Source, String> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if !(1..=64).contains(&self.name.len()) || !self.name.bytes().all(is_plain) {
            return Err("name: it must have 1 to 64 letters, digits, '-' and '_'".to_owned());
        }
        let account = match &self.account_id {
            Some(account) => AccountId::new(account).map_err(|error| format!("account_id: {error}"))?,
            None => sole_account.cloned().ok_or("account_id: it must be given, since there are several")?,
        };
        let qualifier = self.qualifier.as_deref().map(Qualifier::new).transpose();
        let qualifier = qualifier.map_err(|error| format!("qualifier: {error}"))?;
        let concurrency = self.concurrency.unwrap_or(CONCURRENCY_DEFAULT);
        if !(1..=CONCURRENCY_MAX).contains(&concurrency) {
            return Err(format!("concurrency: it must be from 1 to {CONCURRENCY_MAX}"));
        }
        let broker = match self.source {
            SourceEntry::Nats(entry) => Broker::Nats(Box::new(entry.read(&self.name, concurrency)?)),
            SourceEntry::Amqp(entry) => Broker::Amqp(Box::new(entry.read(concurrency)?)),
        };
        let function = FunctionName {
            account,
            service: self.service,
            function: self.function,
            qualifier: qualifier.unwrap_or_else(Qualifier::latest),
        };
        Ok(Source { name: self.name, function, broker })
    }
}

impl NatsEntry {
    fn read(self, name: &str, concurrency: usize) -> Result<Nats, String> {
        let Self { url, username, password, stream, subject, consumer } = self;
        let consumer = consumer.unwrap_or_else(|| format!("bide-{name}"));
        for (key, text) in [("stream", &stream), ("consumer", &consumer)] {
            let is_bad = |char: char| char.is_whitespace() || matches!(char, '.' | '*' | '>' | '/' | '\\');
            if !(1..=NAME_BYTES_MAX).contains(&text.len()) || text.contains(is_bad) {
                return Err(format!(
                    "{key}: it must have 1 to {NAME_BYTES_MAX} bytes, without spaces and . * > / \\"
                ));
            }
        }
        let password = password.map(|source| source.read()).transpose()?;
        let broker = NatsBroker::new(url, username, password)?;
        Ok(Nats { broker, stream, subject, consumer, concurrency })
    }
}

impl AmqpEntry {
    fn read(self, concurrency: usize) -> Result<Amqp, String> {
        let Self { host, port, tls, vhost, username, password, queue } = self;
        if !(1..=NAME_BYTES_MAX).contains(&queue.len()) {
            return Err(format!("queue: it must have 1 to {NAME_BYTES_MAX} bytes"));
        }
        let vhost = vhost.unwrap_or_else(|| "/".to_owned());
        let broker = AmqpBroker::new(&host, port, &vhost, (&username, &password.read()?), tls)?;
        Ok(Amqp { broker, queue, concurrency })
    }
}

#[cfg(test)]
mod tests;
