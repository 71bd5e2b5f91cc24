//! Functions over HTTP as curl calls them: three runtimes, three routes, now and later, small and large, and the examples.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::{Function, Reply, World, bide, curl, example, have_curl, status};

const SETTINGS: &[(&str, &str)] = &[("BIDE_HTTP_DOMAIN", "fc.localhost")];
const METHODS: [&str; 7] = ["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS"];
const MIB: usize = 1024 * 1024;

/// Functions that say what they saw, by runtime.
fn mirrors() -> [(&'static str, Function); 3] {
    [
        ("python", Function::python(include_str!("functions/mirror.py"))),
        ("node", Function::node(include_str!("functions/mirror.js"))),
        ("custom", Function::custom(include_str!("functions/mirror_server.py"))),
    ]
}

/// A host, and what comes before the function's own path there.
struct Route {
    host: String,
    base: String,
}

/// Deploys a function with every kind of address that there is.
async fn deploy(world: &World, name: &str, function: Function) -> [Route; 3] {
    world.api.deploy(name, function).await;
    let trigger = world.api.open(name, json!({ "authType": "anonymous", "methods": METHODS })).await;
    let domain = format!("{name}.example.com");
    world.api.route(&domain, name).await;
    [
        Route { host: "localhost".to_owned(), base: format!("/2016-08-15/proxy/it/{name}") },
        Route { host: trigger["domainName"].as_str().unwrap().to_owned(), base: String::new() },
        Route { host: domain, base: String::new() },
    ]
}

/// A file of this many bytes for curl to send, as its argument, and its bytes.
fn body(world: &World, bytes: usize) -> (String, Vec<u8>) {
    let path = world.dir.path().join(format!("body-{bytes}"));
    let content: Vec<u8> = (0..bytes).map(|at| u8::try_from(at % 251).unwrap()).collect();
    std::fs::write(&path, &content).unwrap();
    (format!("@{}", path.display()), content)
}

#[tokio::test]
async fn every_route_of_every_runtime_passes_the_request_as_it_is_now_and_later() {
    if !have_curl() {
        return;
    }
    let world = World::start_with(SETTINGS).await;
    let (file, content) = body(&world, 5000);
    for (name, function) in mirrors() {
        for (number, Route { host, base }) in deploy(&world, name, function).await.into_iter().enumerate() {
            let target = format!("{base}/a%20b/c?x=1&x=%2F2&y");
            let sent = ["--request", "PUT", "--data-binary", &file, "--header", "content-type: text/x-own"];
            let sent = [&sent[..], &["--header", "x-many: a, b", "--cookie", "k=v"]].concat();
            let reply = curl(&world.server, &host, &target, &sent).await;
            assert_eq!((reply.status, reply.header("x-method")), (201, "put"), "{name} {host}");
            assert_eq!(reply.header("x-request"), reply.header("x-fc-request-id"), "{name} {host}");
            let seen = reply.json();
            check_seen(&seen, &host, &content);

            let id = format!("later{number}");
            let task_id = format!("x-fc-async-task-id: {id}");
            let later = [
                "--header",
                "x-fc-invocation-type: Async",
                "--header",
                "x-fc-stateful-async-invocation-enable: true",
                "--header",
                &task_id,
            ];
            let accepted = curl(&world.server, &host, &target, &[&sent[..], &later].concat()).await;
            assert_eq!((accepted.status, accepted.text().as_str()), (202, ""), "{name} {host}");
            assert_eq!(accepted.header("x-fc-async-task-id"), id);
            let task = world.api.settled(name, &id).await;
            let seen_later: Value = serde_json::from_str(task["returnPayload"].as_str().unwrap()).unwrap();
            assert_eq!((status(&task), &seen_later), ("Succeeded", &seen), "{name} {host}");
        }
    }
}

fn check_seen(seen: &Value, host: &str, content: &[u8]) {
    assert_eq!(
        (&seen["method"], &seen["target"], &seen["body"]),
        (&json!("PUT"), &json!("/a%20b/c?x=1&x=%2F2&y"), &json!(STANDARD.encode(content)))
    );
    let headers = seen["headers"].as_object().unwrap();
    let seen_host = headers["host"].as_str().unwrap();
    assert_eq!(seen_host.split(':').next(), Some(host), "{seen_host}");
    assert!(headers["user-agent"].as_str().unwrap().starts_with("curl/"));
    for (name, value) in
        [("accept", "*/*"), ("content-type", "text/x-own"), ("x-many", "a, b"), ("cookie", "k=v")]
    {
        assert_eq!(headers[name], value, "{name}");
    }
    assert_eq!(headers.len(), 6, "nothing is added: {headers:?}");
}

#[tokio::test]
async fn every_method_reaches_every_runtime() {
    if !have_curl() {
        return;
    }
    let world = World::start_with(SETTINGS).await;
    for (name, function) in mirrors() {
        let [_, _, Route { host, .. }] = deploy(&world, name, function).await;
        for method in METHODS {
            let arguments = if method == "HEAD" { vec!["--head"] } else { vec!["--request", method] };
            let reply = curl(&world.server, &host, "/", &arguments).await;
            assert_eq!(
                (reply.status, reply.header("x-method").to_uppercase().as_str()),
                (201, method),
                "{name}"
            );
            assert_eq!(reply.body.is_empty(), method == "HEAD", "{name} {method}");
        }
        let reply = curl(&world.server, &host, "/", &["--request", "TRACE"]).await;
        assert_eq!((reply.status, reply.json()["ErrorCode"].as_str()), (403, Some("AccessDenied")), "{name}");
    }
}

/// curl asks before it sends more than 1 MiB (`Expect: 100-continue`).
#[tokio::test]
async fn bodies_of_1_mib_and_30_mib_pass_by_every_route_and_larger_ones_are_refused() {
    if !have_curl() {
        return;
    }
    let world = World::start_with(SETTINGS).await;
    let (large, _) = body(&world, 33 * MIB);
    let (late, _) = body(&world, 128 * 1024 + 1);
    for (name, function) in mirrors() {
        let [path, subdomain, domain] = deploy(&world, name, function).await;
        for (Route { host, base }, size) in [(&path, 30 * MIB), (&subdomain, MIB), (&domain, 30 * MIB)] {
            let (file, content) = body(&world, size);
            let reply = curl(&world.server, host, &format!("{base}/file"), &["--data-binary", &file]).await;
            assert_eq!(reply.status, 200, "{name} {host} {size}: {}", reply.text());
            assert!(reply.body == content, "{name} {host}: {size} bytes came back as {}", reply.body.len());
        }
        let target = format!("{}/file", path.base);
        let asynchronous = ["--header", "x-fc-invocation-type: Async", "--data-binary", &late];
        for arguments in [&["--data-binary", &large][..], &asynchronous] {
            let reply = curl(&world.server, &path.host, &target, arguments).await;
            assert_eq!(
                (reply.status, reply.json()["ErrorCode"].as_str()),
                (400, Some("EntityTooLarge")),
                "{name}"
            );
        }
    }
}

/// Calls a function by its path.
async fn called(world: &World, name: &str, target: &str, arguments: &[&str]) -> Reply {
    let target = format!("/2016-08-15/proxy/it/{name}{target}");
    curl(&world.server, "localhost", &target, arguments).await
}

#[tokio::test]
async fn the_http_examples_count_and_count_down() {
    if !have_curl() {
        return;
    }
    let world = World::start().await;
    for (name, runtime) in [("http-python", "python3"), ("http-node", "nodejs20")] {
        let (function, code) = (format!("it/{name}"), example(name));
        let arguments =
            ["deploy", &function, "--runtime", runtime, "--code", code.to_str().unwrap(), "--http"];
        let output = bide(&world.server, &arguments).await;
        assert_eq!(output.code, 0, "{output:?}");

        let by_query = called(&world, name, "/count?text=three+little+words", &[]).await;
        let by_body = called(&world, name, "/count", &["--data", "three little words"]).await;
        for reply in [by_query, by_body] {
            let expected = json!({ "words": 3, "requestId": reply.header("x-fc-request-id") });
            assert_eq!((reply.status, reply.json()), (200, expected), "{name}");
        }
        let countdown = called(&world, name, "/countdown?from=2", &[]).await;
        assert_eq!(
            (countdown.header("content-type"), countdown.text().as_str()),
            ("text/event-stream", "data: 2\n\ndata: 1\n\ndata: 0\n\n"),
            "{name}"
        );
        let unknown = called(&world, name, "/", &[]).await;
        assert_eq!(unknown.status, 404, "{name}");
        assert!(unknown.text().starts_with("try /count"), "{name}: {}", unknown.text());
    }
}
