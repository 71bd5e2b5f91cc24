//! Layers: versions and their numbers, lists, what a function names, and what is refused.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::fixture::{Edge, FUNCTION, Reply, zip};

const LAYERS: &str = "/2016-08-15/layers";

async fn publish(edge: &Edge, layer: &str, content: &str) -> Reply {
    let code = zip(&[("python/shared.py", content.as_bytes())]);
    let body = json!({"description": content, "compatibleRuntime": ["python3.9"], "code": {"zipFile": code}});
    edge.send("POST", &format!("{LAYERS}/{layer}/versions"), &[], body.to_string()).await
}

#[tokio::test]
async fn versions_are_numbered_listed_and_deleted_and_no_number_comes_twice() {
    let edge = Edge::new().await;
    let first = publish(&edge, "common", "one").await.json();
    assert_eq!(
        (&first["version"], &first["layerName"], &first["acl"]),
        (&json!(1), &json!("common"), &json!(0))
    );
    assert_eq!(first["arn"], format!("acs:fc:local:{}:layers/common/versions/1", crate::fixture::ACCOUNT));
    assert_eq!((&first["description"], &first["compatibleRuntime"]), (&json!("one"), &json!(["python3.9"])));
    publish(&edge, "common", "two").await.ok();
    publish(&edge, "other", "x").await.ok();
    let got = edge.get(&format!("{LAYERS}/common/versions/1")).await.json();
    assert_eq!(got["codeChecksum"], first["codeChecksum"]);
    let page = edge.get(&format!("{LAYERS}/common/versions?limit=1")).await.json();
    assert_eq!((&page["layers"][0]["version"], &page["nextVersion"]), (&json!(1), &json!(2)));
    let page = edge.get(&format!("{LAYERS}/common/versions?limit=1&startVersion=2")).await.json();
    assert_eq!((&page["layers"][0]["version"], &page["nextVersion"]), (&json!(2), &Value::Null));
    let page = edge.get(&format!("{LAYERS}?limit=1")).await.json();
    assert_eq!((&page["layers"][0]["version"], &page["nextToken"]), (&json!(2), &json!("other")));

    for version in [2, 1] {
        assert_eq!(edge.delete(&format!("{LAYERS}/common/versions/{version}")).await.status, 204);
    }
    edge.get(&format!("{LAYERS}/common/versions/1")).await.error(404, "LayerNotFound");
    edge.get(&format!("{LAYERS}/common/versions")).await.error(404, "LayerNotFound");
    assert_eq!(edge.get(LAYERS).await.json()["layers"].as_array().expect("a list").len(), 1);
    assert_eq!(publish(&edge, "common", "three").await.json()["version"], 3);
    edge.get(&format!("{LAYERS}/common/versions/1")).await.error(404, "LayerVersionNotFound");
}

#[tokio::test]
async fn a_version_is_found_by_its_name_and_downloaded() {
    let edge = Edge::new().await;
    let arn = publish(&edge, "common", "one").await.json()["arn"].as_str().expect("text").to_owned();
    for target in [arn.clone(), arn.replace('/', "%2F").replace(':', "%3A")] {
        assert_eq!(edge.get(&format!("/2016-08-15/layerarn/{target}")).await.json()["arn"], json!(arn));
    }
    let foreign = arn.replace(crate::fixture::ACCOUNT, "1");
    edge.get(&format!("/2016-08-15/layerarn/{foreign}")).await.error(403, "AccessDenied");
    edge.get("/2016-08-15/layerarn/x").await.error(400, "InvalidArgument");
    let signed =
        edge.send("GET", &format!("{LAYERS}/common/versions/1"), &[("host", "127.0.0.1:8700")], "").await;
    let location = signed.json()["code"]["location"].as_str().expect("text").to_owned();
    let path = location.strip_prefix("http://127.0.0.1:8700").expect("a link to this server");
    let got = edge.exchange(Request::get(path).body(Body::empty()).expect("a request")).await;
    assert!(got.status == 200 && got.body.starts_with(b"PK"));
}

#[tokio::test]
async fn a_function_names_layers_and_keeps_them_after_their_deletion() {
    let edge = Edge::new().await;
    let mut arns = Vec::new();
    for layer in ["a", "b"] {
        arns.push(publish(&edge, layer, layer).await.json()["arn"].clone());
    }
    assert_eq!(edge.put(FUNCTION, json!({"layers": arns})).await.json()["layers"], json!(arns));
    edge.delete(&format!("{LAYERS}/a/versions/1")).await.ok();
    assert_eq!(edge.put(FUNCTION, json!({"timeout": 4})).await.json()["layers"], json!(arns));
    edge.put(FUNCTION, json!({"layers": arns})).await.error(404, "LayerNotFound");
    assert_eq!(edge.put(FUNCTION, json!({"layers": []})).await.json()["layers"], json!([]));
    for bad in
        [json!("common#1"), json!(arns[1].as_str().expect("text").replace(crate::fixture::ACCOUNT, "1"))]
    {
        edge.put(FUNCTION, json!({"layers": [bad]})).await.error(400, "InvalidArgument");
    }
}

#[tokio::test]
async fn each_wrong_request_has_its_code() {
    let edge = Edge::new().await;
    publish(&edge, "1", "x").await.error(400, "InvalidArgument");
    let post = |body: Value| {
        let edge = &edge;
        async move { edge.send("POST", &format!("{LAYERS}/l/versions"), &[], body.to_string()).await }
    };
    for body in [
        json!({}),
        json!({"code": {"zipFile": "UEs="}}),
        json!({"code": {"zipFile": zip(&[])}, "description": "x".repeat(257)}),
        json!({"code": {"zipFile": zip(&[])}, "compatibleRuntime": ["x".repeat(65)]}),
    ] {
        post(body).await.error(400, "InvalidArgument");
    }
    edge.get(&format!("{LAYERS}/l/versions/1")).await.error(404, "LayerNotFound");
    edge.get(&format!("{LAYERS}/l/versions/x")).await.error(400, "InvalidArgument");
    edge.delete(&format!("{LAYERS}/l/versions/1")).await.error(404, "LayerNotFound");
    edge.send("PUT", &format!("{LAYERS}/l/acl"), &[], "").await.error(400, "PathNotSupported");
}
