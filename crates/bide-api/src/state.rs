//! What every call needs: the engine, the credentials, time and randomness.
//!
//! Owns how they come together. Never decides anything; what must survive a crash is in the engine's store.

use std::sync::Arc;

use bide_engine::Engine;
use bide_env::{Clock, Entropy};
use bide_types::DomainName;

use crate::auth::{Credentials, EventSenders};
use crate::body::Room;

/// Shared by all calls of one server.
pub struct ApiState {
    pub(crate) engine: Engine,
    pub(crate) credentials: Credentials,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) address: PublicAddress,
    pub(crate) domains: Domains,
    pub(crate) room: Room,
    pub(crate) senders: EventSenders,
}

impl ApiState {
    pub fn new(
        engine: Engine,
        credentials: Credentials,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        address: PublicAddress,
        domains: Domains,
    ) -> Self {
        Self {
            engine,
            credentials,
            clock,
            entropy,
            address,
            domains,
            room: Room::new(),
            senders: EventSenders::default(),
        }
    }

    /// The same with senders of events that do not sign as FC clients do.
    #[must_use]
    pub fn with_event_senders(self, senders: EventSenders) -> Self {
        Self { senders, ..self }
    }
}

/// The names that this server is reached by.
#[derive(Clone, Debug, Default)]
pub struct Domains {
    /// Below it each function with an HTTP trigger has a subdomain.
    pub http_domain: Option<DomainName>,
    /// Names of the API, which can be no custom domain.
    pub api_hosts: Vec<DomainName>,
}

impl Domains {
    /// What stands before the HTTP domain in `host`.
    pub(crate) fn label_of<'a>(&self, host: &'a str) -> Option<&'a str> {
        host.strip_suffix(self.http_domain.as_ref()?.as_str())?.strip_suffix('.')
    }

    pub(crate) fn is_http_domain(&self, name: &DomainName) -> bool {
        self.http_domain.as_ref().is_some_and(|domain| name == domain || name.below(domain).is_some())
    }

    pub(crate) fn is_api_host(&self, name: &str) -> bool {
        self.api_hosts.iter().any(|host| host.as_str() == name)
    }
}

/// How callers reach this server, for the links in answers.
#[derive(Clone, Debug)]
pub enum PublicAddress {
    /// This base URL, without a slash at the end.
    Url(String),
    /// Whatever `Host` says, with this port where it names none (the Node library leaves it out).
    HostHeader { default_port: u16 },
}

impl PublicAddress {
    /// The base URL for the caller that sent `host`.
    pub(crate) fn base_url(&self, host: Option<&str>) -> String {
        match self {
            Self::Url(url) => url.clone(),
            Self::HostHeader { default_port } => {
                let host = host.unwrap_or("127.0.0.1");
                match host.parse::<axum::http::uri::Authority>() {
                    Ok(authority) if authority.port().is_some() => format!("http://{host}"),
                    _ => format!("http://{host}:{default_port}"),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_where_the_caller_came_from() {
        let address = PublicAddress::HostHeader { default_port: 8700 };
        assert_eq!(address.base_url(Some("localhost:9000")), "http://localhost:9000");
        assert_eq!(address.base_url(Some("127.0.0.1")), "http://127.0.0.1:8700");
        assert_eq!(address.base_url(Some("[::1]")), "http://[::1]:8700");
        assert_eq!(address.base_url(None), "http://127.0.0.1:8700");
        let fixed = PublicAddress::Url("https://fc.example.com".to_owned());
        assert_eq!(fixed.base_url(Some("127.0.0.1")), "https://fc.example.com");
    }
}
