//! The record that a destination receives (FC "Result callback"; fc-behaviour 2.2).
//!
//! Owns its JSON. Payloads are strings; bytes that are no UTF-8 are base64, with a flag beside them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bide_store::PendingDelivery;
use bytes::Bytes;
use serde::Serialize;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    timestamp: u64,
    request_context: RequestContext<'a>,
    request_payload: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    request_payload_is_base64: bool,
    response_context: ResponseContext<'a>,
    response_payload: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    response_payload_is_base64: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext<'a> {
    request_id: &'a str,
    function_arn: &'a str,
    condition: &'a str,
    approximate_invoke_count: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResponseContext<'a> {
    status_code: u16,
    function_error: &'a str,
}

/// The record of `pending`, whose function has the resource name `function_arn` and was called with `payload`.
pub(crate) fn encode(pending: &PendingDelivery, payload: &[u8], function_arn: &str) -> Bytes {
    let delivery = &pending.delivery;
    let outcome = &delivery.outcome;
    let (request_payload, request_payload_is_base64) = text(payload);
    let (response_payload, response_payload_is_base64) = text(&pending.result);
    let record = Record {
        timestamp: delivery.accepted_at.as_millis(),
        request_context: RequestContext {
            request_id: delivery.request_id.as_str(),
            function_arn,
            condition: outcome.condition(),
            approximate_invoke_count: delivery.invoke_count,
        },
        request_payload,
        request_payload_is_base64,
        response_context: ResponseContext {
            status_code: outcome.status_code(),
            function_error: outcome.function_error(),
        },
        response_payload,
        response_payload_is_base64,
    };
    Bytes::from(serde_json::to_vec(&record).expect("the record has text keys only"))
}

fn text(bytes: &[u8]) -> (String, bool) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (text.to_owned(), false),
        Err(_) => (STANDARD.encode(bytes), true),
    }
}

#[cfg(test)]
mod tests;
