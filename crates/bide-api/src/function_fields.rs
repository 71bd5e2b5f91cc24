//! The fields of a function as callers send them, checked against the limits; shared by the generations.
//!
//! Owns ranges and the refusals that name the field. A field not sent is `None`, so that an update can leave it alone.
//! Never decides a default (but for the parts of a hook or a health check) or stores anything. It may read a package, so
//! call it off the threads that serve requests.

mod lifecycle;

use std::collections::BTreeMap;

use bide_types::limits;
use bide_types::resource::{HealthCheck, LifecycleHook, Runtime};

use crate::code_package::{self, Package};
use crate::error::ApiError;
use crate::fields::Fields;

const HANDLER_CHARS_MAX: usize = 128;
const MEMORY_STEP_MB: u32 = 64;
/// Prefix of the names that the platform itself sets in a function's environment.
const RESERVED_ENVIRONMENT_PREFIX: &str = "FC_";
/// Further names that are not the user's (FC "Environment variables").
const RESERVED_ENVIRONMENT_NAMES: [&str; 4] = ["accessKeyID", "accessKeySecret", "securityToken", "topic"];
/// Words of a custom runtime's command line.
const COMMAND_WORDS_MAX: usize = 100;
/// All of them together: what a launch of 64 KiB has room for beside the environment.
const COMMAND_BYTES_MAX: usize = 16 * 1024;

/// What a create or update call says about a function; `None` is "not said".
#[derive(Debug, Default)]
pub(crate) struct FunctionFields {
    pub(crate) description: Option<String>,
    pub(crate) runtime: Option<Runtime>,
    pub(crate) handler: Option<String>,
    /// An empty text takes the initializer away.
    pub(crate) initializer: Option<String>,
    pub(crate) initialization_timeout_seconds: Option<u32>,
    pub(crate) timeout_seconds: Option<u32>,
    pub(crate) memory_mb: Option<u32>,
    pub(crate) instance_concurrency: Option<u32>,
    pub(crate) environment: Option<BTreeMap<String, String>>,
    pub(crate) custom_port: Option<u16>,
    pub(crate) custom_command: Option<Vec<String>>,
    pub(crate) custom_args: Option<Vec<String>>,
    /// `Some(None)` takes it away, as with the hooks.
    pub(crate) health_check: Option<Option<HealthCheck>>,
    pub(crate) pre_stop: Option<Option<LifecycleHook>>,
    pub(crate) pre_freeze: Option<Option<LifecycleHook>>,
    /// Resource names of layer versions.
    pub(crate) layers: Option<Vec<String>>,
    pub(crate) disk_mb: Option<u32>,
    /// `Some(None)` takes the limit away.
    pub(crate) cpu_millis: Option<Option<u32>>,
    pub(crate) package: Option<Package>,
}

/// Reads what this module knows out of `fields`; the rest is left and ignored.
pub(crate) fn read(fields: &mut Fields) -> Result<FunctionFields, ApiError> {
    refuse_unsupported(fields)?;
    let custom = custom(fields)?;
    let hooks = lifecycle::hooks(fields)?;
    Ok(FunctionFields {
        description: fields.text_up_to("description", limits::DESCRIPTION_CHARS_MAX)?,
        runtime: runtime(fields)?,
        handler: handler(fields)?,
        initializer: fields.text_up_to("initializer", HANDLER_CHARS_MAX)?,
        initialization_timeout_seconds: fields
            .number("initializationTimeout", 1..=limits::INITIALIZER_TIMEOUT_SECONDS_MAX)?,
        timeout_seconds: fields.number("timeout", 1..=limits::FUNCTION_TIMEOUT_SECONDS_MAX)?,
        memory_mb: memory(fields)?,
        instance_concurrency: fields.number("instanceConcurrency", 1..=limits::INSTANCE_CONCURRENCY_MAX)?,
        environment: environment(fields)?,
        custom_port: fields.number("caPort", 1..=u16::MAX)?.or(custom.port),
        custom_command: custom.command,
        custom_args: custom.args,
        health_check: lifecycle::health_check(fields)?.or(custom.health_check),
        pre_stop: hooks.pre_stop,
        pre_freeze: hooks.pre_freeze,
        layers: layers(fields)?,
        disk_mb: disk(fields)?,
        cpu_millis: cpu(fields)?,
        package: code_package::read(fields)?,
    })
}

fn runtime(fields: &mut Fields) -> Result<Option<Runtime>, ApiError> {
    let Some(name) = fields.text("runtime")? else { return Ok(None) };
    Runtime::parse(&name).map(Some).map_err(|error| ApiError::invalid(format!("field 'runtime': {error}")))
}

fn handler(fields: &mut Fields) -> Result<Option<String>, ApiError> {
    let handler = fields.text_up_to("handler", HANDLER_CHARS_MAX)?;
    if handler.as_ref().is_some_and(String::is_empty) {
        return Err(ApiError::invalid(format!(
            "field 'handler' must have 1 to {HANDLER_CHARS_MAX} characters"
        )));
    }
    Ok(handler)
}

fn memory(fields: &mut Fields) -> Result<Option<u32>, ApiError> {
    let memory = fields.number("memorySize", limits::MEMORY_MB_MIN..=limits::MEMORY_MB_MAX)?;
    if memory.is_some_and(|memory| !memory.is_multiple_of(MEMORY_STEP_MB)) {
        return Err(ApiError::invalid(format!("field 'memorySize' must be a multiple of {MEMORY_STEP_MB}")));
    }
    Ok(memory)
}

fn environment(fields: &mut Fields) -> Result<Option<BTreeMap<String, String>>, ApiError> {
    const FIELD: &str = "environmentVariables";
    let Some(variables) = fields.object(FIELD)? else { return Ok(None) };
    let variables = variables.into_texts()?;
    for (name, value) in &variables {
        let plain = name.bytes().next().is_some_and(|first| first.is_ascii_alphabetic())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !plain {
            return Err(ApiError::invalid(format!(
                "field '{FIELD}.{name}': a name starts with a letter and has only letters, digits and '_'"
            )));
        }
        let reserved = RESERVED_ENVIRONMENT_NAMES.contains(&name.as_str());
        if reserved || name.starts_with(RESERVED_ENVIRONMENT_PREFIX) {
            return Err(ApiError::invalid(format!(
                "field '{FIELD}.{name}': {}, and names that begin with {RESERVED_ENVIRONMENT_PREFIX}, belong to the platform",
                RESERVED_ENVIRONMENT_NAMES.join(", ")
            )));
        }
        if value.contains('\0') {
            return Err(ApiError::invalid(format!("field '{FIELD}.{name}' contains a NUL character")));
        }
    }
    let bytes: usize = variables.iter().map(|(name, value)| name.len() + value.len()).sum();
    if bytes > limits::ENVIRONMENT_BYTES_MAX {
        return Err(ApiError::invalid(format!(
            "field '{FIELD}' has {bytes} bytes in names and values; at most {} are allowed",
            limits::ENVIRONMENT_BYTES_MAX
        )));
    }
    Ok(Some(variables))
}

/// Settings that would do nothing here, though a caller who sends them counts on them.
fn refuse_unsupported(fields: &mut Fields) -> Result<(), ApiError> {
    let gpu = fields.number("gpuMemorySize", 0..=u32::MAX)?.is_some_and(|size| size > 0)
        || fields.text("instanceType")?.is_some_and(|name| name.contains("gpu"));
    if gpu {
        return Err(ApiError::invalid(
            "fields 'gpuMemorySize' and 'instanceType': bide has no GPU instances",
        ));
    }
    if fields.object("customDNS")?.is_some() {
        return Err(ApiError::invalid("field 'customDNS' is not supported by bide"));
    }
    Ok(())
}

fn layers(fields: &mut Fields) -> Result<Option<Vec<String>>, ApiError> {
    let layers = fields.texts("layers")?;
    if layers.as_ref().is_some_and(|layers| layers.len() > limits::LAYERS_PER_FUNCTION_MAX) {
        return Err(ApiError::invalid(format!(
            "field 'layers' may name {} layers",
            limits::LAYERS_PER_FUNCTION_MAX
        )));
    }
    Ok(layers)
}

fn disk(fields: &mut Fields) -> Result<Option<u32>, ApiError> {
    let sizes = [limits::DISK_MB_DEFAULT, limits::DISK_MB_LARGE];
    let disk = fields.number("diskSize", 0..=limits::DISK_MB_LARGE)?;
    if disk.is_some_and(|disk| !sizes.contains(&disk)) {
        return Err(ApiError::invalid(format!("field 'diskSize' must be {} or {}", sizes[0], sizes[1])));
    }
    Ok(disk)
}

/// Cores in decimals; 0 stands for no limit.
fn cpu(fields: &mut Fields) -> Result<Option<Option<u32>>, ApiError> {
    let Some(cores) = fields.decimal("cpu")? else { return Ok(None) };
    if cores == 0.0 {
        return Ok(Some(None));
    }
    let steps = (cores * 1000.0 / f64::from(limits::CPU_MILLIS_STEP)).round();
    let range =
        limits::CPU_MILLIS_MIN / limits::CPU_MILLIS_STEP..=limits::CPU_MILLIS_MAX / limits::CPU_MILLIS_STEP;
    let exact = (steps * f64::from(limits::CPU_MILLIS_STEP) / 1000.0 - cores).abs() < 1e-9;
    match range.into_iter().find(|step| f64::from(*step) == steps).filter(|_| exact) {
        Some(step) => Ok(Some(Some(step * limits::CPU_MILLIS_STEP))),
        None => Err(ApiError::invalid(
            "field 'cpu' must be a multiple of 0.05 from 0.05 to 16, or 0 for no limit",
        )),
    }
}

#[derive(Default)]
struct Custom {
    port: Option<u16>,
    command: Option<Vec<String>>,
    args: Option<Vec<String>>,
    health_check: Option<Option<HealthCheck>>,
}

/// How a custom runtime is started. The container form of the same settings is read when the other is absent.
fn custom(fields: &mut Fields) -> Result<Custom, ApiError> {
    let runtime = fields.object("customRuntimeConfig")?;
    let container = fields.object("customContainerConfig")?;
    let Some(mut config) = runtime.or(container) else { return Ok(Custom::default()) };
    let (command, args) = (config.texts("command")?, config.texts("args")?);
    let words = || [&command, &args].into_iter().flatten().flatten();
    if words().count() > COMMAND_WORDS_MAX || words().map(String::len).sum::<usize>() > COMMAND_BYTES_MAX {
        return Err(ApiError::invalid(format!(
            "field 'customRuntimeConfig.command' and its args may have {COMMAND_WORDS_MAX} words of \
             {COMMAND_BYTES_MAX} bytes together"
        )));
    }
    if words().any(|word| word.contains('\0')) {
        return Err(ApiError::invalid("field 'customRuntimeConfig' contains a NUL character"));
    }
    let health_check =
        config.object("healthCheckConfig")?.map(|mut check| lifecycle::read_health_check(&mut check));
    Ok(Custom {
        port: config.number("port", 1..=u16::MAX)?,
        command,
        args,
        health_check: health_check.transpose()?,
    })
}

#[cfg(test)]
mod tests;
