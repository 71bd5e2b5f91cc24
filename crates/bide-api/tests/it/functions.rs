//! Functions and their code.

use axum::body::Body;
use axum::http::Request;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::fixture::{Edge, FUNCTION, SECOND, zip, zip_with_link};

const FUNCTIONS: &str = "/2016-08-15/services/s/functions";

#[tokio::test]
async fn a_function_is_created_with_defaults_and_read_back() {
    let edge = Edge::new().await;
    let created = edge.create_function(json!({"functionName": "h", "unknown": ["x"], "timeout": null})).await;
    let function = created.json();
    let expected = json!({
        "functionName": "h", "description": "", "runtime": "python3.9", "handler": "index.handler",
        "initializer": "", "initializationTimeout": 3, "timeout": 3, "memorySize": 512,
        "instanceConcurrency": 1, "environmentVariables": {}, "layers": [], "diskSize": 512,
        "createdTime": "2024-01-01T00:00:00Z", "lastModifiedTime": "2024-01-01T00:00:00Z",
    });
    for (field, value) in expected.as_object().expect("an object") {
        assert_eq!(&function[field], value, "{field}");
    }
    assert!(function["codeSize"].as_u64().expect("a number") > 100);
    assert!(function["codeChecksum"].as_str().expect("a text").parse::<u64>().is_ok());
    assert!(function.get("caPort").is_none());
    assert!(!function["functionId"].as_str().expect("a text").is_empty());
    let read = edge.get("/2016-08-15/services/s.LATEST/functions/h").await;
    assert_eq!(read.json(), function);
    assert_eq!(read.header("etag"), created.header("etag"));
}

#[tokio::test]
async fn an_update_changes_what_it_says_and_nothing_else() {
    let edge = Edge::new().await;
    let before = edge.get(FUNCTION).await.json();
    edge.clock.advance(SECOND);
    let after = edge.put(FUNCTION, json!({"timeout": 9, "environmentVariables": {"K": "V"}})).await.json();
    let mut expected = before.clone();
    expected["timeout"] = json!(9);
    expected["environmentVariables"] = json!({"K": "V"});
    expected["lastModifiedTime"] = json!("2024-01-01T00:00:01Z");
    assert_eq!(after, expected);

    let code = zip(&[("index.py", b"def handler(e, c): return 2\n")]);
    let after = edge.put(FUNCTION, json!({"code": {"zipFile": code}})).await.json();
    assert_ne!(after["codeChecksum"], before["codeChecksum"]);
    assert_eq!(after["timeout"], 9);
}

#[tokio::test]
async fn a_custom_runtime_shows_how_it_is_started() {
    let edge = Edge::new().await;
    let function = edge
        .create_function(json!({
            "functionName": "h", "runtime": "custom.debian12",
            "customRuntimeConfig": {"command": ["node"], "args": ["server.js"], "port": 8080},
        }))
        .await
        .json();
    assert_eq!(function["caPort"], 8080);
    let expected = json!({"command": ["node"], "args": ["server.js"], "port": 8080});
    assert_eq!(function["customRuntimeConfig"], expected);
}

#[tokio::test]
async fn settings_of_instances_are_shown_and_stay_until_they_are_changed() {
    let edge = Edge::new().await;
    let settings = json!({
        "instanceLifecycleConfig": {
            "preStop": {"handler": "index.stop", "timeout": 10}, "preFreeze": {"handler": "index.freeze", "timeout": 3}
        },
        "customHealthCheckConfig": {
            "httpGetUrl": "/up", "initialDelaySeconds": 1, "periodSeconds": 2, "timeoutSeconds": 3,
            "failureThreshold": 4, "successThreshold": 5
        },
        "diskSize": 10_240, "cpu": 0.35,
    });
    let mut create = settings.clone();
    (create["functionName"], create["runtime"]) = (json!("h"), json!("custom"));
    let created = edge.create_function(create).await.json();
    let function = format!("{FUNCTIONS}/h");
    let kept = edge.put(&function, json!({"timeout": 9})).await.json();
    for body in [&created, &kept, &edge.get(&function).await.json()] {
        for (field, value) in settings.as_object().expect("an object") {
            assert_eq!(&body[field], value);
        }
    }
    let without = json!({
        "instanceLifecycleConfig": {"preStop": {"handler": ""}}, "customHealthCheckConfig": {}, "cpu": 0, "diskSize": 512
    });
    let changed = edge.put(&function, without).await.json();
    assert_eq!(
        changed["instanceLifecycleConfig"],
        json!({"preFreeze": {"handler": "index.freeze", "timeout": 3}})
    );
    assert_eq!((&changed["customHealthCheckConfig"], &changed["cpu"]), (&Value::Null, &Value::Null));
    assert_eq!(changed["diskSize"], 512);
    let check = json!({"customHealthCheckConfig": {"httpGetUrl": "/"}});
    let message = edge.put(FUNCTION, check).await.error(400, "InvalidArgument");
    assert!(message.contains("custom runtimes"), "{message}");
}

#[tokio::test]
async fn a_change_with_an_outdated_tag_is_refused() {
    let edge = Edge::new().await;
    let tag = edge.get(FUNCTION).await.header("etag").expect("a tag").to_owned();
    edge.send("PUT", FUNCTION, &[("if-match", &tag)], r#"{"timeout":4}"#).await.json();
    edge.send("PUT", FUNCTION, &[("if-match", &tag)], r#"{"timeout":5}"#)
        .await
        .error(412, "PreconditionFailed");
    edge.send("DELETE", FUNCTION, &[("if-match", &tag)], "").await.error(412, "PreconditionFailed");
    assert_eq!(edge.delete(FUNCTION).await.status, 204);
    let message = edge.get(FUNCTION).await.error(404, "FunctionNotFound");
    assert_eq!(message, "function 'f' does not exist in service 's'");
}

#[tokio::test]
async fn each_wrong_request_has_its_code() {
    let edge = Edge::new().await;
    edge.create_function(json!({})).await.error(409, "FunctionAlreadyExists");
    for (changes, says) in [
        (json!({"functionName": null}), "'functionName' is required"),
        (json!({"runtime": null}), "'runtime' is required"),
        (json!({"handler": null}), "'handler' is required"),
        (json!({"code": null}), "'code' is required"),
        (json!({"functionName": "a b"}), "function name 'a b' is invalid"),
        (json!({"runtime": "java8"}), "runtime 'java8' is not supported"),
        (json!({"timeout": 86_401}), "'timeout' must be a whole number from 1 to 86400"),
        (json!({"timeout": "3"}), "'timeout'"),
        (json!({"memorySize": 100}), "'memorySize'"),
        (json!({"environmentVariables": {"FC_X": "1"}}), "environmentVariables.FC_X"),
        (json!({"code": {"ossBucketName": "b", "ossObjectName": "o"}}), "not supported by bide"),
        (json!({"code": {"zipFile": "no base64"}}), "not valid base64"),
        (json!({"code": {"zipFile": BASE64.encode("no zip")}}), "not a readable zip"),
        (json!({"code": {"zipFile": zip(&[("../x.py", b"")])}}), "'../x.py'"),
        (json!({"code": {"zipFile": zip(&[("/etc/x", b"")])}}), "'/etc/x'"),
        (json!({"code": {"zipFile": zip_with_link("x", "/etc/passwd")}}), "'x'"),
        (json!({"code": {"zipFile": zip_with_link("x", "../../y")}}), "'x'"),
    ] {
        let mut body = changes;
        if body.get("functionName").is_none() {
            body["functionName"] = json!("h");
        }
        let message = edge.create_function(body).await.error(400, "InvalidArgument");
        assert!(message.contains(says), "{message}");
    }
    edge.get(&format!("{FUNCTIONS}/h")).await.error(404, "FunctionNotFound");
    edge.get("/2016-08-15/services/s.9/functions/f").await.error(404, "VersionNotFound");
    edge.get("/2016-08-15/services/s.prod/functions/f").await.error(404, "AliasNotFound");
    edge.get("/2016-08-15/services/t/functions/f").await.error(404, "ServiceNotFound");
    edge.get("/2016-08-15/services/t/functions").await.error(404, "ServiceNotFound");
    edge.get("/2016-08-15/services/s.9/functions").await.error(404, "VersionNotFound");
}

#[tokio::test]
async fn lists_go_by_pages() {
    let edge = Edge::new().await;
    let page = edge.get(&format!("{FUNCTIONS}?limit=1")).await.json();
    assert_eq!((&page["functions"][0]["functionName"], &page["nextToken"]), (&json!("f"), &json!("g")));
    let page = edge.get(&format!("{FUNCTIONS}?limit=1&nextToken=g")).await.json();
    assert_eq!((&page["functions"][0]["functionName"], &page["nextToken"]), (&json!("g"), &Value::Null));
}

#[tokio::test]
async fn code_is_downloaded_by_a_link_that_expires() {
    let edge = Edge::new().await;
    let reply = edge.send("GET", &format!("{FUNCTION}/code"), &[("host", "127.0.0.1")], "").await.json();
    assert_eq!(reply["checksum"], edge.get(FUNCTION).await.json()["codeChecksum"]);
    let url = reply["url"].as_str().expect("a URL");
    let path = url.strip_prefix("http://127.0.0.1:8700").expect("the port is filled in");

    let download = |path: &str| edge.exchange(Request::get(path).body(Body::empty()).expect("a request"));
    let got = download(path).await;
    assert_eq!((got.status, got.header("content-type")), (200, Some("application/zip")));
    assert!(got.body.starts_with(b"PK"));

    download(&path.replace("/code/", "/code/0")).await.error(403, "AccessDenied");
    download("/bide/v1/code/x").await.error(403, "AccessDenied");
    edge.clock.advance(601 * SECOND);
    download(path).await.error(403, "AccessDenied");
}
