//! The custom runtime: start, ports, headers, the rules of success and failure.

use std::sync::Arc;
use std::time::Duration;

use bide_env::ManualClock;
use bide_runtime::FunctionErrorCause;
use bide_types::Timestamp;

use crate::world::{World, failure, json, log, spec, text, until};

/// An HTTP server that does what the event says.
const SERVER: &str = r#"
import http.server, json, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    initialized = 0
    def do_POST(self):
        event = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        status, extra, body = 200, {}, event.encode()
        if self.path == "/initialize":
            Handler.initialized += 1
            body = b""
        elif event == "headers":
            body = json.dumps({**{k.lower(): v for k, v in self.headers.items()}, "path": self.path}).encode()
        elif event == "initialized":
            body = str(Handler.initialized).encode()
        elif event == "404":
            status, body = 404, b"not this one"
        elif event == "marked":
            extra, body = {"x-fc-status": "404"}, b'{"errorMessage": "mine", "errorType": "Mine"}'
        elif event == "500":
            status, body = 500, b""
        elif event == "die":
            print("dying", flush=True)
            os._exit(1)
        elif event == "env":
            body = json.dumps(dict(os.environ)).encode()
        self.send_response(status)
        for name, value in extra.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass
server = http.server.ThreadingHTTPServer(("0.0.0.0", int(os.environ["FC_SERVER_PORT"])), Handler)
print("listening", flush=True)
server.serve_forever()
"#;

fn bootstrap() -> String {
    format!("#!/usr/bin/env python3\n{SERVER}")
}

#[tokio::test]
async fn an_event_is_posted_to_the_server_and_its_body_comes_back() {
    let world = World::new().await;
    let mut function = world.function("custom", "ignored", &[("bootstrap", &bootstrap(), 0o755)]);
    function.initializer = Some("yes".to_owned());
    let spec = spec(function);
    let first = world.call(&spec, "hello").await;
    assert_eq!(text(&first), "hello");
    assert!(log(&first).contains("listening\n"));
    let outcome = world.call(&spec, "headers").await;
    assert_eq!(outcome.instance, first.instance);
    let headers = json(&outcome);
    for (name, value) in [
        ("path", "/invoke"),
        ("x-fc-control-path", "/invoke"),
        ("x-fc-request-id", "req-1"),
        ("x-fc-function-name", "fun"),
        ("x-fc-function-memory", "512"),
        ("x-fc-account-id", "10001"),
        ("x-fc-qualifier", "LATEST"),
        ("x-fc-retry-count", "0"),
        ("x-fc-access-key-id", ""),
        ("content-type", "application/octet-stream"),
    ] {
        assert_eq!(headers[name], value, "{name}");
    }
    assert_eq!(text(&world.call(&spec, "initialized").await), "1");
}

#[tokio::test]
async fn failures_follow_status_and_header() {
    let world = World::new().await;
    let spec = spec(world.function("custom.debian10", "x", &[("bootstrap", &bootstrap(), 0o755)]));
    let first = world.call(&spec, "").await.instance;
    let not_found = world.call(&spec, "404").await;
    assert_eq!(failure(&not_found).body["errorMessage"], "not this one");
    let marked = world.call(&spec, "marked").await;
    assert_eq!(failure(&marked).body, serde_json::json!({"errorMessage": "mine", "errorType": "Mine"}));
    assert_eq!(marked.instance, first);
    let failed = world.call(&spec, "500").await;
    assert_eq!(failure(&failed).cause, FunctionErrorCause::Raised);
    let second = world.call(&spec, "").await.instance;
    assert_ne!(second, first, "replaced after 5xx");
    let died = world.call(&spec, "die").await;
    assert_eq!(failure(&died).cause, FunctionErrorCause::ProcessExited);
    assert!(log(&died).contains("dying\n"), "{}", log(&died));
    assert_ne!(world.call(&spec, "").await.instance, second);
}

#[tokio::test]
async fn without_a_sandbox_every_instance_gets_a_port_of_its_own() {
    let world = World::new().await;
    let mut ports = Vec::new();
    for _ in 0..2 {
        let spec = spec(world.function("custom", "x", &[("bootstrap", &bootstrap(), 0o755)]));
        let env = json(&world.call(&spec, "env").await);
        assert_eq!(env["FC_SERVER_PORT"], env["FC_CUSTOM_LISTEN_PORT"]);
        ports.push(env["FC_SERVER_PORT"].as_str().unwrap().to_owned());
    }
    assert_ne!(ports[1], ports[0]);
}

#[tokio::test]
async fn a_command_may_take_the_place_of_bootstrap() {
    let world = World::new().await;
    let mut function = world.function("custom", "x", &[("server.py", SERVER, 0o644)]);
    function.custom_command = vec!["python3".to_owned(), "/code/server.py".to_owned()];
    assert_eq!(text(&world.call(&spec(function), "hi").await), "hi");
}

#[tokio::test]
async fn a_server_that_never_comes_says_why() {
    let world = World::new().await;
    for (files, expected) in [
        (vec![("other", "", 0o755)], "no file 'bootstrap'"),
        (vec![("bootstrap", "#!/bin/sh\n", 0o644)], "is not executable"),
        (
            vec![("bootstrap", "#!/bin/sh\necho oops; exit 4\n", 0o755)],
            "ended (exit code 4) before it listened",
        ),
        (vec![("bootstrap", "#!/no/such/interpreter\n", 0o755)], "cannot start"),
    ] {
        let outcome = world.call(&spec(world.function("custom", "x", &files)), "").await;
        let failed = failure(&outcome);
        assert_eq!(failed.cause, FunctionErrorCause::StartFailed);
        assert_eq!(failed.body["errorType"], "FunctionNotStarted");
        let message = failed.body["errorMessage"].as_str().unwrap();
        assert!(message.contains(expected), "{message}");
        if expected.contains("exit code 4") {
            assert!(log(&outcome).contains("oops"), "{}", log(&outcome));
        }
    }
}

#[tokio::test]
async fn a_server_on_another_port_has_120_seconds_and_is_then_given_up() {
    let clock = ManualClock::at(Timestamp::from_millis(1_000_000));
    let world = Arc::new(World::with(|_| {}, Arc::new(clock.clone())).await);
    let directory = tempfile::tempdir().unwrap();
    let listening = directory.path().join("listening");
    let server = "import os, socket, time\nserver = socket.create_server(('0.0.0.0', 0))\n\
                  print('elsewhere', flush=True)\nopen(os.environ['LISTENING'], 'w').close()\ntime.sleep(1000)\n";
    let bootstrap = format!("#!/usr/bin/env python3\n{server}");
    let mut function = world.function("custom", "x", &[("bootstrap", &bootstrap, 0o755)]);
    function.environment.insert("LISTENING".to_owned(), listening.to_str().unwrap().to_owned());
    let spec = spec(function);
    let call = {
        let world = Arc::clone(&world);
        tokio::spawn(async move { world.call(&spec, "").await })
    };
    until(|| listening.exists()).await;
    clock.advance(Duration::from_secs(119));
    tokio::task::yield_now().await;
    assert!(!call.is_finished());
    until(|| {
        clock.advance(Duration::from_millis(100));
        call.is_finished()
    })
    .await;
    let outcome = call.await.unwrap();
    let failed = failure(&outcome);
    assert_eq!(
        (failed.cause, &failed.body["errorType"]),
        (FunctionErrorCause::StartFailed, &"FunctionNotStarted".into())
    );
    let message = "The custom runtime did not listen on FC_SERVER_PORT within 120 seconds";
    assert_eq!(failed.body["errorMessage"], message);
    assert!(log(&outcome).contains("elsewhere"), "{}", log(&outcome));
}
