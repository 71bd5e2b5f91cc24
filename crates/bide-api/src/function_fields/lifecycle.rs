//! Hooks and health check of a function as callers send them.
//!
//! Owns their bounds, and the defaults of their parts. A hook without a handler and a health check without a path are
//! taken away; a part that is not said falls back to its default, since the object is sent as a whole.

use bide_types::limits;
use bide_types::resource::{HealthCheck, LifecycleHook};

use super::HANDLER_CHARS_MAX;
use crate::error::ApiError;
use crate::fields::Fields;

/// Bounds and defaults of FC "CustomHealthCheckConfig".
const PATH_CHARS_MAX: usize = 2048;
const DELAY_SECONDS_MAX: u32 = 120;
const PERIOD_SECONDS_MAX: u32 = 120;
const PERIOD_SECONDS_DEFAULT: u32 = 3;
const TIMEOUT_SECONDS_MAX: u32 = 3;
const TIMEOUT_SECONDS_DEFAULT: u32 = 1;
const THRESHOLD_MAX: u32 = 120;
const FAILURE_THRESHOLD_DEFAULT: u32 = 3;
const SUCCESS_THRESHOLD_DEFAULT: u32 = 1;

#[derive(Default)]
pub(super) struct Hooks {
    pub(super) pre_stop: Option<Option<LifecycleHook>>,
    pub(super) pre_freeze: Option<Option<LifecycleHook>>,
}

pub(super) fn hooks(fields: &mut Fields) -> Result<Hooks, ApiError> {
    let Some(mut config) = fields.object("instanceLifecycleConfig")? else { return Ok(Hooks::default()) };
    Ok(Hooks { pre_stop: hook(&mut config, "preStop")?, pre_freeze: hook(&mut config, "preFreeze")? })
}

fn hook(config: &mut Fields, name: &str) -> Result<Option<Option<LifecycleHook>>, ApiError> {
    let Some(mut hook) = config.object(name)? else { return Ok(None) };
    let handler = hook.text_up_to("handler", HANDLER_CHARS_MAX)?.unwrap_or_default();
    // 0 is what clients without an optional number send for "not said".
    let timeout_seconds = hook
        .number("timeout", 0..=limits::HOOK_TIMEOUT_SECONDS_MAX)?
        .filter(|seconds| *seconds > 0)
        .unwrap_or(limits::HOOK_TIMEOUT_SECONDS_DEFAULT);
    Ok(Some((!handler.is_empty()).then_some(LifecycleHook { handler, timeout_seconds })))
}

pub(super) fn health_check(fields: &mut Fields) -> Result<Option<Option<HealthCheck>>, ApiError> {
    let Some(mut check) = fields.object("customHealthCheckConfig")? else { return Ok(None) };
    read_health_check(&mut check).map(Some)
}

pub(super) fn read_health_check(check: &mut Fields) -> Result<Option<HealthCheck>, ApiError> {
    let path = check.text_up_to("httpGetUrl", PATH_CHARS_MAX)?.unwrap_or_default();
    let initial_delay_seconds = check.number("initialDelaySeconds", 0..=DELAY_SECONDS_MAX)?;
    let period_seconds = check.number("periodSeconds", 1..=PERIOD_SECONDS_MAX)?;
    let timeout_seconds = check.number("timeoutSeconds", 1..=TIMEOUT_SECONDS_MAX)?;
    let failure_threshold = check.number("failureThreshold", 1..=THRESHOLD_MAX)?;
    let success_threshold = check.number("successThreshold", 1..=THRESHOLD_MAX)?;
    if path.is_empty() {
        return Ok(None);
    }
    let sendable = path.starts_with('/') && path.parse::<axum::http::uri::PathAndQuery>().is_ok();
    if !sendable {
        return Err(ApiError::invalid(
            "field 'httpGetUrl' of the health check must be a path, and may have a query: it starts with '/'",
        ));
    }
    Ok(Some(HealthCheck {
        path,
        initial_delay_seconds: initial_delay_seconds.unwrap_or(0),
        period_seconds: period_seconds.unwrap_or(PERIOD_SECONDS_DEFAULT),
        timeout_seconds: timeout_seconds.unwrap_or(TIMEOUT_SECONDS_DEFAULT),
        failure_threshold: failure_threshold.unwrap_or(FAILURE_THRESHOLD_DEFAULT),
        success_threshold: success_threshold.unwrap_or(SUCCESS_THRESHOLD_DEFAULT),
    }))
}
