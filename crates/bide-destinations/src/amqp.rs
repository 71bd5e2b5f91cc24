//! An AMQP 0.9.1 broker such as RabbitMQ: each message is published with a confirm, and must reach a queue.
//!
//! Owns one connection, and channels with at most one message under way each, so that a confirm can only be about that
//! message. A message that no queue takes comes back and counts as not delivered. Declares nothing.

use std::sync::{Arc, Mutex};

use amqprs::callbacks::{ChannelCallback, DefaultConnectionCallback};
use amqprs::channel::{BasicPublishArguments, Channel, ConfirmSelectArguments};
use amqprs::connection::{Connection, OpenConnectionArguments};
use amqprs::tls::TlsAdaptor;
use amqprs::{Ack, BasicProperties, Cancel, CloseChannel, Nack, Return};
use async_trait::async_trait;
use bide_engine::{BoxFuture, DestinationTarget, Message, NotDelivered};
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;

use crate::message::{Format, Template};
use crate::secret::{Secret, SecretSource};
use crate::tls::client_config;

/// The table `target` with `kind = "amqp"`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AmqpEntry {
    host: String,
    /// 5672, or 5671 with TLS, unless it says otherwise.
    port: Option<u16>,
    #[serde(default)]
    tls: bool,
    #[serde(default = "default_vhost")]
    vhost: String,
    username: String,
    password: SecretSource,
    /// The default exchange, which leads to the queue of the routing key's name, unless it says otherwise.
    #[serde(default)]
    exchange: String,
    #[serde(default = "default_routing_key")]
    routing_key: String,
    #[serde(default)]
    format: Format,
}

fn default_vhost() -> String {
    "/".to_owned()
}

fn default_routing_key() -> String {
    "{name}".to_owned()
}

const PORT: u16 = 5672;
const PORT_TLS: u16 = 5671;
/// Longest name of an exchange and longest routing key: a short string of the protocol.
const SHORT_BYTES_MAX: usize = 255;
/// Answers of the broker to one message.
const ANSWERS_MAX: usize = 4;

/// How to reach a broker and who to be there.
pub struct AmqpBroker {
    arguments: OpenConnectionArguments,
}

impl AmqpBroker {
    /// # Errors
    /// TLS is wanted and this host trusts no certificate.
    pub fn new(
        host: &str,
        port: Option<u16>,
        vhost: &str,
        (username, password): (&str, &Secret),
        tls: bool,
    ) -> Result<Self, String> {
        let port = port.unwrap_or(if tls { PORT_TLS } else { PORT });
        let mut arguments = OpenConnectionArguments::new(host, port, username, password.expose());
        arguments.virtual_host(vhost);
        if tls {
            let connector = TlsConnector::from(Arc::new(client_config()?));
            arguments.tls_adaptor(TlsAdaptor::new(connector, host.to_owned()));
        }
        Ok(Self { arguments })
    }

    /// Opens a connection of its own.
    ///
    /// # Errors
    /// The broker is not reached or does not let this user in.
    pub async fn connect(&self) -> Result<Connection, amqprs::error::Error> {
        let connection = Connection::open(&self.arguments).await?;
        connection.register_callback(DefaultConnectionCallback).await?;
        Ok(connection)
    }
}

pub(crate) struct Amqp {
    broker: AmqpBroker,
    exchange: String,
    format: Format,
    routing_key: Template,
    connection: tokio::sync::Mutex<Option<Connection>>,
    /// Channels with nothing under way.
    idle: Mutex<Vec<Publisher>>,
}

/// A channel in confirm mode.
struct Publisher {
    channel: Channel,
    answers: mpsc::Receiver<Answer>,
}

/// What the broker says about a message.
enum Answer {
    Confirmed,
    Refused,
    /// No queue took it; its confirm follows.
    Returned(String),
    Closed(String),
}

impl Amqp {
    pub(crate) fn new(entry: AmqpEntry) -> Result<Self, String> {
        if entry.exchange.len() > SHORT_BYTES_MAX {
            return Err(format!("exchange: it has more than {SHORT_BYTES_MAX} bytes"));
        }
        let AmqpEntry { host, port, tls, vhost, username, password, exchange, routing_key, format } = entry;
        let broker = AmqpBroker::new(&host, port, &vhost, (&username, &password.read()?), tls)?;
        let routing_key = Template::new(&routing_key)?;
        let (connection, idle) = (tokio::sync::Mutex::default(), Mutex::default());
        Ok(Self { broker, exchange, format, routing_key, connection, idle })
    }

    async fn publish(&self, message: &Message) -> Result<(), NotDelivered> {
        let key = self.routing_key.of(message);
        if key.len() > SHORT_BYTES_MAX {
            return Err(NotDelivered(format!("the routing key has more than {SHORT_BYTES_MAX} bytes")));
        }
        let mut publisher = match self.kept() {
            Some(publisher) => publisher,
            None => self
                .open()
                .await
                .map_err(|error| NotDelivered(format!("cannot reach the broker: {error}")))?,
        };
        let properties = BasicProperties::default()
            .with_content_type(self.format.content_type())
            .with_message_id(&message.id)
            .with_persistence(true)
            .finish();
        let arguments = BasicPublishArguments::new(&self.exchange, &key).mandatory(true).finish();
        let body = self.format.body(message).to_vec();
        let published = publisher.channel.basic_publish(properties, body, arguments).await;
        published.map_err(|error| NotDelivered(format!("cannot publish: {error}")))?;
        publisher.confirmed().await.map_err(NotDelivered)?;
        self.idle.lock().expect("nobody panics while holding the channels").push(publisher);
        Ok(())
    }

    fn kept(&self) -> Option<Publisher> {
        let mut idle = self.idle.lock().expect("nobody panics while holding the channels");
        idle.retain(|publisher| publisher.channel.is_open() && publisher.channel.is_connection_open());
        idle.pop()
    }

    async fn open(&self) -> Result<Publisher, amqprs::error::Error> {
        let mut connection = self.connection.lock().await;
        let open = match connection.take().filter(Connection::is_open) {
            Some(open) => open,
            None => self.broker.connect().await?,
        };
        let channel = open.open_channel(None).await;
        *connection = Some(open);
        drop(connection);
        let channel = channel?;
        let (sender, answers) = mpsc::channel(ANSWERS_MAX);
        channel.register_callback(Answers(sender)).await?;
        channel.confirm_select(ConfirmSelectArguments::default()).await?;
        Ok(Publisher { channel, answers })
    }
}

impl Publisher {
    /// Waits for the confirm of the message under way.
    async fn confirmed(&mut self) -> Result<(), String> {
        let mut returned = None;
        loop {
            match self.answers.recv().await {
                Some(Answer::Confirmed) => return returned.map_or(Ok(()), Err),
                Some(Answer::Refused) => return Err("the broker refused the message".to_owned()),
                Some(Answer::Returned(reason)) => {
                    returned = Some(format!("no queue took the message: {reason}"));
                }
                Some(Answer::Closed(reason)) => {
                    return Err(format!("the broker closed the channel: {reason}"));
                }
                None => return Err("the connection to the broker is gone".to_owned()),
            }
        }
    }
}

impl DestinationTarget for Amqp {
    fn send(&self, message: Arc<Message>) -> BoxFuture<'_, Result<(), NotDelivered>> {
        Box::pin(async move { self.publish(&message).await })
    }
}

/// Passes on what the broker says. A receiver that is gone waited long enough.
struct Answers(mpsc::Sender<Answer>);

impl Answers {
    async fn pass_on(&self, answer: Answer) {
        let _ = self.0.send(answer).await;
    }
}

#[async_trait]
impl ChannelCallback for Answers {
    async fn close(&mut self, _channel: &Channel, close: CloseChannel) -> Result<(), amqprs::error::Error> {
        self.pass_on(Answer::Closed(close.reply_text().clone())).await;
        Ok(())
    }

    async fn cancel(&mut self, _channel: &Channel, _cancel: Cancel) -> Result<(), amqprs::error::Error> {
        Ok(())
    }

    async fn flow(&mut self, _channel: &Channel, active: bool) -> Result<bool, amqprs::error::Error> {
        Ok(active)
    }

    async fn publish_ack(&mut self, _channel: &Channel, _ack: Ack) {
        self.pass_on(Answer::Confirmed).await;
    }

    async fn publish_nack(&mut self, _channel: &Channel, _nack: Nack) {
        self.pass_on(Answer::Refused).await;
    }

    async fn publish_return(
        &mut self,
        _channel: &Channel,
        returned: Return,
        _properties: BasicProperties,
        _content: Vec<u8>,
    ) {
        self.pass_on(Answer::Returned(returned.reply_text().clone())).await;
    }
}
