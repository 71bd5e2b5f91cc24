//! The stored form of an HTTP call: what an asynchronous invocation of kind `Http` has as its payload.
//!
//! Owns the codec, in one place: a version byte, the length of the request (4 bytes, big-endian), the request as
//! postcard, and the body as it came. A change of the request is a new version beside the old (docs/storage-format.md).

use std::net::IpAddr;

use bide_runtime::{HttpFormat, HttpRequest};
use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::{Deserialize, Serialize};

const VERSION: u8 = 1;
const PREFIX_BYTES: usize = 1 + 4;

/// The bytes are no HTTP call that this build knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stored HTTP call cannot be understood: {0}")]
pub(crate) struct Undecodable(String);

/// Fields are never moved or removed: postcard knows them by their order.
#[derive(Serialize, Deserialize)]
struct RequestV1<'a> {
    method: &'a str,
    path: &'a str,
    query: Option<&'a str>,
    #[serde(borrow)]
    headers: Vec<(&'a str, &'a [u8])>,
    base_path: &'a str,
    host: &'a str,
    client_ip: Option<IpAddr>,
    format: FormatV1,
}

#[derive(Serialize, Deserialize)]
enum FormatV1 {
    Handler,
    Event,
}

/// The payload of an invocation for `request` with `body`.
pub(crate) fn encode(request: &HttpRequest, body: &[u8]) -> Bytes {
    let stored = RequestV1 {
        method: request.method.as_str(),
        path: &request.path,
        query: request.query.as_deref(),
        headers: request.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect(),
        base_path: &request.base_path,
        host: &request.host,
        client_ip: request.client_ip,
        format: match request.format {
            HttpFormat::Handler => FormatV1::Handler,
            HttpFormat::Event => FormatV1::Event,
        },
    };
    let stored = postcard::to_stdvec(&stored).expect("texts and numbers can be encoded");
    let length = u32::try_from(stored.len()).expect("path and headers are bounded");
    let mut payload = BytesMut::with_capacity(PREFIX_BYTES + stored.len() + body.len());
    payload.put_u8(VERSION);
    payload.put_u32(length);
    payload.put_slice(&stored);
    payload.put_slice(body);
    payload.freeze()
}

/// The request and body that were encoded.
///
/// # Errors
/// [`Undecodable`] for anything else.
pub(crate) fn decode(payload: &Bytes) -> Result<(HttpRequest, Bytes), Undecodable> {
    let (stored, body) = split(payload)?;
    let undecodable = |error: &dyn std::fmt::Display| Undecodable(error.to_string());
    let stored: RequestV1<'_> = postcard::from_bytes(&stored).map_err(|error| undecodable(&error))?;
    let mut headers = HeaderMap::with_capacity(stored.headers.len());
    for (name, value) in stored.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| undecodable(&error))?;
        headers.append(name, HeaderValue::from_bytes(value).map_err(|error| undecodable(&error))?);
    }
    let request = HttpRequest {
        method: Method::from_bytes(stored.method.as_bytes()).map_err(|error| undecodable(&error))?,
        path: stored.path.to_owned(),
        query: stored.query.map(str::to_owned),
        headers,
        base_path: stored.base_path.to_owned(),
        host: stored.host.to_owned(),
        client_ip: stored.client_ip,
        format: match stored.format {
            FormatV1::Handler => HttpFormat::Handler,
            FormatV1::Event => HttpFormat::Event,
        },
    };
    Ok((request, body))
}

/// Only the body: what people mean by the payload of an HTTP call.
///
/// # Errors
/// [`Undecodable`].
pub(crate) fn body(payload: &Bytes) -> Result<Bytes, Undecodable> {
    split(payload).map(|(_, body)| body)
}

fn split(payload: &Bytes) -> Result<(Bytes, Bytes), Undecodable> {
    let short = || Undecodable("it is too short".to_owned());
    let (prefix, rest) = payload.split_at_checked(PREFIX_BYTES).ok_or_else(short)?;
    let [version, length @ ..] = prefix else { return Err(short()) };
    if *version != VERSION {
        return Err(Undecodable(format!("it has version {version}, known is {VERSION}")));
    }
    let length = length.iter().fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
    if length > rest.len() {
        return Err(short());
    }
    let end = PREFIX_BYTES + length;
    Ok((payload.slice(PREFIX_BYTES..end), payload.slice(end..)))
}

#[cfg(test)]
mod tests;
