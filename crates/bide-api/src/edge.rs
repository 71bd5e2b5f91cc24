//! The life of one request at the edge: id, signature, route, answer.
//!
//! Owns what holds for every request whatever its generation: it gets a request id, which every answer carries; a
//! failure is answered with the common error body, a panic included; a refused body is drained. The choice between the
//! API's generations and functions over HTTP is here, the routes of each are in its module. No middleware and no task per request: the submit path
//! is one chain of calls.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, Request, Response, header};
use bide_types::{AccountId, RequestId};

use crate::auth::{self, Credential};
use crate::bide_v1::{dead_letters, events, task_logs};
use crate::caught::caught;
use crate::error::ApiError;
use crate::invocation::{REQUEST_ID, trace_id};
use crate::path::Segments;
use crate::state::ApiState;
use crate::{bide_v1, body, health, http_function, v2016_08_15};

/// A request that has arrived, before anything is known about its caller.
pub(crate) struct Arrival<'a> {
    pub(crate) state: &'a ApiState,
    pub(crate) head: &'a Parts,
    pub(crate) body: &'a mut Body,
    pub(crate) request_id: &'a RequestId,
}

impl Arrival<'_> {
    pub(crate) async fn read_body(&mut self, limit_bytes: usize) -> Result<body::Received, ApiError> {
        self.state.room.read(self.body, limit_bytes, &*self.state.clock).await
    }
}

/// One authenticated call of the API.
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

    /// How the caller reaches this server, without a slash at the end.
    pub(crate) fn base_url(&self) -> String {
        let host = self.head.headers.get(header::HOST).and_then(|host| host.to_str().ok());
        self.state.address.base_url(host)
    }

    /// No route of this generation fits.
    pub(crate) fn path_not_supported(&self) -> ApiError {
        path_not_supported(self.head)
    }
}

/// Answers one request.
pub(crate) async fn answer(State(state): State<Arc<ApiState>>, request: Request<Body>) -> Response<Body> {
    let (head, mut body) = request.into_parts();
    let addressed = http_function::find(&state, &head);
    let over_http = addressed.is_some();
    // Who calls a function over HTTP may be anybody, and so chooses no ids of ours.
    let request_id = if over_http { None } else { trace_id(&head.headers) };
    let request_id = request_id.unwrap_or_else(|| bide_env::request_id(&*state.entropy));
    let arrival = Arrival { state: &state, head: &head, body: &mut body, request_id: &request_id };
    let outcome = caught(async move {
        match addressed {
            Some(addressed) => Box::pin(http_function::answer(arrival, addressed?)).await,
            None => dispatch(arrival).await,
        }
    });
    let mut response = match outcome.await.unwrap_or_else(|_| Err(ApiError::internal())) {
        Ok(response) => response,
        Err(error) => {
            tracing::debug!(%request_id, method = %head.method, path = head.uri.path(), %error, "refused");
            body::drain(&mut body, &head.headers, &*state.clock).await;
            let mut response = error.into_response(&request_id);
            if over_http {
                http_function::mark_error(&mut response);
            }
            response
        }
    };
    let id = HeaderValue::from_str(request_id.as_str()).expect("a request id is visible ASCII");
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

async fn dispatch(arrival: Arrival<'_>) -> Result<Response<Body>, ApiError> {
    match (&arrival.head.method, arrival.head.uri.path()) {
        (&Method::POST, events::CLOUD_EVENTS_PATH) => return Box::pin(events::cloud_events(arrival)).await,
        (&Method::POST, events::NOTIFICATIONS_PATH) => return Box::pin(events::notifications(arrival)).await,
        _ => {}
    }
    let Arrival { state, head, body, request_id } = arrival;
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
        (&Method::GET, bide_v1::INSTANCES_PATH) => {
            let caller = auth::authenticate(&state.credentials, head, state.clock.now())?;
            Ok(bide_v1::instances(state, caller.account()))
        }
        (&Method::GET, bide_v1::TIMERS_PATH) => {
            let caller = auth::authenticate(&state.credentials, head, state.clock.now())?;
            Ok(bide_v1::timers(state, caller.account()))
        }
        (&Method::GET, path) if path.starts_with(bide_v1::CODE_PREFIX) => bide_v1::code(state, path).await,
        (method, path) => {
            let letters = path.strip_prefix(dead_letters::PREFIX);
            let logs = path.strip_prefix(task_logs::PREFIX);
            if letters.or(logs).is_none() {
                return Err(path_not_supported(head));
            }
            let account = auth::authenticate(&state.credentials, head, state.clock.now())?.account();
            let query = head.uri.query();
            let routed = match (letters, logs) {
                (Some(rest), _) => dead_letters::route(state, method, rest, query, account).await?,
                (_, Some(rest)) => task_logs::route(state, method, rest, query, account).await?,
                (None, None) => None,
            };
            routed.ok_or_else(|| path_not_supported(head))
        }
    }
}

fn path_not_supported(head: &Parts) -> ApiError {
    /// Longer paths are cut in the message.
    const SHOWN_CHARS_MAX: usize = 256;
    let path: String = head.uri.path().chars().take(SHOWN_CHARS_MAX).collect();
    ApiError::path_not_supported(head.method.as_str(), &path)
}
