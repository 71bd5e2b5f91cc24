//! The response of one HTTP call, on its way from an instance to whoever waits for it.
//!
//! Owns the rules that hold for every runtime: to a caller who waits the response is passed on as it is made; without one
//! (an asynchronous call) its body is the return value, and a status of 500 or above is a function error (fc-behaviour
//! 12). `x-fc-status: 404` is a function error for both. The instance is hostile: head and body are bounded. What is
//! refused is swallowed to its end, so that the instance stays usable. Holds nothing that a crash could lose.

use bide_types::limits::SYNC_PAYLOAD_BYTES_MAX;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use serde_json::json;

use super::Reply;
use super::frame::ERROR_BODY_BYTES_MAX;
use crate::executor::FunctionErrorKind;
use crate::http_call::{CallerLeft, Responder, ResponseHead};

/// All headers of a response together (FC "HTTP trigger overview").
const HEADER_BLOCK_BYTES_MAX: usize = 8 * 1024;
/// What a header line takes beside its name and value: colon, space, line end.
const HEADER_LINE_BYTES: usize = 4;
/// By which code reports that a call failed, whatever the status says (FC "Specifications", custom runtime).
const STATUS_HEADER: &str = "x-fc-status";

/// Where the response of one call goes.
pub(super) struct ResponseSink<'a> {
    responder: Option<&'a Responder>,
    state: State,
    body_bytes: usize,
}

enum State {
    NoHead,
    Streaming,
    Collecting(BytesMut),
    /// A response that is a function error, with the beginning of its body.
    Failing(StatusCode, BytesMut),
    Refused(Bytes),
}

/// The rest of the response is not wanted.
pub(super) enum Unwanted {
    CallerLeft,
    /// The body is longer than allowed.
    TooLong,
}

impl From<CallerLeft> for Unwanted {
    fn from(_: CallerLeft) -> Self {
        Self::CallerLeft
    }
}

impl<'a> ResponseSink<'a> {
    pub(super) fn new(responder: Option<&'a Responder>) -> Self {
        Self { responder, state: State::NoHead, body_bytes: 0 }
    }

    /// Called once, before the first piece.
    pub(super) fn head(&mut self, head: ResponseHead) -> Result<(), CallerLeft> {
        if !(200..600).contains(&head.status.as_u16()) {
            self.refuse(&format!("the response's status is {}, not one of 200 to 599", head.status.as_u16()));
            return Ok(());
        }
        let bytes = header_bytes(&head.headers);
        if bytes > HEADER_BLOCK_BYTES_MAX {
            self.refuse(&format!(
                "the response's headers have {bytes} bytes, more than the {HEADER_BLOCK_BYTES_MAX} allowed"
            ));
            return Ok(());
        }
        let asynchronous = self.responder.is_none();
        self.state = if is_marked(&head.headers) || asynchronous && head.status.as_u16() >= 500 {
            State::Failing(head.status, BytesMut::new())
        } else if let Some(responder) = self.responder {
            responder.begin(head)?;
            State::Streaming
        } else {
            State::Collecting(BytesMut::new())
        };
        Ok(())
    }

    /// The head cannot be passed on.
    pub(super) fn refuse(&mut self, why: &str) {
        self.state = State::Refused(error_json(why));
    }

    pub(super) async fn piece(&mut self, piece: Bytes) -> Result<(), Unwanted> {
        self.body_bytes += piece.len();
        if self.body_bytes > SYNC_PAYLOAD_BYTES_MAX {
            return Err(Unwanted::TooLong);
        }
        match &mut self.state {
            State::Streaming => {
                if let Some(responder) = self.responder
                    && !piece.is_empty()
                {
                    responder.piece(piece).await?;
                }
            }
            State::Collecting(body) => body.extend_from_slice(&piece),
            State::Failing(_, body) => {
                let room = ERROR_BODY_BYTES_MAX.saturating_sub(body.len());
                body.extend_from_slice(&piece[..piece.len().min(room)]);
            }
            State::NoHead | State::Refused(_) => {}
        }
        Ok(())
    }

    /// The response is whole.
    pub(super) fn finish(self) -> Reply {
        match self.state {
            State::NoHead => failed(error_json("the handler ended without a response")),
            State::Streaming => Reply::Returned(Bytes::new()),
            State::Collecting(body) => Reply::Returned(body.freeze()),
            State::Failing(status, body) => failed(error_of(status, &body.freeze())),
            State::Refused(error) => failed(error),
        }
    }
}

/// The answer to a call whose response was broken off for its length. What still runs must not meet the next call.
pub(super) fn too_long() -> Reply {
    let error = error_json(&format!(
        "the response's body has more than the {SYNC_PAYLOAD_BYTES_MAX} bytes that are allowed"
    ));
    Reply::Failed { kind: FunctionErrorKind::Unhandled, error, replace: true }
}

/// Whether the code says of its response that it is a failure.
pub(super) fn is_marked(headers: &HeaderMap) -> bool {
    headers.get(STATUS_HEADER).is_some_and(|value| value == "404")
}

/// The error JSON of a response that stands for a failure: its body if that is an object, a text about it otherwise.
pub(super) fn error_of(status: StatusCode, body: &Bytes) -> Bytes {
    if serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(body).is_ok() {
        return body.clone();
    }
    let message = String::from_utf8_lossy(body);
    let message = if message.is_empty() { format!("status {}", status.as_u16()).into() } else { message };
    json!({ "errorMessage": message, "errorType": "FunctionUnhandledError" }).to_string().into()
}

fn failed(error: Bytes) -> Reply {
    Reply::Failed { kind: FunctionErrorKind::Unhandled, error, replace: false }
}

fn error_json(message: &str) -> Bytes {
    json!({ "errorMessage": message, "errorType": "BadResponse", "stackTrace": [] }).to_string().into()
}

fn header_bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + HEADER_LINE_BYTES).sum()
}

#[cfg(test)]
mod tests;
