//! The protocol between the server and its own agents, over one stream socket.
//!
//! Every frame is `u32 length | u8 type | body`; numbers are little-endian, the length is that of the body. Texts are
//! UTF-8; a list of texts is joined by NUL bytes, which no text contains.
//!
//! | type | direction | body |
//! |---|---|---|
//! | 1 configure | to the agent, first | list of `name=value` |
//! | 2 initialize, 3 invoke | to the agent | `u32 tag`, `u16 size`, *size* bytes of list (request id, retry count, task id, span context, span baggages), event |
//! | 16 ready | to the server, once | empty |
//! | 17 start failed | to the server, once, instead | error JSON |
//! | 18 returned | to the server | `u32 tag`, return value |
//! | 19 failed | to the server | `u32 tag`, `u8 flags` (1: handled, 2: replace the instance), error JSON |
//!
//! Owns encoding and decoding. The agent's process runs hostile code, so decoding bounds every length and an
//! unexpected byte ends the conversation; it never panics. Nothing here survives a crash.

use bide_types::limits::SYNC_PAYLOAD_BYTES_MAX;
use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::executor::InvokeRequest;

/// Largest body that an agent may send: a full return value and its tag.
pub(crate) const BODY_BYTES_MAX: usize = SYNC_PAYLOAD_BYTES_MAX + 4;
/// Largest error JSON that is kept; an agent that sends more breaks the protocol.
pub(crate) const ERROR_BODY_BYTES_MAX: usize = 256 * 1024;
/// Values up to this size are copied out of the read buffer, so that a small result never pins a large buffer.
const COPY_BYTES_MAX: usize = 16 * 1024;
const HEADER_BYTES: usize = 5;
const FLAG_HANDLED: u8 = 1;
const FLAG_REPLACE: u8 = 2;

/// What the server asks for with a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    Initialize = 2,
    Invoke = 3,
}

/// What an agent says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Message {
    Ready,
    StartFailed(Bytes),
    Returned { tag: u32, value: Bytes },
    Failed { tag: u32, handled: bool, replace: bool, error: Bytes },
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
}

/// The first frame: `name=value` pairs.
pub(crate) fn configure(pairs: &[(&str, String)]) -> Bytes {
    let body: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{name}={}", without_nul(value))).collect();
    let body = body.join("\0");
    let mut frame = BytesMut::with_capacity(HEADER_BYTES + body.len());
    put_header(&mut frame, body.len(), 1);
    frame.put_slice(body.as_bytes());
    frame.freeze()
}

/// Everything of a request's frame but the event, which follows as it is.
pub(crate) fn ask(ask: Ask, tag: u32, request: &InvokeRequest, event_bytes: usize) -> BytesMut {
    let mut list = String::with_capacity(128);
    list.push_str(request.request_id.as_str());
    list.push('\0');
    list.push_str(&request.retry_count.to_string());
    list.push('\0');
    list.push_str(request.task_id.as_ref().map_or("", |id| id.as_str()));
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
    format!("{}\0{}\0\0\0", request.request_id, request.retry_count)
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
        16 => 0,
        17 => ERROR_BODY_BYTES_MAX,
        18 => BODY_BYTES_MAX,
        19 => ERROR_BODY_BYTES_MAX + 5,
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
        16 => Ok(Message::Ready),
        17 => Ok(Message::StartFailed(body)),
        18 => {
            let tag = body.try_get_u32_le().map_err(|_| Malformed::TooShort)?;
            Ok(Message::Returned { tag, value: body })
        }
        19 => {
            let tag = body.try_get_u32_le().map_err(|_| Malformed::TooShort)?;
            let flags = body.try_get_u8().map_err(|_| Malformed::TooShort)?;
            let (handled, replace) = (flags & FLAG_HANDLED != 0, flags & FLAG_REPLACE != 0);
            Ok(Message::Failed { tag, handled, replace, error: body })
        }
        other => Err(Malformed::UnknownType(other)),
    }
}

#[cfg(test)]
mod tests;
