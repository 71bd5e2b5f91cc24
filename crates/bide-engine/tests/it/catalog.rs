//! Services, functions and configurations, and what a restart finds.

use bide_engine::{Listing, NewLayerVersion};
use bide_types::resource::Code;
use bide_types::{ErrorCode, LayerName, Qualifier};

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
    let (page, next) =
        fixture.engine.functions(&fixture.account, "s", &Qualifier::latest(), &listing).expect("exists");
    assert_eq!((page[0].name.as_str(), next.as_deref()), ("f", Some("g")));
    let listing = Listing { start: next, limit: 1, ..Listing::default() };
    let (page, next) =
        fixture.engine.functions(&fixture.account, "s", &Qualifier::latest(), &listing).expect("exists");
    assert_eq!((page[0].name.as_str(), next), ("g", None));
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

#[tokio::test]
async fn a_package_that_comes_while_others_are_removed_stays() {
    let (fixture, troubled) = Fixture::with(1, bide_engine::Options::default()).await;
    let digest = "c".repeat(64);
    fixture.settle().await;
    troubled.removals.forget_permits(tokio::sync::Semaphore::MAX_PERMITS);
    fixture.clock.advance(std::time::Duration::from_secs(60));
    fixture.settle().await; // it is decided what stays
    let (kept, ()) = tokio::join!(fixture.engine.put_package(digest.clone(), "zip".into()), async {
        fixture.settle().await;
        troubled.removals.add_permits(8);
    });
    kept.expect("kept");
    fixture.settle().await;
    assert!(fixture.engine.package(&digest).await.expect("readable").is_some());
}

#[tokio::test]
async fn what_scales_a_function_outlives_a_restart_and_goes_with_it() {
    let fixture = Fixture::new(1).await;
    let target = fixture.target("f");
    fixture.engine.put_provision_config(&target, 2).await.expect("put");
    fixture.engine.put_on_demand_config(&target, 5).await.expect("put");
    let fixture = fixture.crash(2).await;
    let target = fixture.target("f");
    let scale =
        fixture.executor.assigned(target.function().id, &target.qualifier).expect("told at the start").scale;
    assert_eq!((scale.provisioned, scale.on_demand_max), (2, Some(5)));
    let refused =
        fixture.engine.delete_function(&fixture.account, "s", "f", None).await.expect_err("refused");
    assert_eq!(refused.code(), ErrorCode::ProvisionConfigExist);
    fixture.engine.put_provision_config(&target, 0).await.expect("put");
    assert_eq!(fixture.engine.on_demand_config(&fixture.target("f")).expect("there"), 5);
    fixture.engine.delete_function(&fixture.account, "s", "f", None).await.expect("deleted");
    let fixture = fixture.crash(3).await;
    fixture.engine.create_function(fixture.function_named("f")).await.expect("created");
    let missing = fixture.engine.on_demand_config(&fixture.target("f")).expect_err("gone");
    assert_eq!(missing.code(), ErrorCode::OnDemandConfigNotFound);
}

#[tokio::test]
async fn layers_outlive_a_restart_and_their_packages_stay_while_anybody_names_them() {
    let fixture = Fixture::new(1).await;
    let publish = |digest: &str| NewLayerVersion {
        account: fixture.account.clone(),
        name: LayerName::new("common").expect("valid"),
        description: String::new(),
        compatible_runtimes: Vec::new(),
        code: Code { digest: digest.to_owned(), crc64: 0, size_bytes: 1 },
        unpacked_bytes: 400 * 1024 * 1024,
    };
    for digest in ["aa", "bb"] {
        fixture.engine.put_package(digest.to_owned(), "zip".into()).await.expect("kept");
        fixture.engine.publish_layer(publish(digest)).await.expect("published");
    }
    let arn = |version| bide_engine::arn::format_layer("local", &fixture.account, &publish("").name, version);
    let too_much =
        fixture.engine.layers_named(&fixture.account, &[arn(1), arn(2)]).expect_err("too large together");
    assert_eq!(too_much.code(), ErrorCode::InvalidArgument);
    let mut function = fixture.target("f").function().as_ref().clone();
    function.layers = fixture.engine.layers_named(&fixture.account, &[arn(1)]).expect("resolved");
    fixture.engine.replace_function(function, None).await.expect("replaced");
    fixture.engine.delete_layer_version(&fixture.account, "common", 1).await.expect("deleted");
    let fixture = fixture.crash(2).await;
    let kept = |digest: &'static str| {
        let engine = fixture.engine.clone();
        async move { engine.package(digest).await.expect("readable").is_some() }
    };
    assert!(kept("aa").await && kept("bb").await, "one is named by a function, one by a version");
    assert!(fixture.engine.layer_version(&fixture.account, "common", 1).is_err());
    fixture.engine.delete_function(&fixture.account, "s", "f", None).await.expect("deleted");
    let fixture = fixture.crash(3).await;
    assert!(fixture.engine.package("aa").await.expect("readable").is_none());
    assert!(fixture.engine.package("bb").await.expect("readable").is_some());
}
