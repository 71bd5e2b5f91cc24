//! An HTTP call on its way to a function, and the response on its way back (fc-behaviour 5).
//!
//! Owns the vocabulary between the edge and the runtimes. The request's body is the payload of the attempt, whole and
//! bounded; the response streams: its head first, then its body piece by piece, at the pace of the reader. Never reads a
//! socket, and holds nothing that a crash could lose.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};

pub use bide_types::resource::HttpFormat;
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use tokio::sync::{mpsc, oneshot};

/// Pieces of a response body that wait for a slow reader.
const PIECES_WAITING_MAX: usize = 4;

/// What the function sees of the call, except the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    pub method: Method,
    /// Percent-encoded as the caller sent it, without `base_path`; starts with `/`.
    pub path: String,
    /// What followed `?`, as sent; `None` without a `?`.
    pub query: Option<String>,
    /// As sent, after the header rules of fc-behaviour 5.2.
    pub headers: HeaderMap,
    /// What the trigger's address took off the front of the path: empty on a domain of its own.
    pub base_path: String,
    /// The host that the caller addressed.
    pub host: String,
    pub client_ip: Option<IpAddr>,
    pub format: HttpFormat,
}

/// The beginning of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseHead {
    pub status: StatusCode,
    pub headers: HeaderMap,
}

/// The caller no longer reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the caller has left")]
pub struct CallerLeft;

/// Where a runtime sends the response of one call; clones share it.
#[derive(Clone, Debug)]
pub struct Responder {
    head: Arc<Mutex<Option<oneshot::Sender<ResponseHead>>>>,
    body: mpsc::Sender<Bytes>,
}

/// The reading end of a [`Responder`]. The body ends when all responders are gone; whether it is whole is what the
/// attempt's outcome says.
#[derive(Debug)]
pub struct ResponseStream {
    pub head: oneshot::Receiver<ResponseHead>,
    pub body: mpsc::Receiver<Bytes>,
}

impl Responder {
    pub fn channel() -> (Self, ResponseStream) {
        let (head, head_receiver) = oneshot::channel();
        let (body, body_receiver) = mpsc::channel(PIECES_WAITING_MAX);
        let stream = ResponseStream { head: head_receiver, body: body_receiver };
        (Self { head: Arc::new(Mutex::new(Some(head))), body }, stream)
    }

    /// Sends the head; only the first counts.
    ///
    /// # Errors
    /// [`CallerLeft`], also after the first head.
    pub fn begin(&self, head: ResponseHead) -> Result<(), CallerLeft> {
        let sender = self.head.lock().expect("nothing panics while it holds the lock").take();
        sender.ok_or(CallerLeft)?.send(head).map_err(|_| CallerLeft)
    }

    /// Sends a piece of the body, waiting for the reader.
    ///
    /// # Errors
    /// [`CallerLeft`].
    pub async fn piece(&self, piece: Bytes) -> Result<(), CallerLeft> {
        self.body.send(piece).await.map_err(|_| CallerLeft)
    }
}
