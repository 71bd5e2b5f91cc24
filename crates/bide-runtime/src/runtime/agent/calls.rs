//! The calls of one agent that have no answer yet.
//!
//! Owns who waits for what, and the window of each response. A call is expected before it is sent and forgotten with its
//! answer; an answer that nobody expects, or a response beyond its window, is a breach of the protocol. At most
//! `instanceConcurrency` calls and one hook. Held in memory only.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use crate::http_call::ResponseHead;
use crate::runtime::Reply;
use crate::runtime::frame::{BadHead, PIECE_COST_MIN, WINDOW_BYTES, piece_cost};

/// Parts that a window has room for: pieces of the least cost, the head and the end.
const PARTS_MAX: usize = WINDOW_BYTES / PIECE_COST_MIN + 2;

/// Open calls by tag; `None` once the agent is gone.
pub(super) struct Calls(Mutex<Option<HashMap<u32, Call>>>);

enum Call {
    Answer(oneshot::Sender<Reply>),
    Response { parts: mpsc::Sender<Part>, has_head: bool, under_way: Arc<AtomicUsize> },
}

/// What comes of an HTTP call: a head, pieces, and in any case an end.
pub(super) enum Part {
    Head(Result<ResponseHead, BadHead>),
    Piece(Bytes),
    End(Reply),
}

/// The receiving end of one response.
pub(super) struct Parts {
    parts: mpsc::Receiver<Part>,
    /// Cost of the pieces that were received and not yet given back as credit.
    under_way: Arc<AtomicUsize>,
    /// Of these, what was taken.
    taken: usize,
}

impl Default for Calls {
    fn default() -> Self {
        Self(Mutex::new(Some(HashMap::new())))
    }
}

impl Calls {
    /// `None` when the agent is gone.
    pub(super) fn expect_answer(&self, tag: u32) -> Option<oneshot::Receiver<Reply>> {
        let (sender, receiver) = oneshot::channel();
        self.lock().as_mut()?.insert(tag, Call::Answer(sender));
        Some(receiver)
    }

    /// `None` when the agent is gone.
    pub(super) fn expect_response(&self, tag: u32) -> Option<Parts> {
        let (sender, receiver) = mpsc::channel(PARTS_MAX);
        let under_way = Arc::new(AtomicUsize::new(0));
        let call = Call::Response { parts: sender, has_head: false, under_way: Arc::clone(&under_way) };
        self.lock().as_mut()?.insert(tag, call);
        Some(Parts { parts: receiver, under_way, taken: 0 })
    }

    /// The last answer to a call; `false` if nobody asked, or if who asked has given up and is about to end the instance.
    pub(super) fn end(&self, tag: u32, reply: Reply) -> bool {
        match self.lock().as_mut().and_then(|open| open.remove(&tag)) {
            Some(Call::Answer(answer)) => answer.send(reply).is_ok(),
            Some(Call::Response { parts, .. }) => parts.try_send(Part::End(reply)).is_ok(),
            None => false,
        }
    }

    /// At most one for each call.
    pub(super) fn head(&self, tag: u32, head: Result<ResponseHead, BadHead>) -> bool {
        match self.lock().as_mut().and_then(|open| open.get_mut(&tag)) {
            Some(Call::Response { parts, has_head, .. }) => {
                !std::mem::replace(has_head, true) && parts.try_send(Part::Head(head)).is_ok()
            }
            Some(Call::Answer(_)) | None => false,
        }
    }

    /// Only after the head, and within the window.
    pub(super) fn piece(&self, tag: u32, piece: Bytes) -> bool {
        let cost = piece_cost(piece.len());
        match self.lock().as_ref().and_then(|open| open.get(&tag)) {
            Some(Call::Response { parts, has_head: true, under_way }) => {
                under_way.fetch_add(cost, Ordering::Relaxed) + cost <= WINDOW_BYTES
                    && parts.try_send(Part::Piece(piece)).is_ok()
            }
            Some(_) | None => false,
        }
    }

    /// Ends every open call and refuses new ones.
    pub(super) fn close(&self) {
        self.lock().take();
    }

    pub(super) fn is_open(&self) -> bool {
        self.lock().is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Option<HashMap<u32, Call>>> {
        self.0.lock().expect("nothing panics while it holds the lock")
    }
}

impl Parts {
    /// `None` when the agent is gone.
    pub(super) async fn next(&mut self) -> Option<Part> {
        self.parts.recv().await
    }

    /// A piece of that cost has reached the caller. What is to be given back as credit, once that is half of the window:
    /// the other half always has room for a piece.
    pub(super) fn taken(&mut self, cost: usize) -> Option<usize> {
        self.taken += cost;
        if self.taken < WINDOW_BYTES / 2 {
            return None;
        }
        let bytes = std::mem::take(&mut self.taken);
        self.under_way.fetch_sub(bytes, Ordering::Relaxed);
        Some(bytes)
    }
}

#[cfg(test)]
mod tests;
