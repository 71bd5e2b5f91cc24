use std::ops::Bound::{Excluded, Included, Unbounded};

use super::*;
use crate::testing::directory;

fn keys(txn: &Txn, after: Bound<&[u8]>, end: Bound<&[u8]>, max: usize) -> Vec<String> {
    let keys = txn.keys(Space::Queue, after, end, max).expect("a read");
    keys.iter().map(|key| String::from_utf8_lossy(key).into_owned()).collect()
}

#[test]
fn a_group_reads_what_it_has_written_over_what_is_stored() {
    let directory = directory();
    let tables = Tables::create(&directory.path().join("store")).expect("a database");
    for key in ["b", "d", "f"] {
        tables.space(Space::Queue).insert(key, "stored").expect("a write");
    }
    let mut txn = Txn::new(tables.clone());
    assert!(txn.is_empty());
    txn.put(Space::Queue, "a", "written");
    txn.put(Space::Queue, "d", "written");
    txn.put(Space::Queue, "e", "written");
    txn.remove(Space::Queue, "f");
    txn.remove(Space::Queue, "g");
    assert!(!txn.is_empty());

    assert_eq!(keys(&txn, Unbounded, Unbounded, 10), ["a", "b", "d", "e"]);
    assert_eq!(keys(&txn, Unbounded, Unbounded, 2), ["a", "b"]);
    assert_eq!(keys(&txn, Excluded(b"a"), Included(b"d"), 10), ["b", "d"]);
    assert_eq!(keys(&txn, Included(b"d"), Excluded(b"e"), 10), ["d"]);
    assert_eq!(keys(&txn, Excluded(b"e"), Unbounded, 10), [""; 0]);
    let get = |key: &str| txn.get(Space::Queue, key.as_bytes()).expect("a read").map(|value| value.to_vec());
    assert_eq!(get("b").as_deref(), Some(&b"stored"[..]));
    assert_eq!(get("d").as_deref(), Some(&b"written"[..]));
    assert_eq!(get("f"), None);

    txn.take_batch().commit().expect("a write");
    assert!(txn.is_empty());
    let stored: Vec<_> = tables.scan(Space::Queue).map(|entry| entry.expect("a read").0.to_vec()).collect();
    assert_eq!(stored, [b"a", b"b", b"d", b"e"]);
}
