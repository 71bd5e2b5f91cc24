//! Servers that the package brings: how they are started, and how they say that they failed.

use serde_json::{Value, json};

use crate::support::{Function, Reply, World, exchange, status, text};

/// Does what the event or the path says, with the status, and the `x-fc-status` after a dot.
const SERVER: &str = r#"
import http.server, json, os, sys

class Server(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        event = self.rfile.read(int(self.headers["content-length"] or 0)).decode()
        order = event if self.headers["x-fc-control-path"] == "/invoke" else self.path[1:]
        status, _, mark = order.partition(".")
        body = json.dumps({"errorMessage": "said " + order, "arguments": sys.argv[1:], "instance": os.environ["FC_INSTANCE_ID"]})
        self.send_response(int(status))
        if mark:
            self.send_header("x-fc-status", mark)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

http.server.ThreadingHTTPServer(("0.0.0.0", PORT), Server).serve_forever()
"#;

fn server(port: u16) -> String {
    SERVER.replace("PORT", &port.to_string())
}

fn json_of(answer: &bide_client::Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_else(|_| panic!("no JSON: {}", text(answer)))
}

/// What a status of `/invoke` means, and whether the instance serves on (fc-behaviour 7.2).
const EVENTS: &[(&str, bool, bool)] = &[
    ("200", true, true),
    ("201.200", true, true),
    ("200.404", false, true),
    ("404", false, true),
    ("404.404", false, true),
    ("400", false, true),
    ("500", false, false),
];

#[tokio::test]
async fn an_event_fails_by_its_status_or_by_the_header() {
    let world = World::start().await;
    let bootstrap = "#!/bin/sh\nexec python3 \"$FC_FUNC_CODE_PATH/server.py\"\n";
    world.api.deploy("custom", Function::custom(bootstrap).file("server.py", &server(9000))).await;
    world.api.configure("custom", json!({ "maxAsyncRetryAttempts": 1 })).await;
    for (event, succeeds, serves_on) in EVENTS {
        let before = json_of(&world.api.invoke("custom", "200").await);
        let answer = world.api.invoke("custom", *event).await;
        let error_type = if *succeeds { "" } else { "UnhandledInvocationError" };
        assert_eq!((answer.status, answer.header("x-fc-error-type")), (200, error_type), "{event}");
        assert_eq!(json_of(&answer)["errorMessage"], format!("said {event}"));
        let after = json_of(&world.api.invoke("custom", "200").await);
        assert_eq!(before["instance"] == after["instance"], *serves_on, "{event}");

        let id = format!("job{}", event.replace('.', "-"));
        world.api.submit_task("custom", &id, *event).await;
        let task = world.api.settled("custom", &id).await;
        let (wanted, retries) = if *succeeds { ("Succeeded", 0) } else { ("Failed", 1) };
        assert_eq!((status(&task), &task["alreadyRetriedTimes"]), (wanted, &json!(retries)), "{event}");
        assert!(task["returnPayload"].as_str().unwrap().contains(&format!("said {event}")), "{task}");
    }
}

/// What a status means to a caller over HTTP, and whether it is a success when nobody waits.
const CALLS: &[(&str, u16, bool)] = &[
    ("200", 200, true),
    ("404", 404, true),
    ("500", 500, false),
    ("503.200", 503, false),
    ("200.404", 502, false),
    ("404.404", 502, false),
];

#[tokio::test]
async fn a_call_over_http_has_any_status_and_fails_by_the_header() {
    let world = World::start().await;
    world.api.deploy("custom", Function::custom(&format!("#!/usr/bin/env python3\n{}", server(9000)))).await;
    world.api.open("custom", json!({ "authType": "anonymous", "methods": ["POST"] })).await;
    world.api.configure("custom", json!({ "maxAsyncRetryAttempts": 0, "statefulInvocation": true })).await;
    for (path, wanted, succeeds) in CALLS {
        let reply = post(&world, path, "").await;
        let failed = if *wanted == 502 { "unhandledinvocationerror" } else { "" };
        assert_eq!((reply.status, reply.header("x-fc-error-type")), (*wanted, failed), "{path}");
        assert_eq!(reply.json()["errorMessage"], format!("said {path}"));
        assert_eq!(reply.header("x-fc-status"), "", "{path}");

        let id = format!("job{}", path.replace('.', "-"));
        let later = format!("\r\nx-fc-invocation-type: Async\r\nx-fc-async-task-id: {id}");
        assert_eq!(post(&world, path, &later).await.status, 202);
        let task = world.api.settled("custom", &id).await;
        assert_eq!(status(&task) == "Succeeded", *succeeds, "{path}: {task}");
    }
}

async fn post(world: &World, path: &str, headers: &str) -> Reply {
    let head = format!("POST /2016-08-15/proxy/it/custom/{path} HTTP/1.1\r\nhost: x{headers}");
    exchange(&world.server, &head, b"").await
}

#[tokio::test]
async fn a_server_is_started_by_its_command_with_its_arguments_on_its_own_port() {
    let world = World::start().await;
    let config = json!({ "command": ["python3"], "args": ["/code/server.py", "two words", "$HOME"] });
    for runtime in ["custom", "custom.debian10"] {
        let function = Function::of(runtime)
            .file("server.py", &server(8081))
            .with("customRuntimeConfig", config.clone())
            .with("caPort", 8081);
        let name = runtime.replace('.', "-");
        world.api.deploy(&name, function).await;
        let answer = world.api.invoke(&name, "200").await;
        assert_eq!(json_of(&answer)["arguments"], json!(["two words", "$HOME"]), "{runtime}");
        world.api.submit_task(&name, "job", "200").await;
        assert_eq!(status(&world.api.settled(&name, "job").await), "Succeeded", "{runtime}");
    }
}
