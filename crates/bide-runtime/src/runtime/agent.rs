//! Speaking to our own agents: many requests over one socket.
//!
//! Owns the socket, the tags and the task that reads answers. One write and one read per call; the reading task wakes
//! the caller directly. Everything that comes out of the socket is hostile: a frame that breaks the protocol ends the
//! conversation, and so the instance. When the reading task ends, every open call ends as [`Broken::Lost`].

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use bide_types::RequestId;
use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::frame::{self, Ask, Message};
use super::{Broken, Channel, Live, Reply, Start, StartFailure};
use crate::executor::{BoxFuture, FunctionErrorKind, InvokeRequest, Tracing};

/// Read buffer to begin with; it grows with the message, within the protocol's bounds.
const READ_BYTES: usize = 64 * 1024;
/// Events up to this size travel in the same buffer as their header.
const JOINED_BYTES_MAX: usize = 16 * 1024;

/// Launches `argv` with a control socket, configures it and waits until it has loaded the handler.
pub(super) async fn start(start: &Start<'_>, argv: Vec<OsString>) -> Result<Live, StartFailure> {
    let system = |error: std::io::Error| StartFailure::System(format!("control socket: {error}"));
    let (ours, theirs) = StdUnixStream::pair().map_err(system)?;
    ours.set_nonblocking(true).map_err(system)?;
    let process = start.launch(argv, Vec::new(), Some(theirs.into())).await?;
    let (mut reader, mut writer) = UnixStream::from_std(ours).map_err(system)?.into_split();

    let configure = configuration(start);
    let mut buffer = BytesMut::with_capacity(READ_BYTES);
    // A process that died at once breaks the pipe; the answer, or its absence, says more.
    let _ = writer.write_all(&configure).await;
    match receive(&mut reader, &mut buffer).await {
        Some(Message::Ready) => {
            Ok(Live { process, channel: Box::new(AgentChannel::new(reader, writer, buffer)) })
        }
        Some(Message::StartFailed(error)) => Err(StartFailure::reported(error)),
        Some(Message::Returned { .. } | Message::Failed { .. }) | None => {
            Err(StartFailure::not_started("Process exited unexpectedly before the handler was loaded"))
        }
    }
}

fn configuration(start: &Start<'_>) -> Bytes {
    let function = &start.spec.function;
    frame::configure(&[
        ("function", function.name.to_string()),
        ("handler", function.handler.clone()),
        ("initializer", function.initializer.clone().unwrap_or_default()),
        ("memory_mb", function.memory_mb.to_string()),
        ("timeout_seconds", function.timeout_seconds.to_string()),
        ("initialization_timeout_seconds", function.initialization_timeout_seconds.to_string()),
        ("service", function.service.to_string()),
        ("qualifier", start.spec.qualifier.to_string()),
        ("version_id", start.spec.version_id.clone()),
        ("region", start.spec.region.clone()),
        ("account_id", function.account.to_string()),
        ("concurrency", function.instance_concurrency.to_string()),
    ])
}

/// The next message; `None` when the agent is gone or breaks the protocol.
async fn receive(reader: &mut OwnedReadHalf, buffer: &mut BytesMut) -> Option<Message> {
    loop {
        match frame::decode(buffer) {
            Ok(Some(message)) => return Some(message),
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(%error, "an agent broke the protocol");
                return None;
            }
        }
        if buffer.capacity() - buffer.len() < READ_BYTES / 4 {
            buffer.reserve(READ_BYTES);
        }
        match reader.read_buf(buffer).await {
            Ok(read) if read > 0 => {}
            Ok(_) | Err(_) => return None,
        }
    }
}

struct AgentChannel {
    writer: tokio::sync::Mutex<OwnedWriteHalf>,
    open: Arc<Open>,
    next_tag: AtomicU32,
    reading: JoinHandle<()>,
}

/// Calls without an answer; `None` once the agent is gone. At most `instanceConcurrency` of them.
#[derive(Default)]
struct Open(Mutex<Option<HashMap<u32, oneshot::Sender<Reply>>>>);

impl Open {
    fn lock(&self) -> MutexGuard<'_, Option<HashMap<u32, oneshot::Sender<Reply>>>> {
        self.0.lock().expect("nothing panics while it holds the lock")
    }

    /// Hands an answer to its call; `false` if nobody asked.
    fn settle(&self, tag: u32, reply: Reply) -> bool {
        let call = self.lock().as_mut().and_then(|open| open.remove(&tag));
        // A caller that has given up is about to kill the instance.
        call.is_some_and(|call| call.send(reply).is_ok())
    }
}

impl AgentChannel {
    fn new(reader: OwnedReadHalf, writer: OwnedWriteHalf, buffer: BytesMut) -> Self {
        let open = Arc::new(Open(Mutex::new(Some(HashMap::new()))));
        let reading = tokio::spawn(read_answers(reader, buffer, Arc::clone(&open)));
        Self { writer: tokio::sync::Mutex::new(writer), open, next_tag: AtomicU32::new(0), reading }
    }

    async fn call(&self, ask: Ask, request: &InvokeRequest) -> Result<Reply, Broken> {
        let tag = self.next_tag.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        self.open.lock().as_mut().ok_or(Broken::NotSent)?.insert(tag, sender);
        if self.write(frame::ask(ask, tag, request, request.payload.len()), &request.payload).await.is_err() {
            // Nothing was written if the agent was gone before; an agent that ends while it reads has not begun.
            return Err(Broken::NotSent);
        }
        receiver.await.map_err(|_| Broken::Lost)
    }

    async fn write(&self, mut head: BytesMut, event: &Bytes) -> std::io::Result<()> {
        let mut writer = self.writer.lock().await;
        if event.len() <= JOINED_BYTES_MAX {
            head.extend_from_slice(event);
            return writer.write_all(&head).await;
        }
        writer.write_all(&head).await?;
        writer.write_all(event).await
    }
}

async fn read_answers(mut reader: OwnedReadHalf, mut buffer: BytesMut, open: Arc<Open>) {
    while let Some(message) = receive(&mut reader, &mut buffer).await {
        let known = match message {
            Message::Returned { tag, value } => open.settle(tag, Reply::Returned(value)),
            Message::Failed { tag, handled, replace, error } => {
                let kind = if handled { FunctionErrorKind::Handled } else { FunctionErrorKind::Unhandled };
                open.settle(tag, Reply::Failed { kind, error, replace })
            }
            Message::Ready | Message::StartFailed(_) => false,
        };
        if !known {
            break;
        }
    }
    // Ends every open call and refuses new ones.
    open.lock().take();
}

impl Drop for AgentChannel {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

impl Channel for AgentChannel {
    fn initialize<'a>(&'a self, request_id: &'a RequestId) -> BoxFuture<'a, Result<Reply, Broken>> {
        Box::pin(async move {
            let request = InvokeRequest {
                request_id: request_id.clone(),
                payload: Bytes::new(),
                retry_count: 0,
                task_id: None,
                tracing: Tracing::default(),
                http: None,
                responder: None,
            };
            self.call(Ask::Initialize, &request).await
        })
    }

    fn invoke<'a>(&'a self, request: &'a InvokeRequest) -> BoxFuture<'a, Result<Reply, Broken>> {
        Box::pin(self.call(Ask::Invoke, request))
    }

    fn is_open(&self) -> bool {
        self.open.lock().is_some()
    }
}
