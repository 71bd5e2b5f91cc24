//! How spans are sent: one bounded request at a time, over plain HTTP.
//!
//! TLS is left to a collector beside the server, which is how OTLP is deployed; an `https` endpoint is refused with that
//! advice.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry_http::{HttpClient, HttpError};

/// Time for one request and its answer.
const REQUEST_MAX: Duration = Duration::from_secs(10);
/// Of an answer, which holds at most a message.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct OtlpClient {
    client: Client<HttpConnector, Full<Bytes>>,
}

impl OtlpClient {
    pub(super) fn new() -> Self {
        Self { client: Client::builder(TokioExecutor::new()).build_http() }
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let response = self.client.request(request.map(Full::new)).await?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await?.to_bytes();
        Ok(Response::from_parts(head, body))
    }
}

/// # Errors
/// What is wrong with the endpoint.
pub(super) fn check(endpoint: &str) -> Result<(), &'static str> {
    let uri: Uri = endpoint.parse().map_err(|_| "it is no URL")?;
    match uri.scheme_str() {
        Some("http") => Ok(()),
        Some("https") => Err("https is not supported; send to a collector beside the server over http"),
        _ => Err("it must begin with http://"),
    }
}

#[async_trait::async_trait]
impl HttpClient for OtlpClient {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        match tokio::time::timeout(REQUEST_MAX, self.send(request)).await {
            Ok(answer) => answer,
            Err(_) => Err(format!("no answer within {} s", REQUEST_MAX.as_secs()).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_http_is_taken() {
        check("http://127.0.0.1:4318").expect("good");
        assert!(check("https://collector").expect_err("no TLS").contains("collector beside"));
        check("127.0.0.1:4318").expect_err("no scheme");
        check("not a url").expect_err("no URL");
    }
}
