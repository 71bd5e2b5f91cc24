//! Which headers pass between caller and function (fc-behaviour 5.2).
//!
//! Owns the limits and the lists. What concerns one connection only never passes (RFC 9110, 7.6.1), and names that begin
//! with `x-fc-` are the platform's in both directions: what a caller may say with them takes effect at the edge, and what
//! the function may know, the runtime adds. So are names with `_` for `-`: many servers take the two for the same.

use axum::http::header::{
    AUTHORIZATION, CONNECTION, DATE, EXPECT, HeaderName, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, SERVER, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use axum::http::{HeaderMap, HeaderValue};
use bide_types::ErrorCode;
use bide_types::limits::HTTP_HEADER_BYTES_MAX;
use bide_types::resource::HttpAuth;

use crate::error::ApiError;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
/// About one connection. `Expect` belongs here: the edge has answered it before the function is called.
const HOP_BY_HOP: [HeaderName; 10] = [
    CONNECTION,
    KEEP_ALIVE,
    PROXY_CONNECTION,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    EXPECT,
];
/// Set by the edge alone.
const OURS: [HeaderName; 2] = [DATE, SERVER];

/// # Errors
/// `InvalidArgument` beyond the limit.
pub(super) fn check_request_size(headers: &HeaderMap) -> Result<(), ApiError> {
    if size(headers) > HTTP_HEADER_BYTES_MAX {
        return Err(ApiError::invalid(format!("request headers exceed {HTTP_HEADER_BYTES_MAX} bytes")));
    }
    Ok(())
}

/// What the function sees of a caller's headers.
pub(super) fn to_function(headers: &HeaderMap, auth: HttpAuth) -> HeaderMap {
    let mut passing = end_to_end(headers);
    if auth == HttpAuth::Function {
        passing.remove(AUTHORIZATION); // it was meant for the platform
    }
    passing
}

/// What the caller sees of a function's headers. `Content-Length` is among them: it announces the body's size, to which
/// the body is held.
///
/// # Errors
/// `BadResponse` beyond the limit.
pub(super) fn to_caller(headers: &HeaderMap) -> Result<HeaderMap, ApiError> {
    if size(headers) > HTTP_HEADER_BYTES_MAX {
        let message = format!("the headers of the function's response exceed {HTTP_HEADER_BYTES_MAX} bytes");
        return Err(ApiError::new(ErrorCode::BadResponse, message));
    }
    let mut passing = end_to_end(headers);
    for name in OURS {
        passing.remove(name);
    }
    Ok(passing)
}

fn is_platforms(name: &HeaderName) -> bool {
    matches!(name.as_str().as_bytes(), [b'x', b'-' | b'_', b'f', b'c', b'-' | b'_', ..])
}

fn size(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum()
}

fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let named = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let named: Vec<&str> = named.flat_map(|value| value.split(',')).map(str::trim).collect();
    let passes = |name: &HeaderName| {
        !HOP_BY_HOP.contains(name)
            && !is_platforms(name)
            && !named.iter().any(|other| other.eq_ignore_ascii_case(name.as_str()))
    };
    let passing = headers.iter().filter(|(name, _)| passes(name));
    passing.map(|(name, value): (_, &HeaderValue)| (name.clone(), value.clone())).collect()
}
