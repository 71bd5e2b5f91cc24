//! A NATS JetStream: each message is published to a subject that a stream keeps, and its acknowledgement confirms it.
//!
//! Owns one connection, which the client repairs by itself. The id of a message is its `Nats-Msg-Id`, so that the stream
//! drops repetitions within its window. Makes no stream.

use std::sync::Arc;

use async_nats::connection::State;
use async_nats::jetstream::{self, message::PublishMessage};
use async_nats::{Client, ConnectOptions};
use bide_engine::{BoxFuture, DestinationTarget, Message, NotDelivered};
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio_rustls::rustls::ClientConfig;

use crate::message::{Format, Template};
use crate::secret::{Secret, SecretSource};
use crate::tls::client_config;

/// The table `target` with `kind = "nats"`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NatsEntry {
    /// `nats://host:port`, or `tls://host:port`.
    url: String,
    subject: String,
    username: Option<String>,
    /// Of the user; without a user, a token.
    password: Option<SecretSource>,
    #[serde(default)]
    format: Format,
}

/// How to reach a server and who to be there.
pub struct NatsBroker {
    url: String,
    username: Option<String>,
    password: Option<Secret>,
    tls: Option<ClientConfig>,
}

impl NatsBroker {
    /// `url` is `nats://host:port` or `tls://host:port`; a password without a user is a token.
    ///
    /// # Errors
    /// What is wrong about the settings, with the key.
    pub fn new(url: String, username: Option<String>, password: Option<Secret>) -> Result<Self, String> {
        let (tls, rest) = match (url.strip_prefix("nats://"), url.strip_prefix("tls://")) {
            (Some(rest), _) => (None, rest),
            (_, Some(rest)) => (Some(client_config().map_err(|error| format!("url: {error}"))?), rest),
            _ => return Err("url: it must begin with nats:// or tls://".to_owned()),
        };
        if rest.contains('@') {
            return Err("url: it must not hold a password".to_owned());
        }
        if username.is_some() && password.is_none() {
            return Err("username: it needs a password".to_owned());
        }
        Ok(Self { url, username, password, tls })
    }

    /// A client that repairs its connection by itself from now on.
    ///
    /// # Errors
    /// The server is not reached or does not let this user in.
    pub async fn connect(&self) -> Result<Client, async_nats::ConnectError> {
        let mut options = ConnectOptions::new().name("bide");
        if let Some(config) = &self.tls {
            options = options.require_tls(true).tls_client_config(config.clone());
        }
        if let Some(password) = self.password.as_ref().map(|password| password.expose().to_owned()) {
            options = match &self.username {
                Some(username) => options.user_and_password(username.clone(), password),
                None => options.token(password),
            };
        }
        options.connect(&self.url).await
    }
}

pub(crate) struct Nats {
    broker: NatsBroker,
    subject: Template,
    format: Format,
    client: Mutex<Option<Client>>,
}

impl Nats {
    pub(crate) fn new(entry: NatsEntry) -> Result<Self, String> {
        let NatsEntry { url, subject, username, password, format } = entry;
        let password = password.map(|source| source.read()).transpose()?;
        let broker = NatsBroker::new(url, username, password)?;
        Ok(Self { broker, subject: Template::new(&subject)?, format, client: Mutex::default() })
    }

    async fn publish(&self, message: &Message) -> Result<(), NotDelivered> {
        let client = self.client().await.map_err(|error| NotDelivered(format!("cannot connect: {error}")))?;
        // What is published meanwhile would be kept in memory and sent at some later time.
        if client.connection_state() != State::Connected {
            return Err(NotDelivered("the connection is down".to_owned()));
        }
        let context = jetstream::new(client);
        let publish = PublishMessage::build().payload(self.format.body(message)).message_id(&message.id);
        let refused = |error: jetstream::context::PublishError| NotDelivered(format!("not kept: {error}"));
        let acknowledged = context.send_publish(self.subject.of(message), publish).await.map_err(refused)?;
        acknowledged.await.map(|_| ()).map_err(refused)
    }

    async fn client(&self) -> Result<Client, async_nats::ConnectError> {
        let mut kept = self.client.lock().await;
        if let Some(client) = &*kept {
            return Ok(client.clone());
        }
        let client = self.broker.connect().await?;
        *kept = Some(client.clone());
        Ok(client)
    }
}

impl DestinationTarget for Nats {
    fn send(&self, message: Arc<Message>) -> BoxFuture<'_, Result<(), NotDelivered>> {
        Box::pin(async move { self.publish(&message).await })
    }
}
