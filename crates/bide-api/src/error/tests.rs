use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use super::*;

#[tokio::test]
async fn the_body_carries_both_naming_styles() {
    let request_id = RequestId::new("r-1").expect("valid");
    let error = ApiError::new(ErrorCode::FunctionNotFound, "function 'f' does not exist in service 's'");
    let response = error.into_response(&request_id);
    assert_eq!(response.status(), 404);
    assert_eq!(response.headers()["content-type"], "application/json");
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    let message = "function 'f' does not exist in service 's'";
    assert_eq!(
        serde_json::from_slice::<Value>(&body).expect("JSON"),
        json!({
            "ErrorCode": "FunctionNotFound", "ErrorMessage": message,
            "Code": "FunctionNotFound", "Message": message, "RequestId": "r-1",
        })
    );
}

#[test]
fn messages_follow_the_published_texts() {
    assert_eq!(ApiError::missing_header("Date").message, "required HTTP header Date was not specified");
    assert_eq!(ApiError::path_not_supported("PUT", "/x").message, "'PUT' against '/x' is not supported");
    assert_eq!(
        ApiError::payload_too_large(131_072).message,
        "payload size exceeds maximum allowed size (131072 bytes)"
    );
}
