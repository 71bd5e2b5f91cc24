//! `triggerConfig` of the type `timer` (FC "TimerTriggerConfig"). What a schedule may be is the engine's business.

use bide_types::limits::CRON_EXPRESSION_CHARS_MAX;
use bide_types::resource::{TimerTrigger, TriggerConfig};
use serde::Serialize;

use crate::error::ApiError;
use crate::fields::Fields;

/// `triggerConfig` as it is answered.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConfigBody<'a> {
    payload: &'a str,
    cron_expression: &'a str,
    enable: bool,
}

impl<'a> ConfigBody<'a> {
    pub(super) fn new(config: &'a TimerTrigger) -> Self {
        Self { payload: &config.payload, cron_expression: &config.cron_expression, enable: config.enabled }
    }
}

/// What the fields do not say stays as in `current`; a new timer is enabled and has no payload then.
pub(super) fn read_config(
    fields: &mut Fields,
    current: Option<&TriggerConfig>,
) -> Result<TriggerConfig, ApiError> {
    let current = match current {
        Some(TriggerConfig::Timer(config)) => Some(config),
        Some(TriggerConfig::Http(_) | TriggerConfig::EventBridge(_) | TriggerConfig::Oss(_)) | None => None,
    };
    let cron_expression = match fields.text_up_to("cronExpression", CRON_EXPRESSION_CHARS_MAX)? {
        Some(expression) => expression,
        None => current
            .map(|current| current.cron_expression.clone())
            .ok_or_else(|| fields.missing("cronExpression"))?,
    };
    let enabled = fields.flag("enable")?.unwrap_or(current.is_none_or(|current| current.enabled));
    let payload = fields.text("payload")?;
    let payload = payload.or_else(|| current.map(|current| current.payload.clone())).unwrap_or_default();
    Ok(TriggerConfig::Timer(TimerTrigger { cron_expression, enabled, payload }))
}
