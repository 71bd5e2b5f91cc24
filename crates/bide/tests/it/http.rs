//! Functions over HTTP, with real runtimes: by path, by subdomain and by custom domain, now and later.

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use crate::support::{Function, World, bide, exchange};

const SETTINGS: &[(&str, &str)] = &[("BIDE_HTTP_DOMAIN", "fc.localhost")];
const MIB: usize = 1024 * 1024;

/// Answers with the length of the body and what it saw; `/file` answers with the body itself.
const WSGI: &str = r#"
import json

def handler(environ, start_response):
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    if environ["PATH_INFO"] == "/fail":
        raise ValueError("boom")
    if environ["PATH_INFO"] == "/file":
        start_response("200 OK", [("Content-Type", "application/octet-stream")])
        return [body[at:at + 65536] for at in range(0, len(body), 65536)]
    seen = {"method": environ["REQUEST_METHOD"], "path": environ["PATH_INFO"], "query": environ["QUERY_STRING"],
            "own": environ.get("HTTP_X_OWN"), "bytes": len(body), "client": environ.get("REMOTE_ADDR")}
    start_response("201 Created", [("Content-Type", "application/json"), ("X-Answer", "1")])
    return [json.dumps(seen).encode()]
"#;

/// Deploys a function as `web` with an anonymous trigger, and returns the trigger.
async fn deploy(world: &World, function: Function) -> Value {
    world.api.deploy("web", function).await;
    let methods = json!(["GET", "POST", "PUT"]);
    world.api.open("web", json!({ "authType": "anonymous", "methods": methods })).await
}

#[tokio::test]
async fn every_address_leads_to_the_function() {
    let world = World::start_with(SETTINGS).await;
    let trigger = deploy(&world, Function::python(WSGI)).await;
    world.api.route("www.example.com", "web").await;
    let subdomain = trigger["domainName"].as_str().unwrap();
    for (host, path) in
        [("localhost", "/2016-08-15/proxy/it/web/a"), (subdomain, "/a"), ("www.example.com", "/a")]
    {
        let head = format!("PUT {path}?x=1 HTTP/1.1\r\nhost: {host}\r\nx-own: yes");
        let reply = exchange(&world.server, &head, b"hello").await;
        assert_eq!((reply.status, reply.header("x-answer")), (201, "1"), "{host}");
        let wanted = json!({
            "method": "PUT", "path": "/a", "query": "x=1", "own": "yes", "bytes": 5, "client": "127.0.0.1",
        });
        assert_eq!(reply.json(), wanted, "{host}");
    }
    let reply = exchange(&world.server, "GET /fail HTTP/1.1\r\nhost: www.example.com", b"").await;
    assert_eq!((reply.status, reply.header("x-fc-error-type")), (502, "unhandledinvocationerror"));
    assert_eq!(reply.json()["errorMessage"], "boom");
}

#[tokio::test]
async fn large_bodies_pass_both_ways() {
    let world = World::start().await;
    deploy(&world, Function::python(WSGI)).await;
    for size in [MIB, 30 * MIB] {
        let body: Vec<u8> = (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let head = "POST /2016-08-15/proxy/it/web/file HTTP/1.1\r\nhost: x";
        let reply = exchange(&world.server, head, &body).await;
        assert_eq!(reply.status, 200);
        assert!(reply.body == body, "{size} bytes came back as {}", reply.body.len());
    }
}

#[tokio::test]
async fn a_call_that_is_made_later_survives_a_crash() {
    let mut world = World::start().await;
    deploy(&world, Function::python(WSGI)).await;
    let head = "POST /2016-08-15/proxy/it/web/later?x=1 HTTP/1.1\r\nhost: x\r\nx-own: yes\r\n\
        x-fc-invocation-type: Async\r\nx-fc-async-delay: 1\r\nx-fc-async-task-id: later\r\n\
        x-fc-stateful-async-invocation-enable: true";
    let reply = exchange(&world.server, head, b"hello").await;
    assert_eq!((reply.status, reply.header("x-fc-async-task-id")), (202, "later"));
    world.crash().await;
    let task = world.api.settled("web", "later").await;
    assert_eq!(task["status"], "Succeeded", "{task}");
    let seen: Value = serde_json::from_str(task["returnPayload"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&seen["path"], &seen["query"], &seen["own"]),
        (&json!("/later"), &json!("x=1"), &json!("yes"))
    );
    assert_eq!((&seen["bytes"], &task["invocationPayload"]), (&json!(5), &json!("hello")));
}

#[tokio::test]
async fn a_function_is_deployed_with_an_address() {
    let world = World::start().await;
    let code = world.dir.path().join("code");
    std::fs::create_dir(&code).unwrap();
    std::fs::write(code.join("index.py"), WSGI).unwrap();
    let code = code.to_str().unwrap();
    for _ in 0..2 {
        let deploy = ["deploy", "shop/web", "--code", code, "--runtime", "python3", "--http"];
        let output = bide(&world.server, &deploy).await;
        let url = format!("{}/2016-08-15/proxy/shop/web/", world.server.endpoint());
        assert!(output.stdout.contains(&format!("{url} (anonymous)")), "{output:?}");
    }
    let head = "GET /2016-08-15/proxy/shop/web/ HTTP/1.1\r\nhost: x";
    assert_eq!(exchange(&world.server, head, b"").await.status, 201);
}

#[tokio::test]
async fn a_signed_call_reaches_a_function_at_each_address_and_an_unsigned_one_none() {
    let world = World::start_with(SETTINGS).await;
    world.api.deploy("web", Function::python(WSGI)).await;
    let trigger = world.api.open("web", json!({ "authType": "function", "methods": ["POST"] })).await;
    world.api.route("www.example.com", "web").await;
    let (client, subdomain) = (world.api.client(), trigger["domainName"].as_str().unwrap());
    let own = [("x-own", "yes".to_owned())];
    for (domain, path) in
        [(None, "/2016-08-15/proxy/it/web/a"), (Some(subdomain), "/a"), (Some("www.example.com"), "/a")]
    {
        let (target, body) = (format!("{path}?x=1&b=%20"), Bytes::from_static(b"hello"));
        let answer = match domain {
            None => client.call(Method::POST, &target, &own, body).await,
            Some(domain) => client.call_domain(domain, Method::POST, &target, &own, body).await,
        };
        let answer = answer.unwrap_or_else(|error| panic!("{domain:?}: {error}"));
        let seen: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(
            (answer.status, &seen["path"], &seen["own"]),
            (201, &json!("/a"), &json!("yes")),
            "{domain:?}"
        );

        let head = format!("POST {target} HTTP/1.1\r\nhost: {}", domain.unwrap_or("localhost"));
        let reply = exchange(&world.server, &head, b"hello").await;
        let code = reply.json()["ErrorCode"].clone();
        assert_eq!((reply.status, code), (400, json!("MissingRequiredHeader")), "{domain:?}");
    }
}
