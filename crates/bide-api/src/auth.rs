//! Who is calling: picks the signature scheme that a request uses and checks it.
//!
//! Owns the choice of scheme and what all schemes share: the tolerance, the account hint, the refusals. Each scheme
//! is one file below. Never reads a clock or a body, and never says in an answer or a log what the right signature
//! or secret would have been. Keeps no state, so a crash leaves nothing.

mod credentials;
pub mod fc;
mod presigned;
pub(crate) mod senders;

use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use bide_types::{AccountId, ErrorCode, Timestamp};

pub use credentials::{Credential, Credentials, Secret};
pub use senders::{EventSender, EventSenders, SenderProof, TokenDigest};

use crate::error::ApiError;
use fc::{ItemOrder, PathForm, Resource};

/// How far a request's time may be from ours, both ways (fc-api 2.1).
const TIME_TOLERANCE: Duration = Duration::from_secs(15 * 60);
const ACCOUNT_HINT: &str = "x-fc-account-id";

/// The credential whose holder signed a call of the API.
///
/// # Errors
/// `MissingRequiredHeader`, `InvalidArgument` (no known scheme), `InvalidAccessKeyID`, `SignatureNotMatch`, or
/// `AccessDenied` (the time is out of tolerance, or the account hint names another account).
pub fn authenticate<'a>(
    credentials: &'a Credentials,
    request: &Parts,
    now: Timestamp,
) -> Result<&'a Credential, ApiError> {
    let resources = [PathForm::Decoded, PathForm::AsSent].map(Resource::Api);
    signed(credentials, request, &resources, now)
}

/// The credential whose holder signed a call of a function over HTTP, in its headers or in its URL.
///
/// # Errors
/// As [`authenticate`].
pub fn authenticate_http<'a>(
    credentials: &'a Credentials,
    request: &Parts,
    now: Timestamp,
) -> Result<&'a Credential, ApiError> {
    if !request.headers.contains_key(AUTHORIZATION)
        && let Some(credential) = presigned::verify(credentials, request, now)?
    {
        check_account_hint(credential, request)?;
        return Ok(credential);
    }
    let resources = [ItemOrder::Sorted, ItemOrder::AsReceived].map(Resource::Http);
    signed(credentials, request, &resources, now)
}

/// The account of the key that a call over HTTP says it was signed with; the signature was not checked.
///
/// # Errors
/// `InvalidAccessKeyID`.
pub(crate) fn claimed_account<'a>(
    credentials: &'a Credentials,
    request: &Parts,
) -> Result<Option<&'a AccountId>, ApiError> {
    let claimed = fc::claimed_key(request).map(str::to_owned).or_else(|| presigned::claimed_key(request));
    let Some(key) = claimed else { return Ok(None) };
    credentials.get(&key).map(|credential| Some(credential.account())).ok_or_else(|| unknown_key(&key))
}

/// The account that a call names without proof.
pub(crate) fn hinted_account(headers: &HeaderMap) -> Option<AccountId> {
    AccountId::new(headers.get(ACCOUNT_HINT)?.to_str().ok()?).ok()
}

fn signed<'a>(
    credentials: &'a Credentials,
    request: &Parts,
    resources: &[Resource],
    now: Timestamp,
) -> Result<&'a Credential, ApiError> {
    let Some(authorization) = request.headers.get(AUTHORIZATION) else {
        return Err(ApiError::missing_header("Authorization"));
    };
    let credential = if let Some(signature) = authorization.as_bytes().strip_prefix(fc::PREFIX) {
        fc::verify(credentials, request, signature, resources, now)?
    } else {
        return Err(ApiError::invalid(
            "header Authorization names no supported scheme: expected 'FC {AccessKeyId}:{signature}'",
        ));
    };
    check_account_hint(credential, request)?;
    Ok(credential)
}

/// The hint is redundant, so an empty one (the Go library's default) says nothing, but a wrong one is a mistake that
/// the caller should hear of.
fn check_account_hint(credential: &Credential, request: &Parts) -> Result<(), ApiError> {
    match request.headers.get(ACCOUNT_HINT) {
        Some(hint) if !hint.is_empty() && hint.as_bytes() != credential.account().as_str().as_bytes() => {
            Err(ApiError::new(
                ErrorCode::AccessDenied,
                "header X-Fc-Account-Id does not name the account of the access key",
            ))
        }
        _ => Ok(()),
    }
}

/// Refuses a request signed too long ago or too far ahead, so that a captured one cannot be replayed for ever.
fn check_time(signed_at: Timestamp, now: Timestamp) -> Result<(), ApiError> {
    if now.since(signed_at) > TIME_TOLERANCE || signed_at.since(now) > TIME_TOLERANCE {
        return Err(ApiError::new(
            ErrorCode::AccessDenied,
            "the time of the request differs from the server's by more than 15 minutes; check the client's clock",
        ));
    }
    Ok(())
}

fn unknown_key(access_key_id: &str) -> ApiError {
    /// An id is short; a longer text is cut in the message.
    const SHOWN_CHARS_MAX: usize = 128;
    let shown: String = access_key_id.chars().take(SHOWN_CHARS_MAX).collect();
    ApiError::new(ErrorCode::InvalidAccessKeyID, format!("invalid access key ID '{shown}'"))
}

fn wrong_signature() -> ApiError {
    ApiError::new(
        ErrorCode::SignatureNotMatch,
        "the request signature does not match the one computed by the server; check the access key secret and \
         that nothing between client and server rewrites the request",
    )
}
