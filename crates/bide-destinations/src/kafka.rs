//! A Kafka topic: each message is a record with its id as key, confirmed by all replicas in sync.
//!
//! Owns one client for the cluster, and one for each partition that was written to. The id decides the partition, so
//! repetitions of a message meet in one. Makes no topic.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bide_engine::{BoxFuture, DestinationTarget, Message, NotDelivered};
use rskafka::BackoffConfig;
use rskafka::chrono::{DateTime, Utc};
use rskafka::client::partition::{Compression, PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder, Credentials, SaslConfig};
use rskafka::record::Record;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;
use tokio_rustls::rustls::ClientConfig;

use crate::message::{Format, Template};
use crate::secret::SecretSource;
use crate::tls::client_config;

/// The table `target` with `kind = "kafka"`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KafkaEntry {
    /// `host:port` of some brokers; the others are learned from them.
    brokers: Vec<String>,
    #[serde(default)]
    tls: bool,
    username: Option<String>,
    password: Option<SecretSource>,
    #[serde(default)]
    mechanism: Mechanism,
    #[serde(default = "default_topic")]
    topic: String,
    #[serde(default)]
    format: Format,
}

fn default_topic() -> String {
    "{name}".to_owned()
}

/// How a password is shown to the broker (SASL).
#[derive(Clone, Copy, Debug, Default, Deserialize)]
enum Mechanism {
    #[default]
    #[serde(rename = "plain")]
    Plain,
    #[serde(rename = "scram-sha-256")]
    ScramSha256,
    #[serde(rename = "scram-sha-512")]
    ScramSha512,
}

/// Most brokers in the settings.
const BROKERS_MAX: usize = 16;
/// Topics that the clients of are kept; `{name}` may lead to any number.
const TOPICS_MAX: usize = 256;
/// The client tries again by itself for this long, so that a new leader is found; after that the outbox does.
const RETRIES_TIME: Duration = Duration::from_secs(5);
const RETRIES_PAUSE_MAX: Duration = Duration::from_secs(1);

pub(crate) struct Kafka {
    brokers: Vec<String>,
    tls: Option<Arc<ClientConfig>>,
    sasl: Option<SaslConfig>,
    topic: Template,
    format: Format,
    known: Mutex<Known>,
}

/// What was learned of the cluster.
#[derive(Default)]
struct Known {
    client: Option<Client>,
    /// The partitions of a topic, and the clients of those that were written to.
    topics: HashMap<String, BTreeMap<i32, Option<Arc<PartitionClient>>>>,
}

impl Kafka {
    pub(crate) fn new(entry: KafkaEntry) -> Result<Self, String> {
        if !(1..=BROKERS_MAX).contains(&entry.brokers.len()) {
            return Err(format!("brokers: from 1 to {BROKERS_MAX} are needed"));
        }
        if let Some(broker) = entry.brokers.iter().find(|broker| !is_address(broker)) {
            return Err(format!("brokers: '{broker}' is not host:port"));
        }
        let sasl = entry.sasl()?;
        let KafkaEntry { brokers, tls, topic, format, .. } = entry;
        let tls = if tls { Some(Arc::new(client_config()?)) } else { None };
        Ok(Self { brokers, tls, sasl, topic: Template::new(&topic)?, format, known: Mutex::default() })
    }

    async fn connect(&self) -> Result<Client, rskafka::client::error::Error> {
        let backoff = BackoffConfig {
            max_backoff: RETRIES_PAUSE_MAX,
            deadline: Some(RETRIES_TIME),
            ..BackoffConfig::default()
        };
        let mut builder = ClientBuilder::new(self.brokers.clone()).client_id("bide").backoff_config(backoff);
        if let Some(tls) = &self.tls {
            builder = builder.tls_config(Arc::clone(tls));
        }
        if let Some(sasl) = &self.sasl {
            builder = builder.sasl_config(sasl.clone());
        }
        builder.build().await
    }

    /// The client of the partition that a message belongs to.
    async fn partition(&self, topic: &str, id: &str) -> Result<Arc<PartitionClient>, NotDelivered> {
        let unreached = |error| NotDelivered(format!("cannot reach the brokers: {error}"));
        let mut known = self.known.lock().await;
        let Known { client, topics } = &mut *known;
        let client = match client {
            Some(client) => client,
            None => client.insert(self.connect().await.map_err(unreached)?),
        };
        if !topics.contains_key(topic) {
            let all = client.list_topics().await.map_err(unreached)?;
            let found = all.into_iter().find(|found| found.name == topic);
            let partitions = found.map(|found| found.partitions).filter(|partitions| !partitions.is_empty());
            let partitions = partitions.ok_or_else(|| NotDelivered(format!("there is no topic {topic}")))?;
            if topics.len() >= TOPICS_MAX {
                topics.clear();
            }
            topics.insert(topic.to_owned(), partitions.into_iter().map(|number| (number, None)).collect());
        }
        let partitions = topics.get_mut(topic).expect("it was put there");
        let place = place(id, partitions.len());
        let (number, kept) = partitions.iter_mut().nth(place).expect("a place within");
        if let Some(kept) = kept {
            return Ok(Arc::clone(kept));
        }
        let opened = client.partition_client(topic, *number, UnknownTopicHandling::Error).await;
        let opened = Arc::new(opened.map_err(unreached)?);
        *kept = Some(Arc::clone(&opened));
        Ok(opened)
    }

    async fn produce(&self, message: &Message) -> Result<(), NotDelivered> {
        let topic = self.topic.of(message);
        let partition = self.partition(&topic, &message.id).await?;
        let content_type = self.format.content_type().as_bytes().to_vec();
        let record = Record {
            key: Some(message.id.clone().into_bytes()),
            value: Some(self.format.body(message).to_vec()),
            headers: [("content-type".to_owned(), content_type)].into(),
            timestamp: timestamp(message),
        };
        match partition.produce(vec![record], Compression::NoCompression).await {
            Ok(_) => Ok(()),
            Err(error) => {
                // Partitions may have moved, or there may be more of them.
                self.known.lock().await.topics.remove(&topic);
                Err(NotDelivered(format!("not kept: {error}")))
            }
        }
    }
}

impl KafkaEntry {
    fn sasl(&self) -> Result<Option<SaslConfig>, String> {
        let (username, password) = match (&self.username, &self.password) {
            (Some(username), Some(password)) => (username.clone(), password.read()?),
            (None, None) => return Ok(None),
            _ => return Err("username and password: one needs the other".to_owned()),
        };
        let credentials = Credentials::new(username, password.expose().to_owned());
        Ok(Some(match self.mechanism {
            Mechanism::Plain => SaslConfig::Plain(credentials),
            Mechanism::ScramSha256 => SaslConfig::ScramSha256(credentials),
            Mechanism::ScramSha512 => SaslConfig::ScramSha512(credentials),
        }))
    }
}

impl DestinationTarget for Kafka {
    fn send(&self, message: Arc<Message>) -> BoxFuture<'_, Result<(), NotDelivered>> {
        Box::pin(async move { self.produce(&message).await })
    }
}

fn timestamp(message: &Message) -> DateTime<Utc> {
    let millis = i64::try_from(message.accepted_at.as_millis()).ok();
    millis.and_then(DateTime::from_timestamp_millis).unwrap_or_default()
}

/// The same for the same id, whatever version of this program runs, as long as the topic has as many partitions.
fn place(id: &str, partitions: usize) -> usize {
    let digest = Sha256::digest(id);
    let number = digest.iter().take(4).fold(0, |number, byte| number << 8 | usize::from(*byte));
    number % partitions
}

fn is_address(broker: &str) -> bool {
    broker.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
}
