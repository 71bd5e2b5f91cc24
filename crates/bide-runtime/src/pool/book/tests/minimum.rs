//! Instances that are kept ready, on-demand caps, and changes of both.

use super::*;

fn scaled(id: u64, revision: u64, provisioned: u32, on_demand_max: Option<u32>) -> Arc<FunctionSpec> {
    let mut scaled = spec(id, 1).as_ref().clone();
    let mut function = scaled.function.as_ref().clone();
    function.revision = revision;
    scaled.function = Arc::new(function);
    scaled.scale = Scale { provisioned, on_demand_max };
    Arc::new(scaled)
}

/// Ends every start until no more begin; returns the members that came up.
fn start_all(book: &mut TestBook, mut actions: Actions<u64, &'static str>, now: Duration) -> Vec<u64> {
    let mut up = Vec::new();
    while let Some(start) = actions.start.pop() {
        actions.extend(book.started(&start.key, start.instance, now, None));
        actions.extend(book.settle(now));
        up.push(start.instance);
    }
    up
}

fn fail(book: &mut TestBook, start: &Start<u64>, now: Duration) -> Actions<u64, &'static str> {
    let mut actions = book.started(&start.key, start.instance, now, Some("no".to_owned()));
    actions.extend(book.settle(now));
    actions
}

fn current(book: &TestBook, spec: &FunctionSpec) -> usize {
    book.provision_status(spec.function.id, &spec.qualifier).current
}

#[test]
fn a_minimum_is_started_serves_and_is_not_reclaimed() {
    let mut book = book();
    let spec = scaled(1, 1, 3, None);
    let actions = book.assign(&spec, at(0));
    assert_eq!(actions.start.len(), CAPS.starts, "starts are limited");
    assert_eq!(start_all(&mut book, actions, at(0)).len(), 3);
    assert_eq!(current(&book, &spec), 3);
    let (grant, actions) = book.take(&spec, at(1));
    assert!(grant.is_some_and(|grant| !grant.cold) && actions.start.is_empty());
    assert!(book.reclaim(at(1_000_000), at(1)).stop.is_empty());
}

#[test]
fn what_is_beyond_the_minimum_is_reclaimed() {
    let mut book = book();
    let spec = scaled(1, 1, 1, None);
    let actions = book.assign(&spec, at(0));
    start_all(&mut book, actions, at(0));
    let taken: Vec<u64> = (0..3).map(|_| take_ready(&mut book, &spec, at(1)).unwrap()).collect();
    for number in &taken {
        book.release(&Key::of(&spec), *number, at(2), None, true);
    }
    assert_eq!(book.reclaim(at(100), at(50)).stop.len(), 2);
    assert_eq!(current(&book, &spec), 1);
}

#[test]
fn one_that_dies_is_replaced_and_failing_starts_wait_longer_each_time() {
    let mut book = book();
    let spec = scaled(1, 1, 1, None);
    let key = Key::of(&spec);
    let mut actions = book.assign(&spec, at(0));
    let mut now = at(0);
    for wait in [1, 2, 4, 8, 16, 32, 60, 60] {
        let start = actions.start.pop().expect("started");
        assert!(fail(&mut book, &start, now).start.is_empty());
        let status = book.provision_status(key.function, &key.qualifier);
        assert_eq!(status, ProvisionStatus { current: 0, error: Some("no".to_owned()) });
        assert!(book.settle(now + at(wait * 1000 - 1)).start.is_empty(), "{wait}");
        now += at(wait * 1000);
        actions = book.settle(now);
    }
    let up = start_all(&mut book, actions, now)[0];
    assert_eq!(book.provision_status(key.function, &key.qualifier).error, None);
    now += at(60_000);
    book.died(&key, up, now);
    let actions = book.settle(now);
    assert_eq!(actions.start.len(), 1, "it lived long enough");
    let up = start_all(&mut book, actions, now)[0];
    book.died(&key, up, now + at(1));
    assert!(book.settle(now + at(1)).start.is_empty(), "it died early");
    assert!(book.provision_status(key.function, &key.qualifier).error.is_some());
    assert_eq!(book.settle(now + at(60_001)).start.len(), 1);
}

#[test]
fn a_new_revision_starts_its_minimum_while_the_old_one_finishes() {
    let mut book = book();
    let (old, new) = (scaled(1, 1, 2, None), scaled(1, 2, 2, None));
    let key = Key::of(&old);
    let actions = book.assign(&old, at(0));
    start_all(&mut book, actions, at(0));
    let busy = take_ready(&mut book, &old, at(1)).unwrap();
    let actions = book.assign(&new, at(2));
    assert_eq!(actions.stop.len(), 1, "the idle one leaves");
    assert_eq!(start_all(&mut book, actions, at(2)).len(), 2);
    let (grant, _) = book.take(&old, at(3));
    assert_ne!(grant.expect("served").instance, busy, "also an old caller gets new code");
    assert_eq!(book.release(&key, busy, at(4), None, true).stop, [busy]);
    assert_eq!(current(&book, &new), 2);
}

#[test]
fn whoever_waits_at_a_change_is_served_by_the_new_revision() {
    let mut book = book();
    let (old, new) = (scaled(1, 1, 0, Some(1)), scaled(1, 2, 0, Some(2)));
    let busy = take_ready(&mut book, &old, at(0)).unwrap();
    book.wait(&old, at(0), "a");
    let actions = book.assign(&new, at(1));
    assert!(
        matches!(&actions.grants[..], [("a", grant)] if grant.instance != busy && grant.spec.function.revision == 2)
    );
}

#[test]
fn on_demand_instances_are_capped_beside_the_minimum() {
    let mut book = book();
    let spec = scaled(1, 1, 1, Some(1));
    let actions = book.assign(&spec, at(0));
    start_all(&mut book, actions, at(0));
    for _ in 0..2 {
        take_ready(&mut book, &spec, at(0)).unwrap();
    }
    assert_eq!(take_ready(&mut book, &spec, at(0)), None);
    let reason = book.may_wait(&spec).unwrap_err().reason;
    assert_eq!(
        reason,
        "the on-demand configuration of qualifier LATEST allows 1 instances beside the 1 provisioned"
    );
    let actions = book.assign(&scaled(1, 1, 1, None), at(1));
    assert_eq!(actions.grown, [spec.function.id, spec.function.id], "whoever was refused asks again");
    assert!(take_ready(&mut book, &spec, at(1)).is_some());
}

#[test]
fn a_cap_of_nothing_ends_what_idles_and_turns_away_who_waits() {
    let mut book = book();
    let (open, shut) = (scaled(1, 1, 0, None), scaled(1, 1, 0, Some(0)));
    let key = Key::of(&open);
    let numbers: Vec<u64> = (0..6).map(|_| take_ready(&mut book, &open, at(0)).unwrap()).collect();
    book.release(&key, numbers[0], at(1), None, true);
    for waiter in ["a", "b"] {
        book.wait(&open, at(1), waiter);
    }
    let actions = book.assign(&shut, at(2));
    assert_eq!(actions.stop, [numbers[0]]);
    assert_eq!(actions.turned_away.iter().map(|(waiter, _)| *waiter).collect::<Vec<_>>(), ["a", "b"]);
    assert!(book.take(&open, at(3)).0.is_none() && book.may_wait(&open).is_err());
    assert!(!book.is_wanting(), "time brings nothing");
    assert_eq!(book.release(&key, numbers[1], at(4), None, true).stop, [numbers[1]]);
}

#[test]
fn the_caps_of_the_server_hold_for_a_minimum_and_are_named() {
    let mut book = book();
    let (many, other) = (scaled(1, 1, 100, None), scaled(2, 1, 100, None));
    for spec in [&many, &other] {
        let actions = book.assign(spec, at(0));
        start_all(&mut book, actions, at(0));
    }
    let status = book.provision_status(many.function.id, &many.qualifier);
    assert_eq!(status.error.as_deref(), Some("the function has reached its limit of 6 instances"));
    let status = book.provision_status(other.function.id, &other.qualifier);
    assert_eq!(
        (status.current, status.error.as_deref()),
        (2, Some("the account has reached its limit of 8 instances"))
    );
    let third = scaled(3, 1, 0, None);
    assert!(book.take(&third, at(1)).0.is_none(), "nobody within a minimum makes room");
}

#[test]
fn without_a_target_or_a_function_nothing_is_kept() {
    let mut book = book();
    let spec = scaled(1, 1, 2, None);
    let actions = book.assign(&spec, at(0));
    start_all(&mut book, actions, at(0));
    book.assign(&scaled(1, 1, 1, None), at(1));
    assert_eq!(book.reclaim(at(100), at(50)).stop.len(), 1, "the surplus goes as any idle one does");
    assert_eq!(book.retire_but(spec.function.id, &[]).stop.len(), 1);
    assert!(book.is_empty() && book.settle(at(101)).start.is_empty());
}

#[test]
fn a_call_that_knows_of_a_minimum_that_is_no_more_does_not_bring_it_back() {
    let mut book = book();
    let late = scaled(1, 1, 3, None);
    let (grant, actions) = book.take(&late, at(0));
    assert_eq!(start_all(&mut book, actions, at(0)).len(), 1);
    book.release(&Key::of(&late), grant.expect("a slot").instance, at(1), None, true);
    assert_eq!(book.reclaim(at(100), at(50)).stop.len(), 1);
    assert!(book.is_empty() && book.settle(at(101)).start.is_empty());
}

#[test]
fn one_that_is_not_well_finishes_and_is_replaced() {
    let mut book = book();
    let spec = scaled(1, 1, 1, None);
    let key = Key::of(&spec);
    let actions = book.assign(&spec, at(0));
    start_all(&mut book, actions, at(0));
    let unwell = take_ready(&mut book, &spec, at(1)).unwrap();
    let actions = book.condemn(&key, unwell, at(2));
    assert!(actions.stop.is_empty());
    let fresh = start_all(&mut book, actions, at(2));
    book.condemn(&key, unwell, at(3));
    assert_eq!(book.stats().unwell, 1, "once");
    assert_eq!(book.release(&key, unwell, at(4), None, true).stop, [unwell]);
    assert_eq!(take_ready(&mut book, &spec, at(5)), Some(fresh[0]));
}

#[test]
fn only_who_asks_for_it_is_told_to_rest_and_once_until_it_works_again() {
    let mut book = book();
    let mut resting = scaled(1, 1, 0, None).as_ref().clone();
    let mut function = resting.function.as_ref().clone();
    function.pre_freeze = Some(LifecycleHook { handler: "a.b".to_owned(), timeout_seconds: 1 });
    resting.function = Arc::new(function);
    let (resting, other) = (Arc::new(resting), spec(2, 1));
    let one = take_ready(&mut book, &resting, at(0)).unwrap();
    let two = take_ready(&mut book, &other, at(0)).unwrap();
    book.release(&Key::of(&resting), one, at(10), None, true);
    book.release(&Key::of(&other), two, at(10), None, true);
    assert!(book.send_to_rest(at(11), at(5)).is_empty());
    assert_eq!(book.send_to_rest(at(15), at(5)), [one]);
    assert!(book.send_to_rest(at(100), at(5)).is_empty());
    take_ready(&mut book, &resting, at(100)).unwrap();
    book.release(&Key::of(&resting), one, at(100), None, true);
    assert_eq!(book.send_to_rest(at(105), at(5)), [one]);
}

#[test]
fn a_call_alone_brings_a_new_revision_as_well() {
    let mut book = book();
    let (old, new) = (scaled(1, 1, 0, None), scaled(1, 2, 0, None));
    let idle = take_ready(&mut book, &old, at(0)).unwrap();
    book.release(&Key::of(&old), idle, at(1), None, true);
    let (grant, actions) = book.take(&new, at(2));
    assert_eq!(actions.stop, [idle]);
    assert!(grant.is_some_and(|grant| grant.cold && grant.instance != idle));
}
