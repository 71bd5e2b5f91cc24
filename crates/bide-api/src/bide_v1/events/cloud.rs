//! CloudEvents 1.0 over HTTP: the binary, structured and batched content modes.
//!
//! Owns how headers and body become an event. The mode is told by the content type, as the HTTP binding says.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bide_engine::{CloudEvent, EventData, InvalidEvent};
use percent_encoding::percent_decode_str;
use serde_json::Value;
use serde_json::value::RawValue;

use super::check_count;
use crate::error::ApiError;

const STRUCTURED: &str = "application/cloudevents";
const BATCHED: &str = "application/cloudevents-batch";
/// Of the headers that hold attributes.
const PREFIX: &str = "ce-";

/// The events of a request.
///
/// # Errors
/// `InvalidArgument` for what is no event, or more than one request may have.
pub(super) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Vec<CloudEvent>, ApiError> {
    let content_type = content_type(headers)?;
    let (essence, format) = match essence(content_type).split_once('+') {
        Some((essence, format)) => (essence.to_owned(), format.to_owned()),
        None => (essence(content_type), "json".to_owned()),
    };
    if [STRUCTURED, BATCHED].contains(&essence.as_str()) && format != "json" {
        return Err(ApiError::invalid(format!(
            "events in the format '{format:.32}' are not read: send JSON"
        )));
    }
    match essence.as_str() {
        STRUCTURED => structured(body, "the event").map(|event| vec![event]),
        BATCHED => batched(body),
        _ => binary(headers, content_type, body).map(|event| vec![event]),
    }
}

fn content_type(headers: &HeaderMap) -> Result<&str, ApiError> {
    let given = headers.get(header::CONTENT_TYPE);
    let text = given.map_or(Ok(""), |value| value.to_str());
    text.map_err(|_| ApiError::invalid("header Content-Type is not ASCII"))
}

/// Type and subtype.
fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn batched(body: &[u8]) -> Result<Vec<CloudEvent>, ApiError> {
    let events: Vec<&RawValue> = serde_json::from_slice(body)
        .map_err(|error| ApiError::invalid(format!("the batch is not a JSON list of events: {error}")))?;
    check_count(events.len())?;
    let read =
        |(index, event): (usize, &&RawValue)| structured(event.get().as_bytes(), &format!("event {index}"));
    events.iter().enumerate().map(read).collect()
}

fn structured(json: &[u8], what: &str) -> Result<CloudEvent, ApiError> {
    let wrong = |text: String| ApiError::invalid(format!("{what}: {text}"));
    let mut fields: BTreeMap<String, Box<RawValue>> =
        serde_json::from_slice(json).map_err(|error| wrong(format!("not a JSON object: {error}")))?;
    let data = match (fields.remove("data"), fields.remove("data_base64")) {
        (Some(_), Some(_)) => return Err(wrong("it has both data and data_base64".to_owned())),
        (data, None) => data.map(EventData::Json),
        (None, Some(encoded)) => {
            let text = serde_json::from_str::<String>(encoded.get()).ok();
            let text = text.filter(|text| BASE64.decode(text).is_ok());
            Some(EventData::Base64(
                text.ok_or_else(|| wrong("data_base64 must be a base64 string".to_owned()))?,
            ))
        }
    };
    let mut attributes = BTreeMap::new();
    for (name, value) in fields {
        match serde_json::from_str(value.get()) {
            Ok(Value::Null) => {} // the same as absent
            Ok(value) => drop(attributes.insert(name, value)),
            Err(error) => return Err(wrong(format!("attribute '{name}': {error}"))),
        }
    }
    CloudEvent::new(attributes, data).map_err(|InvalidEvent(text)| wrong(text))
}

fn binary(headers: &HeaderMap, content_type: &str, body: &[u8]) -> Result<CloudEvent, ApiError> {
    let mut attributes = BTreeMap::new();
    for (name, value) in headers {
        let Some(name) = name.as_str().strip_prefix(PREFIX) else { continue };
        let text = value.to_str().ok().and_then(|text| percent_decode_str(text).decode_utf8().ok());
        let text =
            text.ok_or_else(|| ApiError::invalid(format!("header ce-{name} is not percent-encoded UTF-8")))?;
        attributes.insert(name.to_owned(), Value::from(text));
    }
    if attributes.is_empty() {
        return Err(ApiError::invalid(
            "the request holds no event: set Content-Type to application/cloudevents+json or \
             application/cloudevents-batch+json, or send ce-id, ce-source, ce-type and ce-specversion",
        ));
    }
    if !content_type.is_empty() {
        attributes.insert("datacontenttype".to_owned(), Value::from(content_type));
    }
    let data = data(&essence(content_type), body)?;
    CloudEvent::new(attributes, data).map_err(|InvalidEvent(text)| ApiError::invalid(text))
}

/// JSON stays JSON and text becomes a JSON string (CloudEvents JSON format 3.1), so that code reads it without a step in
/// between; all else is base64.
fn data(essence: &str, body: &[u8]) -> Result<Option<EventData>, ApiError> {
    if body.is_empty() {
        return Ok(None);
    }
    if essence.is_empty() || essence == "application/json" || essence.ends_with("+json") {
        let json = serde_json::from_slice(body);
        let wrong = |error| {
            ApiError::invalid(format!("the data is not valid JSON, as its content type says: {error}"))
        };
        return json.map(EventData::Json).map(Some).map_err(wrong);
    }
    if essence.starts_with("text/")
        && let Ok(text) = std::str::from_utf8(body)
    {
        let json = serde_json::value::to_raw_value(text).expect("a text is JSON");
        return Ok(Some(EventData::Json(json)));
    }
    Ok(Some(EventData::Base64(BASE64.encode(body))))
}
