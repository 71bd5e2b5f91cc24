//! What an instance prints: read without ever blocking it, cut into lines, the end kept for the caller.
//!
//! Owns the reading end of the instance's output. Memory is bounded whatever the function prints: one partial line, one
//! tail, and lines beyond [`EMITTED_BYTES_MAX`] of one attempt are counted instead of emitted. The tail, of which the caller
//! gets the end and a task's record more, is exact while
//! requests come one by one; with overlapping requests lines cannot be told apart and there is none (FC "Configure
//! instance concurrency"). A crash loses what was not emitted yet.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use bide_types::limits::{LOG_LINE_BYTES_MAX, LOG_TAIL_BYTES_MAX};
use bide_types::resource::RuntimeKind;
use bide_types::{InstanceId, RequestId};
use bytes::Bytes;
use tokio::net::unix::pipe::Receiver;
use tokio::task::JoinHandle;

use crate::executor::{AttemptLog, FunctionSpec};

/// Most bytes of log that one attempt may emit; the rest is dropped and its size is told.
const EMITTED_BYTES_MAX: usize = 1024 * 1024;
/// What a line costs beside its own bytes: time, function, instance and request. Otherwise short lines would be emitted as a
/// hundred times their size.
const LINE_COST_BYTES: usize = 160;
const READ_BYTES: usize = 16 * 1024;
/// What marks an attempt in the tail; the request id follows.
const START_MARK: &str = "FC Invoke Start RequestId: ";
const END_MARK: &str = "FC Invoke End RequestId: ";
const INITIALIZE_START_MARK: &str = "FC Initialize Start RequestId: ";
const INITIALIZE_END_MARK: &str = "FC Initialize End RequestId: ";
/// Reads at the end of an attempt: a full pipe (64 KiB by default, 1 MiB at most) and no more, since a background
/// thread may print for ever.
const DRAIN_READS_MAX: usize = 1024 * 1024 / READ_BYTES;

/// The log of one instance.
pub(crate) struct Logs {
    state: Mutex<State>,
    pipe: OnceLock<Arc<Receiver>>,
    pump: Mutex<Option<JoinHandle<()>>>,
    overlapping: bool,
    /// Whether attempts are marked in the tail. A custom runtime prints the marks itself (fc-behaviour 7.9).
    marks: bool,
    /// Most bytes of [`Captured::log`].
    attempt_log_bytes: usize,
}

/// The log of one attempt.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Captured {
    /// For the caller: the last [`LOG_TAIL_BYTES_MAX`]; empty when requests overlap.
    pub(crate) tail: Bytes,
    pub(crate) log: AttemptLog,
}

struct State {
    function: String,
    instance: InstanceId,
    request: Option<RequestId>,
    /// The end of what the attempt logged, at most `kept_bytes_max`.
    tail: VecDeque<u8>,
    kept_bytes_max: usize,
    /// Bytes that are no longer in the tail.
    cut_bytes: u64,
    /// Whether the attempt has printed anything.
    has_printed: bool,
    line: Vec<u8>,
    emitted_bytes: usize,
    dropped_bytes: usize,
    ended: bool,
}

impl Logs {
    pub(crate) fn new(spec: &FunctionSpec, instance: &InstanceId, attempt_log_bytes: usize) -> Arc<Self> {
        let state = State {
            function: format!("{}/{}", spec.function.service, spec.function.name),
            instance: instance.clone(),
            request: None,
            tail: VecDeque::with_capacity(LOG_TAIL_BYTES_MAX),
            kept_bytes_max: attempt_log_bytes.max(LOG_TAIL_BYTES_MAX),
            cut_bytes: 0,
            has_printed: false,
            line: Vec::new(),
            emitted_bytes: 0,
            dropped_bytes: 0,
            ended: false,
        };
        let overlapping = spec.function.instance_concurrency > 1;
        Arc::new(Self {
            state: Mutex::new(state),
            pipe: OnceLock::new(),
            pump: Mutex::new(None),
            overlapping,
            marks: spec.function.runtime.kind() != RuntimeKind::Custom,
            attempt_log_bytes,
        })
    }

    /// Reads `output` from now on. Called once.
    pub(crate) fn attach(self: &Arc<Self>, output: OwnedFd) -> io::Result<()> {
        let pipe = Arc::new(Receiver::from_owned_fd(output)?);
        let (logs, reader) = (Arc::downgrade(self), Arc::clone(&pipe));
        let pump = tokio::spawn(async move {
            while reader.readable().await.is_ok() {
                let Some(logs) = logs.upgrade() else { return };
                if logs.pump_once(&reader) {
                    return;
                }
            }
        });
        *self.pump.lock().expect("nothing panics while it holds the lock") = Some(pump);
        // A second call would be a bug of this crate; the first pipe stays.
        let attached = self.pipe.set(pipe).is_ok();
        debug_assert!(attached, "output is attached once");
        Ok(())
    }

    /// A new attempt begins. The log of a cold start belongs to its first attempt.
    pub(crate) fn begin(&self, request: &RequestId, cold: bool) {
        self.drain();
        let mut state = self.lock();
        if !cold {
            state.forget_tail();
        }
        state.emitted_bytes = 0;
        state.dropped_bytes = 0;
        if !self.overlapping {
            state.request = Some(request.clone());
        }
        if self.marks && !self.overlapping {
            state.keep_mark(START_MARK, request, "");
        }
    }

    /// The initializer begins, as part of the cold start of the first attempt.
    pub(crate) fn begin_initializer(&self, id: &RequestId) {
        self.drain();
        self.mark(INITIALIZE_START_MARK, id, "");
    }

    /// `note` is appended to the end line.
    pub(crate) fn finish_initializer(&self, id: &RequestId, note: &str) {
        self.drain();
        self.mark(INITIALIZE_END_MARK, id, note);
    }

    fn mark(&self, text: &str, id: &RequestId, note: &str) {
        if self.marks && !self.overlapping {
            self.lock().keep_mark(text, id, note);
        }
    }

    /// The attempt has ended: takes in what it printed and returns the end of its log. `note` is appended to the end
    /// line.
    pub(crate) fn finish(&self, request: &RequestId, note: &str) -> Captured {
        let mut state = self.ended();
        if self.overlapping {
            return Captured::default();
        }
        if self.marks {
            state.keep_mark(END_MARK, request, note);
        }
        state.request = None;
        let tail = Bytes::from(Vec::from(std::mem::take(&mut state.tail)));
        state.tail.reserve(LOG_TAIL_BYTES_MAX);
        let log = state.attempt_log(&tail, self.attempt_log_bytes);
        state.forget_tail();
        Captured { tail: last(&tail, LOG_TAIL_BYTES_MAX), log }
    }

    /// The start has failed: what it printed, for each attempt that waited for it.
    pub(crate) fn failed_start(&self) -> StartLog {
        let mut state = self.ended();
        StartLog {
            tail: std::mem::take(&mut state.tail).into(),
            cut_bytes: state.cut_bytes,
            has_printed: state.has_printed,
            overlapping: self.overlapping,
            marks: self.marks,
            attempt_log_bytes: self.attempt_log_bytes,
        }
    }

    fn ended(&self) -> MutexGuard<'_, State> {
        self.drain();
        let mut state = self.lock();
        state.end_line();
        state.tell_dropped();
        state
    }

    /// Takes in what lies in the pipe, without relying on what the event loop has noticed.
    fn drain(&self) {
        let Some(pipe) = self.pipe.get() else { return };
        let mut state = self.lock();
        let mut buffer = [0_u8; READ_BYTES];
        for _ in 0..DRAIN_READS_MAX {
            match rustix::io::read(&**pipe, &mut buffer) {
                Ok(read) if read > 0 => state.push(&buffer[..read]),
                Ok(_) | Err(_) => return,
            }
        }
    }

    /// Reads once; `true` at the end.
    fn pump_once(&self, pipe: &Receiver) -> bool {
        let mut state = self.lock();
        let mut buffer = [0_u8; READ_BYTES];
        match pipe.try_read(&mut buffer) {
            Ok(0) => state.ended = true,
            Ok(read) => state.push(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => state.ended = true,
        }
        state.ended
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds the lock")
    }
}

/// What a start that failed has printed.
#[derive(Clone, Default)]
pub(crate) struct StartLog {
    tail: Vec<u8>,
    cut_bytes: u64,
    has_printed: bool,
    overlapping: bool,
    marks: bool,
    attempt_log_bytes: usize,
}

impl StartLog {
    /// As the log of an attempt that waited for the start. No other request has printed in it.
    pub(crate) fn captured(self, request: &RequestId, note: &str) -> Captured {
        let mut text = self.tail;
        if self.marks {
            text = [mark(START_MARK, request, "").into_bytes(), text].concat();
            if !text.ends_with(b"\n") {
                text.push(b'\n');
            }
            text.extend_from_slice(mark(END_MARK, request, note).as_bytes());
        }
        let text = Bytes::from(text);
        let tail = if self.overlapping { Bytes::new() } else { last(&text, LOG_TAIL_BYTES_MAX) };
        let log = attempt_log(&text, self.cut_bytes, self.has_printed, self.attempt_log_bytes);
        Captured { tail, log }
    }
}

/// The last `bytes_max` of a text.
fn last(text: &Bytes, bytes_max: usize) -> Bytes {
    text.slice(text.len().saturating_sub(bytes_max)..)
}

/// The last `bytes_max` of a text, before which `cut_bytes` were cut already; nothing of what is nothing but marks.
fn attempt_log(text: &Bytes, cut_bytes: u64, has_printed: bool, bytes_max: usize) -> AttemptLog {
    if !has_printed || bytes_max == 0 {
        return AttemptLog::default();
    }
    let kept = last(text, bytes_max);
    let cut_now = u64::try_from(text.len() - kept.len()).unwrap_or(u64::MAX);
    AttemptLog { text: kept, dropped_bytes: cut_bytes.saturating_add(cut_now) }
}

fn mark(text: &str, request: &RequestId, note: &str) -> String {
    format!("{text}{request}{note}\n")
}

impl Drop for Logs {
    fn drop(&mut self) {
        if let Ok(Some(pump)) = self.pump.get_mut().map(Option::take) {
            pump.abort();
        }
    }
}

impl State {
    fn push(&mut self, bytes: &[u8]) {
        self.has_printed = true;
        self.keep(bytes);
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.extend_line(&rest[..end]);
            self.end_line();
            rest = &rest[end + 1..];
        }
        self.extend_line(rest);
    }

    /// Adds to the tail.
    fn keep(&mut self, bytes: &[u8]) {
        let kept = &bytes[bytes.len().saturating_sub(self.kept_bytes_max)..];
        let surplus = (self.tail.len() + kept.len()).saturating_sub(self.kept_bytes_max);
        self.tail.drain(..surplus);
        self.tail.extend(kept);
        let cut = surplus + (bytes.len() - kept.len());
        self.cut_bytes = self.cut_bytes.saturating_add(u64::try_from(cut).unwrap_or(u64::MAX));
    }

    /// What follows belongs to another attempt.
    fn forget_tail(&mut self) {
        self.tail.clear();
        self.cut_bytes = 0;
        self.has_printed = false;
    }

    fn attempt_log(&self, text: &Bytes, bytes_max: usize) -> AttemptLog {
        attempt_log(text, self.cut_bytes, self.has_printed, bytes_max)
    }

    fn keep_mark(&mut self, text: &str, request: &RequestId, note: &str) {
        self.keep(mark(text, request, note).as_bytes());
    }

    fn extend_line(&mut self, bytes: &[u8]) {
        let room = LOG_LINE_BYTES_MAX - self.line.len();
        let kept = &bytes[..bytes.len().min(room)];
        self.dropped_bytes += bytes.len() - kept.len();
        self.line.extend_from_slice(kept);
    }

    fn end_line(&mut self) {
        if self.line.is_empty() {
            return;
        }
        let cost = self.line.len() + LINE_COST_BYTES;
        if self.emitted_bytes + cost > EMITTED_BYTES_MAX {
            self.dropped_bytes += self.line.len();
        } else {
            self.emitted_bytes += cost;
            self.emit(&String::from_utf8_lossy(&self.line));
        }
        self.line.clear();
    }

    fn tell_dropped(&mut self) {
        if self.dropped_bytes > 0 {
            let dropped_bytes = std::mem::take(&mut self.dropped_bytes);
            self.emit(&format!("bide dropped {dropped_bytes} bytes of this log"));
        }
    }

    fn emit(&self, line: &str) {
        let request = self.request.as_ref().map_or("", RequestId::as_str);
        tracing::info!(
            target: "function_log",
            function = %self.function,
            instance = %self.instance,
            request_id = %request,
            "{line}"
        );
    }
}

#[cfg(test)]
mod tests;
