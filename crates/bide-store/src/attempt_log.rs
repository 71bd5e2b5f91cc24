//! What one attempt of a task logged, and how many such logs a task keeps.
//!
//! Owns the rule which attempt's log is where, so that every store bounds a task in the same way: each log has a slot,
//! a later attempt takes the slot of an earlier one, and the number of attempts tells every slot that can be taken.
//! Nothing has to be looked up to write a log or to remove those of a task. Never decides whether a log is kept: that is
//! the planner.

use std::time::Duration;

use bide_core::{Command, Failure, FunctionError, Invocation, State};
use bide_types::{InstanceId, Timestamp};
use bytes::Bytes;

/// Logs of the first attempts that a task keeps: they tell how it began to fail.
pub const ATTEMPT_LOGS_FIRST: u32 = 4;
/// Logs of the last attempts that it keeps beside these.
pub const ATTEMPT_LOGS_LAST: u32 = 8;

const _: () = assert!(
    ATTEMPT_LOGS_FIRST + ATTEMPT_LOGS_LAST > bide_types::limits::RETRY_ATTEMPTS_MAX,
    "every attempt of a task that only its function's errors end keeps its log"
);

/// What a function wrote during an attempt, as the engine hands it in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogText {
    /// The end of it, byte for byte.
    pub text: Bytes,
    /// Bytes before that end which were not kept.
    pub dropped_bytes: u64,
}

impl LogText {
    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty() && self.dropped_bytes == 0
    }
}

/// The log of one attempt, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptLog {
    /// Which of the attempts whose code was started, counted from 1.
    pub attempt: u32,
    pub ended_at: Timestamp,
    /// Of the run; zero if it is not known.
    pub duration: Duration,
    pub instance: Option<InstanceId>,
    pub end: AttemptEnd,
    pub log: LogText,
}

/// How an attempt ended, apart from what becomes of its task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptEnd {
    Succeeded,
    Failed(FunctionError),
    /// The platform did not carry it through.
    SystemError,
    Stopped,
    /// The server ended in order and interrupted it.
    Interrupted,
    /// The server ended without a word; what was logged went with it.
    Lost,
}

/// A log whose command is still to be judged.
pub(crate) struct Ended {
    end: AttemptEnd,
    duration: Duration,
    instance: Option<InstanceId>,
    log: LogText,
}

impl Ended {
    /// What is to be kept of the attempt that `command` ends; `None` if it ends none, or nothing was written. That an attempt
    /// was lost is kept without a text.
    pub(crate) fn by(command: &Command, log: Option<LogText>) -> Option<Self> {
        let has_log = log.is_some();
        let log = log.filter(|log| !log.is_empty());
        let (end, run) = match command {
            Command::Lapse { .. } if has_log => (AttemptEnd::Interrupted, None),
            Command::Lapse { .. } => {
                let end = AttemptEnd::Lost;
                return Some(Self { end, duration: Duration::ZERO, instance: None, log: LogText::default() });
            }
            Command::Succeed { run, .. } => (AttemptEnd::Succeeded, Some(run)),
            Command::Fail { failure: Failure::Function(error), run, .. } => {
                (AttemptEnd::Failed(*error), Some(run))
            }
            Command::Fail { failure: Failure::Throttled | Failure::System, run, .. } => {
                (AttemptEnd::SystemError, Some(run))
            }
            Command::FinishStop { .. } => (AttemptEnd::Stopped, None),
            Command::Dequeue { .. }
            | Command::Expire { .. }
            | Command::Invalidate { .. }
            | Command::Start { .. }
            | Command::Stop { .. } => return None,
        };
        Some(Self {
            end,
            duration: run.map_or(Duration::ZERO, |run| run.duration),
            instance: run.and_then(|run| run.instance.clone()),
            log: log?,
        })
    }

    /// The log of the attempt that ended when `before` became `next` at `now`; `None` if it is no task, or no attempt had
    /// begun.
    pub(crate) fn of(self, before: &Invocation, next: &Invocation, now: Timestamp) -> Option<AttemptLog> {
        before.task_id()?;
        let had_begun = match &before.state {
            State::Running { .. } | State::Stopping { instance: Some(_), .. } => true,
            // Its code could not be loaded, which counts as an attempt.
            State::Dequeued { .. } => next.runs > before.runs,
            State::Stopping { instance: None, .. }
            | State::Enqueued
            | State::Backoff { .. }
            | State::Retrying { .. }
            | State::Settled(_) => false,
        };
        let Self { end, duration, instance, log } = self;
        let instance = instance.or_else(|| before.instance().cloned());
        had_begun.then_some(AttemptLog { attempt: next.runs, ended_at: now, duration, instance, end, log })
    }
}

impl AttemptLog {
    /// Where it is kept among the logs of its task.
    pub fn slot(&self) -> u32 {
        slot(self.attempt)
    }
}

/// The slot of the log of an attempt, which counts from 1.
pub fn slot(attempt: u32) -> u32 {
    let index = attempt.saturating_sub(1);
    match index.checked_sub(ATTEMPT_LOGS_FIRST) {
        None => index,
        Some(later) => ATTEMPT_LOGS_FIRST + later % ATTEMPT_LOGS_LAST,
    }
}

/// Slots that the logs of a task with so many attempts can have: those below.
pub fn slots(attempts: u32) -> u32 {
    attempts.min(ATTEMPT_LOGS_FIRST + ATTEMPT_LOGS_LAST)
}

/// The attempts, of so many, whose logs are kept in any case.
pub fn window(attempts: u32) -> impl Iterator<Item = u32> {
    let first = attempts.min(ATTEMPT_LOGS_FIRST);
    let last = attempts.saturating_sub(ATTEMPT_LOGS_LAST).max(first);
    (1..=first).chain(last + 1..=attempts)
}

#[cfg(test)]
mod tests;
