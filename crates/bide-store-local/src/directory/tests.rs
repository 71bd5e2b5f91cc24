use super::*;
use crate::testing::{directory, populate};

/// Opens the store after a change of what is stored.
async fn opened_after(change: impl FnOnce(&Tables)) -> Result<(), OpenError> {
    let directory = directory();
    populate(directory.path()).await;
    let opened = Directory::open(directory.path(), Missing::Refuse).expect("the store opens");
    change(&opened.tables);
    drop(opened);
    Directory::open(directory.path(), Missing::Refuse).map(drop)
}

#[tokio::test]
async fn a_format_of_the_future_is_refused_with_advice() {
    let future =
        |tables: &Tables| put_numbers(tables, &[(meta::FORMAT_KEY, meta::FORMAT + 1)]).expect("a write");
    let error = opened_after(future).await.expect_err("a greater format is not known");
    assert!(error.to_string().contains("run the version of bide that wrote it"), "{error}");
    let OpenError::TooNew { found, known, .. } = error else { panic!("{error:?}") };
    assert_eq!((found, known), (meta::FORMAT + 1, meta::FORMAT));
}

#[test]
fn a_directory_of_the_first_format_is_of_the_present_one_once_it_was_started() {
    let directory = directory();
    let open = || Directory::open(directory.path(), Missing::Create).expect("the store opens");
    let format = |opened: &Directory| number(&opened.tables, meta::FORMAT_KEY).expect("a number");
    put_numbers(&open().tables, &[(meta::FORMAT_KEY, 1)]).expect("a write");
    let opened = open();
    assert_eq!(format(&opened), Some(1), "looking at it changes nothing");
    opened.next_holder().expect("a write");
    drop(opened);
    assert_eq!(format(&open()), Some(meta::FORMAT));
}

#[test]
fn a_directory_that_is_made_is_closed_to_others_and_one_that_is_there_stays_as_it_is() {
    use std::os::unix::fs::PermissionsExt as _;
    let outer = directory();
    let data = outer.path().join("a/data");
    let mode = || fs::metadata(&data).expect("there").permissions().mode() & 0o777;
    drop(Directory::open(&data, Missing::Create).expect("the store opens"));
    assert_eq!(mode(), 0o700);
    fs::set_permissions(&data, fs::Permissions::from_mode(0o750)).expect("ours");
    drop(Directory::open(&data, Missing::Create).expect("the store opens"));
    assert_eq!(mode(), 0o750);
}

#[tokio::test]
async fn a_directory_from_before_a_keyspace_opens_and_gets_it() {
    let without = |space, format| {
        opened_after(move |tables: &Tables| {
            let space = tables.space(space).clone();
            tables.database().delete_keyspace(space).expect("a write");
            put_numbers(tables, &[(meta::FORMAT_KEY, format)]).expect("a write");
        })
    };
    for (space, format) in [(Space::DeadLetters, 4), (Space::AttemptLogs, 5)] {
        without(space, format - 1).await.expect("it opens");
        let Err(OpenError::Engine { reason, .. }) = without(space, format).await else {
            panic!("not refused")
        };
        assert_eq!(reason, format!("keyspace '{}' is missing", space.name()));
    }
}

#[tokio::test]
async fn a_store_without_a_format_is_damaged() {
    let refused =
        opened_after(|tables| tables.space(Space::Meta).remove(meta::FORMAT_KEY).expect("a write")).await;
    assert!(matches!(refused, Err(OpenError::Store(StoreError::Damaged { .. }))), "{refused:?}");
}

#[tokio::test]
async fn a_store_without_one_of_its_keyspaces_is_refused() {
    let refused = opened_after(|tables| {
        let space = tables.space(Space::TaskStatus).clone();
        tables.database().delete_keyspace(space).expect("a write");
    })
    .await;
    let Err(OpenError::Engine { reason, .. }) = refused else { panic!("not refused: {refused:?}") };
    assert_eq!(reason, "keyspace 'task_status' is missing");
}

#[test]
fn holders_count_up_and_outlive_a_restart() {
    let directory = directory();
    for holder in 1..=3 {
        let opened = Directory::open(directory.path(), Missing::Create).expect("the store opens");
        assert_eq!(opened.next_holder().expect("a write"), holder);
    }
}
