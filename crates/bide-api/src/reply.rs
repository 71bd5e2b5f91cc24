//! Successful answers of management calls.
//!
//! Owns content types, and the `ETag` with its `If-Match` (fc-api 4): a hash of the content. Never labels an empty
//! body as JSON, which the Node library of generation A would try to parse.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use bide_types::ErrorCode;
use serde::Serialize;

use crate::checksum::sha256_hex;
use crate::error::ApiError;

/// Hex digits of a content hash that an entity tag keeps.
const ETAG_CHARS: usize = 32;

/// 200 with a JSON body.
pub(crate) fn json(value: &impl Serialize) -> Response<Body> {
    let mut response = Response::new(Body::from(bytes(value)));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// 200 with a JSON body and its entity tag.
pub(crate) fn json_with_etag(value: &impl Serialize) -> Response<Body> {
    json_tagged(value, value)
}

/// 200 with a JSON body and the entity tag of something else, which the body is made of.
pub(crate) fn json_tagged(value: &impl Serialize, tagged: &impl Serialize) -> Response<Body> {
    let mut response = json(value);
    let tag = HeaderValue::from_str(&etag(tagged)).expect("hex digits fit a header");
    response.headers_mut().insert(header::ETAG, tag);
    response
}

/// 204.
pub(crate) fn no_content() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// Refuses a change of something that is no longer what the caller saw. `current` is what the entity tag is
/// made of: the body that a read would answer, if nothing else is said there.
pub(crate) fn check_if_match(headers: &HeaderMap, current: &impl Serialize) -> Result<(), ApiError> {
    let Some(wanted) = headers.get(header::IF_MATCH).map(HeaderValue::as_bytes).filter(|tag| !tag.is_empty())
    else {
        return Ok(());
    };
    let unquoted = wanted.strip_prefix(b"\"").and_then(|tag| tag.strip_suffix(b"\"")).unwrap_or(wanted);
    if unquoted == b"*" || unquoted == etag(current).as_bytes() {
        return Ok(());
    }
    Err(ApiError::new(ErrorCode::PreconditionFailed, "the resource being modified has been changed"))
}

fn etag(value: &impl Serialize) -> String {
    let mut tag = sha256_hex(&bytes(value));
    tag.truncate(ETAG_CHARS);
    tag
}

fn bytes(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("bodies have text keys and no failing parts")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_change_needs_the_tag_of_what_is_there() {
        let value = json!({"a": 1});
        let tag = json_with_etag(&value).headers()[header::ETAG].clone();
        let mut headers = HeaderMap::new();
        assert_eq!(check_if_match(&headers, &value), Ok(()));
        headers.insert(header::IF_MATCH, tag.clone());
        assert_eq!(check_if_match(&headers, &value), Ok(()));
        let refused = check_if_match(&headers, &json!({"a": 2})).expect_err("changed");
        assert_eq!(refused.code, ErrorCode::PreconditionFailed);
        let quoted = format!("\"{}\"", tag.to_str().expect("ASCII"));
        headers.insert(header::IF_MATCH, HeaderValue::from_str(&quoted).expect("ASCII"));
        assert_eq!(check_if_match(&headers, &value), Ok(()));
    }
}
