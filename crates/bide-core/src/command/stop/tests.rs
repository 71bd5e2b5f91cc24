use std::time::Duration;

use super::*;
use crate::command::{Command, Failure};
use crate::fixtures::{
    Story, UNHANDLED, at, backing_off, deferred, dequeue, dequeued, enqueued, fail, instance, retrying,
    running, start, stop, stopping, succeed,
};
use crate::invocation::Status;
use crate::settlement::Slot;

fn finish(epoch: Epoch) -> Command {
    Command::FinishStop { epoch }
}

#[test]
fn work_that_waits_is_stopped_at_once_and_never_runs() {
    for story in
        [Story::of(enqueued()), Story::of(deferred(Duration::from_secs(9))), backing_off(), retrying()]
    {
        let runs = story.invocation.runs;
        let story = story.then(at(100), stop());
        assert_eq!((story.status(), story.invocation.runs), (Status::Stopped, runs));
        assert_eq!(story.rejects(at(10_000), dequeue()), Rejected::Settled(Status::Stopped));
        let delivery = story.last.and_then(|transition| transition.delivery).expect("a record");
        assert_eq!((delivery.slot, delivery.outcome), (Slot::Failure, Outcome::Stopped));
    }
}

#[test]
fn work_with_a_lease_out_is_stopping_until_its_holder_answers() {
    for story in [dequeued(), running()] {
        let started = story.invocation.instance().is_some();
        let story = story.then(at(100), stop());
        assert_eq!(story.status(), Status::Stopping);
        assert!(
            story.last.as_ref().is_some_and(|transition| transition.delivery.is_none()),
            "not settled yet"
        );
        assert_eq!(story.rejects(at(100), stop()), Rejected::WrongState(Status::Stopping));
        assert_eq!(
            story.rejects(at(100), start(story.invocation.epoch)),
            Rejected::WrongState(Status::Stopping)
        );

        let story = story.then_with(at(700), finish);
        let settlement = story.invocation.settlement().expect("settled");
        let expected = if started { Duration::from_millis(700) } else { Duration::ZERO };
        assert_eq!((&settlement.outcome, settlement.duration), (&Outcome::Stopped, expected));
        assert_eq!(settlement.instance, started.then(instance));
    }
}

#[test]
fn whatever_comes_after_a_stop_it_ends_as_stopped() {
    let ends: [fn(Epoch) -> Command; 5] = [
        succeed,
        |epoch| fail(epoch, UNHANDLED),
        |epoch| fail(epoch, Failure::Throttled),
        |epoch| fail(epoch, Failure::System),
        finish,
    ];
    for end in ends {
        let story = stopping().then_with(at(100), end);
        assert_eq!((story.status(), story.invocation.retries), (Status::Stopped, 0));
        assert_eq!(story.timeline().last(), Some(&(Status::Stopped, 100)));
    }
}

#[test]
fn only_work_that_is_stopping_can_finish_a_stop() {
    for story in [dequeued(), running()] {
        let rejected = story.rejects(at(100), finish(story.invocation.epoch));
        assert_eq!(rejected, Rejected::WrongState(story.status()));
    }
    assert_eq!(backing_off().rejects(at(100), finish(Epoch(1))), Rejected::NotHeld);
}
