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

use crate::message::{Format, Template};
use crate::secret::{Secret, SecretSource};

/// The table `target` with `kind = "nats"`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NatsEntry {
    /// `nats://host:port`
    url: String,
    subject: String,
    username: Option<String>,
    /// Of the user; without a user, a token.
    password: Option<SecretSource>,
    #[serde(default)]
    format: Format,
}

pub(crate) struct Nats {
    url: String,
    subject: Template,
    username: Option<String>,
    password: Option<Secret>,
    format: Format,
    client: Mutex<Option<Client>>,
}

impl Nats {
    pub(crate) fn new(entry: NatsEntry) -> Result<Self, String> {
        let NatsEntry { url, subject, username, password, format } = entry;
        let rest = url.strip_prefix("nats://").ok_or("url: it must begin with nats://")?;
        if rest.contains('@') {
            return Err("url: it must not hold a password".to_owned());
        }
        if username.is_some() && password.is_none() {
            return Err("username: it needs a password".to_owned());
        }
        let subject = Template::new(&subject)?;
        let password = password.map(|source| source.read()).transpose()?;
        Ok(Self { url, subject, username, password, format, client: Mutex::default() })
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
        let mut options = ConnectOptions::new().name("bide");
        if let Some(password) = self.password.as_ref().map(|password| password.expose().to_owned()) {
            options = match &self.username {
                Some(username) => options.user_and_password(username.clone(), password),
                None => options.token(password),
            };
        }
        let client = options.connect(&self.url).await?;
        *kept = Some(client.clone());
        Ok(client)
    }
}

impl DestinationTarget for Nats {
    fn send(&self, message: Arc<Message>) -> BoxFuture<'_, Result<(), NotDelivered>> {
        Box::pin(async move { self.publish(&message).await })
    }
}
