//! A client of the public API (generation 2016-08-15), for the command line, the tests and the benchmarks.
//!
//! Owns signing, sending and reading errors. It knows nothing that an FC client does not know, and repeats no call by
//! itself.

use bide_api::auth::{Credential, fc};
use bide_env::{Clock, SystemClock};
use bide_types::AccountId;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

/// A call did not work.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server answered with an error.
    #[error("{code} ({status}): {message}")]
    Refused { status: u16, code: String, message: String },
    #[error("no answer from {endpoint}: {reason}")]
    Unreachable { endpoint: String, reason: String },
    #[error("endpoint '{0}' is not of the form http://host:port")]
    Endpoint(String),
    /// The caller's words cannot be put into a request.
    #[error("this cannot be requested: {0}")]
    Request(String),
    #[error("the server's answer is no JSON")]
    Answer(#[source] serde_json::Error),
}

/// A signed connection to one server.
pub struct Client {
    http: HttpClient<HttpConnector, Full<Bytes>>,
    endpoint: String,
    credential: Credential,
    clock: SystemClock,
}

/// An answer that is not an error.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// A header's value, empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// `text` as one path segment or query value.
pub fn escape(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

impl Client {
    /// A client of the server at `endpoint`, e.g. `http://127.0.0.1:8700`.
    ///
    /// # Errors
    /// [`ClientError::Endpoint`] for anything but `http://host:port`.
    pub fn new(endpoint: &str, credential: Credential) -> Result<Self, ClientError> {
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        match endpoint.parse::<Uri>() {
            Ok(uri) if uri.scheme_str() == Some("http") && uri.path() == "/" => {}
            _ => return Err(ClientError::Endpoint(endpoint)),
        }
        let http = HttpClient::builder(TokioExecutor::new()).build_http();
        Ok(Self { http, endpoint, credential, clock: SystemClock::new() })
    }

    /// The account that the credential acts for.
    pub fn account(&self) -> &AccountId {
        self.credential.account()
    }

    /// Sends one call to `target`, an escaped path with its query, e.g. `/2016-08-15/services?limit=1`.
    ///
    /// # Errors
    /// [`ClientError`]; any status but 2xx is [`ClientError::Refused`].
    pub async fn call(
        &self,
        method: Method,
        target: &str,
        headers: &[(&'static str, String)],
        body: Bytes,
    ) -> Result<Answer, ClientError> {
        self.send(self.signed(method, target, headers, body, None)?).await
    }

    /// Calls a function at a domain that leads to it (a subdomain or a custom domain), through the server's endpoint.
    ///
    /// # Errors
    /// As [`Client::call`]; also what the function itself answers with a status other than 2xx.
    pub async fn call_domain(
        &self,
        domain: &str,
        method: Method,
        target: &str,
        headers: &[(&'static str, String)],
        body: Bytes,
    ) -> Result<Answer, ClientError> {
        self.send(self.signed(method, target, headers, body, Some(domain))?).await
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Answer, ClientError> {
        let unreachable =
            |reason: String| ClientError::Unreachable { endpoint: self.endpoint.clone(), reason };
        let response = self.http.request(request).await.map_err(|error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            unreachable(cause.unwrap_or_else(|| error.to_string()))
        })?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map_err(|error| unreachable(error.to_string()))?.to_bytes();
        let status = parts.status.as_u16();
        if parts.status.is_success() {
            return Ok(Answer { status, headers: parts.headers, body });
        }
        let error: Value = serde_json::from_slice(&body).unwrap_or_default();
        let text = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
        Err(ClientError::Refused { status, code: text("ErrorCode"), message: text("ErrorMessage") })
    }

    /// A call whose bodies are JSON; an empty answer is `null`.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn json(
        &self,
        method: Method,
        target: &str,
        body: Option<&Value>,
    ) -> Result<Value, ClientError> {
        let body = body.map_or_else(Bytes::new, |value| Bytes::from(value.to_string()));
        let headers = [("content-type", "application/json".to_owned())];
        let answer = self.call(method, target, &headers, body).await?;
        if answer.body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&answer.body).map_err(ClientError::Answer)
    }

    /// `domain` is the one that leads to a function, if the call is not one of the API.
    fn signed(
        &self,
        method: Method,
        target: &str,
        headers: &[(&'static str, String)],
        body: Bytes,
        domain: Option<&str>,
    ) -> Result<Request<Full<Bytes>>, ClientError> {
        let mut request = Request::builder()
            .method(method.clone())
            .uri(format!("{}{target}", self.endpoint))
            .body(Full::new(body))
            .map_err(|error| ClientError::Request(error.to_string()))?;
        let host = domain.map(|domain| ("host", domain));
        let headers = headers.iter().map(|(name, value)| (*name, value.as_str()));
        for (name, value) in headers.chain(host) {
            let value = HeaderValue::from_str(value)
                .map_err(|_| ClientError::Request(format!("header {name} cannot be '{value}'")))?;
            request.headers_mut().insert(HeaderName::from_static(name), value);
        }
        request.headers_mut().insert(http::header::DATE, fc::date(self.clock.now()));
        let sign = if domain.is_some() { fc::sign_http } else { fc::sign };
        let authorization = sign(&self.credential, &method, target, request.headers());
        request.headers_mut().insert(http::header::AUTHORIZATION, authorization);
        Ok(request)
    }
}

impl ClientError {
    /// Whether this is the server's refusal with the code `wanted`.
    pub fn is_refusal(&self, wanted: &str) -> bool {
        matches!(self, Self::Refused { code, .. } if code == wanted)
    }
}
