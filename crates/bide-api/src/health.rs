//! Whether this server lives and can take work.
//!
//! Owns two answers: `/healthz` says that the process serves, `/readyz` that submissions are accepted. Neither needs a
//! signature and neither shows more than the reason.

use axum::body::Body;
use axum::http::Response;
use serde_json::json;

use crate::error::ApiError;
use crate::reply;
use crate::state::ApiState;

pub(crate) fn alive() -> Response<Body> {
    reply::json(&json!({"status": "ok"}))
}

/// # Errors
/// `ServiceUnavailable` with the reason.
pub(crate) fn ready(state: &ApiState) -> Result<Response<Body>, ApiError> {
    state.engine.ready()?;
    Ok(reply::json(&json!({"status": "ready"})))
}
