//! Reading request bodies within bounds.
//!
//! Owns the rule that no body is buffered beyond its limit, no crowd of bodies beyond [`ROOM_BYTES_MAX`], and none is
//! waited for beyond [`STALL_MAX`]; and the draining of what a refused caller still sends (without it the caller would
//! often see a reset connection instead of the answer).
//! A body of one piece is taken over without a copy. Keeps nothing between calls.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::http::{HeaderMap, header};
use bide_env::Clock;
use bide_types::{ErrorCode, limits};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::ApiError;

/// A sender that delivers nothing for this long is given up.
const STALL_MAX: Duration = Duration::from_secs(30);
/// Time for a whole body, whatever its pace.
const READ_MAX: Duration = Duration::from_secs(300);
/// How much of a refused body is read and thrown away, and for how long: more than any event, so that a caller whose
/// event is too large reads why.
const DRAIN_BYTES_MAX: u64 = 64 * 1024 * 1024;
const DRAIN_MAX: Duration = Duration::from_secs(10);
/// A body up to this size needs no room of its own; with the bound on connections that is bounded, too.
const SMALL_BYTES_MAX: usize = limits::ASYNC_PAYLOAD_BYTES_MAX;
/// All larger bodies that are held at once.
const ROOM_BYTES_MAX: usize = 1024 * 1024 * 1024;

const _: () = assert!(limits::MANAGEMENT_BODY_BYTES_MAX < ROOM_BYTES_MAX, "one code upload must fit");

/// Where bodies are held; all calls of a server share one.
#[derive(Debug)]
pub(crate) struct Room {
    free_kib: Arc<Semaphore>,
}

/// A body, and the room that it takes for as long as this lives.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) bytes: Bytes,
    _held: Option<OwnedSemaphorePermit>,
}

impl Room {
    pub(crate) fn new() -> Self {
        Self { free_kib: Arc::new(Semaphore::new(ROOM_BYTES_MAX / 1024)) }
    }

    /// The whole body.
    ///
    /// # Errors
    /// `EntityTooLarge` as soon as it is known to exceed `limit_bytes`, from its announced length or while it arrives;
    /// `ResourceExhausted` when other large bodies leave no room; `InvalidArgument` when it ends early or stalls.
    pub(crate) async fn read(
        &self,
        body: &mut Body,
        limit_bytes: usize,
        clock: &dyn Clock,
    ) -> Result<Received, ApiError> {
        within(clock, READ_MAX, self.read_pieces(body, limit_bytes, clock))
            .await
            .unwrap_or_else(|| Err(stalled()))
    }

    async fn read_pieces(
        &self,
        body: &mut Body,
        limit_bytes: usize,
        clock: &dyn Clock,
    ) -> Result<Received, ApiError> {
        if body.size_hint().lower() > u64::try_from(limit_bytes).unwrap_or(u64::MAX) {
            return Err(ApiError::payload_too_large(limit_bytes));
        }
        let Some(first) = next_data(body, clock).await? else {
            return Ok(Received { bytes: Bytes::new(), _held: None });
        };
        if first.len() > limit_bytes {
            return Err(ApiError::payload_too_large(limit_bytes));
        }
        let mut held = None;
        let mut gathered: Option<BytesMut> = None;
        while let Some(data) = next_data(body, clock).await? {
            let buffer = gathered.get_or_insert_with(|| BytesMut::from(&first[..]));
            let length = buffer.len() + data.len();
            if length > limit_bytes {
                return Err(ApiError::payload_too_large(limit_bytes));
            }
            self.hold(&mut held, length)?;
            buffer.extend_from_slice(&data);
        }
        Ok(Received { bytes: gathered.map_or(first, BytesMut::freeze), _held: held })
    }

    /// Extends `held` to `bytes`.
    ///
    /// # Errors
    /// `ResourceExhausted` when other large bodies leave no room.
    pub(crate) fn hold(&self, held: &mut Option<OwnedSemaphorePermit>, bytes: usize) -> Result<(), ApiError> {
        let have = held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let missing = if bytes <= SMALL_BYTES_MAX { 0 } else { bytes.div_ceil(1024).saturating_sub(have) };
        if missing == 0 {
            return Ok(());
        }
        let missing = u32::try_from(missing).expect("a body is bounded");
        let more = Arc::clone(&self.free_kib).try_acquire_many_owned(missing).map_err(|_| {
            ApiError::new(
                ErrorCode::ResourceExhausted,
                "too many large bodies are in flight; try again later",
            )
        })?;
        match held {
            Some(held) => held.merge(more),
            None => *held = Some(more),
        }
        Ok(())
    }
}

/// Reads and drops what is left of the body of a refused request, within bounds. A caller that waits for
/// `100 Continue` has sent nothing and must not be told to.
pub(crate) async fn drain(body: &mut Body, headers: &HeaderMap, clock: &dyn Clock) {
    if headers.contains_key(header::EXPECT) || body.size_hint().lower() > DRAIN_BYTES_MAX {
        return;
    }
    let draining = async {
        let mut drained = 0_u64;
        while drained <= DRAIN_BYTES_MAX {
            match next_data(body, clock).await {
                Ok(Some(data)) => {
                    drained = drained.saturating_add(u64::try_from(data.len()).unwrap_or(u64::MAX))
                }
                Ok(None) | Err(_) => return,
            }
        }
    };
    within(clock, DRAIN_MAX, draining).await;
}

fn stalled() -> ApiError {
    ApiError::invalid("the request body stalled; send it without long pauses")
}

/// The next non-empty piece; `None` at the end.
async fn next_data(body: &mut Body, clock: &dyn Clock) -> Result<Option<Bytes>, ApiError> {
    loop {
        if body.is_end_stream() {
            return Ok(None);
        }
        let frame = match within(clock, STALL_MAX, body.frame()).await {
            None => return Err(stalled()),
            Some(None) => return Ok(None),
            Some(Some(Err(error))) => {
                tracing::debug!(%error, "request body broke off");
                return Err(ApiError::invalid("the request body ended before its announced length"));
            }
            Some(Some(Ok(frame))) => frame,
        };
        match frame.into_data() {
            Ok(data) if !data.is_empty() => return Ok(Some(data)),
            Ok(_) | Err(_) => {} // empty, or trailers
        }
    }
}

/// `future`'s result, or `None` after `limit`. The timer is made only if the result is not there at once.
async fn within<T>(clock: &dyn Clock, limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut timer = None;
    std::future::poll_fn(|context| {
        if let Poll::Ready(value) = future.as_mut().poll(context) {
            return Poll::Ready(Some(value));
        }
        timer.get_or_insert_with(|| clock.sleep(limit)).as_mut().poll(context).map(|()| None)
    })
    .await
}

#[cfg(test)]
mod tests;
