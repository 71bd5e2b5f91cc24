//! Keys and stored form of control objects.
//!
//! Owns the key scheme (`service/…`, `version/…`, `alias/…`, `function/…`, `async/…`, `trigger/…`, `timer/…`, `domain/…`,
//! `layer/…`, `retired/…`, `scaling/…`, `sequence/function`) and the JSON form, which carries its version. A version or kind that is not known is
//! an error, never skipped.

use bide_store::ControlKey;
use bide_types::resource::AsyncInvokeConfig;
use bide_types::{
    AccountId, DomainName, FunctionId, FunctionName, LayerName, Qualifier, ServiceName, TriggerName,
};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Version of every object written today.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Envelope<T> {
    version: u32,
    object: T,
}

pub(super) fn encode<T: Serialize>(object: &T) -> Bytes {
    let envelope = Envelope { version: VERSION, object };
    Bytes::from(serde_json::to_vec(&envelope).expect("control objects have text keys only"))
}

pub(super) fn decode<T: DeserializeOwned>(value: &[u8]) -> Result<T, serde_json::Error> {
    let envelope: Envelope<T> = serde_json::from_slice(value)?;
    if envelope.version == VERSION {
        Ok(envelope.object)
    } else {
        Err(serde::de::Error::custom(format!("version {} is unknown", envelope.version)))
    }
}

pub(super) fn service_key(account: &AccountId, name: &ServiceName) -> ControlKey {
    ControlKey::new(&["service", account.as_str(), name.as_str()])
}

pub(super) fn version_key(account: &AccountId, service: &ServiceName, number: u32) -> ControlKey {
    ControlKey::new(&["version", account.as_str(), service.as_str(), &number.to_string()])
}

pub(super) fn alias_key(account: &AccountId, service: &ServiceName, name: &Qualifier) -> ControlKey {
    ControlKey::new(&["alias", account.as_str(), service.as_str(), name.as_str()])
}

pub(super) fn function_key(account: &AccountId, service: &ServiceName, name: &FunctionName) -> ControlKey {
    ControlKey::new(&["function", account.as_str(), service.as_str(), name.as_str()])
}

pub(super) fn async_config_key(function: FunctionId, qualifier: &Qualifier) -> ControlKey {
    ControlKey::new(&["async", &function.get().to_string(), qualifier.as_str()])
}

pub(super) fn config_key_of(config: &AsyncInvokeConfig) -> ControlKey {
    async_config_key(config.function, &config.qualifier)
}

pub(super) fn scaling_key(function: FunctionId, qualifier: &Qualifier) -> ControlKey {
    ControlKey::new(&["scaling", &function.get().to_string(), qualifier.as_str()])
}

pub(super) fn layer_key(account: &AccountId, name: &LayerName) -> ControlKey {
    ControlKey::new(&["layer", account.as_str(), name.as_str()])
}

pub(super) fn trigger_key(function: FunctionId, name: &TriggerName) -> ControlKey {
    ControlKey::new(&["trigger", &function.get().to_string(), name.as_str()])
}

/// How far a time trigger has come.
pub(super) fn timer_key(function: FunctionId, name: &TriggerName) -> ControlKey {
    ControlKey::new(&["timer", &function.get().to_string(), name.as_str()])
}

pub(super) fn domain_key(name: &DomainName) -> ControlKey {
    ControlKey::new(&["domain", name.as_str()])
}

pub(super) fn retired_key(function: FunctionId) -> ControlKey {
    ControlKey::new(&["retired", &function.get().to_string()])
}

/// Holds the last [`FunctionId`] given.
pub(super) fn function_sequence_key() -> ControlKey {
    ControlKey::new(&["sequence", "function"])
}
