//! Versions and aliases: the operations, qualifiers in every place that takes one, and what is refused.

use serde_json::{Value, json};

use crate::fixture::{ACCOUNT, Edge, FUNCTION, HTTP_DOMAIN, METHODS, Reply, SERVICES, TRIGGERS};

const VERSIONS: &str = "/2016-08-15/services/s/versions";
const ALIASES: &str = "/2016-08-15/services/s/aliases";

/// A path of `f` under a qualifier.
fn at(qualifier: &str, rest: &str) -> String {
    format!("{SERVICES}/s.{qualifier}/functions/f{rest}")
}

async fn post(edge: &Edge, target: &str, body: Value) -> Reply {
    edge.send("POST", target, &[], body.to_string()).await
}

/// A server whose service has version 1, with the description `one` of `f`, and the alias `prod` of it.
async fn published() -> Edge {
    let edge = Edge::new().await;
    edge.put(FUNCTION, json!({"description": "one"})).await.ok();
    edge.put(&format!("{SERVICES}/s"), json!({"description": "service one"})).await.ok();
    post(&edge, VERSIONS, json!({"description": "first"})).await.ok();
    post(&edge, ALIASES, json!({"aliasName": "prod", "versionId": "1"})).await.ok();
    edge.put(FUNCTION, json!({"description": "two"})).await.ok();
    edge.put(&format!("{SERVICES}/s"), json!({"description": "service two"})).await.ok();
    edge
}

#[tokio::test]
async fn versions_are_published_listed_and_deleted() {
    let edge = Edge::new().await;
    let first = post(&edge, VERSIONS, json!({"description": "first"})).await;
    let time = "2024-01-01T00:00:00Z";
    let expected = json!({
        "versionId": "1", "description": "first", "createdTime": time, "lastModifiedTime": time,
    });
    assert_eq!(first.json(), expected);
    assert!(first.header("etag").is_some());
    assert_eq!(edge.send("POST", VERSIONS, &[], "").await.json()["versionId"], "2");
    assert_eq!(post(&edge, VERSIONS, json!({"Description": "of Go"})).await.json()["description"], "of Go");
    let list = async |query: &str| {
        let list = edge.get(&format!("{VERSIONS}{query}")).await.json();
        let ids: Vec<String> = list["versions"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|version| version["versionId"].as_str().expect("text").to_owned())
            .collect();
        (ids.join(" "), list["direction"].clone(), list["nextToken"].clone())
    };
    assert_eq!(list("").await, ("3 2 1".to_owned(), json!("BACKWARD"), Value::Null));
    assert_eq!(list("?limit=2").await, ("3 2".to_owned(), json!("BACKWARD"), json!("1")));
    assert_eq!(list("?limit=2&nextToken=1").await.0, "1");
    assert_eq!(
        list("?direction=FORWARD&startKey=2").await,
        ("2 3".to_owned(), json!("FORWARD"), Value::Null)
    );
    assert_eq!(edge.delete(&format!("{VERSIONS}/2")).await.status, 204);
    assert_eq!(list("").await.0, "3 1");
    assert_eq!(post(&edge, VERSIONS, json!({})).await.json()["versionId"], "4");
}

#[tokio::test]
async fn aliases_are_created_changed_listed_and_deleted() {
    let edge = Edge::new().await;
    for _ in 0..2 {
        post(&edge, VERSIONS, json!({})).await.ok();
    }
    let body = json!({"aliasName": "prod", "versionId": "1", "additionalVersionWeight": {"2": 0.3}});
    let created = post(&edge, ALIASES, body).await;
    let prod = format!("{ALIASES}/prod");
    let got = edge.get(&prod).await;
    assert_eq!((got.json(), got.header("etag")), (created.json(), created.header("etag")));
    let got = got.json();
    assert_eq!((&got["aliasName"], &got["versionId"]), (&json!("prod"), &json!("1")));
    assert_eq!((&got["additionalVersionWeight"], &got["description"]), (&json!({"2": 0.3}), &json!("")));

    let changed = edge.put(&prod, json!({"description": "new"})).await.json();
    assert_eq!(
        (&changed["versionId"], &changed["additionalVersionWeight"]),
        (&json!("1"), &json!({"2": 0.3}))
    );
    let changed = edge.put(&prod, json!({"versionId": "2", "additionalVersionWeight": {}})).await.json();
    assert_eq!((&changed["versionId"], &changed["additionalVersionWeight"]), (&json!("2"), &json!({})));
    assert_eq!(changed["description"], "new");
    let tag = created.header("etag").expect("a tag").to_owned();
    for (method, body) in [("PUT", "{}"), ("DELETE", "")] {
        edge.send(method, &prod, &[("if-match", &tag)], body).await.error(412, "PreconditionFailed");
    }

    post(&edge, ALIASES, json!({"aliasName": "beta", "versionId": "1"})).await.ok();
    let page = edge.get(&format!("{ALIASES}?limit=1")).await.json();
    assert_eq!((&page["aliases"][0]["aliasName"], &page["nextToken"]), (&json!("beta"), &json!("prod")));
    let page = edge.get(&format!("{ALIASES}?prefix=p&limit=1")).await.json();
    assert_eq!((&page["aliases"][0]["aliasName"], &page["nextToken"]), (&json!("prod"), &Value::Null));
    assert_eq!(edge.delete(&prod).await.status, 204);
    edge.get(&prod).await.error(404, "AliasNotFound");
}

#[tokio::test]
async fn what_is_read_at_a_qualifier_is_what_was_published() {
    let edge = published().await;
    for (qualifier, function, service) in
        [("1", "one", "service one"), ("prod", "one", "service one"), ("LATEST", "two", "service two")]
    {
        assert_eq!(edge.get(&at(qualifier, "")).await.json()["description"], function, "{qualifier}");
        let got = edge.get(&format!("{SERVICES}/s.{qualifier}")).await.json();
        assert_eq!(got["description"], service, "{qualifier}");
        let list = edge.get(&format!("{SERVICES}/s.{qualifier}/functions")).await.json();
        assert_eq!(list["functions"][0]["description"], function, "{qualifier}");
        edge.get(&at(qualifier, "/code")).await.ok();
    }
}

#[tokio::test]
async fn calls_configurations_and_tasks_take_a_qualifier() {
    let edge = published().await;
    for (qualifier, version) in [("1", "1"), ("prod", "1"), ("LATEST", "LATEST")] {
        let reply = edge.send("POST", &at(qualifier, "/invocations"), &[], "x").await;
        assert_eq!(reply.header("x-fc-invocation-service-version"), Some(version), "{qualifier}");
        edge.put(&at(qualifier, "/async-invoke-config"), json!({"statefulInvocation": true})).await.ok();
        let config = edge.get(&at(qualifier, "/async-invoke-config")).await.json();
        assert_eq!(config["qualifier"], qualifier);
        let id = format!("task-{qualifier}");
        let headers = [("x-fc-invocation-type", "Async"), ("x-fc-stateful-async-invocation-id", id.as_str())];
        assert_eq!(edge.send("POST", &at(qualifier, "/invocations"), &headers, "x").await.status, 202);
        assert_eq!(edge.until_status(&id, "Succeeded").await["qualifier"], qualifier);
        let tasks = edge.get(&at(qualifier, "/stateful-async-invocations")).await.json();
        let tasks = tasks["invocations"].as_array().expect("a list");
        assert_eq!((tasks.len(), &tasks[0]["invocationId"]), (1, &json!(id)));
    }
    let configs = edge.get(&format!("{FUNCTION}/async-invoke-configs")).await.json();
    assert_eq!(configs["configs"].as_array().expect("a list").len(), 3);
    let stateful = edge.get("/2016-08-15/stateful-async-invocation-functions").await.json();
    let qualifiers: Vec<_> =
        stateful["data"].as_array().expect("a list").iter().map(|one| &one["qualifier"]).collect();
    assert_eq!(qualifiers, ["1", "LATEST", "prod"]);

    let put = edge.put(&at("prod", "/provision-config"), json!({"target": 2})).await.json();
    assert_eq!(put, json!({"resource": format!("{ACCOUNT}#s#prod#f"), "target": 2, "current": 2}));
    edge.delete(&format!("{ALIASES}/prod")).await.error(409, "ProvisionConfigExist");
    edge.put(&at("prod", "/provision-config"), json!({"target": 0})).await.ok();
    edge.delete(&format!("{ALIASES}/prod")).await.ok();
    edge.send("POST", &at("prod", "/invocations"), &[], "x").await.error(404, "AliasNotFound");
}

#[tokio::test]
async fn http_calls_reach_a_qualifier_by_path_subdomain_and_domain() {
    let edge = published().await;
    let trigger = json!({
        "triggerName": "http", "triggerType": "http", "qualifier": "prod",
        "triggerConfig": {"authType": "anonymous", "methods": METHODS},
    });
    let created = post(&edge, TRIGGERS, trigger.clone()).await.json();
    let subdomain = created["domainName"].as_str().expect("text").to_owned();
    assert!(subdomain.ends_with(HTTP_DOMAIN), "{subdomain}");
    let route = json!({"path": "/*", "serviceName": "s", "functionName": "f", "qualifier": "prod"});
    let domain =
        json!({"domainName": "www.example.com", "protocol": "HTTP", "routeConfig": {"routes": [route]}});
    post(&edge, "/2016-08-15/custom-domains", domain).await.ok();
    let calls = [
        ("/2016-08-15/proxy/s.prod/f/", "api.example.com"),
        ("/", subdomain.as_str()),
        ("/", "www.example.com"),
    ];
    for (path, host) in calls {
        let reply = edge.send_unsigned("GET", path, &[("host", host)], "").await;
        assert_eq!(reply.status, 200, "{host}{path}: {:?}", reply.body);
    }
    edge.send_unsigned("GET", "/2016-08-15/proxy/s/f/", &[], "").await.error(404, "TriggerNotFound");
    edge.delete(&format!("{ALIASES}/prod")).await.ok();
    for (path, host) in calls {
        edge.send_unsigned("GET", path, &[("host", host)], "").await.error(404, "AliasNotFound");
    }
    let mut other = trigger;
    other["triggerName"] = json!("other");
    post(&edge, TRIGGERS, other).await.error(404, "AliasNotFound");
}

#[tokio::test]
async fn instances_are_listed_with_their_version() {
    let edge = published().await;
    let request =
        edge.signed("POST", &at("prod", "/invocations"), &[]).body("hold".into()).expect("a request");
    let list = async {
        edge.executor.until(|executor| !executor.held().is_empty()).await;
        let expected = json!({"instances": [{"instanceId": "c-fake", "versionId": 1}]});
        assert_eq!(edge.get(&at("1", "/instances")).await.json(), expected);
        assert_eq!(edge.get(&at("prod", "/instances")).await.json(), expected);
        assert_eq!(edge.get(&at("LATEST", "/instances")).await.json(), json!({"instances": []}));
        let held = edge.executor.held();
        edge.executor.release(&held[0], bide_engine::AttemptResult::Returned(bytes::Bytes::new()));
    };
    let (reply, ()) = tokio::join!(edge.exchange(request), list);
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn each_wrong_request_has_its_code() {
    let edge = published().await;
    post(&edge, &VERSIONS.replace("/s/", "/none/"), json!({})).await.error(404, "ServiceNotFound");
    post(&edge, VERSIONS, json!({"description": "x".repeat(257)})).await.error(400, "InvalidArgument");
    edge.send("POST", VERSIONS, &[("if-match", "x")], "").await.error(412, "PreconditionFailed");
    edge.get(&format!("{VERSIONS}?direction=DOWN")).await.error(400, "InvalidArgument");
    edge.get(&VERSIONS.replace("/s/", "/none/")).await.error(404, "ServiceNotFound");
    edge.delete(&format!("{VERSIONS}/9")).await.error(404, "VersionNotFound");
    edge.delete(&format!("{VERSIONS}/LATEST")).await.error(404, "VersionNotFound");
    edge.delete(&format!("{VERSIONS}/1")).await.error(409, "VersionInUse");

    let alias = |name: &str, version: Value, weights: Value| json!({"aliasName": name, "versionId": version, "additionalVersionWeight": weights});
    for body in [
        json!({"versionId": "1"}),
        json!({"aliasName": "a"}),
        alias("LATEST", json!("1"), Value::Null),
        alias("7", json!("1"), Value::Null),
        alias("a.b", json!("1"), Value::Null),
        alias("a", json!("LATEST"), Value::Null),
        alias("a", json!("0"), Value::Null),
        alias("a", json!(1), Value::Null),
        alias("a", json!("1"), json!({"2": 1.5})),
        alias("a", json!("1"), json!({"2": -0.1})),
        alias("a", json!("1"), json!({"2": "0.5"})),
        alias("a", json!("1"), json!({"2": 0.1, "3": 0.1})),
        alias("a", json!("1"), json!({"x": 0.1})),
    ] {
        post(&edge, ALIASES, body).await.error(400, "InvalidArgument");
    }
    post(&edge, ALIASES, alias("a", json!("9"), Value::Null)).await.error(404, "VersionNotFound");
    let code = "AdditionalVersionContainsMajorVersion";
    post(&edge, ALIASES, alias("a", json!("1"), json!({"1": 0.5}))).await.error(400, code);
    post(&edge, ALIASES, alias("prod", json!("1"), Value::Null)).await.error(409, "AliasAlreadyExists");
    edge.put(&format!("{ALIASES}/none"), json!({})).await.error(404, "AliasNotFound");
    edge.delete(&format!("{ALIASES}/none")).await.error(404, "AliasNotFound");
    for (qualifier, code) in [("9", "VersionNotFound"), ("none", "AliasNotFound")] {
        edge.get(&at(qualifier, "")).await.error(404, code);
        edge.get(&format!("{SERVICES}/s.{qualifier}")).await.error(404, code);
        edge.get(&format!("{SERVICES}/s.{qualifier}/functions")).await.error(404, code);
        edge.send("POST", &at(qualifier, "/invocations"), &[], "x").await.error(404, code);
    }
    edge.delete(&format!("{SERVICES}/s")).await.error(409, "ServiceNotEmpty");
}
