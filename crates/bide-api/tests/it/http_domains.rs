//! Calls over HTTP by subdomain and by custom domain, the custom domains themselves, and what stays with the API.

use serde_json::{Value, json};

use crate::fixture::{ACCOUNT, API_HOST, Edge, PROXY, Reply, SERVICES, TRIGGERS};

const DOMAINS: &str = "/2016-08-15/custom-domains";

async fn call(edge: &Edge, host: &str, target: &str) -> Reply {
    edge.send_unsigned("GET", target, &[("host", host)], "").await
}

async fn create(edge: &Edge, name: &str, routes: Value) -> Reply {
    let body = json!({"domainName": name, "protocol": "HTTP", "routeConfig": {"routes": routes}});
    edge.send("POST", DOMAINS, &[], body.to_string()).await
}

fn route(path: &str, function: &str) -> Value {
    json!({"path": path, "serviceName": "s", "functionName": function})
}

#[tokio::test]
async fn a_trigger_has_a_subdomain_that_stays_its_own() {
    let edge = Edge::with_trigger().await;
    let trigger = edge.get(&format!("{TRIGGERS}/http")).await.json();
    let host = trigger["domainName"].as_str().expect("given");
    let label = host.strip_suffix(".fc.localhost").expect("below the HTTP domain");
    assert!(label.starts_with("f-") && label.len() <= 63, "{label}");
    assert_eq!(trigger["urlInternet"], format!("http://{host}:8700/"));
    for host in [host.to_owned(), format!("{host}:8700"), host.to_uppercase(), format!("{host}.")] {
        let echoed = call(&edge, &host, "/a?b").await.json();
        assert_eq!((&echoed["path"], &echoed["basePath"]), (&json!("/a"), &json!("")), "{host}");
    }
    // Every path belongs to the function, those of the API too.
    assert_eq!(call(&edge, host, SERVICES).await.json()["path"], SERVICES);
    assert_eq!(call(&edge, host, "/readyz").await.json()["path"], "/readyz");

    edge.delete(&format!("{TRIGGERS}/http")).await.ok();
    call(&edge, host, "/").await.error(404, "DomainNameNotFound");
    edge.create_trigger("again", json!({"authType": "anonymous", "methods": ["GET"]})).await.ok();
    call(&edge, host, "/").await.json();
    let unknown = call(&edge, "nobody.fc.localhost", "/readyz").await;
    assert_eq!(unknown.header("x-fc-error-type"), Some("FcCommonError"));
    unknown.error(404, "DomainNameNotFound");
}

#[tokio::test]
async fn a_host_that_leads_nowhere_is_the_api() {
    let edge = Edge::with_trigger().await;
    for host in ["fc.localhost", "127.0.0.1:8700", "[::1]", "localhost", "www.example.com", "xfc.localhost"] {
        assert_eq!(call(&edge, host, "/readyz").await.status, 200, "{host}");
        call(&edge, host, PROXY).await.json();
    }
}

#[tokio::test]
async fn disabled_addresses_are_refused_and_custom_domains_stay() {
    let edge = Edge::with_trigger().await;
    let host = edge.get(&format!("{TRIGGERS}/http")).await.json()["domainName"].clone();
    create(&edge, "www.example.com", json!([route("/*", "f")])).await.ok();
    let disabled = json!({"triggerConfig": {"disableURLInternet": true}});
    let trigger = edge.put(&format!("{TRIGGERS}/http"), disabled).await.json();
    assert_eq!((&trigger["urlInternet"], &trigger["urlIntranet"]), (&json!(""), &json!("")));
    call(&edge, host.as_str().expect("a text"), "/").await.error(403, "AccessDenied");
    call(&edge, "localhost", PROXY).await.error(403, "AccessDenied");
    call(&edge, "www.example.com", "/").await.json();
}

#[tokio::test]
async fn the_authority_in_a_target_outweighs_the_host() {
    let edge = Edge::with_trigger().await;
    create(&edge, "www.example.com", json!([route("/*", "f")])).await.ok();
    let echoed = call(&edge, "other.example.com", "http://www.example.com:80/a").await.json();
    assert_eq!((&echoed["path"], &echoed["host"]), (&json!("/a"), &json!("www.example.com:80")));
    assert_eq!(echoed["headers"], json!([["host", "www.example.com:80"]]));
}

#[tokio::test]
async fn the_longest_route_wins() {
    let edge = Edge::with_trigger().await;
    for function in ["a", "b"] {
        edge.create_function(json!({"functionName": function})).await.ok();
        let trigger = json!({
            "triggerName": "http", "triggerType": "http",
            "triggerConfig": {"authType": "anonymous", "methods": ["GET"]},
        });
        let target = format!("/2016-08-15/services/s/functions/{function}/triggers");
        edge.send("POST", &target, &[], trigger.to_string()).await.ok();
    }
    let routes =
        json!([route("/*", "f"), route("/api/*", "a"), route("/api/exact", "b"), route("/none/*", "x")]);
    create(&edge, "www.example.com", routes).await.ok();
    let started = async |path: &str| {
        call(&edge, "WWW.example.com:80", path).await.json();
    };
    for path in ["/", "/api", "/api/", "/api/exact", "/api/exact/", "/API/"] {
        started(path).await;
    }
    call(&edge, "www.example.com", "/none/").await.error(404, "FunctionNotFound");
    edge.put(
        &format!("{DOMAINS}/www.example.com"),
        json!({"routeConfig": {"routes": [route("/only", "f")]}}),
    )
    .await
    .ok();
    started("/only").await;
    call(&edge, "www.example.com", "/other").await.error(404, "DomainRouteNotFound");
}

#[tokio::test]
async fn a_route_may_allow_less_than_the_trigger() {
    let edge = Edge::with_trigger().await;
    let mut only_put = route("/*", "f");
    only_put["methods"] = json!(["PUT", "GET"]);
    create(&edge, "www.example.com", json!([only_put])).await.ok();
    let host = [("host", "www.example.com")];
    for (method, status) in [("GET", 200), ("PUT", 200), ("POST", 403)] {
        assert_eq!(edge.send_unsigned(method, "/", &host, "").await.status, status, "{method}");
    }
    edge.put(&format!("{TRIGGERS}/http"), json!({"triggerConfig": {"methods": ["GET"]}})).await.ok();
    assert_eq!(edge.send_unsigned("PUT", "/", &host, "").await.status, 403);
}

#[tokio::test]
async fn a_call_by_a_domain_can_be_made_later() {
    let edge = Edge::with_trigger().await;
    create(&edge, "www.example.com", json!([route("/*", "f")])).await.ok();
    let headers = [("host", "www.example.com"), ("x-fc-invocation-type", "Async")];
    let reply = edge.send_unsigned("POST", "/later?x", &headers, "body").await;
    assert_eq!(reply.status, 202);
    edge.executor.until(|executor| executor.started().len() == 1).await;
}

#[tokio::test]
async fn domains_are_made_read_changed_and_deleted() {
    let edge = Edge::with_trigger().await;
    let mut wanted = route("/*", "f");
    let made = create(&edge, "WWW.Example.com", json!([wanted.clone()])).await;
    let tag = made.header("etag").expect("given").to_owned();
    let made = made.json();
    wanted["qualifier"] = json!("LATEST");
    wanted["methods"] = json!([]);
    assert_eq!(made["domainName"], "www.example.com");
    assert_eq!((&made["accountId"], &made["protocol"]), (&json!(ACCOUNT), &json!("HTTP")));
    assert_eq!(made["routeConfig"]["routes"], json!([wanted]));
    let path = format!("{DOMAINS}/www.example.com");
    assert_eq!(edge.get(&path).await.json(), made);
    create(&edge, "www.example.com", json!([])).await.error(409, "DomainNameAlreadyExists");
    create(&edge, "a.example.com", json!([])).await.ok();
    let listed = edge.get(&format!("{DOMAINS}?limit=1")).await.json();
    assert_eq!(listed["customDomains"][0]["domainName"], "a.example.com");
    assert_eq!(listed["nextToken"], "www.example.com");

    let changed = json!({"routeConfig": {"routes": [route("/x", "g")]}});
    let send = async |method: &str, tag: &str| {
        edge.send(method, &path, &[("if-match", tag)], changed.to_string()).await
    };
    assert_eq!(send("PUT", &tag).await.json()["routeConfig"]["routes"][0]["functionName"], "g");
    send("PUT", &tag).await.error(412, "PreconditionFailed");
    send("DELETE", &tag).await.error(412, "PreconditionFailed");
    assert_eq!(edge.delete(&path).await.status, 204);
    edge.get(&path).await.error(404, "DomainNameNotFound");
    edge.put(&path, json!({})).await.error(404, "DomainNameNotFound");
    edge.delete(&path).await.error(404, "DomainNameNotFound");
    assert_eq!(call(&edge, "www.example.com", "/readyz").await.status, 200, "it is the API again");
}

#[tokio::test]
async fn a_domain_of_another_account_is_neither_seen_nor_taken() {
    let edge = Edge::with_keys(&[("AKIDEXAMPLE", "10001"), ("OTHER", "10002")]).await;
    create(&edge, "www.example.com", json!([])).await.ok();
    let mut other = Edge::with_keys(&[("OTHER", "10002")]).await;
    other.router = edge.router.clone();
    create(&other, "www.example.com", json!([])).await.error(409, "DomainNameAlreadyExists");
    let path = format!("{DOMAINS}/www.example.com");
    other.get(&path).await.error(404, "DomainNameNotFound");
    other.put(&path, json!({})).await.error(404, "DomainNameNotFound");
    other.delete(&path).await.error(404, "DomainNameNotFound");
    assert_eq!(other.get(DOMAINS).await.json()["customDomains"], json!([]));
}

#[tokio::test]
async fn names_by_which_the_server_is_reached_are_no_custom_domains() {
    let edge = Edge::new().await;
    for name in [
        API_HOST,
        "API.example.com",
        "localhost",
        "127.0.0.1",
        "::1",
        "fc.localhost",
        "x.fc.localhost",
        "a b.c",
        "-a.b",
    ] {
        create(&edge, name, json!([])).await.error(400, "InvalidArgument");
    }
}

#[tokio::test]
async fn no_account_takes_the_name_of_the_api_from_others() {
    let edge = Edge::new().await;
    let body = json!({"domainName": "bide.example.com"}).to_string();
    let reached_by = [("host", "Bide.example.com:8700")];
    let reply = edge.send("POST", DOMAINS, &reached_by, body.clone()).await;
    assert!(reply.error(400, "InvalidArgument").contains("name of this server's API"));
    edge.send("POST", DOMAINS, &[("host", "localhost")], body).await.ok();

    let keys = [("AKIDEXAMPLE", "10001"), ("OTHER", "10002")];
    let shared = Edge::with_keys_and_hosts(&keys, &[]).await;
    let message = create(&shared, "www.example.com", json!([])).await.error(400, "InvalidArgument");
    assert!(message.contains("api_hosts"), "{message}");
    let alone = Edge::with_keys_and_hosts(&keys[..1], &[]).await;
    create(&alone, "www.example.com", json!([])).await.ok();
}

#[tokio::test]
async fn what_a_domain_cannot_be_is_refused() {
    let edge = Edge::new().await;
    let refused = async |body: Value, part: &str| {
        let message = edge.send("POST", DOMAINS, &[], body.to_string()).await.error(400, "InvalidArgument");
        assert!(message.contains(part), "{message}");
    };
    refused(json!({}), "domainName").await;
    refused(json!({"domainName": "a.b", "protocol": "HTTPS"}), "TLS").await;
    refused(json!({"domainName": "a.b", "protocol": "HTTP,HTTPS"}), "TLS").await;
    refused(json!({"domainName": "a.b", "protocol": "gopher"}), "protocol").await;
    refused(json!({"domainName": "a.b", "certConfig": {"certName": "c"}}), "TLS").await;
    let routes = |routes: Value| json!({"domainName": "a.b", "routeConfig": {"routes": routes}});
    refused(routes(json!("x")), "routeConfig.routes").await;
    refused(routes(json!([{"serviceName": "s"}])), "routeConfig.routes[0].path").await;
    refused(routes(json!([route("a", "f")])), "route path 'a'").await;
    refused(routes(json!([route("/a*b", "f")])), "route path").await;
    refused(routes(json!([route("/a", "f"), route("/a", "g")])), "twice").await;
    refused(routes(json!([route("/a", "1f")])), "function name").await;
    let mut rewritten = route("/a", "f");
    rewritten["rewriteConfig"] = json!({});
    refused(routes(json!([rewritten])), "rewriteConfig").await;
    let many: Vec<_> = (0..101).map(|number| route(&format!("/{number}"), "f")).collect();
    let reply = edge.send("POST", DOMAINS, &[], routes(json!(many)).to_string()).await;
    reply.error(400, "LimitExceededError");
}
