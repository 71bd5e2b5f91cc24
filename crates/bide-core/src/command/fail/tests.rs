use std::time::Duration;

use bide_types::limits::SYSTEM_RETRY_WINDOW;

use super::*;
use crate::backoff::{REFUSAL_CEILING, REFUSALS_MAX, REFUSALS_MIN};
use crate::command::Command;
use crate::fixtures::{
    Story, UNHANDLED, at, dequeue, dequeue_with, dequeued, enqueued, fail, policy, running, start, succeed,
};
use crate::invocation::{Status, TIMELINE_EVENTS_MAX};
use crate::policy::Policy;
use crate::settlement::Slot;

/// Lets every attempt fail in the code as soon as it is due: for each run, the retry count that the function saw and
/// the wait before it.
fn fail_until_settled(policy: &Policy) -> (Story, Vec<(u32, u128)>) {
    let mut story = Story::of(enqueued());
    let (mut now, mut runs) = (at(0), Vec::new());
    while let Some(due) = story.invocation.due() {
        runs.push((story.invocation.retries, due.since(now).as_millis()));
        now = due;
        story = story
            .then(now, dequeue_with(policy.clone()))
            .then_with(now, start)
            .then_with(now, |epoch| fail(epoch, UNHANDLED));
    }
    (story, runs)
}

#[test]
fn by_default_it_runs_four_times_with_doubling_waits() {
    let (story, runs) = fail_until_settled(&policy());
    assert_eq!(runs, [(0, 0), (1, 500), (2, 1000), (3, 2000)]);
    assert_eq!((story.status(), story.invocation.runs, story.invocation.retries), (Status::Failed, 4, 3));
    assert_eq!(
        story.timeline(),
        [
            (Status::Enqueued, 0),
            (Status::Dequeued, 0),
            (Status::Running, 0),
            (Status::Retrying, 0),
            (Status::Running, 500),
            (Status::Retrying, 500),
            (Status::Running, 1500),
            (Status::Retrying, 1500),
            (Status::Running, 3500),
            (Status::Failed, 3500),
        ]
    );
    let delivery = story.last.and_then(|transition| transition.delivery).expect("one record");
    assert_eq!((delivery.slot, delivery.invoke_count), (Slot::Failure, 4));
    assert_eq!(delivery.outcome, Outcome::Failed { failure: UNHANDLED });
}

#[test]
fn without_retries_it_runs_once() {
    let (story, runs) = fail_until_settled(&Policy { retries_max: 0, ..policy() });
    assert_eq!((story.status(), runs), (Status::Failed, vec![(0, 0)]));
}

#[test]
fn eight_retries_are_the_most_and_end() {
    let (story, runs) = fail_until_settled(&Policy { retries_max: 8, ..policy() });
    assert_eq!((story.invocation.runs, runs.last()), (9, Some(&(8, 64_000))));
}

#[test]
fn code_that_cannot_be_loaded_has_used_its_attempt() {
    let story = dequeued().then_with(at(10), |epoch| fail(epoch, UNHANDLED));
    assert_eq!((story.status(), story.invocation.runs, story.invocation.retries), (Status::Retrying, 1, 1));
}

/// Refuses every attempt as soon as it is due: the waits in milliseconds.
fn refuse_until_settled(failure: Failure) -> (Story, Vec<u128>) {
    let mut story = Story::of(enqueued());
    let (mut now, mut waits) = (at(0), Vec::new());
    while let Some(due) = story.invocation.due() {
        waits.push(due.since(now).as_millis());
        now = due;
        story = story.then(now, dequeue()).then_with(now, |epoch| fail(epoch, failure));
    }
    (story, waits)
}

#[test]
fn refusals_back_off_for_five_hours_and_end_as_failed() {
    for (failure, condition) in
        [(Failure::Throttled, "FunctionResourceExhausted"), (Failure::System, "InternalServerError")]
    {
        let (story, waits) = refuse_until_settled(failure);
        assert_eq!(waits[..9], [0, 500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000]);
        assert!(waits[8..].iter().all(|wait| *wait == 60_000), "capped at a minute");
        let lasted: u128 = waits.iter().sum();
        let window = SYSTEM_RETRY_WINDOW.as_millis();
        assert!(lasted <= window && lasted + REFUSAL_CEILING.as_millis() > window, "{lasted} ms");
        let settlement = story.invocation.settlement().expect("the window is used up");
        assert_eq!((story.status(), settlement.outcome.condition()), (Status::Failed, condition));
        assert_eq!((story.invocation.runs, story.invocation.retries), (0, 0));
    }
}

#[test]
fn refusals_use_up_no_retries_and_a_function_error_ends_their_chain() {
    let mut story = running();
    for count in 1..=3 {
        story = story.then_with(at(0), |epoch| fail(epoch, Failure::Throttled));
        assert_eq!(story.invocation.refusals.map(|refusals| refusals.count), Some(count));
        story = story.then(at(4000), dequeue()).then_with(at(4000), start);
    }
    let story = story.then_with(at(4000), |epoch| fail(epoch, UNHANDLED));
    assert_eq!((story.invocation.refusals, story.invocation.retries), (None, 1));
    assert_eq!(story.invocation.due(), Some(at(4500)), "the first wait of its own series");
}

#[test]
fn an_outage_that_uses_up_the_window_does_not_end_work_that_was_hardly_tried() {
    let story = dequeued().then_with(at(0), |epoch| fail(epoch, Failure::Throttled)).then(at(500), dequeue());
    let next_day = at(86_400_000);
    let story = story.then_with(next_day, |epoch| Command::Lapse { epoch });
    assert_eq!(story.invocation.due(), Some(next_day.plus(Duration::from_secs(1))));

    let mut story = story;
    for _ in 3..REFUSALS_MIN {
        let due = story.invocation.due().expect("it waits");
        story = story.then(due, dequeue()).then_with(due, |epoch| fail(epoch, Failure::Throttled));
        assert_eq!(story.status(), Status::Dequeued);
    }
    let due = story.invocation.due().expect("it waits");
    let story = story.then(due, dequeue()).then_with(due, |epoch| fail(epoch, Failure::Throttled));
    assert_eq!(story.status(), Status::Failed, "now it was tried, and the window is used up");
}

#[test]
fn a_long_run_that_is_interrupted_begins_a_new_window() {
    let refused = Story::of(enqueued()).then(at(0), dequeue());
    let mut story = refused.then_with(at(0), |epoch| fail(epoch, Failure::Throttled));
    for _ in 0..REFUSALS_MIN {
        let due = story.invocation.due().expect("it waits");
        story = story.then(due, dequeue()).then_with(due, |epoch| fail(epoch, Failure::Throttled));
    }
    let due = story.invocation.due().expect("it waits");
    let ten_hours_later = due.plus(2 * SYSTEM_RETRY_WINDOW);
    let story = story
        .then(due, dequeue())
        .then_with(due, start)
        .then_with(ten_hours_later, |epoch| Command::Lapse { epoch });
    assert_eq!(story.invocation.due(), Some(ten_hours_later.plus(REFUSAL_CEILING)));
}

#[test]
fn work_that_takes_its_node_down_after_a_while_is_not_run_for_ever() {
    let mut story = Story::of(enqueued());
    let mut runs = 0;
    while let Some(due) = story.invocation.due() {
        let end = due.plus(2 * REFUSAL_CEILING);
        story =
            story.then(due, dequeue()).then_with(due, start).then_with(end, |epoch| Command::Lapse { epoch });
        runs += 1;
    }
    assert_eq!((story.status(), runs), (Status::Failed, REFUSALS_MAX));
    let timeline = story.timeline();
    assert_eq!(timeline.len(), TIMELINE_EVENTS_MAX, "bounded as well");
    assert_eq!((timeline[0].0, timeline[TIMELINE_EVENTS_MAX - 1].0), (Status::Enqueued, Status::Failed));
}

#[test]
fn a_success_on_the_last_attempt_is_a_success() {
    let mut story = running();
    for _ in 0..3 {
        story = story.then_with(at(0), |epoch| fail(epoch, UNHANDLED));
        let due = story.invocation.due().expect("a retry");
        story = story.then(due, dequeue()).then_with(due, start);
    }
    let story = story.then_with(at(9000), succeed);
    assert_eq!((story.status(), story.invocation.runs), (Status::Succeeded, 4));
}
