//! Functions over HTTP: what an address reaches, one attempt per call, and calls that are made later.

use std::collections::BTreeSet;
use std::time::Duration;

use bide_engine::{
    AsyncCall, AttemptResult, BrokenOff, HttpAnswer, HttpCall, HttpRequest, HttpResponse, ResponseHead,
    Status, Target, Tracing, subdomain,
};
use bide_env::Clock as _;
use bide_runtime::InvokeRequest;
use bide_runtime::testing::{FakeResponse, FakeRun};
use bide_types::resource::{
    CustomDomain, HttpAuth, HttpFormat, HttpMethod, HttpTrigger, Route, RoutePath, Trigger, TriggerConfig,
};
use bide_types::{DomainName, ErrorCode, Qualifier, RequestId, TaskId, TriggerName};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};

use crate::fixture::{Fixture, failure};

const STEP: Duration = Duration::from_millis(500);

/// What the executor does with a call: its path says it.
pub(crate) fn script(http: &HttpRequest, request: &InvokeRequest) -> FakeRun {
    let respond = |pieces: Vec<Bytes>, then: FakeRun| {
        let head = ResponseHead { status: StatusCode::OK, headers: HeaderMap::new() };
        FakeRun::Respond(FakeResponse { head, pieces, then: Box::new(then) })
    };
    let returned = || FakeRun::Finish(AttemptResult::Returned(Bytes::new()));
    match http.path.as_str() {
        "/begin" => respond(vec![Bytes::from_static(b"first")], FakeRun::Hold),
        "/break" => respond(vec![Bytes::from_static(b"first")], FakeRun::Finish(failure())),
        "/fail" => FakeRun::Finish(failure()),
        "/hold" => FakeRun::Hold,
        "/large" => respond(vec![Bytes::from(vec![b'x'; 1024 * 1024]); 33], returned()),
        _ => respond(vec![Bytes::from(format!("{http:?}")), request.payload.clone()], returned()),
    }
}

fn request(path: &str) -> HttpRequest {
    let mut headers = HeaderMap::new();
    headers.insert("x-own", "1".parse().expect("a value"));
    HttpRequest {
        method: Method::PUT,
        path: path.to_owned(),
        query: Some("a=b".to_owned()),
        headers,
        base_path: String::new(),
        host: "www.example.com".to_owned(),
        client_ip: None,
        format: HttpFormat::Event,
    }
}

fn call(path: &str) -> HttpCall {
    HttpCall {
        request_id: RequestId::new("r").expect("valid"),
        request: request(path),
        body: Bytes::from_static(b"body"),
        tracing: Tracing::default(),
        parent: None,
    }
}

fn async_call(task: &str, path: &str) -> AsyncCall {
    AsyncCall {
        request_id: RequestId::new(task).expect("valid"),
        task_id: Some(TaskId::from_caller(task).expect("valid")),
        stateful: true,
        delay: Duration::from_secs(1),
        payload: Bytes::from_static(b"body"),
        parent: None,
        http: Some(request(path)),
    }
}

fn trigger(fixture: &Fixture, target: &Target, name: &str) -> Trigger {
    Trigger {
        id: name.to_owned(),
        function: target.function().id,
        name: TriggerName::new(name).expect("valid"),
        description: String::new(),
        qualifier: Qualifier::latest(),
        source_arn: String::new(),
        invocation_role: String::new(),
        config: TriggerConfig::Http(HttpTrigger {
            auth: HttpAuth::Anonymous,
            methods: BTreeSet::from([HttpMethod::Get]),
            own_addresses_disabled: false,
            format: HttpFormat::Handler,
        }),
        created_at: fixture.clock.now(),
        modified_at: fixture.clock.now(),
    }
}

fn domain(fixture: &Fixture) -> CustomDomain {
    CustomDomain {
        account: fixture.account.clone(),
        name: DomainName::new("www.example.com").expect("valid"),
        routes: vec![Route {
            path: RoutePath::new("/*").expect("valid"),
            service: fixture.service("s").name,
            function: fixture.function_named("f").name,
            qualifier: Qualifier::latest(),
            methods: BTreeSet::new(),
        }],
        created_at: fixture.clock.now(),
        modified_at: fixture.clock.now(),
    }
}

async fn begun(fixture: &Fixture, path: &str) -> HttpResponse {
    match fixture.engine.invoke_http(&fixture.target("f"), call(path)).await.expect("runs") {
        HttpAnswer::Response(response) => response,
        HttpAnswer::Failed(outcome) => panic!("{outcome:?}"),
    }
}

#[tokio::test]
async fn triggers_and_domains_are_found_again_after_a_restart() {
    let fixture = Fixture::new(1).await;
    let target = fixture.target("f");
    let made =
        fixture.engine.create_trigger(&target, trigger(&fixture, &target, "web")).await.expect("created");
    let named = fixture.engine.create_domain(domain(&fixture)).await.expect("created");
    let label = subdomain(target.function(), &Qualifier::latest());
    // A change of the function keeps what belongs to it.
    let function = target.function().as_ref().clone();
    fixture.engine.replace_function(function, None).await.expect("replaced");

    let fixture = fixture.crash(2).await;
    let (account, name) = (&fixture.account, "www.example.com");
    let found = fixture.engine.trigger(account, "s", "f", "web").expect("found");
    assert_eq!((found.revision, found.value), (made.revision, made.value));
    assert_eq!(fixture.engine.domain(account, name).expect("found").value, named.value);
    for reached in [
        fixture.engine.http_target(account, "s", "f", &Qualifier::latest()),
        fixture.engine.http_target_of_subdomain(&label, "host"),
        fixture.engine.http_target_of_domain(name, "/a").expect("a domain"),
    ] {
        let reached = reached.expect("reached");
        assert_eq!(reached.target().function().id, target.function().id);
        assert!(reached.check_method(&Method::GET).is_ok() && reached.check_method(&Method::PUT).is_err());
    }
    fixture.engine.delete_trigger(account, "s", "f", "web", None).await.expect("deleted");
    fixture.engine.delete_domain(account, name, None).await.expect("deleted");
    let fixture = fixture.crash(3).await;
    assert!(fixture.engine.http_target_of_subdomain(&label, "host").is_err());
    assert!(fixture.engine.http_target_of_domain(name, "/a").is_none());
    assert!(fixture.engine.trigger(&fixture.account, "s", "f", "web").is_err());
}

#[tokio::test]
async fn a_change_of_an_outdated_revision_is_a_conflict() {
    let fixture = Fixture::new(1).await;
    let target = fixture.target("f");
    let made =
        fixture.engine.create_trigger(&target, trigger(&fixture, &target, "web")).await.expect("created");
    let named = fixture.engine.create_domain(domain(&fixture)).await.expect("created");
    let again = || made.value.as_ref().clone();
    fixture.engine.replace_trigger(&target, again(), Some(made.revision)).await.expect("replaced");
    let domain = || named.value.as_ref().clone();
    fixture.engine.replace_domain(domain(), Some(named.revision)).await.expect("replaced");
    for error in [
        fixture.engine.replace_trigger(&target, again(), Some(made.revision)).await.expect_err("outdated"),
        fixture.engine.replace_domain(domain(), Some(named.revision)).await.expect_err("outdated"),
        fixture
            .engine
            .delete_trigger(&fixture.account, "s", "f", "web", Some(made.revision))
            .await
            .expect_err("outdated"),
        fixture
            .engine
            .delete_domain(&fixture.account, "www.example.com", Some(named.revision))
            .await
            .expect_err("outdated"),
    ] {
        assert_eq!(error.code(), ErrorCode::ConcurrentUpdateError);
    }
}

#[tokio::test]
async fn a_function_has_at_most_so_many_triggers() {
    let fixture = Fixture::new(1).await;
    let target = fixture.target("f");
    fixture.publish().await;
    for number in 0..50 {
        let alias = format!("alias{number}");
        fixture.create_alias(&alias, 1, None).await;
        let mut trigger = trigger(&fixture, &target, &format!("t{number}"));
        trigger.qualifier = Qualifier::new(&alias).expect("valid");
        fixture.engine.create_trigger(&target, trigger).await.expect("created");
    }
    let more = fixture.engine.create_trigger(&target, trigger(&fixture, &target, "more")).await;
    assert_eq!(more.expect_err("full").code(), ErrorCode::LimitExceededError);
}

#[tokio::test]
async fn a_response_streams_while_the_attempt_runs() {
    let fixture = Fixture::new(1).await;
    let mut response = begun(&fixture, "/begin").await;
    assert_eq!(response.piece().await, Some(Ok(Bytes::from_static(b"first"))));
    assert_eq!(response.instance.as_ref().map(|instance| instance.as_str()), Some("c-fake"));
    let end = AttemptResult::Returned(Bytes::new());
    assert!(fixture.executor.release(&RequestId::new("r").expect("valid"), end));
    assert_eq!(response.piece().await, None);
}

#[tokio::test]
async fn a_response_that_ends_in_an_error_is_never_whole() {
    let fixture = Fixture::new(1).await;
    let mut response = begun(&fixture, "/break").await;
    assert_eq!(response.piece().await, Some(Ok(Bytes::from_static(b"first"))));
    assert_eq!(response.piece().await, Some(Err(BrokenOff)));
    let failed = fixture.engine.invoke_http(&fixture.target("f"), call("/fail")).await.expect("an answer");
    let HttpAnswer::Failed(outcome) = failed else { panic!("{failed:?}") };
    assert_eq!(outcome.result, failure());
}

#[tokio::test]
async fn a_response_is_cut_at_its_limit_and_its_attempt_ends() {
    let fixture = Fixture::new(1).await;
    let mut response = begun(&fixture, "/large").await;
    let mut pieces = 0;
    while let Some(Ok(_)) = response.piece().await {
        pieces += 1;
    }
    assert_eq!(pieces, 32);
    fixture.executor.until(is_idle).await;
}

fn is_idle(executor: &bide_runtime::testing::FakeExecutor) -> bool {
    use bide_engine::Executor as _;
    executor.stats().busy == 0
}

#[tokio::test]
async fn a_caller_that_leaves_cancels_its_attempt() {
    let fixture = Fixture::new(1).await;
    drop(begun(&fixture, "/begin").await);
    fixture.executor.until(is_idle).await;
    let target = fixture.target("f");
    tokio::select! {
        biased;
        answer = fixture.engine.invoke_http(&target, call("/hold")) => panic!("{answer:?}"),
        () = fixture.executor.until(|executor| !executor.held().is_empty()) => {}
    }
    fixture.executor.until(is_idle).await;
}

#[tokio::test]
async fn a_call_that_is_made_later_is_the_call_that_was_accepted() {
    let fixture = Fixture::new(1).await;
    fixture.engine.submit(&fixture.target("f"), async_call("t", "/later")).await.expect("accepted");
    let fixture = fixture.crash(2).await;
    let done = fixture.until_status("t", Status::Succeeded, STEP).await;
    assert_eq!(done.payload.as_deref(), Some(&b"body"[..]), "its payload is its body");
    let seen = format!("{:?}body", request("/later"));
    assert_eq!(done.result.as_deref(), Some(seen.as_bytes()));
}

#[tokio::test]
async fn a_destination_hears_of_the_body_of_a_call() {
    let fixture = Fixture::new(1).await;
    let target = fixture.target("f");
    let to_g = |config: &mut bide_types::resource::AsyncInvokeConfig| {
        config.on_success = Some("acs:fc:::services/s/functions/g".to_owned());
    };
    fixture.engine.put_async_config(&target, to_g).await.expect("put");
    fixture
        .engine
        .put_async_config(&fixture.target("g"), |config| config.stateful = Some(true))
        .await
        .expect("put");
    fixture.engine.submit(&target, async_call("t", "/later")).await.expect("accepted");
    fixture.until_status("t", Status::Succeeded, STEP).await;
    fixture.settle().await;
    let record = fixture.records().await.remove(0);
    assert_eq!(record["requestPayload"], "body");
}
