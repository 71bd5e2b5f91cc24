//! Control objects: revisions, conflicts, all or nothing.

use bytes::Bytes;

use super::Subject;
use super::driver::{Driver, at, plain, task};
use crate::batch::{Batch, SubmitReply};
use crate::control::{ControlChange, ControlConflict, ControlKey, ControlObject, ControlWrite, Expected};

fn key(name: &str) -> ControlKey {
    ControlKey::new(&["function", "10001", name])
}

fn put(name: &str, expected: Expected, value: &'static str) -> ControlWrite {
    ControlWrite { key: key(name), expected, value: Some(Bytes::from(value)) }
}

fn remove(name: &str, expected: Expected) -> ControlWrite {
    ControlWrite { key: key(name), expected, value: None }
}

async fn change<S: Subject>(driver: &Driver<S>, writes: Vec<ControlWrite>) -> Result<u64, ControlConflict> {
    let controls = vec![ControlChange::of(writes)];
    driver.commit(Batch { now: at(0), controls, ..Batch::default() }).await.controls.remove(0)
}

/// Key, revision and value of all objects.
async fn all<S: Subject>(driver: &Driver<S>) -> Vec<(ControlKey, u64, Bytes)> {
    let controls = driver.store().controls().await.expect("a read");
    controls.into_iter().map(|(key, ControlObject { revision, value })| (key, revision, value)).collect()
}

fn object(name: &str, revision: u64, value: &'static str) -> (ControlKey, u64, Bytes) {
    (key(name), revision, Bytes::from(value))
}

pub async fn each_write_raises_the_revision(subject: impl Subject) {
    let driver = Driver::new(subject);
    assert_eq!(change(&driver, vec![put("a", Expected::Absent, "1")]).await, Ok(1));
    assert_eq!(change(&driver, vec![put("a", Expected::Revision(1), "2")]).await, Ok(2));
    assert_eq!(change(&driver, vec![put("a", Expected::Anything, "3")]).await, Ok(3));
    assert_eq!(change(&driver, vec![put("b", Expected::Anything, "")]).await, Ok(1));
    let driver = driver.reopen().await;
    assert_eq!(all(&driver).await, [object("a", 3, "3"), object("b", 1, "")]);
    assert_eq!(change(&driver, vec![put("a", Expected::Revision(3), "4")]).await, Ok(4));
}

pub async fn a_write_that_expects_something_else_is_a_conflict(subject: impl Subject) {
    let driver = Driver::new(subject);
    change(&driver, vec![put("a", Expected::Absent, "1")]).await.expect("no conflict");
    for (name, expected, found) in [
        ("a", Expected::Absent, Some(1)),
        ("a", Expected::Revision(2), Some(1)),
        ("b", Expected::Revision(1), None),
    ] {
        let conflict = ControlConflict { key: key(name), found };
        assert_eq!(change(&driver, vec![put(name, expected, "2")]).await, Err(conflict));
    }
    assert_eq!(all(&driver).await, [object("a", 1, "1")]);
}

pub async fn writes_of_one_change_happen_together_or_not_at_all(subject: impl Subject) {
    let driver = Driver::new(subject);
    let writes = vec![put("a", Expected::Absent, "1"), put("b", Expected::Absent, "1")];
    assert_eq!(change(&driver, writes).await, Ok(1));
    let writes = vec![
        put("a", Expected::Revision(1), "2"),
        remove("b", Expected::Revision(1)),
        put("c", Expected::Revision(9), "2"),
    ];
    assert_eq!(change(&driver, writes).await, Err(ControlConflict { key: key("c"), found: None }));
    let driver = driver.reopen().await;
    assert_eq!(all(&driver).await, [object("a", 1, "1"), object("b", 1, "1")]);
}

pub async fn changes_of_one_batch_see_those_before_them(subject: impl Subject) {
    let driver = Driver::new(subject);
    let change = ControlChange::of;
    let controls = vec![
        change(vec![put("a", Expected::Absent, "1")]),
        change(vec![put("a", Expected::Absent, "other")]),
        change(vec![put("a", Expected::Revision(1), "2"), put("a", Expected::Revision(2), "3")]),
        change(vec![put("b", Expected::Absent, "1"), remove("b", Expected::Revision(1))]),
    ];
    let replies = driver.commit(Batch { now: at(0), controls, ..Batch::default() }).await.controls;
    assert_eq!(replies, [Ok(1), Err(ControlConflict { key: key("a"), found: Some(1) }), Ok(3), Ok(2)]);
    assert_eq!(all(&driver).await, [object("a", 3, "3")]);
}

pub async fn a_removed_object_is_gone_and_can_come_again(subject: impl Subject) {
    let driver = Driver::new(subject);
    change(&driver, vec![put("a", Expected::Absent, "1")]).await.expect("no conflict");
    change(&driver, vec![remove("a", Expected::Revision(1))]).await.expect("no conflict");
    let driver = driver.reopen().await;
    assert_eq!(all(&driver).await, []);
    let conflict = ControlConflict { key: key("a"), found: None };
    assert_eq!(change(&driver, vec![remove("a", Expected::Revision(1))]).await, Err(conflict));
    assert!(
        change(&driver, vec![remove("a", Expected::Anything)]).await.is_ok(),
        "removing nothing is no conflict"
    );
    change(&driver, vec![put("a", Expected::Absent, "2")]).await.expect("no conflict");
    assert_eq!(all(&driver).await, [object("a", 1, "2")]);
}

pub async fn what_goes_with_a_change_is_submitted_with_it_or_not_at_all(subject: impl Subject) {
    let driver = Driver::new(subject);
    let with = |expected, submissions| ControlChange { writes: vec![put("a", expected, "")], submissions };
    let controls = vec![
        with(Expected::Absent, vec![task("first"), plain()]),
        with(Expected::Absent, vec![task("never"), plain()]),
        with(Expected::Revision(1), vec![task("first"), task("second")]),
    ];
    let submissions = vec![task("second")];
    let reply = driver.commit(Batch { now: at(0), controls, submissions, ..Batch::default() }).await;
    assert_eq!(reply.controls, [Ok(1), Err(ControlConflict { key: key("a"), found: Some(1) }), Ok(2)]);
    assert_eq!(
        reply.submissions,
        [SubmitReply::Duplicate],
        "a change comes before the submissions of its batch"
    );
    let driver = driver.reopen().await;
    assert_eq!(driver.task("never").await, None);
    assert_eq!(driver.ledger().await.accepted, 3);
    let claimed = driver.claim(at(0), 9).await.claimed;
    let payloads: Vec<_> = claimed.iter().map(|claimed| &claimed.payload[..]).collect();
    assert_eq!(payloads, [&b"event of first"[..], b"event", b"event of second"]);
}

pub async fn objects_come_in_the_order_of_keys(subject: impl Subject) {
    let driver = Driver::new(subject);
    for name in ["b", "a-b", "a", "a_b", "c"] {
        change(&driver, vec![put(name, Expected::Absent, "")]).await.expect("no conflict");
    }
    let keys: Vec<_> = all(&driver).await.into_iter().map(|(key, ..)| key).collect();
    assert_eq!(keys, ["a", "a-b", "a_b", "b", "c"].map(key));
}
