//! The FC signature: `Authorization: FC {AccessKeyId}:{base64(HMAC-SHA256(secret, StringToSign))}` (fc-api 2.1, 2.2).
//!
//! Owns the string to sign, for both sides: the server verifies with it, and bide's own clients sign with it. The
//! query takes part only under `/2016-08-15/proxy/` (HTTP triggers). `Content-MD5` is signed as sent and never
//! checked against the body, because every library fills it differently.

use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HeaderName};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bide_types::Timestamp;
use percent_encoding::percent_decode_str;
use subtle::ConstantTimeEq as _;

use super::{Credential, Credentials, check_time, unknown_key, wrong_signature};
use crate::error::ApiError;

pub(super) const PREFIX: &[u8] = b"FC ";
const SIGNED_HEADER_PREFIX: &str = "x-fc-";
const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");
/// Stands in for `Date` where a client cannot set that (browsers).
const FC_DATE: HeaderName = HeaderName::from_static("x-fc-date");
const HTTP_TRIGGER_PATH: &str = "/2016-08-15/proxy/";

/// What of the target is signed: it depends on what the request is addressed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resource {
    /// A call of the API: the path (fc-api 2.1).
    Api(PathForm),
    /// A call of a function over HTTP: the path and the query (fc-api 2.2).
    Http(ItemOrder),
}

/// How a path was signed. It matters only for resource names in a path, since no other part of one is ever escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PathForm {
    Decoded,
    /// Escaped, as the Go and Node clients sign the path of a layer's resource name.
    AsSent,
}

/// In which order the items of a query were signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ItemOrder {
    Sorted,
    /// One of the official clients does not sort (fc-api 2.2).
    AsReceived,
}

/// The value of `Authorization` for a request to `target` (path and query as they will be sent) with `headers`,
/// which already hold `Date` and everything else that is signed. `target` is one of the API, or the path form of an HTTP
/// call.
pub fn sign(credential: &Credential, method: &Method, target: &str, headers: &HeaderMap) -> HeaderValue {
    let http = target.starts_with(HTTP_TRIGGER_PATH);
    let resource = if http { Resource::Http(ItemOrder::Sorted) } else { Resource::Api(PathForm::Decoded) };
    authorization(credential, method, target, headers, resource)
}

/// The same for an HTTP call to a domain that leads to a function.
pub fn sign_http(credential: &Credential, method: &Method, target: &str, headers: &HeaderMap) -> HeaderValue {
    authorization(credential, method, target, headers, Resource::Http(ItemOrder::Sorted))
}

fn authorization(
    credential: &Credential,
    method: &Method,
    target: &str,
    headers: &HeaderMap,
    resource: Resource,
) -> HeaderValue {
    let signature = credential.mac(|sink| string_to_sign(method, target, headers, resource, sink));
    let text = format!("FC {}:{}", credential.access_key_id(), BASE64.encode(signature));
    HeaderValue::from_str(&text).expect("a key id that came as a header or setting fits a header")
}

/// The value of `Date` for a request made at `now`.
pub fn date(now: Timestamp) -> HeaderValue {
    let moment = UNIX_EPOCH + Duration::from_millis(now.as_millis());
    HeaderValue::from_str(&httpdate::fmt_http_date(moment)).expect("a date is ASCII")
}

/// Checks `signature` (what follows `FC `) and the date. One of `resources` must have been signed.
pub(super) fn verify<'a>(
    credentials: &'a Credentials,
    request: &Parts,
    signature_text: &[u8],
    resources: &[Resource],
    now: Timestamp,
) -> Result<&'a Credential, ApiError> {
    let date = signed_date(&request.headers).ok_or_else(|| ApiError::missing_header("Date"))?;
    let signed_at = parse_date(date)
        .ok_or_else(|| ApiError::invalid("header Date is not a date like 'Mon, 01 Jan 2024 00:00:00 GMT'"))?;
    let (access_key_id, encoded) = split_authorization(signature_text).ok_or_else(|| {
        ApiError::invalid("header Authorization is not of the form 'FC {AccessKeyId}:{signature}'")
    })?;
    let credential = credentials.get(access_key_id).ok_or_else(|| unknown_key(access_key_id))?;

    let target = request.uri.path_and_query().map_or("/", |target| target.as_str());
    let signed = resources.iter().any(|resource| {
        let text = |sink: &mut dyn FnMut(&[u8])| {
            string_to_sign(&request.method, target, &request.headers, *resource, sink);
        };
        is_signature(encoded.as_bytes(), &credential.mac(text))
    });
    if !signed {
        return Err(wrong_signature());
    }
    check_time(signed_at, now)?;
    Ok(credential)
}

/// Whether `presented` is `expected` in base64; takes the same time wherever they differ.
pub(super) fn is_signature(presented: &[u8], expected: &[u8; 32]) -> bool {
    let mut decoded = [0_u8; 64];
    BASE64.decode_slice(presented, &mut decoded).is_ok_and(|length| decoded[..length].ct_eq(expected).into())
}

/// The key id of a request that is signed in this scheme; nothing of it was checked.
pub(super) fn claimed_key(request: &Parts) -> Option<&str> {
    let signature = request.headers.get(AUTHORIZATION)?.as_bytes().strip_prefix(PREFIX)?;
    Some(split_authorization(signature)?.0)
}

fn split_authorization(text: &[u8]) -> Option<(&str, &str)> {
    std::str::from_utf8(text).ok()?.trim().rsplit_once(':')
}

fn signed_date(headers: &HeaderMap) -> Option<&HeaderValue> {
    let given = |name| headers.get(name).filter(|value| !value.is_empty());
    given(FC_DATE).or_else(|| given(DATE))
}

fn parse_date(value: &HeaderValue) -> Option<Timestamp> {
    let moment: SystemTime = httpdate::parse_http_date(value.to_str().ok()?).ok()?;
    let since_epoch = moment.duration_since(UNIX_EPOCH).ok()?;
    Some(Timestamp::ZERO.plus(since_epoch))
}

/// Hands the string to sign to `sink`, piece by piece.
fn string_to_sign(
    method: &Method,
    target: &str,
    headers: &HeaderMap,
    resource: Resource,
    sink: &mut dyn FnMut(&[u8]),
) {
    let date = signed_date(headers).map_or(b"".as_slice(), HeaderValue::as_bytes);
    head_to_sign(method, headers, date, sink);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    match resource {
        Resource::Api(PathForm::AsSent) => sink(path.as_bytes()),
        Resource::Api(PathForm::Decoded) | Resource::Http(_) => sink(&Cow::from(percent_decode_str(path))),
    }
    if let Resource::Http(order) = resource {
        sink(b"\n");
        let mut items = decoded_items(query);
        if order == ItemOrder::Sorted {
            items.sort();
        }
        sink(&items.join(&b'\n'));
    }
}

/// All lines before the resource; `date` stands in the date's place.
pub(super) fn head_to_sign(method: &Method, headers: &HeaderMap, date: &[u8], sink: &mut dyn FnMut(&[u8])) {
    let text = |name| headers.get(name).map_or(&b""[..], HeaderValue::as_bytes);
    for line in [method.as_str().as_bytes(), text(CONTENT_MD5), text(CONTENT_TYPE), date] {
        sink(line);
        sink(b"\n");
    }
    for (name, value) in fc_headers(headers) {
        sink(name.as_bytes());
        sink(b":");
        sink(value);
        sink(b"\n");
    }
}

/// The `x-fc-` headers in byte order of their names. An empty value still takes part.
fn fc_headers(headers: &HeaderMap) -> Vec<(&str, &[u8])> {
    let mut signed: Vec<_> = headers
        .iter()
        .filter(|(name, _)| name.as_str().starts_with(SIGNED_HEADER_PREFIX))
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect();
    signed.sort_by_key(|(name, _)| *name); // stable: repeated headers keep their order
    signed
}

/// One decoded `key=value` line per parameter, as received; a key without a value is a bare line.
pub(super) fn decoded_items(query: &str) -> Vec<Vec<u8>> {
    query
        .split('&')
        .filter(|item| !item.is_empty())
        .map(|item| Cow::from(percent_decode_str(&item.replace('+', " "))).into_owned())
        .collect()
}

#[cfg(test)]
mod tests;
