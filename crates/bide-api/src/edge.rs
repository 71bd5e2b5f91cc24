//! The life of one request at the edge: id, signature, route, answer.
//!
//! Owns what holds for every request whatever its generation: it gets a request id, which every answer carries; a
//! failure is answered with the common error body, a panic included; a refused body is drained. The choice of
//! generation is here, the routes of each are in its module. No middleware and no task per request: the submit path
//! is one chain of calls.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, Request, Response};
use bide_types::{AccountId, RequestId};

use crate::auth::{self, Credential};
use crate::caught::caught;
use crate::error::ApiError;
use crate::invocation::{REQUEST_ID, trace_id};
use crate::path::Segments;
use crate::state::ApiState;
use crate::{bide_v1, body, health, v2016_08_15};

/// One authenticated call.
pub(crate) struct Call<'a> {
    pub(crate) state: &'a ApiState,
    pub(crate) head: &'a Parts,
    pub(crate) body: &'a mut Body,
    pub(crate) request_id: &'a RequestId,
    pub(crate) caller: &'a Credential,
}

impl Call<'_> {
    pub(crate) fn account(&self) -> &AccountId {
        self.caller.account()
    }

    pub(crate) async fn read_body(&mut self, limit_bytes: usize) -> Result<body::Received, ApiError> {
        self.state.room.read(self.body, limit_bytes, &*self.state.clock).await
    }

    /// No route of this generation fits.
    pub(crate) fn path_not_supported(&self) -> ApiError {
        path_not_supported(self.head)
    }
}

/// Answers one request.
pub(crate) async fn answer(State(state): State<Arc<ApiState>>, request: Request<Body>) -> Response<Body> {
    let (head, mut body) = request.into_parts();
    let request_id = trace_id(&head.headers).unwrap_or_else(|| bide_env::request_id(&*state.entropy));
    let outcome = caught(dispatch(&state, &head, &mut body, &request_id)).await;
    let mut response = match outcome.unwrap_or_else(|_| Err(ApiError::internal())) {
        Ok(response) => response,
        Err(error) => {
            tracing::debug!(%request_id, method = %head.method, path = head.uri.path(), %error, "refused");
            body::drain(&mut body, &head.headers, &*state.clock).await;
            error.into_response(&request_id)
        }
    };
    let id = HeaderValue::from_str(request_id.as_str()).expect("a request id is visible ASCII");
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

async fn dispatch(
    state: &ApiState,
    head: &Parts,
    body: &mut Body,
    request_id: &RequestId,
) -> Result<Response<Body>, ApiError> {
    let path = head.uri.path();
    if let Some(path) = path.strip_prefix(v2016_08_15::PREFIX) {
        let caller = auth::authenticate(&state.credentials, head, state.clock.now())?;
        let call = Call { state, head, body, request_id, caller };
        let segments = Segments::parse(path).ok_or_else(|| path_not_supported(head))?;
        return v2016_08_15::route(call, &segments).await;
    }
    match (&head.method, path) {
        (&Method::GET, "/healthz") => Ok(health::alive()),
        (&Method::GET, "/readyz") => health::ready(state),
        (&Method::GET, bide_v1::STATUS_PATH) => {
            let caller = auth::authenticate(&state.credentials, head, state.clock.now())?;
            bide_v1::status(state, caller.account()).await
        }
        (&Method::GET, path) if path.starts_with(bide_v1::CODE_PREFIX) => bide_v1::code(state, path).await,
        _ => Err(path_not_supported(head)),
    }
}

fn path_not_supported(head: &Parts) -> ApiError {
    /// Longer paths are cut in the message.
    const SHOWN_CHARS_MAX: usize = 256;
    let path: String = head.uri.path().chars().take(SHOWN_CHARS_MAX).collect();
    ApiError::path_not_supported(head.method.as_str(), &path)
}
