//! Synchronous HTTP calls: one attempt whose response streams to the caller as the function makes it.
//!
//! Owns the attempt from the call to the end of its response: it goes on at its own pace, whatever the caller's, and is
//! cancelled when the caller leaves, so an instance never works for nobody. A crash breaks the connection; nothing was
//! promised.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use bide_core::CallKind;
use bide_runtime::{
    AttemptOutcome, AttemptResult, Cancel, HttpRequest, InvokeRequest, Responder, ResponseHead, Tracing,
};
use bide_types::limits::HTTP_RESPONSE_BYTES_MAX;
use bide_types::{InstanceId, RequestId, TraceParent};
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use crate::catalog::Target;
use crate::error::Error;
use crate::invoke::told;
use crate::observer::Began;
use crate::start::Engine;

/// An HTTP call that waits for its response.
#[derive(Clone, Debug)]
pub struct HttpCall {
    pub request_id: RequestId,
    pub request: HttpRequest,
    pub body: Bytes,
    pub tracing: Tracing,
    /// The trace that the caller is in.
    pub parent: Option<TraceParent>,
}

/// What came of a call.
#[derive(Debug)]
pub enum HttpAnswer {
    Response(HttpResponse),
    /// The function failed before it answered; the result is a function error.
    Failed(Box<AttemptOutcome>),
}

/// A response under way. Dropping it before its end cancels the attempt (see [`HttpResponse::let_end`]).
#[derive(Debug)]
pub struct HttpResponse {
    pub head: ResponseHead,
    pub instance: Option<InstanceId>,
    request_id: RequestId,
    pieces: mpsc::Receiver<Bytes>,
    received_bytes: usize,
    attempt: Attempt,
    log_tail: Bytes,
}

/// The response will never be whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the response broke off")]
pub struct BrokenOff;

/// An attempt that runs by itself, until this is dropped.
#[derive(Debug)]
struct Attempt {
    end: oneshot::Receiver<AttemptOutcome>,
    cancel: Cancel,
    /// Whether it ends by itself even when this is dropped.
    let_end: bool,
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if !self.let_end {
            self.cancel.cancel(); // means nothing to an attempt that has ended
        }
    }
}

impl Engine {
    /// Runs a function for an HTTP call; returns when its response begins.
    ///
    /// # Errors
    /// [`Error::Exhausted`] at an instance cap, [`Error::System`] when the platform could not run it,
    /// [`Error::BadResponse`] when the function ended well without an answer.
    pub async fn invoke_http(&self, target: &Target, call: HttpCall) -> Result<HttpAnswer, Error> {
        self.check_open()?;
        let began = Began::now(&self.shared);
        let slot = self.reserve_slot(target).await?;
        let span = self.shared.span_of_call(&call.request_id, began, call.parent);
        let (responder, stream) = Responder::channel();
        let request = InvokeRequest {
            request_id: call.request_id.clone(),
            payload: call.body,
            retry_count: 0,
            task_id: None,
            alias: target.alias(),
            tracing: told(span, call.tracing),
            http: Some(Arc::new(call.request)),
            responder: Some(responder),
        };
        let instance = Arc::new(OnceLock::new());
        let started = Arc::clone(&instance);
        let (cancel, (ended, end)) = (Cancel::new(), oneshot::channel());
        let attempt = Attempt { end, cancel: cancel.clone(), let_end: false };
        // On its own, so that a caller who reads slowly does not stop the attempt's clock. It ends with the response at
        // the latest: dropping that cancels it.
        let (shared, target, request_id) =
            (Arc::clone(&self.shared), target.clone(), call.request_id.clone());
        tokio::spawn(async move {
            let started = Box::new(move |instance| {
                let _ = started.set(instance); // told once only
            });
            let outcome = slot.invoke(request, cancel, started).await;
            shared.observe_sync(&target, &request_id, CallKind::Http, (began, span), &outcome);
            let _ = ended.send(outcome); // a caller may have left
        });
        match stream.head.await {
            Ok(head) => Ok(HttpAnswer::Response(HttpResponse {
                head,
                instance: instance.get().cloned(),
                request_id: call.request_id,
                pieces: stream.body,
                received_bytes: 0,
                attempt,
                log_tail: Bytes::new(),
            })),
            Err(_) => without_response(attempt).await,
        }
    }
}

async fn without_response(mut attempt: Attempt) -> Result<HttpAnswer, Error> {
    let Ok(outcome) = (&mut attempt.end).await else {
        return Err(Error::System("the attempt broke off".to_owned())); // the panic hook has said why
    };
    match outcome.result {
        AttemptResult::FunctionError { .. } => Ok(HttpAnswer::Failed(Box::new(outcome))),
        AttemptResult::Returned(_) => Err(Error::BadResponse("the function ended without a response")),
        AttemptResult::SystemError { message } => Err(Error::System(message)),
        AttemptResult::Stopped => Err(Error::ShuttingDown),
    }
}

impl HttpResponse {
    /// The next piece of the body, or `None` when it was whole. After an error there is nothing more to come.
    pub fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BrokenOff>>> {
        let Some(piece) = ready!(self.pieces.poll_recv(context)) else { return self.poll_end(context) };
        self.received_bytes += piece.len();
        if self.received_bytes > HTTP_RESPONSE_BYTES_MAX {
            self.attempt.cancel.cancel();
            tracing::warn!(request_id = %self.request_id, "a response was cut at {HTTP_RESPONSE_BYTES_MAX} bytes");
            return Poll::Ready(Some(Err(BrokenOff)));
        }
        Poll::Ready(Some(Ok(piece)))
    }

    /// [`HttpResponse::poll_piece`] to wait for.
    ///
    /// # Errors
    /// [`BrokenOff`].
    pub async fn piece(&mut self) -> Option<Result<Bytes, BrokenOff>> {
        std::future::poll_fn(|context| self.poll_piece(context)).await
    }

    /// The caller has all that it was promised: from now on dropping this leaves the attempt to its own end.
    pub fn let_end(&mut self) {
        self.attempt.let_end = true;
    }

    /// At most the last 4 KB that the attempt logged; empty before the end of the body.
    pub fn log_tail(&self) -> &Bytes {
        &self.log_tail
    }

    /// The body is whole if the attempt says so.
    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BrokenOff>>> {
        let outcome = ready!(Pin::new(&mut self.attempt.end).poll(context));
        Poll::Ready(match outcome {
            Ok(AttemptOutcome { result: AttemptResult::Returned(_), log_tail, .. }) => {
                self.log_tail = log_tail;
                None
            }
            Ok(outcome) => {
                tracing::warn!(request_id = %self.request_id, result = ?outcome.result, "a response broke off");
                Some(Err(BrokenOff))
            }
            Err(_) => Some(Err(BrokenOff)),
        })
    }
}
