//! Speaking to our own agents: many requests over one socket.
//!
//! Owns the socket, the tags and the task that reads answers ([`calls`] keeps who waits for them). One write and one read
//! per call; the reading task wakes the caller directly and never waits for one: what a slow reader has not taken yet is
//! bounded by the window of its call. Everything that comes out of the socket is hostile: a frame that breaks the protocol
//! ends the conversation, and so the instance. When the reading task ends, every open call ends as [`Broken::Lost`].

mod calls;

use std::ffi::OsString;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bide_env::Clock;
use bide_sandbox::{Mount, Process};
use bide_types::RequestId;
use bide_types::resource::LifecycleHook;
use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::task::JoinHandle;

use super::frame::{self, Ask, Message};
use super::response::{self, ResponseSink, Unwanted};
use super::{Broken, Channel, Hook, Live, Reply, Start, StartFailure, http_event};
use crate::executor::{BoxFuture, FunctionErrorKind, InvokeRequest, Tracing};
use crate::http_call::{CallerLeft, HttpFormat, HttpRequest};
use crate::standby::{Blank, control};
use calls::{Calls, Part, Parts};

/// Read buffer to begin with; it grows with the message, within the protocol's bounds. Every idle instance keeps one.
const READ_BYTES: usize = 8 * 1024;
/// Events up to this size travel in the same buffer as their header.
const JOINED_BYTES_MAX: usize = 16 * 1024;

/// Gets a process of `argv`, by a standby or anew, tells it its function and waits until it has loaded the handler.
pub(super) async fn start(
    start: &Start<'_>,
    argv: Vec<OsString>,
    mounts: &[Mount],
) -> Result<Live, StartFailure> {
    let blank = Arc::new(Blank::of(start, argv, mounts));
    if !Blank::may_wait(start) {
        return launch(start, &blank).await;
    }
    let live = match woken(start, &blank).await {
        Some(live) => live,
        None => launch(start, &blank).await,
    };
    // When the call has its instance: others that are to come must not slow it down.
    start.standbys.ask(&blank);
    live
}

/// By a standby; `None` if there is none, or none that suits.
async fn woken(start: &Start<'_>, blank: &Arc<Blank>) -> Option<Result<Live, StartFailure>> {
    let standby = start.standbys.take(blank)?;
    let told = match standby.adopt(&start.late()).await {
        Ok((process, mut control)) => {
            tell(start, &mut control).await;
            hear(start, process, control).await
        }
        Err(error) => {
            tracing::warn!(error = super::with_causes(&error), "a standby instance could not be used");
            return None;
        }
    };
    match told {
        Ok(live) => Some(Ok(live)),
        Err(NotLoaded::Untold(_)) => None,
        Err(NotLoaded::Failed(failure)) => Some(Err(failure)),
    }
}

/// The whole way.
async fn launch(start: &Start<'_>, blank: &Blank) -> Result<Live, StartFailure> {
    let (mut ours, theirs) =
        control().map_err(|error| StartFailure::System(format!("control socket: {error}")))?;
    // Before it runs, so that it does not take itself for a standby.
    tell(start, &mut ours).await;
    let process = start.launch_as(blank.launch_for(start.late(), theirs.into())).await?;
    match hear(start, process, ours).await {
        Ok(live) => Ok(live),
        Err(NotLoaded::Untold(process)) => Err(ended(start, &process).await),
        Err(NotLoaded::Failed(failure)) => Err(failure),
    }
}

/// Why an agent has not loaded its handler.
enum NotLoaded {
    /// It was gone, or went, before any user code ran.
    Untold(Process),
    Failed(StartFailure),
}

/// What an agent that says nothing, or nothing sensible, comes to.
async fn ended(start: &Start<'_>, process: &Process) -> StartFailure {
    let handle = process.handle();
    handle.kill();
    let message = "Process exited unexpectedly before the handler was loaded";
    StartFailure::ended(&handle, handle.exited().await, &start.spec.function, message)
}

/// Tells an agent its function.
async fn tell(start: &Start<'_>, control: &mut UnixStream) {
    // A process that has died breaks the pipe; the answer, or its absence, says more.
    let _ = control.write_all(&configuration(start)).await;
}

/// Waits until an agent that has been told its function has loaded the handler.
async fn hear(start: &Start<'_>, mut process: Process, control: UnixStream) -> Result<Live, NotLoaded> {
    let (mut reader, writer) = control.into_split();
    let mut buffer = BytesMut::with_capacity(READ_BYTES);
    if receive(&mut reader, &mut buffer).await != Some(Message::Configured) {
        return Err(NotLoaded::Untold(process));
    }
    start.log_output(&mut process).map_err(|error| NotLoaded::Failed(error.into()))?;
    match receive(&mut reader, &mut buffer).await {
        Some(Message::Ready) => {
            let channel = AgentChannel::new(start, reader, writer, buffer);
            Ok(Live { process, channel: Box::new(channel) })
        }
        Some(Message::StartFailed(error)) => Err(NotLoaded::Failed(StartFailure::reported(error))),
        _ => Err(NotLoaded::Failed(ended(start, &process).await)),
    }
}

/// Resolves when an agent that has been told nothing waits to be told; `false` if it is gone.
pub(crate) async fn waits(control: &mut UnixStream) -> bool {
    // Says nothing more until it is told something.
    receive(control, &mut BytesMut::new()).await == Some(Message::Waiting)
}

fn configuration(start: &Start<'_>) -> Bytes {
    let function = &start.spec.function;
    let layers = start.layout.layers();
    let environment = start.environment();
    let hook =
        |hook: &Option<LifecycleHook>| hook.as_ref().map(|hook| hook.handler.clone()).unwrap_or_default();
    let configuration = [
        ("function", function.name.to_string()),
        ("runtime", function.runtime.name().to_owned()),
        ("handler", function.handler.clone()),
        ("initializer", function.initializer.clone().unwrap_or_default()),
        ("pre_stop", hook(&function.pre_stop)),
        ("pre_freeze", hook(&function.pre_freeze)),
        ("layers_dir", layers.map(|path| path.to_string_lossy().into_owned()).unwrap_or_default()),
        ("memory_mb", function.memory_mb.to_string()),
        ("timeout_seconds", function.timeout_seconds.to_string()),
        ("initialization_timeout_seconds", function.initialization_timeout_seconds.to_string()),
        ("service", function.service.to_string()),
        ("qualifier", start.spec.qualifier.to_string()),
        ("version_id", start.spec.version_id.clone()),
        ("region", start.spec.region.clone()),
        ("account_id", function.account.to_string()),
        ("concurrency", function.instance_concurrency.to_string()),
    ];
    frame::configure(&configuration, environment.iter())
}

/// The next message; `None` when the agent is gone or breaks the protocol.
async fn receive(reader: &mut (impl AsyncRead + Unpin), buffer: &mut BytesMut) -> Option<Message> {
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
    calls: Arc<Calls>,
    next_tag: AtomicU32,
    reading: JoinHandle<()>,
    account: String,
    clock: Arc<dyn Clock>,
}

impl AgentChannel {
    fn new(start: &Start<'_>, reader: OwnedReadHalf, writer: OwnedWriteHalf, buffer: BytesMut) -> Self {
        let calls = Arc::new(Calls::default());
        let reading = tokio::spawn(read_answers(reader, buffer, Arc::clone(&calls)));
        Self {
            writer: tokio::sync::Mutex::new(writer),
            calls,
            next_tag: AtomicU32::new(0),
            reading,
            account: start.spec.function.account.to_string(),
            clock: Arc::clone(start.clock),
        }
    }

    fn tag(&self) -> u32 {
        self.next_tag.fetch_add(1, Ordering::Relaxed)
    }

    /// Asks for one answer.
    async fn call(&self, ask: Ask, request: &InvokeRequest, event: &Bytes) -> Result<Reply, Broken> {
        let tag = self.tag();
        let answer = self.calls.expect_answer(tag).ok_or(Broken::NotSent)?;
        self.write(frame::ask(ask, tag, request, event.len()), event).await?;
        answer.await.map_err(|_| Broken::Lost)
    }

    /// Hands an HTTP call to the language's HTTP handler and passes the response on.
    async fn http_call(&self, request: &InvokeRequest, http: &HttpRequest) -> Result<Reply, Broken> {
        let tag = self.tag();
        let mut parts = self.calls.expect_response(tag).ok_or(Broken::NotSent)?;
        let fields = frame::http_fields(http);
        let mut head = frame::ask(Ask::Http, tag, request, fields.len() + request.payload.len());
        head.extend_from_slice(&fields);
        self.write(head, &request.payload).await?;
        let mut sink = ResponseSink::new(request.responder.as_ref());
        loop {
            match parts.next().await.ok_or(Broken::Lost)? {
                Part::Head(Ok(head)) => sink.head(head).map_err(|CallerLeft| Broken::CallerLeft)?,
                Part::Head(Err(bad)) => sink.refuse(&bad.to_string()),
                Part::Piece(piece) => {
                    let cost = frame::piece_cost(piece.len());
                    match sink.piece(piece).await {
                        Ok(()) => self.give_credit(tag, &mut parts, cost).await?,
                        Err(Unwanted::CallerLeft) => return Err(Broken::CallerLeft),
                        Err(Unwanted::TooLong) => return Ok(response::too_long()),
                    }
                }
                Part::End(Reply::Returned(_)) => return Ok(sink.finish()),
                Part::End(failed @ Reply::Failed { .. }) => return Ok(failed),
            }
        }
    }

    /// Hands an HTTP call to the event handler, whose value is the response.
    async fn http_event(&self, request: &InvokeRequest, http: &HttpRequest) -> Result<Reply, Broken> {
        let event = http_event::event(request, http, &self.account, self.clock.now());
        let value = match self.call(Ask::Invoke, request, &event).await? {
            Reply::Returned(value) => value,
            failed @ Reply::Failed { .. } => return Ok(failed),
        };
        let mut sink = ResponseSink::new(request.responder.as_ref());
        match http_event::response(value) {
            Ok((head, body)) => {
                sink.head(head).map_err(|CallerLeft| Broken::CallerLeft)?;
                match sink.piece(body).await {
                    Ok(()) => {}
                    Err(Unwanted::CallerLeft) => return Err(Broken::CallerLeft),
                    Err(Unwanted::TooLong) => return Ok(response::too_long()),
                }
            }
            Err(why) => sink.refuse(&why),
        }
        Ok(sink.finish())
    }

    /// Lets the agent go on, once enough was taken to be worth a frame.
    async fn give_credit(&self, tag: u32, parts: &mut Parts, cost: usize) -> Result<(), Broken> {
        let Some(bytes) = parts.taken(cost) else { return Ok(()) };
        let credit = frame::credit(tag, bytes);
        self.writer.lock().await.write_all(&credit).await.map_err(|_| Broken::Lost)
    }

    /// # Errors
    /// [`Broken::NotSent`]: nothing was written if the agent was gone before, and an agent that ends while it reads has
    /// not begun.
    async fn write(&self, mut head: BytesMut, event: &Bytes) -> Result<(), Broken> {
        let mut writer = self.writer.lock().await;
        let written = if event.len() <= JOINED_BYTES_MAX {
            head.extend_from_slice(event);
            writer.write_all(&head).await
        } else {
            match writer.write_all(&head).await {
                Ok(()) => writer.write_all(event).await,
                Err(error) => Err(error),
            }
        };
        written.map_err(|_| Broken::NotSent)
    }

    /// Asks for something that serves the instance, not one request.
    async fn call_instance(&self, ask: Ask, request_id: &RequestId) -> Result<Reply, Broken> {
        let request = InvokeRequest {
            request_id: request_id.clone(),
            payload: Bytes::new(),
            retry_count: 0,
            task_id: None,
            alias: None,
            tracing: Tracing::default(),
            http: None,
            responder: None,
        };
        self.call(ask, &request, &request.payload).await
    }
}

async fn read_answers(mut reader: OwnedReadHalf, mut buffer: BytesMut, calls: Arc<Calls>) {
    while let Some(message) = receive(&mut reader, &mut buffer).await {
        let expected = match message {
            Message::Returned { tag, value } => calls.end(tag, Reply::Returned(value)),
            Message::Failed { tag, handled, replace, error } => {
                let kind = if handled { FunctionErrorKind::Handled } else { FunctionErrorKind::Unhandled };
                calls.end(tag, Reply::Failed { kind, error, replace })
            }
            Message::Head { tag, head } => calls.head(tag, head),
            Message::Piece { tag, piece } => calls.piece(tag, piece),
            Message::Ready | Message::StartFailed(_) | Message::Waiting | Message::Configured => false,
        };
        if !expected {
            break;
        }
    }
    calls.close();
}

impl Drop for AgentChannel {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

impl Channel for AgentChannel {
    fn initialize<'a>(&'a self, request_id: &'a RequestId) -> BoxFuture<'a, Result<Reply, Broken>> {
        Box::pin(self.call_instance(Ask::Initialize, request_id))
    }

    fn hook<'a>(&'a self, hook: Hook, request_id: &'a RequestId) -> BoxFuture<'a, Result<Reply, Broken>> {
        let ask = match hook {
            Hook::PreStop => Ask::PreStop,
            Hook::PreFreeze => Ask::PreFreeze,
        };
        Box::pin(self.call_instance(ask, request_id))
    }

    fn invoke<'a>(&'a self, request: &'a InvokeRequest) -> BoxFuture<'a, Result<Reply, Broken>> {
        Box::pin(async move {
            match request.http.as_deref() {
                None => self.call(Ask::Invoke, request, &request.payload).await,
                Some(http) if http.format == HttpFormat::Event => self.http_event(request, http).await,
                Some(http) => self.http_call(request, http).await,
            }
        })
    }

    fn is_open(&self) -> bool {
        self.calls.is_open()
    }
}
