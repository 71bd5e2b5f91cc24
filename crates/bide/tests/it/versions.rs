//! Versions and aliases with real functions: what runs, also after the server was killed.

use http::Method;
use serde_json::{Value, json};

use crate::support::{Function, World, bide, bide_command, code_of, run, status, text};

const API: &str = "/2016-08-15/services/it";

/// Says what it is and how it was addressed: text, qualifier and version of the context, qualifier of the environment.
fn named(name: &str) -> Function {
    let source = r#"
import os

def handler(event, context):
    service = context.service
    return f"NAME {service.qualifier} {service.version_id or '-'} {os.environ['FC_QUALIFIER']}"
"#;
    Function::python(&source.replace("NAME", name))
}

const NAMED_NODE: &str = r#"
exports.handler = (event, context, callback) => {
  const { qualifier, versionId } = context.service;
  callback(null, `${qualifier} ${versionId || '-'} ${process.env.FC_QUALIFIER}`);
};
"#;

const NAMED_SERVER: &str = r#"#!/usr/bin/env python3
import http.server
import os

class Named(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        seen = (self.headers["x-fc-qualifier"], self.headers["x-fc-version-id"] or "-", os.environ["FC_QUALIFIER"])
        body = " ".join(seen).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass

http.server.ThreadingHTTPServer(("0.0.0.0", 9000), Named).serve_forever()
"#;

impl World {
    async fn send(&self, method: Method, path: &str, body: Value) -> Value {
        self.api.client().json(method, &format!("{API}{path}"), Some(&body)).await.expect("answered")
    }

    async fn publish(&self) -> Value {
        self.send(Method::POST, "/versions", json!({})).await["versionId"].clone()
    }

    async fn point(&self, alias: &str, version: &str) {
        self.send(Method::PUT, &format!("/aliases/{alias}"), json!({ "versionId": version })).await;
    }

    /// Publishes two versions of function `f`, `one` and `two`, leaves `LATEST` as `three`, and lets `prod` be the first.
    async fn publish_two(&self) {
        self.api.deploy("f", named("one")).await;
        assert_eq!(self.publish().await, "1");
        self.api.update("f", named("two")).await;
        assert_eq!(self.publish().await, "2");
        self.api.update("f", named("three")).await;
        self.send(Method::POST, "/aliases", json!({ "aliasName": "prod", "versionId": "1" })).await;
    }

    async fn says(&self, qualifier: &str, name: &str) -> String {
        let path = format!("{API}.{qualifier}/functions/{name}/invocations");
        let answer = self.api.client().call(Method::POST, &path, &[], Default::default()).await;
        text(&answer.expect("run")).to_owned()
    }

    async fn submit_at(&self, qualifier: &str, id: &str) {
        let path = format!("{API}.{qualifier}/functions/f/invocations");
        let headers = [
            ("x-fc-invocation-type", "Async".to_owned()),
            ("x-fc-stateful-async-invocation-enable", "true".to_owned()),
            ("x-fc-stateful-async-invocation-id", id.to_owned()),
        ];
        self.api.client().call(Method::POST, &path, &headers, Default::default()).await.expect("accepted");
    }

    /// Keeps what is sent to a qualifier in line, or lets it go.
    async fn hold(&self, qualifier: &str, hold: bool) {
        let path = format!("{API}.{qualifier}/functions/f/on-demand-config");
        let (method, body) = match hold {
            true => (Method::PUT, Some(json!({ "maximumInstanceCount": 0 }))),
            false => (Method::DELETE, None),
        };
        self.api.client().json(method, &path, body.as_ref()).await.expect("put");
    }
}

#[tokio::test]
async fn each_qualifier_runs_its_version_in_every_runtime() {
    let world = World::start().await;
    world.publish_two().await;
    let all = ["1", "2", "prod", "LATEST"];
    let expected = ["one 1 1 1", "two 2 2 2", "one prod 1 1", "three LATEST - LATEST"];
    for (qualifier, says) in all.into_iter().zip(expected) {
        assert_eq!(world.says(qualifier, "f").await, says);
    }
    world.api.deploy("node", Function::node(NAMED_NODE)).await;
    world.api.deploy("server", Function::custom(NAMED_SERVER)).await;
    let third = world.publish().await;
    world.point("prod", third.as_str().unwrap()).await;
    for name in ["node", "server"] {
        for (qualifier, says) in [("3", "3 3 3"), ("prod", "prod 3 3"), ("LATEST", "LATEST - LATEST")] {
            assert_eq!(world.says(qualifier, name).await, says, "{name}");
        }
    }
}

#[tokio::test]
async fn what_waits_for_an_alias_survives_a_crash_and_runs_what_the_alias_names_then() {
    let mut world = World::start().await;
    world.publish_two().await;
    for qualifier in ["1", "2"] {
        world.hold(qualifier, true).await;
    }
    for (qualifier, id) in [("prod", "moved"), ("1", "fixed"), ("2", "gone")] {
        world.submit_at(qualifier, id).await;
    }
    world.crash().await;
    assert_eq!(world.says("LATEST", "f").await, "three LATEST - LATEST", "it is not held up");
    world.point("prod", "2").await;
    world.crash().await;
    for id in ["moved", "fixed", "gone"] {
        assert_eq!(status(&world.api.task("f", id).await), "Enqueued");
    }
    for qualifier in ["1", "2"] {
        world.hold(qualifier, false).await;
    }
    for (id, qualifier, result) in
        [("moved", "prod", "two prod 2 2"), ("fixed", "1", "one 1 1 1"), ("gone", "2", "two 2 2 2")]
    {
        let task = world.api.settled("f", id).await;
        assert_eq!(
            (&task["returnPayload"], &task["qualifier"]),
            (&json!(result), &json!(qualifier)),
            "{task:#}"
        );
    }
    world.server.stop().await;
    let data = world.dir.path().join("data");
    let verified = run(bide_command(&["verify", &data.to_string_lossy()])).await;
    assert_eq!(verified.code, 0, "{verified:?}");
}

#[tokio::test]
async fn what_waits_for_an_alias_that_is_deleted_ends_as_invalid() {
    let mut world = World::start().await;
    world.publish_two().await;
    world.hold("1", true).await;
    world.submit_at("prod", "gone").await;
    world.send(Method::DELETE, "/aliases/prod", Value::Null).await;
    world.crash().await;
    let task = world.api.settled("f", "gone").await;
    assert_eq!((status(&task), &task["qualifier"]), ("Invalid", &json!("prod")));
    let refused = world.api.client().json(Method::GET, &format!("{API}.prod/functions/f"), None).await;
    assert_eq!(code_of(refused), (404, "AliasNotFound".to_owned()));
}

#[tokio::test]
async fn an_alias_shares_its_calls_out_by_weight() {
    let world = World::start().await;
    world.publish_two().await;
    let weights = json!({ "additionalVersionWeight": { "2": 0.5 } });
    world.send(Method::PUT, "/aliases/prod", weights).await;
    // That 60 calls all go one way does not happen in the life of this project.
    let mut seen = [0, 0];
    for number in 0..60 {
        world.submit_at("prod", &format!("t{number}")).await;
    }
    for number in 0..60 {
        let task = world.api.settled("f", &format!("t{number}")).await;
        let result = task["returnPayload"].as_str().unwrap();
        seen[usize::from(result == "two prod 2 2")] += 1;
        assert!(["one prod 1 1", "two prod 2 2"].contains(&result), "{task:#}");
    }
    assert!(seen.iter().all(|count| *count > 0), "{seen:?}");
}

#[tokio::test]
async fn the_command_line_publishes_and_names_versions() {
    let world = World::start().await;
    world.api.deploy("f", named("one")).await;
    let bide_ok = async |arguments: &[&str]| {
        let output = bide(&world.server, arguments).await;
        assert_eq!(output.code, 0, "{output:?}");
        output
    };
    let published = bide_ok(&["versions", "publish", "it", "--description", "first"]).await;
    assert_eq!(published.stdout, "published it.1\n");
    assert_eq!(bide_ok(&["versions", "publish", "it", "--output", "json"]).await.json()["versionId"], "2");
    let listed = bide_ok(&["versions", "list", "it", "--output", "json"]).await.json();
    assert_eq!((&listed[1]["versionId"], &listed[1]["description"]), (&json!("1"), &json!("first")));
    let set = bide_ok(&["aliases", "set", "it", "prod", "1", "--additional", "2=0.25"]).await;
    assert_eq!(set.stdout, "it.prod names version 1\n");
    let prod = bide_ok(&["aliases", "get", "it", "prod"]).await.json();
    assert_eq!(prod["additionalVersionWeight"], json!({ "2": 0.25 }));
    let again = bide_ok(&["aliases", "set", "it", "prod", "2", "--output", "json"]).await.json();
    assert_eq!((&again["versionId"], &again["additionalVersionWeight"]), (&json!("2"), &json!({})));
    assert!(bide_ok(&["aliases", "list", "it"]).await.stdout.contains("prod"));
    assert!(bide_ok(&["versions", "list", "it"]).await.stdout.contains("first"));
    let refused = bide(&world.server, &["versions", "delete", "it", "2"]).await;
    assert!(refused.code == 3 && refused.stderr.contains("VersionInUse"), "{refused:?}");
    bide_ok(&["aliases", "delete", "it", "prod"]).await;
    bide_ok(&["versions", "delete", "it", "2"]).await;
    let called = bide_ok(&["invoke", "it.1/f"]).await;
    assert_eq!(called.stdout.trim_end(), "one 1 1 1");
    let bad = bide(&world.server, &["aliases", "set", "it", "prod", "1", "--additional", "x"]).await;
    assert_eq!(bad.code, 2, "{bad:?}");
}
