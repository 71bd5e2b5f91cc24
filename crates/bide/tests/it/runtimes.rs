//! The runtimes through the API: Node handlers, and servers that the package brings.

use serde_json::{Value, json};

use crate::support::{Function, World, status, text};

const NODE: &str = r#"
exports.handler = (event, context, callback) => {
    const order = JSON.parse(event.toString());
    if (order.fail === "handled") return callback(new RangeError("refused"));
    if (order.fail === "thrown") throw new TypeError("broken");
    callback(null, { order, requestId: context.requestId, retryCount: context.retryCount,
                     service: context.service.name, name: context.function.name });
};
exports.promised = async (event, context) => {
    await new Promise((resolve) => setTimeout(resolve, 10));
    if (event.length === 0) throw new Error("nothing came");
    return event.toString().toUpperCase();
};
"#;

/// A server that answers with the headers and the body that it got. Says 404 for the event `fail`.
const ECHO_SERVER: &str = r#"
import http.server, json, os, sys

class Echo(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        event = self.rfile.read(int(self.headers["content-length"] or 0)).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = {"path": self.path, "event": event, "headers": headers, "instance": os.environ["FC_INSTANCE_ID"]}
        body = b"it went wrong" if event == "fail" else json.dumps(answer).encode()
        self.send_response(200)
        if event == "fail":
            self.send_header("x-fc-status", "404")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

http.server.ThreadingHTTPServer(("0.0.0.0", 9000), Echo).serve_forever()
"#;

fn json_of(answer: &bide_client::Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_else(|_| panic!("no JSON: {}", text(answer)))
}

#[tokio::test]
async fn a_node_function_answers_by_callback() {
    let world = World::start().await;
    world.api.deploy("node", Function::node(NODE)).await;
    let answer = world.api.invoke("node", r#"{"id": 1}"#).await;
    let expected = json!({
        "order": { "id": 1 },
        "requestId": answer.header("x-fc-request-id"),
        "retryCount": 0,
        "service": "it",
        "name": "node",
    });
    assert_eq!(json_of(&answer), expected);

    world.api.submit_task("node", "job", r#"{"id": 2}"#).await;
    let task = world.api.settled("node", "job").await;
    let result: Value = serde_json::from_str(task["returnPayload"].as_str().unwrap()).unwrap();
    assert_eq!((&result["order"]["id"], &result["requestId"]), (&json!(2), &task["requestId"]));
}

#[tokio::test]
async fn a_node_function_answers_by_promise() {
    let world = World::start().await;
    world.api.deploy("node", Function::node(NODE).with("handler", "index.promised")).await;
    assert_eq!(text(&world.api.invoke("node", "quiet").await), "QUIET");
    let answer = world.api.invoke("node", "").await;
    assert_eq!(answer.header("x-fc-error-type"), "UnhandledInvocationError");
    assert_eq!(json_of(&answer)["errorMessage"], "nothing came");
    world.api.submit_task("node", "job", "later").await;
    assert_eq!(world.api.settled("node", "job").await["returnPayload"], "LATER");
}

#[tokio::test]
async fn an_error_that_a_node_function_reports_is_handled_and_one_that_it_throws_is_not() {
    let world = World::start().await;
    world.api.deploy("node", Function::node(NODE)).await;
    world.api.configure("node", json!({ "maxAsyncRetryAttempts": 0 })).await;
    for (how, error_type, message) in
        [("handled", "HandledInvocationError", "refused"), ("thrown", "UnhandledInvocationError", "broken")]
    {
        let event = json!({ "fail": how }).to_string();
        let answer = world.api.invoke("node", event.clone()).await;
        assert_eq!(answer.header("x-fc-error-type"), error_type);
        assert_eq!(json_of(&answer)["errorMessage"], message);
        world.api.submit_task("node", how, event).await;
        let task = world.api.settled("node", how).await;
        assert_eq!((status(&task), task["invocationErrorMessage"].as_str()), ("Failed", Some(error_type)));
    }
}

#[tokio::test]
async fn a_bootstrap_serves_events_and_sees_the_headers() {
    let world = World::start().await;
    let bootstrap = format!("#!/usr/bin/env python3\n{ECHO_SERVER}");
    let function = Function::custom(&bootstrap).with("memorySize", 256);
    world.api.deploy("custom", function).await;

    let answer = world.api.invoke("custom", "an event").await;
    let seen = json_of(&answer);
    assert_eq!((&seen["path"], &seen["event"]), (&json!("/invoke"), &json!("an event")));
    let headers = &seen["headers"];
    for (name, value) in [
        ("x-fc-request-id", answer.header("x-fc-request-id")),
        ("x-fc-control-path", "/invoke"),
        ("x-fc-function-name", "custom"),
        ("x-fc-function-memory", "256"),
        ("x-fc-function-timeout", "30"),
        ("x-fc-service-name", "it"),
        ("x-fc-qualifier", "LATEST"),
        ("x-fc-account-id", "123456789012"),
        ("x-fc-region", "local"),
        ("x-fc-retry-count", "0"),
        ("x-fc-access-key-secret", ""),
        ("content-type", "application/octet-stream"),
    ] {
        assert_eq!(headers[name], value, "{name}");
    }
    assert!(headers.get("x-fc-async-task-id").is_none());

    world.api.submit_task("custom", "job", "later").await;
    let task = world.api.settled("custom", "job").await;
    let later: Value = serde_json::from_str(task["returnPayload"].as_str().unwrap()).unwrap();
    assert_eq!(later["headers"]["x-fc-async-task-id"], "job");
    assert_eq!(later["headers"]["x-fc-request-id"], task["requestId"]);
    assert_eq!(later["instance"], seen["instance"], "one server for all");
}

#[tokio::test]
async fn a_custom_runtime_fails_by_the_status_header_and_is_retried() {
    let world = World::start().await;
    let bootstrap = "#!/bin/sh\nexec python3 \"$FC_FUNC_CODE_PATH/server.py\"\n";
    let function = Function::custom(bootstrap).file("server.py", ECHO_SERVER);
    world.api.deploy("custom", function).await;
    world.api.configure("custom", json!({ "maxAsyncRetryAttempts": 1 })).await;

    let answer = world.api.invoke("custom", "fail").await;
    assert_eq!((answer.status, answer.header("x-fc-error-type")), (200, "UnhandledInvocationError"));
    assert_eq!(json_of(&answer)["errorMessage"], "it went wrong");
    world.api.submit_task("custom", "job", "fail").await;
    let task = world.api.settled("custom", "job").await;
    assert_eq!((status(&task), &task["alreadyRetriedTimes"]), ("Failed", &json!(1)));
    assert_eq!(json_of(&world.api.invoke("custom", "well").await)["event"], "well", "it goes on");
}

#[tokio::test]
async fn a_custom_runtime_is_started_by_its_command() {
    let world = World::start().await;
    let function = Function::custom("")
        .file("server.py", ECHO_SERVER)
        .with("customRuntimeConfig", json!({ "command": ["python3"], "args": ["/code/server.py"] }));
    world.api.deploy("custom", function).await;
    assert_eq!(json_of(&world.api.invoke("custom", "an event").await)["event"], "an event");
}
