//! Invocations in every state, for the tests of this crate.

use std::time::Duration;

use bide_types::{FunctionId, InstanceId, InvocationId, Qualifier, RequestId, TaskId, Timestamp};

use crate::command::{Command, Enqueue, Failure, FunctionError, Rejected, Run, Transition, enqueue, step};
use crate::invocation::{CallKind, Epoch, Invocation, LeaseHolder, Mode, Status};
use crate::policy::Policy;

/// The moment `millis` after the fixtures begin.
pub(crate) fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + millis)
}

pub(crate) fn request() -> Enqueue {
    Enqueue {
        function: FunctionId::new(1),
        qualifier: Qualifier::latest(),
        request_id: RequestId::new("request-1").expect("valid"),
        kind: CallKind::Event,
        task: Some(TaskId::from_caller("job").expect("valid")),
        delay: Duration::ZERO,
        parent: None,
        hops: 2,
    }
}

/// Accepted at 0, in task mode.
pub(crate) fn enqueued() -> Invocation {
    enqueue(request(), InvocationId::new(1), at(0))
}

pub(crate) fn deferred(delay: Duration) -> Invocation {
    enqueue(Enqueue { delay, ..request() }, InvocationId::new(1), at(0))
}

/// The default policy with both destinations.
pub(crate) fn policy() -> Policy {
    Policy {
        on_success: Some("on-success".to_owned()),
        on_failure: Some("on-failure".to_owned()),
        ..Policy::default()
    }
}

pub(crate) fn instance() -> InstanceId {
    InstanceId::new("c-1").expect("valid")
}

pub(crate) fn run(millis: u64) -> Run {
    Run { duration: Duration::from_millis(millis), instance: None }
}

pub(crate) fn dequeue_with(policy: Policy) -> Command {
    Command::Dequeue { policy, holder: LeaseHolder(0), expires_at: at(u32::MAX.into()) }
}

pub(crate) fn dequeue() -> Command {
    dequeue_with(policy())
}

pub(crate) fn start(epoch: Epoch) -> Command {
    Command::Start { epoch, instance: instance() }
}

pub(crate) fn succeed(epoch: Epoch) -> Command {
    Command::Succeed { epoch, run: run(5) }
}

pub(crate) fn fail(epoch: Epoch, failure: Failure) -> Command {
    Command::Fail { epoch, failure, run: run(5) }
}

pub(crate) const UNHANDLED: Failure = Failure::Function(FunctionError::Unhandled);

pub(crate) fn stop() -> Command {
    Command::Stop { policy: policy() }
}

/// An invocation that has come this far by its commands, and what the last one yielded.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    pub(crate) invocation: Invocation,
    pub(crate) last: Option<Transition>,
}

impl Story {
    pub(crate) fn of(invocation: Invocation) -> Self {
        Self { invocation, last: None }
    }

    /// Goes on with a command that must be accepted.
    pub(crate) fn then(self, now: Timestamp, command: Command) -> Self {
        let shown = format!("{command:?} at {now:?} to {:?}", self.invocation.state);
        let transition = step(&self.invocation, command, now).unwrap_or_else(|why| panic!("{shown}: {why}"));
        Self { invocation: transition.next.clone(), last: Some(transition) }
    }

    /// Like `then`, for a command of the epoch in force.
    pub(crate) fn then_with(self, now: Timestamp, command: impl FnOnce(Epoch) -> Command) -> Self {
        let epoch = self.invocation.epoch;
        self.then(now, command(epoch))
    }

    pub(crate) fn rejects(&self, now: Timestamp, command: Command) -> Rejected {
        step(&self.invocation, command, now).expect_err("it is not accepted")
    }

    pub(crate) fn status(&self) -> Status {
        self.invocation.status()
    }

    /// The timeline as statuses and milliseconds.
    pub(crate) fn timeline(&self) -> Vec<(Status, u64)> {
        let Mode::Task { timeline, .. } = &self.invocation.mode else { panic!("not a task") };
        let since_start = |time: Timestamp| time.as_millis() - at(0).as_millis();
        timeline.iter().map(|event| (event.status, since_start(event.at))).collect()
    }
}

pub(crate) fn dequeued() -> Story {
    Story::of(enqueued()).then(at(0), dequeue())
}

pub(crate) fn running() -> Story {
    dequeued().then_with(at(0), start)
}

/// Due at 500.
pub(crate) fn backing_off() -> Story {
    dequeued().then_with(at(0), |epoch| fail(epoch, Failure::Throttled))
}

/// Due at 500.
pub(crate) fn retrying() -> Story {
    running().then_with(at(0), |epoch| fail(epoch, UNHANDLED))
}

pub(crate) fn stopping() -> Story {
    running().then(at(0), stop())
}
