//! The protocol between the server and its own agents, over one stream socket.
//!
//! Every frame is `u32 length | u8 type | body`; numbers are little-endian, the length is that of the body. Texts are
//! UTF-8; a list of texts is joined by NUL bytes, which no text contains.
//!
//! | type | direction | body |
//! |---|---|---|
//! | 1 configure | to the agent, first | list of `name=value`; `env.name=value` is a variable of the environment |
//! | 2 initialize, 3 invoke | to the agent | `u32 tag`, `u16 size`, *size* bytes of list (request id, retry count, task id, span context, span baggages), event |
//! | 4 HTTP call | to the agent | as above; the event is `u32 size`, *size* bytes of list (method, path, query with its `?`, base path, host, client address, and name and value of each header), body |
//! | 5 pre-stop, 6 pre-freeze | to the agent | as 2 |
//! | 7 credit | to the agent | `u32 tag`, `u32 bytes` |
//! | 16 ready | to the server, once | empty |
//! | 17 start failed | to the server, once, instead | error JSON |
//! | 18 returned | to the server | `u32 tag`, return value |
//! | 19 failed | to the server | `u32 tag`, `u8 flags` (1: handled, 2: replace the instance), error JSON |
//! | 20 head | to the server | `u32 tag`, `u16 status`, list of name and value of each header |
//! | 21 piece | to the server | `u32 tag`, bytes of the response's body |
//! | 22 waiting | to the server, first, by an agent that nobody has told anything for a while | empty |
//! | 23 configured | to the server, once, before user code runs | empty |
//!
//! An agent that cannot do for its function what one could that was started for it ends instead of saying `configured`.
//!
//! An HTTP call is answered by head, pieces and `returned` without a value; `failed` may come at any time instead. An
//! agent may have [`WINDOW_BYTES`] of pieces under way for each call ([`piece_cost`]) until the server returns them as
//! credit, so a caller that reads slowly holds up its own call and no other. Texts that came over HTTP are bytes of
//! no promised encoding.
//!
//! Owns encoding and decoding. The agent's process runs hostile code, so decoding bounds every length and an
//! unexpected byte ends the conversation; it never panics. Nothing here survives a crash.

use bide_types::limits::SYNC_PAYLOAD_BYTES_MAX;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::StatusCode;
use http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::executor::InvokeRequest;
use crate::http_call::{HttpRequest, ResponseHead};

/// Largest body that an agent may send: a full return value and its tag.
pub(crate) const BODY_BYTES_MAX: usize = SYNC_PAYLOAD_BYTES_MAX + 4;
/// Largest error JSON that is kept; an agent that sends more breaks the protocol.
pub(crate) const ERROR_BODY_BYTES_MAX: usize = 256 * 1024;
/// Values up to this size are copied out of the read buffer, so that a small result never pins a large buffer.
const COPY_BYTES_MAX: usize = 16 * 1024;
/// Pieces that an agent may have under way for one call, in bytes.
pub(crate) const WINDOW_BYTES: usize = 256 * 1024;
/// Largest piece of a body. A piece must fit into what is surely free of the window.
const PIECE_BYTES_MAX: usize = 64 * 1024;
/// The least that a piece costs, so that tiny ones are bounded too.
pub(crate) const PIECE_COST_MIN: usize = 256;
/// Largest head that is decoded at all; what a response may have is less.
const HEAD_BYTES_MAX: usize = 64 * 1024;
const HEADER_BYTES: usize = 5;
const FLAG_HANDLED: u8 = 1;
const FLAG_REPLACE: u8 = 2;

/// What the server asks for with a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    Initialize = 2,
    Invoke = 3,
    Http = 4,
    PreStop = 5,
    PreFreeze = 6,
}

/// What an agent says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Message {
    Waiting,
    Configured,
    Ready,
    StartFailed(Bytes),
    Returned { tag: u32, value: Bytes },
    Failed { tag: u32, handled: bool, replace: bool, error: Bytes },
    Head { tag: u32, head: Result<ResponseHead, BadHead> },
    Piece { tag: u32, piece: Bytes },
}

/// A head that HTTP cannot carry: the handler's mistake, and no breach of the protocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadHead {
    #[error("the response's status cannot be {0}")]
    Status(u16),
    #[error("'{0}' cannot be the name of a header")]
    Name(String),
    #[error("the value of the response's header '{0}' has characters that no header may have")]
    Value(HeaderName),
    #[error("the response has too many headers")]
    TooMany,
}

/// The agent broke the protocol.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("a frame of {0} bytes is longer than allowed")]
    TooLong(usize),
    #[error("a frame of type {0} is not expected")]
    UnknownType(u8),
    #[error("a frame is too short for its type")]
    TooShort,
    #[error("a header has a name and no value")]
    NoValue,
}

/// The first frame: `name=value` pairs, and the environment.
pub(crate) fn configure<'a>(
    pairs: &[(&str, String)],
    environment: impl Iterator<Item = (&'a str, &'a str)>,
) -> Bytes {
    let pairs = pairs.iter().map(|(name, value)| format!("{name}={}", without_nul(value)));
    let environment = environment.map(|(name, value)| format!("env.{name}={}", without_nul(value)));
    let body = pairs.chain(environment).collect::<Vec<_>>().join("\0");
    let mut frame = BytesMut::with_capacity(HEADER_BYTES + body.len());
    put_header(&mut frame, body.len(), 1);
    frame.put_slice(body.as_bytes());
    frame.freeze()
}

/// Lets the agent send so many more bytes of a call's response.
pub(crate) fn credit(tag: u32, bytes: usize) -> Bytes {
    let mut frame = BytesMut::with_capacity(HEADER_BYTES + 8);
    put_header(&mut frame, 8, 7);
    frame.put_u32_le(tag);
    frame.put_u32_le(u32::try_from(bytes).expect("credit never exceeds the window"));
    frame.freeze()
}

/// What a piece takes from the window of its call.
pub(crate) fn piece_cost(bytes: usize) -> usize {
    bytes.max(PIECE_COST_MIN)
}

/// What stands between the list and the body of an HTTP call. The edge bounds path and headers to a few KB.
pub(crate) fn http_fields(http: &HttpRequest) -> BytesMut {
    let query = http.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
    let client_ip = http.client_ip.map(|ip| ip.to_string()).unwrap_or_default();
    let mut fields = BytesMut::with_capacity(1024);
    fields.put_u32_le(0);
    fields.put_slice(http.method.as_str().as_bytes());
    for text in [&http.path, &query, &http.base_path, &http.host, &client_ip] {
        fields.put_u8(0);
        fields.put_slice(without_nul(text).as_bytes());
    }
    for (name, value) in &http.headers {
        fields.put_u8(0);
        fields.put_slice(name.as_str().as_bytes());
        fields.put_u8(0);
        fields.put_slice(value.as_bytes());
    }
    let size = u32::try_from(fields.len() - 4).expect("path and headers are bounded far below 4 GB");
    fields[..4].copy_from_slice(&size.to_le_bytes());
    fields
}

/// Everything of a request's frame but the event, which follows as it is.
pub(crate) fn ask(ask: Ask, tag: u32, request: &InvokeRequest, event_bytes: usize) -> BytesMut {
    let mut list = String::with_capacity(128);
    list.push_str(request.request_id.as_str());
    list.push('\0');
    list.push_str(&request.retry_count.to_string());
    list.push('\0');
    list.push_str(request.task_id.as_ref().map_or("", |id| id.as_str()));
    list.push('\0');
    list.push_str(request.alias.as_ref().map_or("", |alias| alias.as_str()));
    for text in [&request.tracing.span_context, &request.tracing.span_baggages] {
        list.push('\0');
        list.push_str(&without_nul(text.as_deref().unwrap_or("")));
    }
    // Tracing headers are the only long part; the edge bounds all headers to far less than this.
    let size = u16::try_from(list.len()).unwrap_or(0);
    let list = if size == 0 { request_id_only(request) } else { list };
    let size = u16::try_from(list.len()).expect("a request id has at most 128 bytes");
    let mut frame = BytesMut::with_capacity(HEADER_BYTES + 6 + list.len() + event_bytes.min(COPY_BYTES_MAX));
    put_header(&mut frame, 6 + list.len() + event_bytes, ask as u8);
    frame.put_u32_le(tag);
    frame.put_u16_le(size);
    frame.put_slice(list.as_bytes());
    frame
}

fn request_id_only(request: &InvokeRequest) -> String {
    format!("{}\0{}\0\0\0\0", request.request_id, request.retry_count)
}

fn without_nul(text: &str) -> std::borrow::Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "").into() } else { text.into() }
}

fn put_header(frame: &mut BytesMut, body_bytes: usize, kind: u8) {
    frame.put_u32_le(u32::try_from(body_bytes).expect("payloads are bounded far below 4 GB"));
    frame.put_u8(kind);
}

/// Takes one message from the front of `buffer`; `None` until it is whole.
///
/// # Errors
/// [`Malformed`]: nothing after it can be trusted.
pub(crate) fn decode(buffer: &mut BytesMut) -> Result<Option<Message>, Malformed> {
    if buffer.len() < HEADER_BYTES {
        return Ok(None);
    }
    let length = u32::from_le_bytes(buffer[..4].try_into().expect("four bytes")) as usize;
    let kind = buffer[4];
    let limit = match kind {
        16 | 22 | 23 => 0,
        17 => ERROR_BODY_BYTES_MAX,
        18 => BODY_BYTES_MAX,
        19 => ERROR_BODY_BYTES_MAX + 5,
        20 => HEAD_BYTES_MAX,
        21 => PIECE_BYTES_MAX + 4,
        other => return Err(Malformed::UnknownType(other)),
    };
    if length > limit {
        return Err(Malformed::TooLong(length));
    }
    if buffer.len() < HEADER_BYTES + length {
        buffer.reserve(HEADER_BYTES + length - buffer.len());
        return Ok(None);
    }
    buffer.advance(HEADER_BYTES);
    let body = if length <= COPY_BYTES_MAX {
        let copy = Bytes::copy_from_slice(&buffer[..length]);
        buffer.advance(length);
        copy
    } else {
        buffer.split_to(length).freeze()
    };
    message(kind, body).map(Some)
}

fn message(kind: u8, mut body: Bytes) -> Result<Message, Malformed> {
    match kind {
        16 => return Ok(Message::Ready),
        22 => return Ok(Message::Waiting),
        23 => return Ok(Message::Configured),
        17 => return Ok(Message::StartFailed(body)),
        _ => {}
    }
    let tag = body.try_get_u32_le().map_err(|_| Malformed::TooShort)?;
    match kind {
        18 => Ok(Message::Returned { tag, value: body }),
        19 => {
            let flags = body.try_get_u8().map_err(|_| Malformed::TooShort)?;
            let (handled, replace) = (flags & FLAG_HANDLED != 0, flags & FLAG_REPLACE != 0);
            Ok(Message::Failed { tag, handled, replace, error: body })
        }
        20 => Ok(Message::Head { tag, head: head(body)? }),
        21 => Ok(Message::Piece { tag, piece: body }),
        other => Err(Malformed::UnknownType(other)),
    }
}

fn head(mut body: Bytes) -> Result<Result<ResponseHead, BadHead>, Malformed> {
    let code = body.try_get_u16_le().map_err(|_| Malformed::TooShort)?;
    let Ok(status) = StatusCode::from_u16(code) else { return Ok(Err(BadHead::Status(code))) };
    let mut headers = HeaderMap::new();
    let mut texts = body.split(|byte| *byte == 0);
    while let Some(name) = texts.next() {
        if name.is_empty() && body.is_empty() {
            break;
        }
        let value = texts.next().ok_or(Malformed::NoValue)?;
        if let Err(bad) = add_header(&mut headers, name, value) {
            return Ok(Err(bad));
        }
    }
    Ok(Ok(ResponseHead { status, headers }))
}

fn add_header(headers: &mut HeaderMap, name: &[u8], value: &[u8]) -> Result<(), BadHead> {
    let name = HeaderName::from_bytes(name)
        .map_err(|_| BadHead::Name(String::from_utf8_lossy(&name[..name.len().min(64)]).into_owned()))?;
    let value = HeaderValue::from_bytes(value).map_err(|_| BadHead::Value(name.clone()))?;
    headers.try_append(name, value).map_err(|_| BadHead::TooMany)?;
    Ok(())
}

#[cfg(test)]
mod tests;
