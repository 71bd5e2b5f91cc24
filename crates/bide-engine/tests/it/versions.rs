//! Versions and aliases: what each runs, what waits for them, and what ends with them.

use std::time::Duration;

use bide_engine::{AttemptResult, Listing, Status, Store as _, SyncCall, VersionListing};
use bide_runtime::testing::FakeRun;
use bide_runtime::{FunctionSpec, InvokeRequest};
use bide_types::limits::{ALIASES_PER_SERVICE_MAX, VERSIONS_PER_SERVICE_MAX};
use bide_types::resource::{AdditionalVersion, Alias};
use bide_types::{ErrorCode, Qualifier, RequestId, ServiceName, Timestamp};
use bytes::Bytes;

use crate::fixture::{Fixture, failure};

const SECOND: Duration = Duration::from_secs(1);

/// `who` returns the version that runs and the qualifier that was addressed; `who-later` fails once before.
pub(crate) fn script(spec: &FunctionSpec, request: &InvokeRequest) -> Option<FakeRun> {
    let version = &spec.qualifier;
    let addressed = request.alias.as_ref().unwrap_or(version);
    let answer = AttemptResult::Returned(Bytes::from(format!("{version} as {addressed}")));
    match &request.payload[..] {
        b"who-later" if request.retry_count == 0 => Some(FakeRun::Finish(failure())),
        event if event.ends_with(b"\"payload\":\"who\"}") => Some(FakeRun::Finish(answer)),
        b"who" | b"who-later" => Some(FakeRun::Finish(answer)),
        _ => None,
    }
}

fn qualifier(text: &str) -> Qualifier {
    Qualifier::new(text).expect("valid")
}

fn additional(version: u32, weight: f64) -> Option<AdditionalVersion> {
    Some(AdditionalVersion { version, weight })
}

impl Fixture {
    pub(crate) async fn publish(&self) -> u32 {
        let published = self.engine.publish_version(&self.account, "s", String::new(), None).await;
        published.expect("published").number
    }

    fn alias(&self, name: &str, version: u32, additional: Option<AdditionalVersion>) -> Alias {
        Alias {
            account: self.account.clone(),
            service: ServiceName::new("s").expect("valid"),
            name: qualifier(name),
            description: String::new(),
            version,
            additional,
            created_at: Timestamp::ZERO,
            modified_at: Timestamp::ZERO,
        }
    }

    pub(crate) async fn create_alias(&self, name: &str, version: u32, additional: Option<AdditionalVersion>) {
        self.engine.create_alias(self.alias(name, version, additional)).await.expect("created");
    }

    pub(crate) async fn point(&self, name: &str, version: u32) {
        self.engine.replace_alias(self.alias(name, version, None), None).await.expect("changed");
    }

    /// Publishes versions 1 and 2 with timeouts 11 and 12, and leaves `LATEST` with 13.
    pub(crate) async fn publish_two(&self) {
        for number in 1..=2 {
            self.set_timeout(10 + number).await;
            assert_eq!(self.publish().await, number);
        }
        self.set_timeout(13).await;
    }

    async fn set_timeout(&self, seconds: u32) {
        let mut function =
            self.engine.function(&self.account, "s", "f").expect("there").value.as_ref().clone();
        function.timeout_seconds = seconds;
        self.engine.replace_function(function, None).await.expect("changed");
    }

    async fn who(&self, qualifier: &str) -> String {
        let call = SyncCall {
            request_id: RequestId::new("r").expect("valid"),
            payload: Bytes::from_static(b"who"),
            tracing: Default::default(),
            parent: None,
        };
        match self.engine.invoke(&self.target_at(qualifier), call).await.expect("run").result {
            AttemptResult::Returned(value) => String::from_utf8(value.to_vec()).expect("text"),
            other => panic!("{other:?}"),
        }
    }

    async fn answer(&self, task: &str) -> String {
        let view = self.until_status(task, Status::Succeeded, SECOND).await;
        String::from_utf8(view.result.expect("a result").to_vec()).expect("text")
    }

    fn missing(&self, at: &str) -> ErrorCode {
        let found = self.engine.resolve(&self.account, "s", "f", &qualifier(at));
        found.err().expect("it is not there").code()
    }
}

#[tokio::test]
async fn a_version_runs_what_was_published_whatever_happens_to_the_service() {
    let fixture = Fixture::new(1).await;
    fixture.publish_two().await;
    fixture.create_alias("prod", 1, None).await;
    let timeouts = |fixture: &Fixture| {
        ["1", "2", "prod", "LATEST"].map(|at| fixture.target_at(at).function().timeout_seconds)
    };
    assert_eq!(timeouts(&fixture), [11, 12, 11, 13]);
    let fixture = fixture.crash(2).await;
    assert_eq!(timeouts(&fixture), [11, 12, 11, 13], "after a restart");
    assert_eq!([fixture.who("1").await, fixture.who("prod").await], ["1 as 1", "1 as prod"]);
    assert_eq!(fixture.who("LATEST").await, "LATEST as LATEST");

    fixture.engine.delete_function(&fixture.account, "s", "f", None).await.expect("deleted");
    assert_eq!(fixture.missing("LATEST"), ErrorCode::FunctionNotFound);
    assert_eq!(fixture.who("prod").await, "1 as prod");
    let names = |at: &str| {
        let listing = Listing { limit: 10, ..Listing::default() };
        let (functions, _) =
            fixture.engine.functions(&fixture.account, "s", &qualifier(at), &listing).expect("a list");
        functions.iter().map(|function| function.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(
        (names("LATEST"), names("prod")),
        (vec!["g".to_owned()], vec!["f".to_owned(), "g".to_owned()])
    );
    // A new function of the old name is another one; what the versions run is not it.
    fixture.engine.create_function(fixture.function_named("f")).await.expect("created");
    assert_ne!(fixture.target("f").function().id, fixture.target_at("1").function().id);
    let fixture = fixture.crash(3).await;
    assert_eq!([fixture.who("2").await, fixture.who("LATEST").await], ["2 as 2", "LATEST as LATEST"]);
}

#[tokio::test]
async fn numbers_are_never_given_twice_and_lists_go_either_way() {
    let fixture = Fixture::new(1).await;
    for number in 1..=3 {
        assert_eq!(fixture.publish().await, number);
    }
    fixture.engine.delete_version(&fixture.account, "s", &qualifier("3")).await.expect("deleted");
    assert_eq!(fixture.missing("3"), ErrorCode::VersionNotFound);
    let fixture = fixture.crash(2).await;
    assert_eq!(fixture.publish().await, 4);
    let list = |newest_first, start, limit| {
        let listing = VersionListing { newest_first, start, limit };
        let (versions, next) = fixture.engine.versions(&fixture.account, "s", listing).expect("a list");
        (versions.iter().map(|version| version.number).collect::<Vec<_>>(), next)
    };
    assert_eq!(list(true, None, 10), (vec![4, 2, 1], None));
    assert_eq!(list(true, None, 2), (vec![4, 2], Some(1)));
    assert_eq!(list(true, Some(1), 2), (vec![1], None));
    assert_eq!(list(false, Some(2), 1), (vec![2], Some(4)));
    for odd in ["0", "03", "4294967296", "99999999999"] {
        assert_eq!(fixture.missing(odd), ErrorCode::VersionNotFound, "{odd}");
    }
}

#[tokio::test]
async fn what_an_alias_names_exists_and_stays() {
    let fixture = Fixture::new(1).await;
    fixture.publish_two().await;
    let engine = &fixture.engine;
    let refused = |alias| async { engine.create_alias(alias).await.expect_err("refused").code() };
    assert_eq!(refused(fixture.alias("prod", 3, None)).await, ErrorCode::VersionNotFound);
    assert_eq!(refused(fixture.alias("prod", 1, additional(3, 0.5))).await, ErrorCode::VersionNotFound);
    let twice = refused(fixture.alias("prod", 1, additional(1, 0.5))).await;
    assert_eq!(twice, ErrorCode::AdditionalVersionContainsMajorVersion);
    fixture.create_alias("prod", 1, additional(2, 0.5)).await;
    assert_eq!(refused(fixture.alias("prod", 1, None)).await, ErrorCode::AliasAlreadyExists);
    for version in ["1", "2"] {
        let error = engine.delete_version(&fixture.account, "s", &qualifier(version)).await;
        assert_eq!(error.expect_err("named").code(), ErrorCode::VersionInUse);
    }
    fixture.point("prod", 2).await;
    engine.delete_version(&fixture.account, "s", &qualifier("1")).await.expect("no longer named");
    let gone = engine.replace_alias(fixture.alias("prod", 1, None), None).await;
    assert_eq!(gone.expect_err("deleted").code(), ErrorCode::VersionNotFound);

    for function in ["f", "g"] {
        engine.delete_function(&fixture.account, "s", function, None).await.expect("deleted");
    }
    let delete_service = || async { engine.delete_service(&fixture.account, "s", None).await };
    assert_eq!(delete_service().await.expect_err("an alias").code(), ErrorCode::ServiceNotEmpty);
    engine.delete_alias(&fixture.account, "s", &qualifier("prod"), None).await.expect("deleted");
    assert_eq!(fixture.missing("prod"), ErrorCode::AliasNotFound);
    assert_eq!(delete_service().await.expect_err("a version").code(), ErrorCode::ServiceNotEmpty);
    engine.delete_version(&fixture.account, "s", &qualifier("2")).await.expect("deleted");
    delete_service().await.expect("empty");
}

#[tokio::test]
async fn a_package_is_kept_while_a_version_names_it() {
    let fixture = Fixture::new(1).await;
    let digest = "1".repeat(64);
    fixture.engine.put_package(digest.clone(), Bytes::from_static(b"zip")).await.expect("put");
    let mut function = fixture.function_named("f");
    function.code.digest.clone_from(&digest);
    fixture.engine.replace_function(function.clone(), None).await.expect("changed");
    fixture.publish().await;
    function.code.digest = "2".repeat(64);
    fixture.engine.replace_function(function, None).await.expect("changed");
    // Each start removes what nothing names.
    let fixture = fixture.crash(2).await;
    assert!(fixture.engine.package(&digest).await.expect("a read").is_some());
    fixture.engine.delete_version(&fixture.account, "s", &qualifier("1")).await.expect("deleted");
    let fixture = fixture.crash(3).await;
    assert!(fixture.engine.package(&digest).await.expect("a read").is_none());
}

#[tokio::test]
async fn what_waits_for_an_alias_runs_what_it_names_at_the_time() {
    let fixture = Fixture::new(2).await;
    fixture.publish_two().await;
    fixture.create_alias("prod", 1, None).await;
    fixture.submit_at("prod", "moved", "who", 60).await;
    fixture.submit_at("1", "fixed", "who", 60).await;
    fixture.submit_at("prod", "retried", "who-later", 0).await;
    fixture.until_status("retried", Status::Retrying, Duration::from_millis(10)).await;
    fixture.point("prod", 2).await;
    assert_eq!(fixture.answer("retried").await, "2 as prod", "each attempt resolves anew");
    let fixture = fixture.crash(2).await;
    assert_eq!(fixture.answer("moved").await, "2 as prod");
    assert_eq!(fixture.answer("fixed").await, "1 as 1");
    assert_eq!(fixture.task("moved").await.invocation.qualifier, qualifier("prod"));
}

#[tokio::test]
async fn the_weight_of_an_alias_decides_for_each_attempt() {
    const CALLS: usize = 240;
    let fixture = Fixture::new(3).await;
    fixture.publish_two().await;
    fixture.create_alias("canary", 1, additional(2, 0.25)).await;
    let mut counts = [0, 0];
    for number in 0..CALLS {
        fixture.submit_at("canary", &format!("t{number}"), "who", 0).await;
    }
    for number in 0..CALLS {
        counts[usize::from(fixture.answer(&format!("t{number}")).await == "2 as canary")] += 1;
    }
    assert!((50..=70).contains(&counts[1]), "a quarter of {CALLS}: {counts:?}");
    for (weight, answer) in [(0.0, "1 as canary"), (1.0, "2 as canary")] {
        let alias = fixture.alias("canary", 1, additional(2, weight));
        fixture.engine.replace_alias(alias, None).await.expect("changed");
        for _ in 0..10 {
            assert_eq!(fixture.who("canary").await, answer);
        }
    }
}

#[tokio::test]
async fn a_busy_version_holds_up_no_other() {
    let fixture = Fixture::new(1).await;
    fixture.publish_two().await;
    fixture.create_alias("prod", 2, None).await;
    for number in 0..40 {
        fixture.submit_at("1", &format!("h{number}"), "hold", 0).await;
    }
    for (at, task) in [("2", "two"), ("prod", "three"), ("LATEST", "latest")] {
        fixture.submit_at(at, task, "who", 0).await;
    }
    assert_eq!(fixture.answer("two").await, "2 as 2");
    assert_eq!(fixture.answer("three").await, "2 as prod");
    assert_eq!(fixture.answer("latest").await, "LATEST as LATEST");
    assert_eq!(fixture.executor.held().len(), 1, "a version has its own slots");
}

#[tokio::test]
async fn what_waits_for_a_qualifier_that_goes_is_invalid_and_its_destination_hears_of_it() {
    let fixture = Fixture::new(1).await;
    fixture.publish_two().await;
    fixture.create_alias("prod", 1, None).await;
    let to_g = "acs:fc:::services/s/functions/g".to_owned();
    let engine = &fixture.engine;
    for at in ["prod", "2"] {
        let target = fixture.target_at(at);
        let put = engine.put_async_config(&target, |config| config.on_failure = Some(to_g.clone())).await;
        put.expect("put");
        fixture.submit_at(at, &format!("to-{at}"), "who", 60).await;
    }
    engine.put_async_config(&fixture.target("g"), |config| config.stateful = Some(true)).await.expect("put");
    engine.delete_alias(&fixture.account, "s", &qualifier("prod"), None).await.expect("deleted");
    engine.delete_version(&fixture.account, "s", &qualifier("2")).await.expect("deleted");
    let fixture = fixture.crash(2).await;
    for task in ["to-prod", "to-2"] {
        let view = fixture.until_status(task, Status::Invalid, SECOND).await;
        assert_eq!(view.invocation.runs, 0);
    }
    while fixture.records().await.len() < 2 {
        fixture.settle().await;
        fixture.clock.advance(SECOND);
    }
    let mut records: Vec<String> = fixture
        .records()
        .await
        .iter()
        .map(|record| {
            let context = &record["requestContext"];
            format!(
                "{} {}",
                context["functionArn"].as_str().expect("text"),
                context["approximateInvokeCount"]
            )
        })
        .collect();
    records.sort();
    let arn = |at: &str| format!("acs:fc:local:10001:services/s.{at}/functions/f 0");
    assert_eq!(records, [arn("2"), arn("prod")]);

    // An alias of the same name begins anew, and in time nothing of the old ones is left.
    fixture.create_alias("prod", 1, None).await;
    let configs = || fixture.engine.async_configs(&fixture.target("f")).len();
    assert!(fixture.engine.async_config(&fixture.target_at("prod")).is_err());
    assert_eq!(configs(), 0);
    let stored = || async {
        let controls = fixture.store.controls().await.expect("a read");
        controls.iter().filter(|(key, _)| key.as_str().starts_with("async/1/")).count()
    };
    assert_eq!(stored().await, 1, "that of version 2 is remembered for a while");
    fixture.clock.advance(Duration::from_secs(24 * 3600));
    while stored().await > 0 {
        fixture.settle().await;
        fixture.clock.advance(60 * SECOND);
    }
}

#[tokio::test]
async fn the_instances_of_an_alias_are_shared_out_by_weight() {
    let fixture = Fixture::new(1).await;
    fixture.publish_two().await;
    fixture.create_alias("prod", 1, additional(2, 0.25)).await;
    let (engine, prod) = (&fixture.engine, fixture.target_at("prod"));
    engine.put_provision_config(&prod, 8).await.expect("put");
    engine.put_provision_config(&fixture.target_at("1"), 1).await.expect("put");
    engine.put_on_demand_config(&prod, 5).await.expect("put");
    let id = prod.function().id;
    let scale = |version: &str| {
        let spec = fixture.executor.assigned(id, &qualifier(version)).expect("told");
        (spec.scale.provisioned, spec.scale.on_demand_max)
    };
    assert_eq!([scale("1"), scale("2"), scale("LATEST")], [(7, Some(5)), (2, Some(5)), (0, None)]);
    let provision = engine.provision_config(&fixture.target_at("prod")).expect("there");
    assert_eq!((provision.target, provision.status.current), (8, 8));
    fixture.point("prod", 2).await;
    assert_eq!([scale("1"), scale("2")], [(1, None), (8, Some(5))]);

    let delete_alias = || engine.delete_alias(&fixture.account, "s", &prod.qualifier, None);
    assert_eq!(delete_alias().await.expect_err("provisioned").code(), ErrorCode::ProvisionConfigExist);
    engine.put_provision_config(&fixture.target_at("prod"), 0).await.expect("put");
    delete_alias().await.expect("deleted");
    assert_eq!([scale("1"), scale("2")], [(1, None), (0, None)], "the cap has gone with the alias");
    engine.delete_version(&fixture.account, "s", &qualifier("2")).await.expect("deleted");
    assert!(fixture.executor.assigned(id, &qualifier("2")).is_none(), "its pool is over");
    let fixture = fixture.crash(2).await;
    assert_eq!(fixture.executor.assigned(id, &qualifier("1")).expect("told").scale.provisioned, 1);
}

#[tokio::test]
async fn the_number_of_versions_and_aliases_is_bounded() {
    let fixture = Fixture::new(1).await;
    for _ in 0..VERSIONS_PER_SERVICE_MAX {
        fixture.publish().await;
    }
    let more = fixture.engine.publish_version(&fixture.account, "s", String::new(), None).await;
    assert_eq!(more.expect_err("too many").code(), ErrorCode::LimitExceededError);
    for number in 0..ALIASES_PER_SERVICE_MAX {
        fixture.create_alias(&format!("a{number}"), 1, None).await;
    }
    let more = fixture.engine.create_alias(fixture.alias("more", 1, None)).await;
    assert_eq!(more.expect_err("too many").code(), ErrorCode::LimitExceededError);
}

#[tokio::test]
async fn a_function_that_only_versions_have_gets_no_trigger() {
    let fixture = Fixture::new(4).await;
    let seen = fixture.target("f");
    let trigger = crate::timers::timer(&fixture, "f", "t", "0 * * * * *");
    fixture.publish().await;
    fixture.engine.delete_function(&fixture.account, "s", "f", None).await.expect("deleted");
    // The caller resolved the function before it was deleted.
    let refused = fixture.engine.create_trigger(&seen, trigger).await.expect_err("nobody could delete it");
    assert!(matches!(refused, bide_engine::Error::Conflict), "{refused}");
}

#[tokio::test]
async fn a_trigger_needs_a_qualifier_that_runs_its_very_function() {
    let fixture = Fixture::new(4).await;
    fixture.publish().await;
    fixture.engine.delete_function(&fixture.account, "s", "f", None).await.expect("deleted");
    fixture.engine.create_function(fixture.function_named("f")).await.expect("made anew");
    let mut trigger = crate::timers::timer(&fixture, "f", "t", "0 * * * * *");
    // Version 1 has the function that was deleted, under the same name.
    trigger.qualifier = qualifier("1");
    let refused =
        fixture.engine.create_trigger(&fixture.target("f"), trigger.clone()).await.expect_err("refused");
    assert_eq!(refused.code(), ErrorCode::VersionNotFound);
    trigger.qualifier = qualifier("prod");
    let refused = fixture.engine.create_trigger(&fixture.target("f"), trigger).await.expect_err("refused");
    assert_eq!(refused.code(), ErrorCode::AliasNotFound);
}
