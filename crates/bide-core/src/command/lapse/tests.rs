use super::*;
use crate::command::Command;
use crate::fixtures::{
    Story, at, backing_off, dequeue, dequeued, enqueued, instance, retrying, running, start, stopping,
    succeed,
};
use crate::invocation::Status;

fn lapse(epoch: Epoch) -> Command {
    Command::Lapse { epoch }
}

#[test]
fn an_attempt_whose_holder_is_gone_is_made_again_outside_the_count() {
    for story in [dequeued(), running()] {
        let runs = story.invocation.runs;
        let story = story.then_with(at(100), lapse);
        assert_eq!((story.status(), story.invocation.due()), (Status::Dequeued, Some(at(600))));
        assert_eq!((story.invocation.runs, story.invocation.retries), (runs, 0));
        assert_eq!(
            story.rejects(at(600), succeed(Epoch(1))),
            Rejected::NotHeld,
            "the lost attempt comes late"
        );

        let story = story.then(at(600), dequeue()).then_with(at(600), start);
        let stale = Rejected::StaleEpoch { given: Epoch(1), current: Epoch(2) };
        assert_eq!(story.rejects(at(700), succeed(Epoch(1))), stale);
        assert_eq!(story.then_with(at(700), succeed).status(), Status::Succeeded);
    }
}

#[test]
fn a_stop_whose_holder_is_gone_is_done() {
    let story = stopping().then_with(at(100), lapse);
    assert_eq!(story.status(), Status::Stopped);
    let settlement = story.invocation.settlement().expect("settled");
    assert_eq!(settlement.instance, Some(instance()));
    assert!(story.last.is_some_and(|transition| transition.delivery.is_some()));
}

#[test]
fn without_a_lease_nothing_lapses() {
    for story in [Story::of(enqueued()), backing_off(), retrying()] {
        assert_eq!(story.rejects(at(100), lapse(story.invocation.epoch)), Rejected::NotHeld);
    }
}
