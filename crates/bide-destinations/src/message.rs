//! What is sent: the record as it is, or in a CloudEvents envelope; and names that depend on the message.
//!
//! Owns the envelope (CloudEvents 1.0, structured mode) and the one variable of a name, `{name}`.

use bide_engine::Message;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The form of a message.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// The record of the cloud service.
    #[default]
    Record,
    CloudEvents,
}

#[derive(Serialize)]
struct Event<'a> {
    specversion: &'static str,
    id: &'a str,
    source: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    subject: &'a str,
    time: String,
    datacontenttype: &'static str,
    data: &'a RawValue,
}

impl Format {
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Record => "application/json",
            Self::CloudEvents => "application/cloudevents+json",
        }
    }

    pub(crate) fn body(self, message: &Message) -> Bytes {
        match self {
            Self::Record => message.record.clone(),
            Self::CloudEvents => Bytes::from(event(message)),
        }
    }
}

fn event(message: &Message) -> Vec<u8> {
    let data: &RawValue = serde_json::from_slice(&message.record).expect("a record is JSON");
    let event = Event {
        specversion: "1.0",
        id: &message.id,
        source: &message.function_arn,
        kind: if message.condition.is_empty() {
            "bide.invocation.succeeded"
        } else {
            "bide.invocation.failed"
        },
        subject: &message.resource,
        time: message.accepted_at.to_rfc3339(),
        datacontenttype: "application/json",
        data,
    };
    serde_json::to_vec(&event).expect("an event has text keys only")
}

/// A text of the settings in which `{name}` stands for the name of the queue, topic or bus.
#[derive(Clone, Debug)]
pub(crate) struct Template(String);

const VARIABLE: &str = "{name}";

impl Template {
    pub(crate) fn new(text: &str) -> Result<Self, String> {
        let rest = text.replace(VARIABLE, "");
        if rest.contains(['{', '}']) {
            return Err(format!("'{text}' has braces around something else than {VARIABLE}"));
        }
        Ok(Self(text.to_owned()))
    }

    pub(crate) fn of(&self, message: &Message) -> String {
        self.0.replace(VARIABLE, &message.name)
    }
}

#[cfg(test)]
pub(crate) mod tests;
