use std::time::Duration;

use super::*;
use crate::fixtures::{at, deferred, enqueued, request};
use crate::invocation::Status;
use crate::ledger::Bucket;

#[test]
fn the_delay_counts_from_acceptance() {
    let invocation = deferred(Duration::from_secs(5));
    assert_eq!((invocation.accepted_at, invocation.due()), (at(0), Some(at(5000))));
    assert_eq!((invocation.status(), Bucket::of(&invocation)), (Status::Enqueued, Bucket::Deferred));
}

#[test]
fn a_fraction_of_a_microsecond_is_never_cut_from_the_delay() {
    assert_eq!(deferred(Duration::from_nanos(1)).due(), Some(at(0).plus(Duration::from_micros(1))));
}

#[test]
fn without_a_delay_it_is_due_at_once_and_in_line() {
    let invocation = enqueued();
    assert_eq!((invocation.due(), Bucket::of(&invocation)), (Some(at(0)), Bucket::Queued));
}

#[test]
fn what_the_payload_is_stays_with_the_invocation() {
    let http = enqueue(Enqueue { kind: CallKind::Http, ..request() }, InvocationId::new(9), at(0));
    assert_eq!((http.kind, enqueued().kind), (CallKind::Http, CallKind::Event));
}

#[test]
fn a_task_begins_its_timeline_and_a_plain_invocation_has_none() {
    let Mode::Task { timeline, .. } = enqueued().mode else { panic!("a task") };
    assert_eq!(timeline.len(), 1);
    let plain = enqueue(Enqueue { task: None, ..request() }, InvocationId::new(9), at(0));
    assert_eq!((plain.mode, plain.id), (Mode::Plain, InvocationId::new(9)));
}
