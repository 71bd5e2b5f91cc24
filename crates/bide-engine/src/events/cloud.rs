//! An event as CloudEvents 1.0 describes it.
//!
//! Owns the rules of its attributes, and the JSON form in which functions get it: that of the structured mode, whatever
//! mode it came in. Never knows how it came.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::Value;
use serde_json::value::RawValue;

/// Attributes of one event; CloudEvents has fewer than ten of its own.
const ATTRIBUTES_MAX: usize = 64;
/// Longest name; CloudEvents recommends 20.
const NAME_CHARS_MAX: usize = 64;
/// Longest value: that of a URI in most systems.
const VALUE_BYTES_MAX: usize = 2048;
/// Names that are no attributes in the JSON form.
const DATA_NAMES: [&str; 2] = ["data", "data_base64"];

/// One event.
#[derive(Clone, Debug)]
pub struct CloudEvent {
    attributes: BTreeMap<String, Value>,
    data: Option<EventData>,
}

/// What an event carries.
#[derive(Clone, Debug)]
pub enum EventData {
    /// Kept as it was sent.
    Json(Box<RawValue>),
    /// Anything else, in base64.
    Base64(String),
}

/// No event by the rules of CloudEvents 1.0.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidEvent(pub String);

impl CloudEvent {
    /// # Errors
    /// [`InvalidEvent`] for a required attribute that is missing or empty, a name that is none, a value of the wrong kind,
    /// or too many or too long ones.
    pub fn new(attributes: BTreeMap<String, Value>, data: Option<EventData>) -> Result<Self, InvalidEvent> {
        let wrong = |text: String| Err(InvalidEvent(text));
        if attributes.len() > ATTRIBUTES_MAX {
            return wrong(format!("an event has at most {ATTRIBUTES_MAX} attributes"));
        }
        for (name, value) in &attributes {
            if !is_name(name) {
                return wrong(format!(
                    "attribute names have 1 to {NAME_CHARS_MAX} lower-case letters and digits: {name:.64}"
                ));
            }
            match value {
                Value::String(text) if text.len() > VALUE_BYTES_MAX => {
                    return wrong(format!("attribute '{name}' has more than {VALUE_BYTES_MAX} bytes"));
                }
                Value::String(_) | Value::Bool(_) => {}
                Value::Number(number) if number.is_i64() => {}
                Value::Number(_) | Value::Null | Value::Array(_) | Value::Object(_) => {
                    return wrong(format!(
                        "attribute '{name}' must be a string, true, false or a whole number"
                    ));
                }
            }
        }
        let event = Self { attributes, data };
        if event.text("specversion") != "1.0" {
            return wrong("attribute 'specversion' must be \"1.0\"".to_owned());
        }
        for name in ["id", "source", "type"] {
            if event.text(name).is_empty() {
                return wrong(format!("attribute '{name}' is required"));
            }
        }
        Ok(event)
    }

    pub fn id(&self) -> &str {
        self.text("id")
    }

    pub fn source(&self) -> &str {
        self.text("source")
    }

    fn text(&self, name: &str) -> &str {
        self.attributes.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// The event in the JSON format of CloudEvents.
    pub(super) fn to_json(&self) -> Bytes {
        let mut fields = serde_json::Map::from_iter(self.attributes.clone());
        if let Some(EventData::Base64(text)) = &self.data {
            fields.insert("data_base64".to_owned(), Value::from(text.as_str()));
        }
        let mut json = serde_json::to_vec(&fields).expect("texts and numbers are JSON");
        if let Some(EventData::Json(data)) = &self.data {
            json.pop(); // the closing brace; there are fields before it
            json.extend_from_slice(b",\"data\":");
            json.extend_from_slice(data.get().as_bytes());
            json.push(b'}');
        }
        Bytes::from(json)
    }
}

fn is_name(name: &str) -> bool {
    (1..=NAME_CHARS_MAX).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        && !DATA_NAMES.contains(&name)
}
