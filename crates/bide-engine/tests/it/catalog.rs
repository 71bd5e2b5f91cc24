//! Services, functions and configurations, and what a restart finds.

use bide_engine::Listing;
use bide_types::ErrorCode;

use crate::fixture::Fixture;

#[tokio::test]
async fn everything_is_found_again_after_a_restart() {
    let fixture = Fixture::new(1).await;
    let target = fixture.target("f");
    let put = fixture.engine.put_async_config(&target, |config| config.retry_attempts_max = Some(7)).await;
    let put = put.expect("put");
    let fixture = fixture.crash(2).await;
    let found = fixture.engine.async_config(&fixture.target("f")).expect("exists");
    assert_eq!((found.revision, found.value), (put.revision, put.value));
    let third = fixture.engine.create_function(fixture.function_named("h")).await.expect("created");
    assert_eq!(third.value.id.get(), 3);
}

#[tokio::test]
async fn a_function_created_again_is_another_function() {
    let fixture = Fixture::new(1).await;
    let first = fixture.target("f").function().id;
    fixture
        .engine
        .put_async_config(&fixture.target("f"), |config| config.stateful = Some(true))
        .await
        .expect("put");
    fixture.submit("t", "x", 100).await.expect("accepted");
    fixture.engine.delete_function(&fixture.account, "s", "f", None).await.expect("deleted");
    fixture.engine.create_function(fixture.function_named("f")).await.expect("created");
    let target = fixture.target("f");
    assert_ne!(target.function().id, first);
    assert_eq!(
        fixture.engine.async_config(&target).expect_err("gone").code(),
        ErrorCode::AsyncConfigNotExists
    );
    assert!(fixture.engine.task(&target, &crate::fixture::task_id("t")).await.is_err());
}

#[tokio::test]
async fn a_change_of_an_outdated_revision_is_a_conflict() {
    let fixture = Fixture::new(1).await;
    let function = fixture.engine.function(&fixture.account, "s", "f").expect("exists");
    let changed =
        fixture.engine.replace_function(function.value.as_ref().clone(), Some(function.revision)).await;
    assert_eq!(changed.expect("changed").value.revision, 2);
    let again =
        fixture.engine.replace_function(function.value.as_ref().clone(), Some(function.revision)).await;
    assert_eq!(again.expect_err("outdated").code(), ErrorCode::ConcurrentUpdateError);
}

#[tokio::test]
async fn a_service_with_functions_is_not_deleted_and_lists_go_by_pages() {
    let fixture = Fixture::new(1).await;
    let error = fixture.engine.delete_service(&fixture.account, "s", None).await.expect_err("not empty");
    assert_eq!(error.code(), ErrorCode::ServiceNotEmpty);
    let listing = Listing { limit: 1, ..Listing::default() };
    let (page, next) = fixture.engine.functions(&fixture.account, "s", &listing).expect("exists");
    assert_eq!((page[0].value.name.as_str(), next.as_deref()), ("f", Some("g")));
    let listing = Listing { start: next, limit: 1, ..Listing::default() };
    let (page, next) = fixture.engine.functions(&fixture.account, "s", &listing).expect("exists");
    assert_eq!((page[0].value.name.as_str(), next), ("g", None));
    for name in ["f", "g"] {
        fixture.engine.delete_function(&fixture.account, "s", name, None).await.expect("deleted");
    }
    fixture.engine.delete_service(&fixture.account, "s", None).await.expect("deleted");
}

/// Begins `call` and goes away before it is answered, as a client does that closes its connection.
async fn leave(fixture: &Fixture, call: impl Future) {
    tokio::select! {
        biased;
        _ = call => panic!("nothing is stored at once"),
        () = std::future::ready(()) => {}
    }
    fixture.settle().await;
}

#[tokio::test]
async fn a_change_whose_caller_goes_away_is_made_and_seen() {
    let fixture = Fixture::new(1).await;
    leave(&fixture, fixture.engine.create_function(fixture.function_named("h"))).await;
    let left = fixture.engine.function(&fixture.account, "s", "h").expect("seen");
    leave(&fixture, fixture.engine.replace_function(left.value.as_ref().clone(), Some(left.revision))).await;
    let left = fixture.engine.function(&fixture.account, "s", "h").expect("seen");
    assert_eq!(left.value.revision, 2);
    let target = fixture.target("h");
    leave(&fixture, fixture.engine.put_async_config(&target, |config| config.stateful = Some(true))).await;
    let put = fixture.engine.put_async_config(&fixture.target("h"), |_| {}).await.expect("no conflict");
    assert_eq!((put.revision, put.value.stateful), (2, Some(true)));
    leave(&fixture, fixture.engine.delete_async_config(&target)).await;
    assert!(fixture.engine.async_config(&fixture.target("h")).is_err());
    leave(&fixture, fixture.engine.delete_function(&fixture.account, "s", "h", None)).await;
    fixture.engine.create_function(fixture.function_named("h")).await.expect("no conflict");
    leave(&fixture, fixture.engine.create_service(fixture.service("t"))).await;
    leave(&fixture, fixture.engine.delete_service(&fixture.account, "t", None)).await;
    fixture.engine.create_service(fixture.service("t")).await.expect("no conflict");
}

#[tokio::test]
async fn a_package_goes_when_no_function_names_it_and_its_upload_is_not_recent() {
    let fixture = Fixture::new(1).await;
    let digest = |letter: &str| letter.repeat(64);
    for letter in ["a", "b"] {
        fixture.engine.put_package(digest(letter), bytes::Bytes::from_static(b"zip")).await.expect("kept");
    }
    let mut function = fixture.function_named("h");
    function.code.digest = digest("a");
    fixture.engine.create_function(function).await.expect("created");
    fixture.clock.advance(std::time::Duration::from_secs(300));
    fixture.settle().await;
    assert!(fixture.engine.package(&digest("b")).await.expect("readable").is_some());
    fixture.clock.advance(std::time::Duration::from_secs(301));
    fixture.settle().await;
    assert!(fixture.engine.package(&digest("b")).await.expect("readable").is_none());
    assert!(fixture.engine.package(&digest("a")).await.expect("readable").is_some());
}
