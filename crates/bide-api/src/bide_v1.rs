//! bide's own additions to the API, under their own prefix.
//!
//! Owns the download of code packages by link. Never changes what an FC client sees.

use axum::body::Body;
use axum::http::{HeaderValue, Response, header};
use bide_types::ErrorCode;

use crate::code_url;
use crate::error::ApiError;
use crate::path::Segments;
use crate::state::ApiState;

pub(crate) const CODE_PREFIX: &str = "/bide/v1/code/";

/// The zip that a link names.
///
/// # Errors
/// `AccessDenied` for a link that is forged or expired; `FunctionNotFound` when the package is gone.
pub(crate) async fn code(state: &ApiState, path: &str) -> Result<Response<Body>, ApiError> {
    let refused =
        || ApiError::new(ErrorCode::AccessDenied, "the link is not valid or has expired; ask for a new one");
    let segments = path.strip_prefix(CODE_PREFIX).and_then(Segments::parse).ok_or_else(refused)?;
    let texts = segments.texts();
    let &[digest, expires, signature, key] = &texts[..segments.count()] else { return Err(refused()) };
    if !code_url::is_valid(&state.credentials, [digest, expires, signature, key], state.clock.now()) {
        return Err(refused());
    }
    let zip = state.engine.package(digest).await?.ok_or_else(|| {
        ApiError::new(ErrorCode::FunctionNotFound, "the code package of this link does not exist any more")
    })?;
    let mut response = Response::new(Body::from(zip));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/zip"));
    Ok(response)
}
