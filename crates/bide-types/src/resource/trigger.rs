//! Triggers: what calls a function beside the API (FC "Trigger management").
//!
//! Owns their fields and the rules of each kind. A new kind is one more variant of [`TriggerConfig`].

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{FunctionId, Qualifier, Timestamp, TriggerName};

/// Calls one qualifier of a function when something happens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trigger {
    /// Opaque; never used again.
    pub id: String,
    pub function: FunctionId,
    pub name: TriggerName,
    pub description: String,
    pub qualifier: Qualifier,
    /// Resource name of the source of events; kept and returned only.
    pub source_arn: String,
    /// Kept and returned only: bide calls functions by its own right.
    pub invocation_role: String,
    pub config: TriggerConfig,
    pub created_at: Timestamp,
    pub modified_at: Timestamp,
}

/// What a trigger reacts to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum TriggerConfig {
    Http(HttpTrigger),
    Timer(TimerTrigger),
    #[serde(rename = "eventbridge")]
    EventBridge(EventBridgeTrigger),
    Oss(OssTrigger),
}

impl TriggerConfig {
    /// The trigger type by its API name.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Http(_) => "http",
            Self::Timer(_) => "timer",
            Self::EventBridge(_) => "eventbridge",
            Self::Oss(_) => "oss",
        }
    }
}

/// Invokes a qualifier of a function asynchronously when it is time (FC "TimerTriggerConfig").
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimerTrigger {
    /// `@every 4m`, or six cron fields, in UTC unless it begins with `CRON_TZ=Area/City `.
    pub cron_expression: String,
    /// A timer that is not enabled is kept and never fires.
    pub enabled: bool,
    /// Handed over as the text that it is.
    pub payload: String,
}

/// Invokes a qualifier of a function for each event that fits (FC "EventBridgeTriggerConfig").
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventBridgeTrigger {
    /// A trigger that is not enabled is kept and sees no event.
    pub enabled: bool,
    /// Which events fit, as JSON text; `{}` is all of them.
    pub pattern: String,
}

/// Invokes a qualifier of a function for what happens to objects of a bucket (FC "OSSTriggerConfig"). The bucket is named by
/// the trigger's source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OssTrigger {
    /// Names such as `oss:ObjectCreated:PutObject`, or `oss:ObjectCreated:*`.
    pub events: BTreeSet<String>,
    /// Of the object's key; an empty one fits all.
    pub prefix: String,
    pub suffix: String,
}

/// Lets a qualifier of a function be called over HTTP (FC "HTTPTriggerConfig").
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpTrigger {
    pub auth: HttpAuth,
    pub methods: BTreeSet<HttpMethod>,
    /// The trigger's own addresses are refused; custom domains still lead here.
    pub own_addresses_disabled: bool,
    pub format: HttpFormat,
}

/// Who may call an HTTP trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HttpAuth {
    Anonymous,
    /// Callers sign with a key of the function's account.
    Function,
}

/// How a built-in runtime hands an HTTP call to its handler; a custom runtime always gets the call itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HttpFormat {
    /// The language's HTTP handler: WSGI for Python, `(req, resp, context)` for Node (FC 2.0).
    #[default]
    Handler,
    /// A JSON event, answered by a response object (FC 3.0).
    Event,
}

/// A method that an HTTP trigger may allow (FC "HTTP trigger overview").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum HttpMethod {
    Get,
    Post,
    Put,
    Delete,
    Head,
    Patch,
    Options,
}

impl HttpMethod {
    pub const ALL: [Self; 7] =
        [Self::Get, Self::Post, Self::Put, Self::Delete, Self::Head, Self::Patch, Self::Options];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
            Self::Head => "HEAD",
            Self::Patch => "PATCH",
            Self::Options => "OPTIONS",
        }
    }

    /// The method of that exact name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == name)
    }
}
