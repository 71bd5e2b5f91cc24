//! Code packages on disk: verified when read, and nothing half written under a final name.

use std::fs;

use bide_store::{Store, StoreError};
use bide_store_local::{LocalStore, Options};
use bytes::Bytes;

use crate::support::{directory, open};

/// SHA-256 of `package`.
const DIGEST: &str = "bc4a71180870f7945155fbb02f4b0a2e3faa2a62d6d31b7039013055ed19869a";
const PACKAGE: Bytes = Bytes::from_static(b"package");

#[tokio::test]
async fn a_package_that_was_changed_is_damage_and_is_mended_by_keeping_it_again() {
    let directory = directory();
    let store = open(directory.path());
    store.put_package(DIGEST.to_owned(), PACKAGE).await.expect("a package is kept");
    let file = directory.path().join("packages").join(format!("{DIGEST}.zip"));
    fs::write(&file, b"other").expect("a write");
    let found = store.package(DIGEST.to_owned()).await;
    let Err(StoreError::Damaged { place, .. }) = found else { panic!("not noticed: {found:?}") };
    assert!(place.contains(DIGEST), "{place}");
    store.put_package(DIGEST.to_owned(), PACKAGE).await.expect("a package is kept");
    assert_eq!(store.package(DIGEST.to_owned()).await.expect("a read"), Some(PACKAGE));
}

#[tokio::test]
async fn nothing_new_fits_into_the_reserve() {
    let directory = directory();
    let options = Options { reserve_bytes: u64::MAX, ..Options::default() };
    let store = LocalStore::open(directory.path(), options).expect("it opens");
    let refused = store.put_package(DIGEST.to_owned(), PACKAGE).await;
    assert!(matches!(refused, Err(StoreError::NoSpace { reserve: u64::MAX, .. })), "{refused:?}");
    assert!(matches!(store.check_space(), Err(StoreError::NoSpace { .. })));
    assert_eq!(store.package(DIGEST.to_owned()).await.expect("a read"), None);
    store.close().await.expect("it closes");
    let store = LocalStore::open(directory.path(), Options { reserve_bytes: 0, ..Options::default() });
    assert_eq!(store.expect("it opens").check_space().map_err(|error| error.to_string()), Ok(()));
}

#[tokio::test]
async fn content_under_a_digest_that_is_not_its_own_is_refused() {
    let directory = directory();
    let store = open(directory.path());
    assert!(store.put_package(DIGEST.to_owned(), Bytes::from_static(b"other")).await.is_err());
    assert!(store.put_package("../escape".to_owned(), PACKAGE).await.is_err());
    assert_eq!(store.package(DIGEST.to_owned()).await.expect("a read"), None);
    assert_eq!(store.package("../lock".to_owned()).await.expect("a read"), None);
}

#[tokio::test]
async fn what_a_crash_left_is_removed_with_the_packages_that_nobody_names() {
    let directory = directory();
    let store = open(directory.path());
    store.put_package(DIGEST.to_owned(), PACKAGE).await.expect("a package is kept");
    let half = directory.path().join("packages/half.new");
    fs::write(&half, b"pack").expect("a write");
    assert_eq!(store.retain_packages(vec![DIGEST.to_owned()]).await.expect("a write"), 0);
    assert!(!half.exists());
    assert_eq!(store.package(DIGEST.to_owned()).await.expect("a read"), Some(PACKAGE));
}
