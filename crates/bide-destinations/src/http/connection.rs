//! Connections to an endpoint: the name is looked up, each address is judged, and the judged address is the one that is
//! connected to.
//!
//! Owns the judgement of addresses. Looks the name up for
//! every connection, so an endpoint may move; an address is never taken from an earlier look.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::address::is_public;
use crate::tls::client_config;

pub(super) struct Connector {
    /// As in the URL, for `Host`.
    authority: String,
    host: String,
    port: u16,
    allow_private: bool,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

/// One connection, with at most one request under way.
pub(super) struct Connection(http1::SendRequest<Full<Bytes>>);

impl Connector {
    pub(super) fn new(url: &Uri, allow_private: bool) -> Result<Self, String> {
        let authority = url.authority().ok_or("url: it names no host")?;
        if authority.as_str().contains('@') {
            return Err("url: it must not hold a password".to_owned());
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let (tls, port) = match url.scheme_str() {
            Some("https") => {
                let name = ServerName::try_from(host.clone()).map_err(|error| format!("url: {error}"))?;
                let config = client_config().map_err(|error| format!("url: {error}"))?;
                (Some((TlsConnector::from(Arc::new(config)), name)), 443)
            }
            Some("http") => (None, 80),
            _ => return Err("url: it must begin with http:// or https://".to_owned()),
        };
        if let Ok(address) = host.parse::<IpAddr>() {
            judge(address, allow_private)?;
        }
        let port = authority.port_u16().unwrap_or(port);
        Ok(Self { authority: authority.to_string(), host, port, allow_private, tls })
    }

    pub(super) fn authority(&self) -> &str {
        &self.authority
    }

    pub(super) async fn connect(&self) -> Result<Connection, String> {
        let stream = self.reach().await?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        match &self.tls {
            None => start(stream).await,
            Some((connector, name)) => {
                let stream = connector.connect(name.clone(), stream).await;
                start(stream.map_err(|error| format!("no TLS with {}: {error}", self.host))?).await
            }
        }
    }

    /// The first address that may be connected to and answers.
    async fn reach(&self) -> Result<TcpStream, String> {
        let addresses = tokio::net::lookup_host((self.host.as_str(), self.port)).await;
        let addresses: Vec<SocketAddr> =
            addresses.map_err(|error| format!("cannot look up {}: {error}", self.host))?.collect();
        let mut reason = format!("{} has no address", self.host);
        for address in addresses {
            if let Err(refused) = judge(address.ip(), self.allow_private) {
                reason = refused;
                continue;
            }
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => reason = format!("cannot connect to {address}: {error}"),
            }
        }
        Err(reason)
    }
}

fn judge(address: IpAddr, allow_private: bool) -> Result<(), String> {
    if allow_private || is_public(address) {
        return Ok(());
    }
    Err(format!(
        "{address} is an address of this host or of a private network; allow_private = true allows it"
    ))
}

async fn start(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Result<Connection, String> {
    let (sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to an endpoint ended early");
        }
    });
    Ok(Connection(sender))
}

impl Connection {
    pub(super) async fn send(&mut self, request: Request<Full<Bytes>>) -> hyper::Result<Response<Incoming>> {
        self.0.ready().await?;
        self.0.send_request(request).await
    }

    pub(super) fn is_open(&self) -> bool {
        !self.0.is_closed()
    }
}
