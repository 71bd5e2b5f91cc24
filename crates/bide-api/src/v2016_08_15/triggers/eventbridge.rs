//! `triggerConfig` of the type `eventbridge` (FC "EventBridgeTriggerConfig"). What a pattern may be is the engine's business.
//!
//! Owns which of its fields mean something here: events come over HTTP, one at a time, and always invoke asynchronously.
//! What asks for something else is refused.

use bide_types::resource::{EventBridgeTrigger, TriggerConfig};
use serde::Serialize;

use crate::error::ApiError;
use crate::fields::Fields;

/// Every event fits.
const PATTERN_DEFAULT: &str = "{}";
/// The event bus itself, which events are put to.
const SOURCE_TYPE: &str = "Default";
/// One invocation per event.
const MODE: &str = "event-driven";

/// `triggerConfig` as it is answered.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConfigBody<'a> {
    trigger_enable: bool,
    async_invocation_type: bool,
    event_rule_filter_pattern: &'a str,
    event_source_config: SourceBody,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SourceBody {
    event_source_type: &'static str,
}

impl<'a> ConfigBody<'a> {
    pub(super) fn new(config: &'a EventBridgeTrigger) -> Self {
        Self {
            trigger_enable: config.enabled,
            async_invocation_type: true,
            event_rule_filter_pattern: &config.pattern,
            event_source_config: SourceBody { event_source_type: SOURCE_TYPE },
        }
    }
}

/// What the fields do not say stays as in `current`; a new trigger is enabled and takes every event then.
pub(super) fn read_config(
    fields: &mut Fields,
    current: Option<&TriggerConfig>,
) -> Result<TriggerConfig, ApiError> {
    let current = match current {
        Some(TriggerConfig::EventBridge(config)) => Some(config),
        Some(TriggerConfig::Http(_) | TriggerConfig::Timer(_) | TriggerConfig::Oss(_)) | None => None,
    };
    check_fixed(fields)?;
    let enabled = fields.flag("triggerEnable")?.unwrap_or(current.is_none_or(|current| current.enabled));
    let pattern = fields.text("eventRuleFilterPattern")?.filter(|pattern| !pattern.trim().is_empty());
    let pattern = pattern.or_else(|| current.map(|current| current.pattern.clone()));
    let pattern = pattern.unwrap_or_else(|| PATTERN_DEFAULT.to_owned());
    Ok(TriggerConfig::EventBridge(EventBridgeTrigger { enabled, pattern }))
}

/// What has one possible value.
fn check_fixed(fields: &mut Fields) -> Result<(), ApiError> {
    if fields.flag("asyncInvocationType")? == Some(false) {
        return Err(ApiError::invalid(
            "field 'triggerConfig.asyncInvocationType' must be true: events always invoke asynchronously",
        ));
    }
    if let Some(mut source) = fields.object("eventSourceConfig")? {
        let kind = source.text("eventSourceType")?.filter(|kind| !kind.is_empty());
        if kind.as_deref().is_some_and(|kind| kind != SOURCE_TYPE) {
            return Err(ApiError::invalid(
                "field 'triggerConfig.eventSourceConfig.eventSourceType' must be Default: other sources are set up with \
                 [[event_sources]] in the settings file",
            ));
        }
        refuse_set(&mut source, "triggerConfig.eventSourceConfig.", "eventSourceParameters")?;
    }
    refuse_set(fields, "triggerConfig.", "eventSinkConfig")?;
    if let Some(mut options) = fields.object("runOptions")? {
        if options.text("mode")?.is_some_and(|mode| !mode.is_empty() && mode != MODE) {
            return Err(ApiError::invalid(
                "field 'triggerConfig.runOptions.mode' must be event-driven: each event is one invocation",
            ));
        }
        for name in ["batchWindow", "deadLetterQueue", "retryStrategy"] {
            refuse_set(&mut options, "triggerConfig.runOptions.", name)?;
        }
    }
    Ok(())
}

/// Libraries send empty objects for what was not set.
fn refuse_set(fields: &mut Fields, at: &str, name: &str) -> Result<(), ApiError> {
    match fields.opaque_object(name)? {
        Some(object) if object != "{}" => Err(ApiError::invalid(format!(
            "field '{at}{name}' is not supported: retries, the age of events and what becomes of failures are set in the \
             function's asynchronous configuration"
        ))),
        _ => Ok(()),
    }
}
