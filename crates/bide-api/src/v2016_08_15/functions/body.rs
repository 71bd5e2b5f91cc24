//! A function as callers read it.
//!
//! Owns the wire form. Never reads a request; keeps nothing.

use std::collections::BTreeMap;

use bide_types::resource::{Function, HealthCheck, LifecycleHook, RuntimeKind};
use serde::Serialize;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FunctionBody<'a> {
    function_id: String,
    function_name: &'a str,
    description: &'a str,
    runtime: &'a str,
    handler: &'a str,
    initializer: &'a str,
    initialization_timeout: u32,
    timeout: u32,
    memory_size: u32,
    instance_concurrency: u32,
    environment_variables: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_runtime_config: Option<CustomRuntimeBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_health_check_config: Option<HealthCheckBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance_lifecycle_config: Option<LifecycleBody<'a>>,
    layers: Vec<&'a str>,
    disk_size: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu: Option<f64>,
    code_size: u64,
    code_checksum: String,
    created_time: String,
    last_modified_time: String,
}

#[derive(Serialize)]
struct CustomRuntimeBody<'a> {
    command: &'a [String],
    args: &'a [String],
    port: u16,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HealthCheckBody<'a> {
    http_get_url: &'a str,
    initial_delay_seconds: u32,
    period_seconds: u32,
    timeout_seconds: u32,
    failure_threshold: u32,
    success_threshold: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LifecycleBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pre_stop: Option<HookBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pre_freeze: Option<HookBody<'a>>,
}

#[derive(Serialize)]
struct HookBody<'a> {
    handler: &'a str,
    timeout: u32,
}

impl<'a> From<&'a Function> for FunctionBody<'a> {
    fn from(function: &'a Function) -> Self {
        let custom = function.runtime.kind() == RuntimeKind::Custom;
        let port = function.custom_port;
        Self {
            function_id: function.id.to_string(),
            function_name: function.name.as_str(),
            description: &function.description,
            runtime: function.runtime.name(),
            handler: &function.handler,
            initializer: function.initializer.as_deref().unwrap_or(""),
            initialization_timeout: function.initialization_timeout_seconds,
            timeout: function.timeout_seconds,
            memory_size: function.memory_mb,
            instance_concurrency: function.instance_concurrency,
            environment_variables: &function.environment,
            ca_port: custom.then_some(port),
            custom_runtime_config: custom.then_some(CustomRuntimeBody {
                command: &function.custom_command,
                args: &function.custom_args,
                port,
            }),
            custom_health_check_config: function.health_check.as_ref().map(HealthCheckBody::from),
            instance_lifecycle_config: lifecycle(function),
            layers: function.layers.iter().map(|layer| layer.arn.as_str()).collect(),
            disk_size: function.disk_mb,
            cpu: function.cpu_millis.map(|millis| f64::from(millis) / 1000.0),
            code_size: function.code.size_bytes,
            code_checksum: function.code.crc64.to_string(),
            created_time: function.created_at.to_rfc3339(),
            last_modified_time: function.modified_at.to_rfc3339(),
        }
    }
}

impl<'a> From<&'a HealthCheck> for HealthCheckBody<'a> {
    fn from(check: &'a HealthCheck) -> Self {
        Self {
            http_get_url: &check.path,
            initial_delay_seconds: check.initial_delay_seconds,
            period_seconds: check.period_seconds,
            timeout_seconds: check.timeout_seconds,
            failure_threshold: check.failure_threshold,
            success_threshold: check.success_threshold,
        }
    }
}

impl<'a> From<&'a LifecycleHook> for HookBody<'a> {
    fn from(hook: &'a LifecycleHook) -> Self {
        Self { handler: &hook.handler, timeout: hook.timeout_seconds }
    }
}

fn lifecycle(function: &Function) -> Option<LifecycleBody<'_>> {
    let (pre_stop, pre_freeze) =
        (function.pre_stop.as_ref().map(HookBody::from), function.pre_freeze.as_ref().map(HookBody::from));
    (pre_stop.is_some() || pre_freeze.is_some()).then_some(LifecycleBody { pre_stop, pre_freeze })
}
