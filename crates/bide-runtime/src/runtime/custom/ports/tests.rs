use std::task::Poll;

use bide_env::{ManualClock, SystemClock};
use bide_types::Timestamp;

use super::*;

#[tokio::test]
async fn a_port_is_given_to_one_instance_only_and_comes_back() {
    let clock = SystemClock::new();
    let ports = Ports::default();
    let first = ports.any(0, &clock).await.unwrap();
    let number = first.number();
    let mut waiting = Box::pin(ports.any(number, &clock));
    assert!(matches!(futures_poll(waiting.as_mut()).await, Poll::Pending), "its holder is still starting");
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, number)).unwrap();
    assert_ne!(waiting.await.unwrap().number(), number);
    drop((first, listener));
    assert_eq!(ports.any(number, &clock).await.unwrap().number(), number);
}

#[tokio::test]
async fn a_holder_that_does_not_come_to_listen_is_not_waited_for_again() {
    let clock = ManualClock::at(Timestamp::from_millis(1_000_000));
    let ports = Ports::default();
    let held = ports.any(0, &clock).await.unwrap();
    clock.advance(HOLDER_WAIT_MAX + LOOK_INTERVAL);
    let other = ports.any(held.number(), &clock).await.unwrap();
    assert_ne!(other.number(), held.number());
}

#[tokio::test]
async fn a_port_that_somebody_else_listens_on_is_not_given() {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let used = listener.local_addr().unwrap().port();
    assert_ne!(Ports::default().any(used, &SystemClock::new()).await.unwrap().number(), used);
}

#[tokio::test]
async fn whoever_waits_for_a_port_gets_it_when_its_holder_makes_way() {
    let ports = Ports::default();
    let clock = SystemClock::new();
    let held = ports.any(0, &clock).await.unwrap();
    let number = held.number();
    assert!(!held.is_wanted());
    let mut waiting = Box::pin(ports.own(number, &clock));
    assert!(matches!(futures_poll(waiting.as_mut()).await, Poll::Pending));
    assert!(held.is_wanted());
    drop(held);
    let port = waiting.await.ok().unwrap();
    assert_eq!(port.number(), number);
    assert!(!port.is_wanted());
    drop(port);
    assert!(ports.lock().is_empty());
}

#[tokio::test]
async fn a_port_that_stays_taken_is_given_up_and_by_whom_it_is_taken_is_told() {
    let clock = ManualClock::at(Timestamp::from_millis(1_000_000));
    let ports = Ports::default();
    let held = ports.any(0, &clock).await.unwrap();
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let foreign = listener.local_addr().unwrap().port();
    for (number, patience, refused) in
        [(held.number(), WAIT_MAX, NotFree::Ours), (foreign, FOREIGN_WAIT_MAX, NotFree::Foreign)]
    {
        let mut waiting = Box::pin(ports.own(number, &clock));
        assert!(matches!(futures_poll(waiting.as_mut()).await, Poll::Pending));
        clock.advance(patience + LOOK_INTERVAL);
        assert_eq!(waiting.await.err(), Some(refused));
    }
}

async fn futures_poll<F: Future + Unpin>(mut future: F) -> Poll<F::Output> {
    std::future::poll_fn(|context| Poll::Ready(std::pin::Pin::new(&mut future).poll(context))).await
}
