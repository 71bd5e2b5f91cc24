//! An HTTP call as a JSON event, and the response object that answers it (FC "Use an HTTP trigger to invoke a function").
//!
//! Owns both forms, once for every built-in runtime: the agents see an ordinary event and return an ordinary value. The
//! value is hostile. Holds nothing that a crash could lose.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bide_types::Timestamp;
use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use crate::executor::InvokeRequest;
use crate::http_call::{HttpRequest, ResponseHead};

/// The event of a call.
pub(super) fn event(call: &InvokeRequest, http: &HttpRequest, account: &str, now: Timestamp) -> Bytes {
    let (body, is_base64) = match std::str::from_utf8(&call.payload) {
        Ok(text) => (text.to_owned(), false),
        Err(_) => (BASE64_STANDARD.encode(&call.payload), true),
    };
    let user_agent = http.headers.get(USER_AGENT).map(text_of).unwrap_or_default();
    json!({
        "version": "v1",
        "rawPath": http.path,
        "headers": joined(http.headers.iter().map(|(name, value)| (shown_name(name), text_of(value)))),
        "queryParameters": query_parameters(http.query.as_deref().unwrap_or("")),
        "body": body,
        "isBase64Encoded": is_base64,
        "requestContext": {
            "accountId": account,
            "domainName": http.host,
            "domainPrefix": http.host.split('.').next().unwrap_or(""),
            "requestId": call.request_id.as_str(),
            "time": now.to_rfc3339(),
            "timeEpoch": now.as_millis().to_string(),
            "http": {
                "method": http.method.as_str(),
                "path": percent_decode_str(&http.path).decode_utf8_lossy(),
                "protocol": "HTTP/1.1",
                "sourceIp": http.client_ip.map(|ip| ip.to_string()).unwrap_or_default(),
                "userAgent": user_agent,
            },
        },
    })
    .to_string()
    .into()
}

/// A handler's value as a response: a response object says what it is, any other value is the body of a 200.
///
/// # Errors
/// What is wrong with the response object, for its author.
pub(super) fn response(value: Bytes) -> Result<(ResponseHead, Bytes), String> {
    match serde_json::from_slice::<Map<String, Value>>(&value) {
        Ok(object) if object.get("statusCode").is_some_and(Value::is_u64) => from_object(object),
        Ok(_) | Err(_) => {
            let json = HeaderValue::from_static("application/json");
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, json)]);
            Ok((ResponseHead { status: StatusCode::OK, headers }, value))
        }
    }
}

fn from_object(mut object: Map<String, Value>) -> Result<(ResponseHead, Bytes), String> {
    let status = object.get("statusCode").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
    let status = status
        .and_then(|code| StatusCode::from_u16(code).ok())
        .ok_or("the response object's statusCode is no HTTP status")?;
    let headers = match object.remove("headers") {
        None | Some(Value::Null) => HeaderMap::new(),
        Some(Value::Object(headers)) => headers_of(headers)?,
        Some(_) => return Err("the response object's headers are no object".to_owned()),
    };
    let body = match object.remove("body") {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text,
        Some(other) => other.to_string(),
    };
    let body = match object.get("isBase64Encoded") {
        Some(Value::Bool(true)) => BASE64_STANDARD
            .decode(body)
            .map_err(|error| format!("the response object's body is not base64: {error}"))?,
        None | Some(Value::Bool(false) | Value::Null) => body.into_bytes(),
        Some(_) => return Err("the response object's isBase64Encoded is neither true nor false".to_owned()),
    };
    Ok((ResponseHead { status, headers }, body.into()))
}

/// A list stands for a header that is sent several times.
fn headers_of(object: Map<String, Value>) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in object {
        let values = match value {
            Value::Array(values) => values,
            value => vec![value],
        };
        let parsed = HeaderName::try_from(&name);
        let parsed = parsed.map_err(|_| format!("'{name}' cannot be the name of a header"))?;
        for value in values {
            let text = match value {
                Value::String(text) => text,
                Value::Number(_) | Value::Bool(_) => value.to_string(),
                Value::Null | Value::Array(_) | Value::Object(_) => {
                    return Err(format!("the value of the response's header '{name}' is no text"));
                }
            };
            let value = HeaderValue::try_from(text).map_err(|_| {
                format!("the response's header '{name}' has characters that no header may have")
            })?;
            headers.try_append(&parsed, value).map_err(|_| "the response has too many headers".to_owned())?;
        }
    }
    Ok(headers)
}

/// Values of the same name are joined by commas.
fn joined(pairs: impl Iterator<Item = (String, String)>) -> Map<String, Value> {
    let mut map = Map::new();
    for (name, value) in pairs {
        match map.get_mut(&name) {
            Some(Value::String(before)) => {
                before.push(',');
                before.push_str(&value);
            }
            _ => {
                map.insert(name, Value::String(value));
            }
        }
    }
    map
}

fn query_parameters(query: &str) -> Map<String, Value> {
    let decoded = |text: &str| {
        let text = text.replace('+', " ");
        percent_decode_str(&text).decode_utf8_lossy().into_owned()
    };
    joined(query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name), decoded(value))
    }))
}

/// `x-many` as `X-Many`, which is how the service writes names.
fn shown_name(name: &HeaderName) -> String {
    let words = name.as_str().split('-').map(|word| {
        let mut characters = word.chars();
        let first = characters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(characters).collect::<String>()
    });
    words.collect::<Vec<_>>().join("-")
}

fn text_of(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

#[cfg(test)]
mod tests;
