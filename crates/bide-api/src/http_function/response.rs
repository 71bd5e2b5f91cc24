//! The way of a function's response to the caller.
//!
//! Owns what the caller gets when: the body piece by piece at the caller's pace; or, where the answer needs what is known
//! only at the end (the log) or has no body, after the attempt's end. A body that breaks off breaks the connection, so
//! nobody takes a part for the whole. Dropping a response, as when the caller leaves, cancels its attempt.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::{Body, HttpBody};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bide_engine::{AttemptOutcome, AttemptResult, BrokenOff, HttpResponse};
use bide_types::ErrorCode;
use bytes::{Bytes, BytesMut};
use hyper::body::{Frame, SizeHint};

use super::{Answer, ERROR_TYPE, json};
use crate::body::{Received, Room};
use crate::error::ApiError;
use crate::invocation::{error_type, text};

const LOG_RESULT: &str = "x-fc-log-result";

/// The answer for a function that failed before it answered (fc-api 3.2).
pub(super) fn failed(outcome: AttemptOutcome, log_tail: bool) -> Response<Body> {
    let AttemptResult::FunctionError { kind, body, .. } = outcome.result else {
        unreachable!("the engine hands out function errors only");
    };
    let mut response = json(StatusCode::BAD_GATEWAY, body);
    let headers = response.headers_mut();
    headers.insert(ERROR_TYPE, HeaderValue::from_static(error_type(kind)));
    headers.insert("x-fc-instance-id", text(outcome.instance.as_str()));
    if log_tail {
        headers.insert(LOG_RESULT, text(&BASE64.encode(&outcome.log_tail)));
    }
    response
}

/// Whether no response of this status has a body (RFC 9110, 6.4.1).
pub(super) fn has_no_body(status: StatusCode) -> bool {
    matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// Lets the attempt end, and answers with the head alone.
pub(super) async fn without_body(mut response: HttpResponse, head: Response<()>, log_tail: bool) -> Answer {
    while let Some(piece) = response.piece().await {
        piece.map_err(broken_off)?;
    }
    let mut head = head.map(|()| Body::empty());
    if log_tail {
        head.headers_mut().insert(LOG_RESULT, text(&BASE64.encode(response.log_tail())));
    }
    Ok(head)
}

/// Gathers the whole response, then answers with it and the log.
pub(super) async fn gathered(mut response: HttpResponse, mut head: Response<()>, room: &Room) -> Answer {
    let mut held = None;
    let mut whole = BytesMut::new();
    while let Some(piece) = response.piece().await {
        let piece = piece.map_err(broken_off)?;
        room.hold(&mut held, whole.len() + piece.len())?;
        whole.extend_from_slice(&piece);
    }
    head.headers_mut().remove(header::CONTENT_LENGTH); // that of the body which came
    head.headers_mut().insert(LOG_RESULT, text(&BASE64.encode(response.log_tail())));
    Ok(head.map(|()| Body::new(Keeping { body: Body::from(whole.freeze()), _kept: held })))
}

/// Answers at once; the body follows as the function makes it. The room of the request's body is held until then.
pub(super) fn streamed(response: HttpResponse, mut head: Response<()>, request: Received) -> Response<Body> {
    let promised = promised_bytes(head.headers());
    head.headers_mut().remove(header::CONTENT_LENGTH); // the size hint says it
    let mut body = Streamed { response, promised, sent: 0 };
    body.note_whole();
    let body = Body::new(body);
    head.map(|()| Body::new(Keeping { body, _kept: request }))
}

fn broken_off(_: BrokenOff) -> ApiError {
    ApiError::new(ErrorCode::BadResponse, "the function's response broke off")
}

/// What the function says that its body's size is. What is no number is no promise.
fn promised_bytes(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// A response body under way.
struct Streamed {
    response: HttpResponse,
    promised: Option<u64>,
    sent: u64,
}

/// Why a response body ended early.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error(transparent)]
    Off(#[from] BrokenOff),
    #[error("the function's response is not as long as it said")]
    Promise,
}

impl Streamed {
    /// A body of announced length is not asked for its end once it has that length: it is dropped.
    fn note_whole(&mut self) {
        if self.promised == Some(self.sent) {
            self.response.let_end();
        }
    }
}

impl HttpBody for Streamed {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let piece = match ready!(self.response.poll_piece(context)) {
            Some(Ok(piece)) => piece,
            Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
            None if self.promised.is_none_or(|promised| promised == self.sent) => return Poll::Ready(None),
            None => return Poll::Ready(Some(Err(Broken::Promise))),
        };
        self.sent += u64::try_from(piece.len()).unwrap_or(u64::MAX);
        if self.promised.is_some_and(|promised| promised < self.sent) {
            return Poll::Ready(Some(Err(Broken::Promise)));
        }
        self.note_whole();
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn size_hint(&self) -> SizeHint {
        self.promised.map_or_else(SizeHint::default, |promised| {
            SizeHint::with_exact(promised.saturating_sub(self.sent))
        })
    }
}

/// A body that keeps something until it was sent.
struct Keeping<T> {
    body: Body,
    _kept: T,
}

impl<T: Unpin> HttpBody for Keeping<T> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
