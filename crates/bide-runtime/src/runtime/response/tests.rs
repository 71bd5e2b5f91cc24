use http::header::{HeaderName, HeaderValue};

use super::*;

fn head(status: u16, headers: &[(&'static str, &str)]) -> ResponseHead {
    let headers = headers
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
        .collect();
    ResponseHead { status: StatusCode::from_u16(status).unwrap(), headers }
}

async fn collected(head: ResponseHead, body: &str) -> Reply {
    let mut sink = ResponseSink::new(None);
    sink.head(head).unwrap();
    assert!(sink.piece(Bytes::copy_from_slice(body.as_bytes())).await.is_ok());
    sink.finish()
}

fn error(reply: Reply) -> serde_json::Value {
    match reply {
        Reply::Failed { error, replace: false, .. } => serde_json::from_slice(&error).unwrap(),
        other => panic!("not failed: {other:?}"),
    }
}

#[tokio::test]
async fn without_a_caller_the_body_is_the_value_and_500_is_an_error() {
    let Reply::Returned(value) = collected(head(404, &[]), "body").await else { panic!("failed") };
    assert_eq!(value, "body");
    let failed = error(collected(head(500, &[]), "oops").await);
    assert_eq!(failed, json!({"errorMessage": "oops", "errorType": "FunctionUnhandledError"}));
    assert_eq!(error(collected(head(503, &[]), "").await)["errorMessage"], "status 503");
    let own = json!({"errorMessage": "mine"});
    assert_eq!(error(collected(head(200, &[("x-fc-status", "404")]), &own.to_string()).await), own);
}

#[tokio::test]
async fn a_caller_gets_every_status_but_no_marked_failure() {
    let (responder, mut stream) = Responder::channel();
    let mut sink = ResponseSink::new(Some(&responder));
    sink.head(head(500, &[("x-a", "b")])).unwrap();
    assert!(sink.piece(Bytes::from_static(b"body")).await.is_ok());
    assert!(matches!(sink.finish(), Reply::Returned(value) if value.is_empty()));
    assert_eq!((&mut stream.head).await.unwrap(), head(500, &[("x-a", "b")]));
    assert_eq!(stream.body.recv().await.unwrap(), "body");

    let (responder, mut stream) = Responder::channel();
    let mut sink = ResponseSink::new(Some(&responder));
    sink.head(head(200, &[("x-fc-status", "404")])).unwrap();
    error(sink.finish());
    assert!(stream.head.try_recv().is_err());
}

#[tokio::test]
async fn responses_beyond_their_limits_are_function_errors() {
    let long = "v".repeat(HEADER_BLOCK_BYTES_MAX);
    let message = error(collected(head(200, &[("x-long", &long)]), "rest").await);
    assert!(message["errorMessage"].as_str().unwrap().contains("8202 bytes"), "{message}");
    assert!(error(collected(head(600, &[]), "").await)["errorMessage"].as_str().unwrap().contains("600"));
    assert!(error(ResponseSink::new(None).finish())["errorMessage"].as_str().unwrap().contains("without"));

    let mut sink = ResponseSink::new(None);
    sink.head(head(200, &[])).unwrap();
    assert!(sink.piece(vec![0; SYNC_PAYLOAD_BYTES_MAX].into()).await.is_ok());
    assert!(matches!(sink.piece(Bytes::from_static(b"x")).await, Err(Unwanted::TooLong)));
}

#[tokio::test]
async fn a_caller_that_has_left_ends_the_response() {
    let (responder, stream) = Responder::channel();
    let mut sink = ResponseSink::new(Some(&responder));
    sink.head(head(200, &[])).unwrap();
    drop(stream);
    assert!(matches!(sink.piece(Bytes::from_static(b"x")).await, Err(Unwanted::CallerLeft)));
}
