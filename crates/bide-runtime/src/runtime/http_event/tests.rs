use bide_types::RequestId;

use super::*;
use crate::executor::Tracing;
use crate::http_call::HttpFormat;

fn event_of(path: &str, query: Option<&str>, body: &'static [u8]) -> Value {
    let mut headers = HeaderMap::new();
    headers.append("x-many", HeaderValue::from_static("a"));
    headers.append("x-many", HeaderValue::from_static("b"));
    headers.append("user-agent", HeaderValue::from_static("curl/8"));
    let http = HttpRequest {
        method: http::Method::POST,
        path: path.to_owned(),
        query: query.map(str::to_owned),
        headers,
        base_path: String::new(),
        host: "abc.local.example".to_owned(),
        client_ip: Some(std::net::Ipv4Addr::new(192, 0, 2, 7).into()),
        format: HttpFormat::Event,
    };
    let call = InvokeRequest {
        request_id: RequestId::new("1-66a0-88").unwrap(),
        payload: Bytes::from_static(body),
        retry_count: 0,
        task_id: None,
        alias: None,
        tracing: Tracing::default(),
        http: None,
        responder: None,
    };
    let now = Timestamp::from_millis(1_719_986_400_000);
    serde_json::from_slice(&event(&call, &http, "10001", now)).unwrap()
}

#[test]
fn a_call_becomes_the_documented_event() {
    assert_eq!(
        event_of("/orders%20new", Some("page=2&tag=x&tag=y+z&&flag"), b"\xff"),
        json!({
            "version": "v1",
            "rawPath": "/orders%20new",
            "headers": {"X-Many": "a,b", "User-Agent": "curl/8"},
            "queryParameters": {"page": "2", "tag": "x,y z", "flag": ""},
            "body": "/w==",
            "isBase64Encoded": true,
            "requestContext": {
                "accountId": "10001", "domainName": "abc.local.example", "domainPrefix": "abc",
                "requestId": "1-66a0-88", "time": "2024-07-03T06:00:00Z", "timeEpoch": "1719986400000",
                "http": {"method": "POST", "path": "/orders new", "protocol": "HTTP/1.1",
                         "sourceIp": "192.0.2.7", "userAgent": "curl/8"}
            }
        })
    );
    let text = event_of("/", None, "hé".as_bytes());
    assert_eq!((&text["body"], &text["isBase64Encoded"]), (&json!("hé"), &json!(false)));
    assert_eq!(text["queryParameters"], json!({}));
}

type Shown = (u16, Vec<(String, String)>, String);

fn response_of(value: &Value) -> Result<Shown, String> {
    let (head, body) = response(value.to_string().into())?;
    let headers = head.headers.iter().map(|(name, value)| (name.to_string(), text_of(value))).collect();
    Ok((head.status.as_u16(), headers, String::from_utf8(body.into()).unwrap()))
}

#[test]
fn a_response_object_is_the_response() {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        response_of(
            &json!({"statusCode": 201, "headers": {"A": "b", "n": 1, "many": ["x", "y"]}, "body": "hi"})
        ),
        Ok((
            201,
            vec![pair("a", "b"), pair("many", "x"), pair("many", "y"), pair("n", "1")],
            "hi".to_owned()
        ))
    );
    assert_eq!(
        response_of(&json!({"statusCode": 200, "body": "aGk=", "isBase64Encoded": true})),
        Ok((200, vec![], "hi".to_owned()))
    );
    assert_eq!(response_of(&json!({"statusCode": 204})), Ok((204, vec![], String::new())));
    assert_eq!(response_of(&json!({"statusCode": 200, "body": {"a": 1}})).unwrap().2, r#"{"a":1}"#);
}

#[test]
fn any_other_value_is_the_body_of_a_200() {
    for value in [json!({"a": 1}), json!([1]), json!("text"), json!({"statusCode": "200"})] {
        let (status, headers, body) = response_of(&value).unwrap();
        assert_eq!((status, body), (200, value.to_string()));
        assert_eq!(headers, [("content-type".to_owned(), "application/json".to_owned())]);
    }
}

#[test]
fn a_wrong_response_object_says_what_is_wrong() {
    for (object, expected) in [
        (json!({"statusCode": 99_999}), "statusCode"),
        (json!({"statusCode": 200, "headers": []}), "no object"),
        (json!({"statusCode": 200, "headers": {"a b": "c"}}), "'a b'"),
        (json!({"statusCode": 200, "headers": {"a": "b\nc"}}), "'a' has characters"),
        (json!({"statusCode": 200, "headers": {"a": {}}}), "'a' is no text"),
        (json!({"statusCode": 200, "body": "?", "isBase64Encoded": true}), "not base64"),
        (json!({"statusCode": 200, "isBase64Encoded": 1}), "neither true nor false"),
    ] {
        let error = response_of(&object).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}
