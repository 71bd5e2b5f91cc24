//! An HTTP endpoint: each message is a POST, which any status from 200 to 299 confirms.
//!
//! Owns the request and the bounds of the answer. Follows no redirect. Connections are kept and used again; one that the
//! endpoint closed meanwhile is replaced once.

mod address;
mod connection;
mod signature;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bide_engine::{BoxFuture, DestinationTarget, Message, NotDelivered};
use bide_env::Clock;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use serde::Deserialize;

use crate::message::{Format, Template};
use crate::secret::SecretSource;
use connection::{Connection, Connector};
pub use signature::signing_keys;

use signature::Signer;

/// The table `target` with `kind = "http"`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HttpEntry {
    /// Where to post; `{name}` stands for the name of the queue, topic or bus, in the path and query only.
    url: String,
    #[serde(default)]
    format: Format,
    /// Signing secrets in the form of Standard Webhooks, one per line; without them nothing is signed.
    secret: Option<SecretSource>,
    /// Whether addresses of private networks and of this host may be connected to.
    #[serde(default)]
    allow_private: bool,
}

/// Answers are read up to here, and for so long, that their connection can be used again. The status has been seen by then.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
const ANSWER_READ_MAX: Duration = Duration::from_secs(1);
/// Connections kept for the next message.
const IDLE_MAX: usize = crate::CONCURRENCY_MAX;
const USER_AGENT: &str = concat!("bide/", env!("CARGO_PKG_VERSION"));

pub(crate) struct Http {
    url: Template,
    format: Format,
    signer: Option<Signer>,
    connector: Connector,
    clock: Arc<dyn Clock>,
    idle: Mutex<Vec<Connection>>,
}

impl Http {
    pub(crate) fn new(entry: HttpEntry, clock: Arc<dyn Clock>) -> Result<Self, String> {
        let after_scheme = entry.url.split_once("://").map_or("", |(_, rest)| rest);
        if after_scheme.split(['/', '?', '#']).next().is_some_and(|authority| authority.contains('{')) {
            return Err("url: {name} may stand in the path and the query only".to_owned());
        }
        let base: Uri =
            entry.url.replace("{name}", "name").parse().map_err(|error| format!("url: {error}"))?;
        let url = Template::new(&entry.url)?;
        let connector = Connector::new(&base, entry.allow_private)?;
        let signer = entry.secret.map(|source| Signer::new(&source.read()?)).transpose()?;
        Ok(Self { url, format: entry.format, signer, connector, clock, idle: Mutex::default() })
    }

    async fn post(&self, message: &Message) -> Result<(), NotDelivered> {
        let body = self.format.body(message);
        let mut response = None;
        if let Some(mut kept) = self.kept() {
            // It may have been closed at any time: then the message goes out on a new one, maybe a second time.
            response = kept.send(self.request(message, &body)?).await.ok().map(|answer| (answer, kept));
        }
        let (response, connection) = match response {
            Some(answered) => answered,
            None => {
                let mut fresh = self.connector.connect().await.map_err(NotDelivered)?;
                let answer = fresh.send(self.request(message, &body)?).await;
                (answer.map_err(|error| NotDelivered(format!("no answer: {error}")))?, fresh)
            }
        };
        let status = response.status();
        self.read_and_keep(response, connection).await;
        if status.is_success() {
            Ok(())
        } else {
            Err(NotDelivered(format!("the endpoint answered {status}")))
        }
    }

    fn request(&self, message: &Message, body: &Bytes) -> Result<Request<Full<Bytes>>, NotDelivered> {
        let unfit = |error: String| NotDelivered(format!("no request can be made of it: {error}"));
        let uri: Uri =
            self.url.of(message).parse().map_err(|error: http::uri::InvalidUri| unfit(error.to_string()))?;
        let target = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(target)
            .header(header::HOST, self.connector.authority())
            .header(header::USER_AGENT, USER_AGENT)
            .header(header::CONTENT_TYPE, self.format.content_type())
            .body(Full::new(body.clone()))
            .map_err(|error| unfit(error.to_string()))?;
        let seconds = self.clock.now().as_millis() / 1000;
        let headers = request.headers_mut();
        let value = |text: &str| HeaderValue::from_str(text).map_err(|error| unfit(error.to_string()));
        headers.insert("webhook-id", value(&message.id)?);
        headers.insert("webhook-timestamp", HeaderValue::from(seconds));
        if let Some(signer) = &self.signer {
            headers.insert("webhook-signature", value(&signer.sign(&message.id, seconds, body))?);
        }
        Ok(request)
    }

    /// Reads a short answer to its end and keeps the connection.
    async fn read_and_keep(&self, response: http::Response<Incoming>, connection: Connection) {
        let is_read = tokio::select! {
            read = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect() => read.is_ok(),
            () = self.clock.sleep(ANSWER_READ_MAX) => false,
        };
        if !is_read {
            return;
        }
        let mut idle = self.idle.lock().expect("nobody panics while holding the connections");
        if idle.len() < IDLE_MAX {
            idle.push(connection);
        }
    }

    fn kept(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().expect("nobody panics while holding the connections");
        idle.retain(Connection::is_open);
        idle.pop()
    }
}

impl DestinationTarget for Http {
    fn send(&self, message: Arc<Message>) -> BoxFuture<'_, Result<(), NotDelivered>> {
        Box::pin(async move { self.post(&message).await })
    }
}

#[cfg(test)]
mod tests;
