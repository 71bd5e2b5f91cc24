use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::*;

/// Looks once whether the future is done.
fn is_done<F: Future<Output = ()> + Unpin>(future: &mut F) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    matches!(pin!(future).poll(&mut context), Poll::Ready(()))
}

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

#[test]
fn a_manual_clock_stands_still_until_it_is_moved() {
    let clock = ManualClock::at(at(1000));
    assert_eq!((clock.now(), clock.monotonic()), (at(1000), Duration::from_secs(1)));
    clock.advance(Duration::from_millis(5));
    assert_eq!((clock.now(), clock.monotonic()), (at(1005), Duration::from_millis(1005)));
}

#[test]
fn a_sleeper_wakes_when_its_moment_has_come_and_not_before() {
    let clock = ManualClock::at(at(1000));
    let mut until = clock.sleep_until(at(1010));
    let mut for_a_while = clock.sleep(Duration::from_millis(20));
    assert!(!is_done(&mut until));
    clock.advance(Duration::from_millis(9));
    assert!(!is_done(&mut until), "one millisecond is missing");
    clock.advance(Duration::from_millis(1));
    assert!(is_done(&mut until));
    assert!(!is_done(&mut for_a_while));
    clock.advance(Duration::from_secs(10));
    assert!(is_done(&mut for_a_while), "far past is past");
}

#[test]
fn a_moment_that_has_passed_is_not_waited_for() {
    let clock = ManualClock::at(at(1000));
    for moment in [at(0), at(1000)] {
        assert!(is_done(&mut clock.sleep_until(moment)));
    }
    assert!(is_done(&mut clock.sleep(Duration::ZERO)));
}

#[tokio::test]
async fn clones_share_the_time_and_wake_each_others_sleepers() {
    let clock = ManualClock::at(at(0));
    let sleeper = clock.clone();
    let task = tokio::spawn(async move {
        sleeper.sleep_until(at(50)).await;
        sleeper.now()
    });
    tokio::task::yield_now().await;
    clock.advance(Duration::from_millis(70));
    assert_eq!(task.await.expect("the sleeper wakes"), at(70));
}

#[test]
fn the_system_clock_tells_a_time_after_2020_and_counts_up() {
    let clock = SystemClock::new();
    assert!(clock.now() > at(1_577_836_800_000));
    let earlier = clock.monotonic();
    assert!(clock.monotonic() >= earlier);
}

#[tokio::test]
async fn the_system_clock_never_wakes_early() {
    let clock = SystemClock::default();
    clock.sleep_until(at(0)).await;
    let moment = clock.now().plus(Duration::from_millis(2));
    clock.sleep_until(moment).await;
    assert!(clock.now() >= moment);
    let started = clock.monotonic();
    clock.sleep(Duration::from_millis(2)).await;
    assert!(clock.monotonic() - started >= Duration::from_millis(2));
}
