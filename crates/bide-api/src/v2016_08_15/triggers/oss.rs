//! `triggerConfig` of the type `oss` (FC "OSSTriggerConfig"). Which events and which source there can be is the engine's
//! business.

use std::collections::BTreeSet;

use bide_types::resource::{OssTrigger, TriggerConfig};
use serde::Serialize;

use crate::error::ApiError;
use crate::fields::Fields;

/// `triggerConfig` as it is answered.
#[derive(Serialize)]
pub(super) struct ConfigBody<'a> {
    events: &'a BTreeSet<String>,
    filter: FilterBody<'a>,
}

#[derive(Serialize)]
struct FilterBody<'a> {
    key: KeyBody<'a>,
}

#[derive(Serialize)]
struct KeyBody<'a> {
    prefix: &'a str,
    suffix: &'a str,
}

impl<'a> ConfigBody<'a> {
    pub(super) fn new(config: &'a OssTrigger) -> Self {
        let key = KeyBody { prefix: &config.prefix, suffix: &config.suffix };
        Self { events: &config.events, filter: FilterBody { key } }
    }
}

/// What the fields do not say stays as in `current`; the keys of a new trigger are not restricted then.
pub(super) fn read_config(
    fields: &mut Fields,
    current: Option<&TriggerConfig>,
) -> Result<TriggerConfig, ApiError> {
    let current = match current {
        Some(TriggerConfig::Oss(config)) => Some(config),
        Some(TriggerConfig::Http(_) | TriggerConfig::Timer(_) | TriggerConfig::EventBridge(_)) | None => None,
    };
    let events = match fields.texts("events")? {
        Some(events) => events.into_iter().collect(),
        None => current.map(|current| current.events.clone()).ok_or_else(|| fields.missing("events"))?,
    };
    let key = fields.object("filter")?.map(|mut filter| filter.object("key")).transpose()?.flatten();
    let (prefix, suffix) = match key {
        Some(mut key) => (key.text("prefix")?, key.text("suffix")?),
        None => (None, None),
    };
    let prefix = prefix.or_else(|| current.map(|current| current.prefix.clone())).unwrap_or_default();
    let suffix = suffix.or_else(|| current.map(|current| current.suffix.clone())).unwrap_or_default();
    Ok(TriggerConfig::Oss(OssTrigger { events, prefix, suffix }))
}
