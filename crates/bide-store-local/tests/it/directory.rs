//! Who may open a data directory, and what an opening changes.

use std::fs;

use bide_store::{Health, Store, StoreError};
use bide_store_local::{LocalStore, OpenError, Options};

use crate::support::{FUNCTION, at, claim, directory, open, submit, task};

#[tokio::test]
async fn a_second_opening_is_refused_and_names_the_directory() {
    let directory = directory();
    let store = open(directory.path());
    let refused = LocalStore::open(directory.path(), Options::default()).map(drop).expect_err("it is in use");
    assert!(matches!(refused, OpenError::InUse { .. }), "{refused:?}");
    let text = refused.to_string();
    assert!(text.contains(&directory.path().display().to_string()) && text.contains("in use"), "{text}");
    assert_eq!(store.health(), Health::Ok);
    submit(&store, at(0), vec![task(1)]).await.expect("the first store goes on");
}

#[tokio::test]
async fn closing_gives_the_directory_free_even_while_clones_live() {
    let directory = directory();
    let store = open(directory.path());
    let clone = store.clone();
    store.close().await.expect("a clean end");
    let again = open(directory.path());
    assert!(matches!(submit(&clone, at(0), vec![task(1)]).await, Err(StoreError::Closed)));
    assert!(matches!(clone.ledger(FUNCTION).await, Err(StoreError::Closed)));
    assert!(matches!(clone.waiting().await, Err(StoreError::Closed)));
    assert!(matches!(clone.put_package(String::new(), "".into()).await, Err(StoreError::Closed)));
    clone.close().await.expect("closing twice is no error");
    submit(&again, at(0), vec![task(1)]).await.expect("the new store works");
}

#[tokio::test]
async fn every_opening_has_a_holder_of_its_own_and_sees_the_leases_of_the_others() {
    let directory = directory();
    let store = open(directory.path());
    let first = store.holder();
    submit(&store, at(0), vec![task(1)]).await.expect("a commit");
    let claimed = claim(&store, at(1), 1).await.expect("a claim");
    assert_eq!(store.lapsed_leases(first, at(2), 10).await.expect("a read"), []);
    drop(store);

    let store = open(directory.path());
    assert!(store.holder() > first);
    let lapsed = store.lapsed_leases(store.holder(), at(2), 10).await.expect("a read");
    assert_eq!(lapsed.len(), 1);
    assert_eq!((lapsed[0].invocation, lapsed[0].holder), (claimed[0].invocation.id, first));
}

#[test]
fn an_opening_that_did_not_get_far_is_begun_again() {
    let directory = directory();
    fs::create_dir_all(directory.path().join("store.new/keyspaces")).expect("a directory");
    fs::write(directory.path().join("store.new/0.jnl"), b"half").expect("a file");
    drop(open(directory.path()));
    assert!(!directory.path().join("store.new").exists());
}

#[test]
fn a_directory_that_cannot_be_made_is_told() {
    let directory = directory();
    let file = directory.path().join("file");
    fs::write(&file, b"").expect("a file");
    let refused = LocalStore::open(&file.join("data"), Options::default()).map(drop);
    assert!(matches!(refused, Err(OpenError::Io { .. })), "{refused:?}");
}
