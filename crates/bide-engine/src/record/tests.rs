use bide_core::{Delivery, Failure, FunctionError, Outcome, Slot};
use bide_types::{FunctionId, InvocationId, Qualifier, RequestId, Timestamp};
use serde_json::{Value, json};

use super::*;

fn pending(outcome: Outcome, payload: &'static [u8], result: &'static [u8]) -> PendingDelivery {
    PendingDelivery {
        delivery: Delivery {
            invocation: InvocationId::new(1),
            function: FunctionId::new(1),
            qualifier: Qualifier::latest(),
            request_id: RequestId::new("r-1").expect("valid"),
            kind: bide_core::CallKind::Event,
            accepted_at: Timestamp::from_millis(1_719_990_001_234),
            slot: Slot::Failure,
            target: String::new(),
            outcome,
            invoke_count: 4,
            parent: None,
            hops: 0,
        },
        attempts: 0,
        due: Timestamp::ZERO,
        payload: Bytes::from_static(payload),
        result: Bytes::from_static(result),
    }
}

#[test]
fn a_failure_has_the_documented_shape() {
    let failed = Outcome::Failed { failure: Failure::Function(FunctionError::Unhandled) };
    let payload = b"{\"object\":\"a.png\"}";
    let record: Value = serde_json::from_slice(&encode(
        &pending(failed, payload, b"{\"errorMessage\":\"boom\"}"),
        payload,
        "acs:fc:local:10001:services/s.LATEST/functions/f",
    ))
    .expect("JSON");
    assert_eq!(
        record,
        json!({
            "timestamp": 1_719_990_001_234_u64,
            "requestContext": {
                "requestId": "r-1",
                "functionArn": "acs:fc:local:10001:services/s.LATEST/functions/f",
                "condition": "UnhandledInvocationError",
                "approximateInvokeCount": 4
            },
            "requestPayload": "{\"object\":\"a.png\"}",
            "responseContext": { "statusCode": 200, "functionError": "UnhandledInvocationError" },
            "responsePayload": "{\"errorMessage\":\"boom\"}"
        })
    );
}

#[test]
fn bytes_that_are_no_text_are_base64_and_flagged() {
    let record: Value =
        serde_json::from_slice(&encode(&pending(Outcome::Succeeded, b"\xff\x00", b"ok"), b"\xff\x00", "arn"))
            .expect("JSON");
    assert_eq!(record["requestPayload"], "/wA=");
    assert_eq!(record["requestPayloadIsBase64"], true);
    assert_eq!(record["responsePayload"], "ok");
    assert_eq!(record.get("responsePayloadIsBase64"), None);
}
