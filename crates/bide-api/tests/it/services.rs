//! Services.

use serde_json::json;

use crate::fixture::{Edge, SERVICES};

const S: &str = "/2016-08-15/services/s";

#[tokio::test]
async fn a_service_is_created_read_changed_and_deleted() {
    let edge = Edge::empty().await;
    let body = json!({
        "serviceName": "s", "description": "d", "internetAccess": null,
        "logConfig": {"project": "p"}, "somethingNew": [1],
    });
    let created = edge.send("POST", SERVICES, &[], body.to_string()).await;
    let service = created.json();
    assert_eq!(service["serviceName"], "s");
    assert_eq!(service["description"], "d");
    assert_eq!(service["internetAccess"], true);
    assert_eq!(service["logConfig"], json!({"project": "p"}));
    assert_eq!(service["createdTime"], "2024-01-01T00:00:00Z");
    assert_eq!(service["lastModifiedTime"], "2024-01-01T00:00:00Z");
    assert_eq!(service["serviceId"].as_str().expect("an id").len(), 36);

    let read = edge.get("/2016-08-15/services/s.LATEST").await;
    assert_eq!(read.json(), service);
    assert_eq!(read.header("etag"), created.header("etag"));

    let changed = edge.put(S, json!({"role": "r"})).await;
    assert_eq!((&changed.json()["role"], &changed.json()["description"]), (&json!("r"), &json!("d")));
    assert_ne!(changed.header("etag"), created.header("etag"));

    let deleted = edge.delete(S).await;
    assert_eq!((deleted.status, deleted.body.len(), deleted.header("content-type")), (204, 0, None));
    assert_eq!(edge.get(S).await.error(404, "ServiceNotFound"), "service 's' does not exist");
}

#[tokio::test]
async fn a_change_with_an_outdated_tag_is_refused() {
    let edge = Edge::new().await;
    let tag = edge.get(S).await.header("etag").expect("a tag").to_owned();
    edge.send("PUT", S, &[("if-match", &tag)], r#"{"description":"new"}"#).await.json();
    for method in ["PUT", "DELETE"] {
        let refused = edge.send(method, S, &[("if-match", &tag)], "{}").await;
        let message = refused.error(412, "PreconditionFailed");
        assert_eq!(message, "the resource being modified has been changed");
    }
}

#[tokio::test]
async fn each_wrong_request_has_its_code() {
    let edge = Edge::new().await;
    let create = async |body: &'static str| edge.send("POST", SERVICES, &[], body).await;
    create(r#"{"serviceName":"s"}"#).await.error(409, "ServiceAlreadyExists");
    for (body, says) in [
        ("{", "not valid JSON"),
        ("[]", "must be a JSON object"),
        ("", "'serviceName' is required"),
        (r#"{"serviceName":null}"#, "'serviceName' is required"),
        (r#"{"serviceName":1}"#, "'serviceName' must be a string"),
        (r#"{"serviceName":"1a"}"#, "service name '1a' is invalid"),
        (r#"{"serviceName":"t","internetAccess":"yes"}"#, "'internetAccess' must be true or false"),
        (r#"{"serviceName":"t","vpcConfig":"x"}"#, "'vpcConfig' must be an object"),
    ] {
        let message = create(body).await.error(400, "InvalidArgument");
        assert!(message.contains(says), "{message}");
    }
    edge.delete(S).await.error(409, "ServiceNotEmpty");
    edge.get("/2016-08-15/services/s.7").await.error(404, "VersionNotFound");
    edge.get("/2016-08-15/services/s.prod").await.error(404, "AliasNotFound");
    edge.get("/2016-08-15/services/s.a.b").await.error(400, "InvalidArgument");
    let large = format!(r#"{{"serviceName":"t","description":"{}"}}"#, "x".repeat(64 * 1024));
    edge.send("POST", SERVICES, &[], large).await.error(400, "EntityTooLarge");
}

#[tokio::test]
async fn lists_go_by_pages_prefix_and_start() {
    let edge = Edge::empty().await;
    for name in ["a1", "a2", "a3", "b1"] {
        edge.send("POST", SERVICES, &[], json!({"serviceName": name}).to_string()).await.ok();
    }
    let names = async |query: &str| {
        let page = edge.get(&format!("{SERVICES}?{query}")).await.json();
        let names: Vec<_> = page["services"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|service| service["serviceName"].as_str().expect("a name").to_owned())
            .collect();
        (names.join(" "), page.get("nextToken").map(|token| token.as_str().expect("a token").to_owned()))
    };
    assert_eq!(names("").await, ("a1 a2 a3 b1".to_owned(), None));
    assert_eq!(names("limit=2&prefix=a").await, ("a1 a2".to_owned(), Some("a3".to_owned())));
    assert_eq!(names("limit=2&prefix=a&nextToken=a3").await, ("a3".to_owned(), None));
    assert_eq!(names("startKey=a3").await, ("a3 b1".to_owned(), None));
    for limit in ["0", "101", "x"] {
        let message = edge.get(&format!("{SERVICES}?limit={limit}")).await.error(400, "InvalidArgument");
        assert!(message.contains("'limit'"), "{message}");
    }
}
