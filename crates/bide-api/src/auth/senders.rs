//! Who sends events: a client that signs as FC clients do, or a sender of the settings, which has a token or signs the
//! Standard Webhooks way.
//!
//! Owns those two ways of proof. A sender may do nothing but post events. All comparisons take the same time whatever is
//! right, and nothing here is ever printed.

use std::fmt;
use std::time::Duration;

use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bide_types::{AccountId, ErrorCode, Timestamp};
use hmac::{Hmac, Mac as _};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;

use super::{Secret, authenticate, fc};
use crate::error::ApiError;
use crate::state::ApiState;

/// How far the time of a signed message may be from ours, both ways (Standard Webhooks, "Verifying signatures").
const TOLERANCE: Duration = Duration::from_secs(5 * 60);
/// Signatures on one message that are looked at.
const SIGNATURES_MAX: usize = 8;
const WEBHOOK_ID: &str = "webhook-id";
const WEBHOOK_TIMESTAMP: &str = "webhook-timestamp";
const WEBHOOK_SIGNATURE: &str = "webhook-signature";

/// Something that may post events of one account.
pub struct EventSender {
    pub account: AccountId,
    pub proof: SenderProof,
}

/// What a sender proves itself with.
pub enum SenderProof {
    Token(TokenDigest),
    /// Any of these keys.
    Webhook(Vec<Hmac<Sha256>>),
}

/// What is kept of a token.
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    pub fn new(token: &Secret) -> Self {
        Self(digest(token.expose().as_bytes()))
    }
}

impl fmt::Debug for EventSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventSender").field("account", &self.account).finish_non_exhaustive()
    }
}

/// All senders of the settings.
#[derive(Debug, Default)]
pub struct EventSenders(Vec<EventSender>);

impl EventSenders {
    pub fn new(senders: Vec<EventSender>) -> Self {
        Self(senders)
    }

    /// The account of the sender with this token. Every one is compared.
    fn by_token(&self, token: &[u8]) -> Option<&AccountId> {
        let given = digest(token);
        let mut found = None;
        for sender in &self.0 {
            if let SenderProof::Token(TokenDigest(known)) = &sender.proof
                && bool::from(known.ct_eq(&given))
            {
                found = Some(&sender.account);
            }
        }
        found
    }

    fn by_signature(&self, signed: &Signed, body: &[u8]) -> Option<&AccountId> {
        self.0.iter().find_map(|sender| {
            let SenderProof::Webhook(keys) = &sender.proof else { return None };
            keys.iter().any(|key| signed.fits(key, body)).then_some(&sender.account)
        })
    }
}

/// Who sends, as far as the head of a request tells.
pub(crate) enum Sender {
    Known(AccountId),
    /// Known when the body is.
    Signed(Signed),
}

/// The head of a message signed the Standard Webhooks way.
pub(crate) struct Signed {
    /// Before the body: id and time, each with its dot.
    prefix: Vec<u8>,
    signatures: Vec<[u8; 32]>,
}

/// # Errors
/// As those of an FC client, if the request is signed like one; else `AccessDenied`, for a missing or wrong token, or a
/// time out of tolerance.
pub(crate) fn identify(state: &ApiState, head: &Parts) -> Result<Sender, ApiError> {
    let authorization = head.headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
    if authorization.is_some_and(|value| value.starts_with(fc::PREFIX)) {
        let credential = authenticate(&state.credentials, head, state.clock.now())?;
        return Ok(Sender::Known(credential.account().clone()));
    }
    if let Some(value) = authorization {
        let token = token(value).ok_or_else(refused)?;
        return state.senders.by_token(&token).cloned().map(Sender::Known).ok_or_else(refused);
    }
    if head.headers.contains_key(WEBHOOK_SIGNATURE) {
        return Signed::read(&head.headers, state.clock.now()).map(Sender::Signed);
    }
    Err(ApiError::missing_header("Authorization"))
}

impl Sender {
    /// # Errors
    /// `AccessDenied` if the body is not what was signed by a sender of the settings.
    pub(crate) fn account(&self, state: &ApiState, body: &[u8]) -> Result<AccountId, ApiError> {
        match self {
            Self::Known(account) => Ok(account.clone()),
            Self::Signed(signed) => state.senders.by_signature(signed, body).cloned().ok_or_else(refused),
        }
    }
}

impl Signed {
    fn read(headers: &HeaderMap, now: Timestamp) -> Result<Self, ApiError> {
        let text = |name: &str| {
            let text = headers.get(name).and_then(|value| value.to_str().ok());
            text.ok_or_else(|| ApiError::missing_header(name))
        };
        let (id, seconds) = (text(WEBHOOK_ID)?, text(WEBHOOK_TIMESTAMP)?);
        let time = seconds.parse().ok().and_then(|seconds: u64| seconds.checked_mul(1000));
        let time = Timestamp::from_millis(time.ok_or_else(refused)?);
        if now.since(time) > TOLERANCE || time.since(now) > TOLERANCE {
            return Err(ApiError::new(
                ErrorCode::AccessDenied,
                "header webhook-timestamp differs from the server's time by more than 5 minutes; check the sender's clock",
            ));
        }
        let signatures = text(WEBHOOK_SIGNATURE)?.split(' ').take(SIGNATURES_MAX);
        let signatures = signatures.filter_map(|signature| signature.strip_prefix("v1,"));
        let signatures = signatures.filter_map(|signature| BASE64.decode(signature).ok()?.try_into().ok());
        Ok(Self { prefix: format!("{id}.{seconds}.").into_bytes(), signatures: signatures.collect() })
    }

    fn fits(&self, key: &Hmac<Sha256>, body: &[u8]) -> bool {
        let mut mac = key.clone();
        mac.update(&self.prefix);
        mac.update(body);
        let right: [u8; 32] = mac.finalize().into_bytes().into();
        self.signatures.iter().any(|signature| right.ct_eq(signature).into())
    }
}

/// The token of `Bearer {token}`, or the password of `Basic`: a URL with a user and a password is all that some servers
/// can be given.
fn token(authorization: &[u8]) -> Option<Vec<u8>> {
    let (scheme, rest) = std::str::from_utf8(authorization).ok()?.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("Bearer") {
        return Some(rest.trim().as_bytes().to_vec());
    }
    if !scheme.eq_ignore_ascii_case("Basic") {
        return None;
    }
    let decoded = BASE64.decode(rest.trim()).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    Some(decoded[colon + 1..].to_vec())
}

fn digest(token: &[u8]) -> [u8; 32] {
    Sha256::digest(token).into()
}

fn refused() -> ApiError {
    ApiError::new(
        ErrorCode::AccessDenied,
        "no event sender of the settings has this token or signature; sign the request as FC clients do, or configure \
         the sender",
    )
}

#[cfg(test)]
mod tests;
