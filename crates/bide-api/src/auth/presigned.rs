//! Presigned URLs: a signature in the query that lets whoever holds the URL call a function over HTTP until it expires
//! (fc-api 2.3).
//!
//! Owns this scheme. The expiry stands in for the date, and the signature itself is not signed. Keeps no state.

use std::borrow::Cow;

use axum::http::request::Parts;
use bide_types::{ErrorCode, Timestamp};
use percent_encoding::percent_decode_str;

use super::fc::{decoded_items, head_to_sign, is_signature};
use super::{Credential, Credentials, unknown_key, wrong_signature};
use crate::error::ApiError;

const KEY_ID: &str = "x-fc-access-key-id=";
const EXPIRES: &str = "x-fc-expires=";
const SIGNATURE: &str = "x-fc-signature=";

/// What the query of a presigned URL says.
struct Presigned {
    access_key_id: String,
    expires: String,
    signature: String,
    /// Everything but the signature, sorted.
    signed: Vec<Vec<u8>>,
}

/// Checks a presigned URL; `None` if the request is none.
///
/// # Errors
/// `InvalidArgument` for one that is not whole, `InvalidAccessKeyID`, `SignatureNotMatch`, or `AccessDenied` once it has
/// expired.
pub(super) fn verify<'a>(
    credentials: &'a Credentials,
    request: &Parts,
    now: Timestamp,
) -> Result<Option<&'a Credential>, ApiError> {
    let Some(presigned) = read(request.uri.query().unwrap_or(""))? else { return Ok(None) };
    let expires = presigned.expires.parse::<u64>().map_err(|_| {
        ApiError::invalid("query parameter 'x-fc-expires' must be a time in seconds since 1970")
    })?;
    let credential =
        credentials.get(&presigned.access_key_id).ok_or_else(|| unknown_key(&presigned.access_key_id))?;
    let expected = credential.mac(|sink| {
        head_to_sign(&request.method, &request.headers, presigned.expires.as_bytes(), sink);
        sink(&Cow::from(percent_decode_str(request.uri.path())));
        sink(b"\n");
        sink(&presigned.signed.join(&b'\n'));
    });
    if !is_signature(presigned.signature.as_bytes(), &expected) {
        return Err(wrong_signature());
    }
    if expires < now.as_millis() / 1000 {
        return Err(ApiError::new(ErrorCode::AccessDenied, "the presigned URL has expired"));
    }
    Ok(Some(credential))
}

/// The key id of a presigned URL; nothing of it was checked.
pub(super) fn claimed_key(request: &Parts) -> Option<String> {
    Some(read(request.uri.query()?).ok()??.access_key_id)
}

fn read(query: &str) -> Result<Option<Presigned>, ApiError> {
    if !query.contains("x-fc-signature") {
        return Ok(None);
    }
    let mut signed = decoded_items(query);
    let mut taken = Vec::new();
    signed.retain(|item| match item.strip_prefix(SIGNATURE.as_bytes()) {
        Some(signature) => {
            taken.push(String::from_utf8_lossy(signature).into_owned());
            false
        }
        None => true,
    });
    let Some(signature) = taken.pop() else { return Ok(None) };
    let text = |name: &str| {
        let value = signed.iter().find_map(|item| item.strip_prefix(name.as_bytes()));
        value.map(|value| String::from_utf8_lossy(value).into_owned()).ok_or_else(|| {
            ApiError::invalid(format!(
                "a presigned URL needs the query parameter '{}'",
                name.trim_end_matches('=')
            ))
        })
    };
    let (access_key_id, expires) = (text(KEY_ID)?, text(EXPIRES)?);
    signed.sort();
    Ok(Some(Presigned { access_key_id, expires, signature, signed }))
}

#[cfg(test)]
mod tests;
