use std::fs;

use bide_core::{Bucket, Ledger};
use bide_types::FunctionId;

use super::*;
use crate::keys::{ledgers, meta};
use crate::testing::{FUNCTION, PACKAGE_DIGEST, directory, populate};

fn report(path: &Path) -> Report {
    verify(path, &mut |_| {}).expect("the store opens")
}

/// Verifies a populated store after `damage`.
async fn after(damage: impl FnOnce(&Tables)) -> Report {
    let directory = directory();
    populate(directory.path()).await;
    let opened = Directory::open(directory.path(), Missing::Refuse).expect("the store opens");
    damage(&opened.tables);
    drop(opened);
    report(directory.path())
}

/// The first key of a keyspace.
fn first(tables: &Tables, space: Space) -> Vec<u8> {
    let (key, _) = tables.scan(space).next().expect("something is in it").expect("it can be read");
    key.to_vec()
}

fn remove_first(tables: &Tables, space: Space) {
    tables.space(space).remove(first(tables, space)).expect("a write");
}

/// A copy of the first entry under a key whose last byte is another.
fn add_stray(tables: &Tables, space: Space) {
    let (key, value) = tables.scan(space).next().expect("something is in it").expect("it can be read");
    let mut key = key.to_vec();
    *key.last_mut().expect("a key has bytes") ^= 0x55;
    tables.space(space).insert(key, value).expect("a write");
}

fn assert_tells(report: &Report, words: &[&str]) {
    let text = report.problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(words.iter().all(|word| text.contains(word)), "no {words:?} in:\n{text}");
}

#[tokio::test]
async fn a_sound_store_has_no_problems() {
    let directory = directory();
    populate(directory.path()).await;
    let mut parts = Vec::new();
    let report = verify(directory.path(), &mut |progress| parts.push(progress)).expect("the store opens");
    assert_eq!(report.problems, []);
    assert!(report.is_sound());
    assert_eq!(report.packages, 1);
    for space in Space::ALL {
        let entries = report.entries.iter().find(|(name, _)| *name == space.name()).map(|(_, count)| *count);
        assert!(entries.is_some_and(|count| count > 0), "{} is walked and has something in it", space.name());
        assert!(parts.iter().any(|progress| progress.part == space.name()));
    }
}

#[tokio::test]
async fn every_missing_entry_is_found() {
    let tested = Space::ALL.into_iter().filter(|space| {
        !matches!(space, Space::Controls | Space::Meta | Space::Results | Space::AttemptLogs)
    });
    for space in tested {
        let report = after(|tables| remove_first(tables, space)).await;
        assert!(!report.is_sound(), "an entry of {} is missing, and nobody noticed", space.name());
    }
}

#[tokio::test]
async fn every_stray_entry_is_found() {
    let tested = Space::ALL.into_iter().filter(|space| !matches!(space, Space::Controls));
    for space in tested {
        let report = after(|tables| add_stray(tables, space)).await;
        // A stray record is like a true one; what it calls for is not there.
        let told = if space == Space::Invocations { Space::Payloads } else { space };
        assert_tells(&report, &[told.name()]);
    }
}

#[tokio::test]
async fn every_undecodable_value_is_found() {
    let with_values = [
        Space::Invocations,
        Space::Payloads,
        Space::Results,
        Space::AttemptLogs,
        Space::Leases,
        Space::TaskIds,
        Space::Deliveries,
        Space::Ledgers,
        Space::Controls,
        Space::Meta,
    ];
    for space in with_values {
        let report = after(|tables| {
            // Not the format number, without which the store does not open.
            let key = if space == Space::Meta { b"last_id".to_vec() } else { first(tables, space) };
            tables.space(space).insert(key, [99, 1, 2]).expect("a write");
        })
        .await;
        assert_tells(&report, &[space.name(), "version 99"]);
    }
}

#[tokio::test]
async fn a_ledger_that_does_not_tell_the_truth_is_found() {
    let put = |tables: &Tables, ledger: Ledger| {
        tables
            .space(Space::Ledgers)
            .insert(ledgers::key(FUNCTION), ledgers::encode(&ledger))
            .expect("a write");
    };
    let stored = |tables: &Tables| {
        let value = tables.get(Space::Ledgers, &ledgers::key(FUNCTION)).expect("a read").expect("a ledger");
        ledgers::decode(&value).expect("a ledger")
    };
    let report = after(|tables| {
        let ledger = stored(tables);
        put(tables, Ledger::from_parts(ledger.accepted + 1, *ledger.counts()));
    })
    .await;
    assert_tells(&report, &["8 were accepted, but 7 are accounted for"]);

    let report = after(|tables| {
        let mut ledger = stored(tables);
        ledger.shift(Bucket::Deferred, Bucket::Expired);
        put(tables, ledger);
    })
    .await;
    assert_tells(&report, &["0 are counted as deferred, 1 are stored"]);
}

#[tokio::test]
async fn numbers_that_lag_behind_the_records_are_found() {
    for name in [meta::LAST_ID_KEY, meta::ID_LEAD_KEY] {
        let report = after(|tables| {
            tables.space(Space::Meta).insert(name, meta::encode(1)).expect("a write");
        })
        .await;
        assert_tells(&report, &[name, "it is 1, but a record calls for"]);
    }
}

#[tokio::test]
async fn records_without_a_ledger_are_found() {
    let report = after(|tables| remove_first(tables, Space::Ledgers)).await;
    assert_tells(&report, &["the ledger of fn-1 is missing; 7 are stored"]);
}

#[tokio::test]
async fn a_package_that_does_not_match_its_name_is_found() {
    let directory = directory();
    populate(directory.path()).await;
    let packages = directory.path().join(PACKAGES_DIRECTORY);
    fs::write(packages.join(format!("{PACKAGE_DIGEST}.zip")), b"other").expect("a write");
    fs::write(packages.join("notes.txt"), b"").expect("a write");
    fs::write(packages.join("half.new"), b"").expect("a write");
    let report = report(directory.path());
    assert_tells(
        &report,
        &[PACKAGE_DIGEST, "its content does not match its name", "notes.txt: it is no package"],
    );
    assert_eq!(report.problem_count, 2);
}

#[tokio::test]
async fn many_problems_are_counted_and_the_first_are_told() {
    let report = after(|tables| {
        for number in 0..500 {
            let key = crate::keys::tasks::key(FunctionId::new(7), InvocationId::new(number));
            tables.space(Space::Tasks).insert(key, []).expect("a write");
        }
    })
    .await;
    assert_eq!((report.problem_count, report.problems.len()), (500, 100));
}

#[test]
fn a_directory_without_a_store_is_refused() {
    let directory = directory();
    let refused = verify(directory.path(), &mut |_| {});
    assert!(matches!(refused, Err(OpenError::NotAStore { .. })), "{refused:?}");
}
