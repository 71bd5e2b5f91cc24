//! Code packages: kept by digest, removed when nobody names them.

use bytes::Bytes;

use super::Subject;
use crate::store::Store;

async fn put(store: &dyn Store, digest: &str, zip: &Bytes) {
    store.put_package(digest.to_owned(), zip.clone()).await.expect("a healthy store keeps a package");
}

async fn get(store: &dyn Store, digest: &str) -> Option<Bytes> {
    store.package(digest.to_owned()).await.expect("a read")
}

pub async fn a_package_is_kept_under_its_digest(subject: impl Subject) {
    let zip = Bytes::from(vec![7; 3_000_000]);
    assert_eq!(get(subject.store(), "aa").await, None);
    put(subject.store(), "aa", &zip).await;
    put(subject.store(), "aa", &zip).await;
    put(subject.store(), "bb", &Bytes::from_static(b"small")).await;
    let subject = subject.reopen().await;
    assert!(get(subject.store(), "aa").await == Some(zip), "the large one is there as it was");
    assert_eq!(get(subject.store(), "bb").await.as_deref(), Some(&b"small"[..]));
    assert_eq!(get(subject.store(), "cc").await, None);
}

pub async fn packages_that_nobody_names_are_removed(subject: impl Subject) {
    for digest in ["aa", "bb", "cc"] {
        put(subject.store(), digest, &Bytes::from(digest)).await;
    }
    let keep = |digests: &[&str]| digests.iter().map(|digest| (*digest).to_owned()).collect::<Vec<_>>();
    let removed = subject.store().retain_packages(keep(&["bb", "not-there"])).await.expect("a write");
    assert_eq!(removed, 2);
    let subject = subject.reopen().await;
    for (digest, there) in [("aa", false), ("bb", true), ("cc", false)] {
        assert_eq!(get(subject.store(), digest).await.is_some(), there, "{digest}");
    }
    assert_eq!(subject.store().retain_packages(keep(&["bb"])).await.expect("a write"), 0);
    put(subject.store(), "aa", &Bytes::from_static(b"again")).await;
    assert_eq!(get(subject.store(), "aa").await.as_deref(), Some(&b"again"[..]));
}
