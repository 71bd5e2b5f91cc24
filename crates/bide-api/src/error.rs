//! What a caller is told when a call fails: a code, a message, and the one JSON body that every client reads.
//!
//! Owns the body (fc-api 3.6: both naming styles in one object) and the mapping of request faults to codes.
//! Never shows what went wrong inside: that is logged where it is found. Keeps nothing, so a crash leaves nothing.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::{Response, StatusCode, header};
use bide_types::{ErrorCode, NameError, RequestId};
use serde::Serialize;

/// A failed call: what the caller sees of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    pub code: ErrorCode,
    pub message: Cow<'static, str>,
}

/// The body of every answer with status 4xx or 5xx. Generation A clients read the first pair of fields, the later
/// generations the rest.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ErrorBody<'a> {
    error_code: &'a str,
    error_message: &'a str,
    code: &'a str,
    message: &'a str,
    request_id: &'a str,
}

impl ApiError {
    pub fn new(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into() }
    }

    /// A parameter, header or field of the request is wrong; the message names it.
    pub fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::InvalidArgument, message)
    }

    pub(crate) fn missing_header(name: &str) -> Self {
        Self::new(ErrorCode::MissingRequiredHeader, format!("required HTTP header {name} was not specified"))
    }

    pub(crate) fn path_not_supported(method: &str, path: &str) -> Self {
        Self::new(ErrorCode::PathNotSupported, format!("'{method}' against '{path}' is not supported"))
    }

    pub(crate) fn payload_too_large(limit_bytes: usize) -> Self {
        Self::new(
            ErrorCode::EntityTooLarge,
            format!("payload size exceeds maximum allowed size ({limit_bytes} bytes)"),
        )
    }

    /// A fault of this server. The caller learns only that; the cause belongs in the log.
    pub(crate) fn internal() -> Self {
        Self::new(ErrorCode::InternalServerError, "an internal error has occurred. Please retry.")
    }

    /// The answer, without the request id header that every answer gets at the edge.
    pub(crate) fn into_response(self, request_id: &RequestId) -> Response<Body> {
        let body = ErrorBody {
            error_code: self.code.as_str(),
            error_message: &self.message,
            code: self.code.as_str(),
            message: &self.message,
            request_id: request_id.as_str(),
        };
        let json = serde_json::to_vec(&body).expect("a map of strings serialises");
        let mut response = Response::new(Body::from(json));
        *response.status_mut() =
            StatusCode::from_u16(self.code.status()).expect("every code has a valid status");
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
        response
    }
}

impl From<NameError> for ApiError {
    fn from(error: NameError) -> Self {
        Self::invalid(error.to_string())
    }
}

impl From<bide_engine::Error> for ApiError {
    fn from(error: bide_engine::Error) -> Self {
        if let bide_engine::Error::Store(source) = &error {
            tracing::error!(error = %source, "a call failed because of the store");
        }
        Self::new(error.code(), error.to_string())
    }
}

#[cfg(test)]
mod tests;
