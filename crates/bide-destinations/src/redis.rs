//! A Redis stream: each message is an entry with the fields `id` and `record`, and the id of the entry confirms it.
//!
//! Owns one connection, which is made anew after an error. How long the server keeps what it confirmed is the server's
//! matter (`appendonly`, `appendfsync`).

use std::sync::Arc;

use ::redis::aio::MultiplexedConnection;
use ::redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, IntoConnectionInfo as _, RedisConnectionInfo, RedisError,
    TlsCertificates,
};
use bide_engine::{BoxFuture, DestinationTarget, Message, NotDelivered};
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::TIMEOUT_MAX;
use crate::message::{Format, Template};
use crate::secret::SecretSource;

/// The table `target` with `kind = "redis"`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RedisEntry {
    host: String,
    #[serde(default = "default_port")]
    port: u16,
    #[serde(default)]
    tls: bool,
    #[serde(default)]
    database: u16,
    username: Option<String>,
    password: Option<SecretSource>,
    #[serde(default = "default_stream")]
    stream: String,
    /// The stream is cut to about this many entries.
    max_length: Option<u64>,
    #[serde(default)]
    format: Format,
}

fn default_port() -> u16 {
    6379
}

fn default_stream() -> String {
    "{name}".to_owned()
}

pub(crate) struct Redis {
    client: Client,
    stream: Template,
    max_length: Option<u64>,
    format: Format,
    connection: Mutex<Option<MultiplexedConnection>>,
}

impl Redis {
    pub(crate) fn new(entry: RedisEntry) -> Result<Self, String> {
        let mut settings = RedisConnectionInfo::default().set_db(i64::from(entry.database));
        if let Some(username) = &entry.username {
            settings = settings.set_username(username);
        }
        if let Some(password) = &entry.password {
            settings = settings.set_password(password.read()?.expose());
        }
        let client =
            client(entry.host, entry.port, entry.tls, settings).map_err(|error| error.to_string())?;
        let stream = Template::new(&entry.stream)?;
        Ok(Self {
            client,
            stream,
            max_length: entry.max_length,
            format: entry.format,
            connection: Mutex::default(),
        })
    }

    async fn add(&self, message: &Message) -> Result<(), NotDelivered> {
        let mut command = ::redis::cmd("XADD");
        command.arg(self.stream.of(message));
        if let Some(length) = self.max_length {
            command.arg("MAXLEN").arg("~").arg(length);
        }
        command.arg("*").arg("id").arg(&message.id).arg("record").arg(&self.format.body(message)[..]);
        let mut connection =
            self.connected().await.map_err(|error| NotDelivered(format!("cannot connect: {error}")))?;
        match command.query_async::<String>(&mut connection).await {
            Ok(_) => Ok(()),
            Err(error) => {
                if error.is_unrecoverable_error() {
                    *self.connection.lock().await = None;
                }
                Err(NotDelivered(format!("not added: {error}")))
            }
        }
    }

    async fn connected(&self) -> Result<MultiplexedConnection, RedisError> {
        let mut kept = self.connection.lock().await;
        if let Some(connection) = &*kept {
            return Ok(connection.clone());
        }
        // The engine waits no longer than the settings say.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(TIMEOUT_MAX))
            .set_response_timeout(Some(TIMEOUT_MAX));
        let connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        *kept = Some(connection.clone());
        Ok(connection)
    }
}

/// Without a connection yet.
fn client(host: String, port: u16, tls: bool, settings: RedisConnectionInfo) -> Result<Client, RedisError> {
    if tls {
        let address = ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None };
        let info = address.into_connection_info()?.set_redis_settings(settings);
        // The certificates that this host trusts.
        return Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert: None });
    }
    let info = ConnectionAddr::Tcp(host, port).into_connection_info()?;
    Client::open(info.set_redis_settings(settings))
}

impl DestinationTarget for Redis {
    fn send(&self, message: Arc<Message>) -> BoxFuture<'_, Result<(), NotDelivered>> {
        Box::pin(async move { self.add(&message).await })
    }
}
