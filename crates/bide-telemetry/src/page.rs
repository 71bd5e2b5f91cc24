//! Where Prometheus reads: one page, behind a token where one is set.
//!
//! Owns who may read. The figures name functions, services and accounts, so the page has a listener of its own and is
//! not served where callers are; who may open it is decided when the settings are read.

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use bide_engine::Engine;
use subtle::ConstantTimeEq as _;

use crate::metrics::Metrics;

/// Shortest token, in bytes: it must not be guessed.
const TOKEN_BYTES_MIN: usize = 16;
const TOKEN_BYTES_MAX: usize = 256;
/// Prometheus names the version of the format.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What a reader must show. Never printed.
#[derive(Clone)]
pub struct Token(Box<str>);

/// The token will not do.
#[derive(Debug, thiserror::Error)]
#[error("a token has {TOKEN_BYTES_MIN} to {TOKEN_BYTES_MAX} visible ASCII characters")]
pub struct TokenError;

impl Token {
    /// # Errors
    /// [`TokenError`] when it is too short, too long, or cannot stand in a header.
    pub fn new(text: &str) -> Result<Self, TokenError> {
        let fits = (TOKEN_BYTES_MIN..=TOKEN_BYTES_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        if fits { Ok(Self(text.into())) } else { Err(TokenError) }
    }

    /// Whether `Authorization` shows it, in a time that does not tell how much of it is right.
    fn is_shown(&self, headers: &HeaderMap) -> bool {
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let given = given.and_then(|value| value.split_once(' '));
        given.is_some_and(|(scheme, token)| {
            scheme.eq_ignore_ascii_case("bearer") && bool::from(token.as_bytes().ct_eq(self.0.as_bytes()))
        })
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}

struct Page {
    metrics: Arc<Metrics>,
    engine: Engine,
    version: &'static str,
    token: Option<Token>,
}

/// `GET /metrics`; with a token only for who shows it as `Authorization: Bearer TOKEN`.
pub fn page(metrics: Arc<Metrics>, engine: Engine, version: &'static str, token: Option<Token>) -> Router {
    let page = Arc::new(Page { metrics, engine, version, token });
    Router::new().route("/metrics", get(answer)).with_state(page)
}

async fn answer(State(page): State<Arc<Page>>, headers: HeaderMap) -> Response {
    if page.token.as_ref().is_some_and(|token| !token.is_shown(&headers)) {
        return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")], "a token is needed\n")
            .into_response();
    }
    match page.metrics.text(&page.engine, page.version).await {
        Ok(text) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the figures cannot be given");
            (StatusCode::SERVICE_UNAVAILABLE, "the figures cannot be given; the log says why\n")
                .into_response()
        }
    }
}

#[cfg(test)]
mod tests;
