use std::time::Duration;

use super::*;
use crate::command::{Command, Failure};
use crate::fixtures::{
    Story, UNHANDLED, at, backing_off, deferred, dequeue, dequeue_with, enqueued, fail, policy, retrying,
    running,
};
use crate::invocation::{Epoch, Status};

fn aged(seconds: u64) -> Policy {
    Policy { age_max: Duration::from_secs(seconds), ..policy() }
}

#[test]
fn nothing_leaves_the_queue_before_it_is_due() {
    for (story, due) in [
        (Story::of(deferred(Duration::from_secs(2))), at(2000)),
        (backing_off(), at(500)),
        (retrying(), at(500)),
    ] {
        let early = at(due.as_millis() - at(0).as_millis() - 1);
        assert_eq!(story.rejects(early, dequeue()), Rejected::NotDue { due });
        assert_eq!(story.then(due, dequeue()).status(), Status::Dequeued);
    }
}

#[test]
fn a_clock_that_steps_back_delays_and_never_expires() {
    let invocation = Story::of(enqueued());
    let before_acceptance = at(0).minus(Duration::from_secs(1));
    assert_eq!(invocation.rejects(before_acceptance, dequeue_with(aged(0))), Rejected::NotDue { due: at(0) });
    assert_eq!(
        invocation.rejects(before_acceptance, Command::Expire { policy: aged(0) }),
        Rejected::NotExpired
    );
}

#[test]
fn the_age_is_measured_from_acceptance_to_the_first_dequeue() {
    let young = Story::of(enqueued()).then(at(10_000), dequeue_with(aged(10)));
    assert_eq!(young.status(), Status::Dequeued);
    let old = Story::of(enqueued()).then(at(10_001), dequeue_with(aged(10)));
    assert_eq!((old.status(), old.invocation.runs, old.invocation.epoch), (Status::Expired, 0, Epoch(0)));
    let delivery =
        old.last.and_then(|transition| transition.delivery).expect("the failure target hears of it");
    assert_eq!((delivery.target.as_str(), delivery.invoke_count), ("on-failure", 0));
}

#[test]
fn the_delay_counts_into_the_age() {
    let story = Story::of(deferred(Duration::from_secs(11))).then(at(11_000), dequeue_with(aged(10)));
    assert_eq!(story.status(), Status::Expired);
}

#[test]
fn the_age_is_not_checked_again_after_the_first_dequeue() {
    for story in [backing_off(), retrying()] {
        assert_eq!(
            story.rejects(at(60_000), Command::Expire { policy: aged(1) }),
            Rejected::WrongState(story.status())
        );
        assert_eq!(story.then(at(60_000), dequeue_with(aged(1))).status(), Status::Dequeued);
    }
}

#[test]
fn every_dequeue_grants_a_new_epoch_under_the_policy_now_in_force() {
    let story = running();
    assert_eq!(story.invocation.epoch, Epoch(1));
    let strict = Policy { retries_max: 1, ..policy() };
    let story = story
        .then_with(at(0), |epoch| fail(epoch, UNHANDLED))
        .then(at(500), dequeue_with(strict.clone()))
        .then_with(at(600), |epoch| fail(epoch, UNHANDLED));
    assert_eq!((story.invocation.epoch, story.invocation.policy.as_ref()), (Epoch(2), Some(&strict)));
    assert_eq!(story.status(), Status::Failed, "the retries were lowered to 1");
}

#[test]
fn only_the_first_dequeue_is_in_the_timeline() {
    let story = backing_off()
        .then(at(500), dequeue())
        .then_with(at(500), |epoch| fail(epoch, Failure::System))
        .then(at(1500), dequeue());
    assert_eq!(story.timeline(), [(Status::Enqueued, 0), (Status::Dequeued, 0)]);
}

#[test]
fn a_later_holder_never_grants_an_epoch_that_an_earlier_one_may_have_granted() {
    let (earlier, later) = (LeaseHolder(3), LeaseHolder(4));
    let mut lost = Epoch(0);
    for _ in 0..1000 {
        lost = lost.next(earlier); // granted, and lost in a crash before they were stored
    }
    assert!(Epoch(0).next(later) > lost);
    assert_eq!(lost.next(later).next(later).0, Epoch(0).next(later).0 + 1);
}
