//! Code packages: kept by digest, removed when nobody names them.
//!
//! The digests are true: a store may compare what it reads with its name.

use bytes::Bytes;

use super::Subject;
use crate::store::Store;

const LARGE: &str = "892f2fe04ec507da2fe21530851fc8c60ae8a0d9b126b61d7168fd5dbb209a1b";
const SMALL: &str = "81db8ebbbbc69c6c6ad4a6aa92b76e0c08af547da236b9e2c9dbe1d8285a8130";
const A: &str = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb";
const B: &str = "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d";
const C: &str = "2e7d2c03a9507ae265ecf5b5356885a53393a2029d241394997265a1a25aefc6";

async fn put(store: &dyn Store, digest: &str, zip: &Bytes) {
    store.put_package(digest.to_owned(), zip.clone()).await.expect("a healthy store keeps a package");
}

async fn get(store: &dyn Store, digest: &str) -> Option<Bytes> {
    store.package(digest.to_owned()).await.expect("a read")
}

pub async fn a_package_is_kept_under_its_digest(subject: impl Subject) {
    let zip = Bytes::from(vec![7; 3_000_000]);
    assert_eq!(get(subject.store(), LARGE).await, None);
    put(subject.store(), LARGE, &zip).await;
    put(subject.store(), LARGE, &zip).await;
    put(subject.store(), SMALL, &Bytes::from_static(b"small")).await;
    let subject = subject.reopen().await;
    assert!(get(subject.store(), LARGE).await == Some(zip), "the large one is there as it was");
    assert_eq!(get(subject.store(), SMALL).await.as_deref(), Some(&b"small"[..]));
    assert_eq!(get(subject.store(), A).await, None);
}

pub async fn packages_that_nobody_names_are_removed(subject: impl Subject) {
    for (digest, zip) in [(A, "a"), (B, "b"), (C, "c")] {
        put(subject.store(), digest, &Bytes::from(zip)).await;
    }
    let keep = |digests: &[&str]| digests.iter().map(|digest| (*digest).to_owned()).collect::<Vec<_>>();
    let removed = subject.store().retain_packages(keep(&[B, "not-there"])).await.expect("a write");
    assert_eq!(removed, 2);
    let subject = subject.reopen().await;
    for (digest, there) in [(A, false), (B, true), (C, false)] {
        assert_eq!(get(subject.store(), digest).await.is_some(), there, "{digest}");
    }
    assert_eq!(subject.store().retain_packages(keep(&[B])).await.expect("a write"), 0);
    put(subject.store(), A, &Bytes::from_static(b"a")).await;
    assert_eq!(get(subject.store(), A).await.as_deref(), Some(&b"a"[..]));
}
