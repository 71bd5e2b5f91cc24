//! Functions over HTTP, with real runtimes: by path, by subdomain and by custom domain, now and later.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Function, World, bide};

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

/// Sends one request as it is and reads the answer: head and body.
async fn exchange(world: &World, head: &str, body: &[u8]) -> (String, Vec<u8>) {
    let address = world.server.endpoint().trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let head = format!("{head}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("a whole head") + 4;
    let head = String::from_utf8(answer[..end].to_vec()).unwrap().to_lowercase();
    let body = answer.split_off(end);
    let body = if head.contains("transfer-encoding: chunked") { unchunked(&body) } else { body };
    (head, body)
}

fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|window| window == b"\r\n").expect("a chunk");
        let length = usize::from_str_radix(std::str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
        if length == 0 {
            return body;
        }
        body.extend_from_slice(&rest[line + 2..line + 2 + length]);
        rest = &rest[line + 4 + length..];
    }
}

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
        let (head, body) = exchange(&world, &head, b"hello").await;
        assert!(head.starts_with("http/1.1 201 ") && head.contains("x-answer: 1\r\n"), "{head}");
        let seen: Value = serde_json::from_slice(&body).unwrap();
        let wanted = json!({
            "method": "PUT", "path": "/a", "query": "x=1", "own": "yes", "bytes": 5, "client": "127.0.0.1",
        });
        assert_eq!(seen, wanted, "{host}");
    }
    let (head, body) = exchange(&world, "GET /fail HTTP/1.1\r\nhost: www.example.com", b"").await;
    assert!(head.starts_with("http/1.1 502 ") && head.contains("x-fc-error-type: unhandled"), "{head}");
    assert!(String::from_utf8_lossy(&body).contains("boom"));
}

#[tokio::test]
async fn large_bodies_pass_both_ways() {
    let world = World::start().await;
    deploy(&world, Function::python(WSGI)).await;
    for size in [MIB, 30 * MIB] {
        let body: Vec<u8> = (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let head = "POST /2016-08-15/proxy/it/web/file HTTP/1.1\r\nhost: x";
        let (head, returned) = exchange(&world, head, &body).await;
        assert!(head.starts_with("http/1.1 200 "), "{head}");
        assert!(returned == body, "{size} bytes came back as {}", returned.len());
    }
}

#[tokio::test]
async fn a_call_that_is_made_later_survives_a_crash() {
    let mut world = World::start().await;
    deploy(&world, Function::python(WSGI)).await;
    let head = "POST /2016-08-15/proxy/it/web/later?x=1 HTTP/1.1\r\nhost: x\r\nx-own: yes\r\n\
        x-fc-invocation-type: Async\r\nx-fc-async-delay: 1\r\nx-fc-async-task-id: later\r\n\
        x-fc-stateful-async-invocation-enable: true";
    let (head, _) = exchange(&world, head, b"hello").await;
    assert!(head.starts_with("http/1.1 202 ") && head.contains("x-fc-async-task-id: later"), "{head}");
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
    assert!(exchange(&world, head, b"").await.0.starts_with("http/1.1 201 "));
}
