//! The fields of a function as callers send them, checked against the limits; shared by the generations.
//!
//! Owns ranges and the refusals that name the field. A field not sent is `None`, so that an update can leave it alone.
//! Never decides a default, unpacks a zip or stores anything. Reading a package takes time in proportion to its
//! unpacked size: call it off the threads that serve requests.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bide_types::limits;
use bide_types::resource::{Code, Runtime};
use bytes::Bytes;

use crate::checksum;
use crate::error::ApiError;
use crate::fields::Fields;

const HANDLER_CHARS_MAX: usize = 128;
const MEMORY_STEP_MB: u32 = 64;
/// Prefix of the names that the platform itself sets in a function's environment.
const RESERVED_ENVIRONMENT_PREFIX: &str = "FC_";
/// Words of a custom runtime's command line.
const COMMAND_WORDS_MAX: usize = 100;

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
    pub(crate) package: Option<Package>,
}

/// A code package that can be unpacked, and what identifies it.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) zip: Bytes,
    pub(crate) code: Code,
}

/// Reads what this module knows out of `fields`; the rest is left and ignored.
pub(crate) fn read(fields: &mut Fields) -> Result<FunctionFields, ApiError> {
    let custom = custom(fields)?;
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
        package: package(fields)?,
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
        if name.starts_with(RESERVED_ENVIRONMENT_PREFIX) {
            return Err(ApiError::invalid(format!(
                "field '{FIELD}.{name}': names that begin with {RESERVED_ENVIRONMENT_PREFIX} belong to the platform"
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

#[derive(Default)]
struct Custom {
    port: Option<u16>,
    command: Option<Vec<String>>,
}

/// How a custom runtime is started. The container form of the same settings is read when the other is absent.
fn custom(fields: &mut Fields) -> Result<Custom, ApiError> {
    let runtime = fields.object("customRuntimeConfig")?;
    let container = fields.object("customContainerConfig")?;
    let Some(mut config) = runtime.or(container) else { return Ok(Custom::default()) };
    let command = config.texts("command")?;
    let arguments = config.texts("args")?;
    let command = match (command, arguments) {
        (None, None) => None,
        (command, arguments) => Some([command.unwrap_or_default(), arguments.unwrap_or_default()].concat()),
    };
    if command.as_ref().is_some_and(|words| words.len() > COMMAND_WORDS_MAX) {
        return Err(ApiError::invalid(format!(
            "field 'customRuntimeConfig.command' and its args may have {COMMAND_WORDS_MAX} words together"
        )));
    }
    Ok(Custom { port: config.number("port", 1..=u16::MAX)?, command })
}

fn package(fields: &mut Fields) -> Result<Option<Package>, ApiError> {
    let Some(mut code) = fields.object("code")? else { return Ok(None) };
    let Some(mut encoded) = code.text("zipFile")? else {
        return Err(match code.text("ossBucketName")? {
            Some(_) => ApiError::invalid(
                "field 'code.ossBucketName' is not supported by bide: upload the package with 'code.zipFile'",
            ),
            None => code.missing("zipFile"),
        });
    };
    // Encoders that follow MIME break lines.
    if encoded.contains(['\r', '\n']) {
        encoded.retain(|character| !matches!(character, '\r' | '\n'));
    }
    if encoded.len() / 4 * 3 > limits::CODE_ZIP_BYTES_MAX + 3 {
        return Err(ApiError::payload_too_large(limits::CODE_ZIP_BYTES_MAX));
    }
    let zip = BASE64
        .decode(encoded)
        .map_err(|error| ApiError::invalid(format!("field 'code.zipFile' is not valid base64: {error}")))?;
    if zip.len() > limits::CODE_ZIP_BYTES_MAX {
        return Err(ApiError::payload_too_large(limits::CODE_ZIP_BYTES_MAX));
    }
    bide_runtime::package::inspect(&zip)
        .map_err(|error| ApiError::invalid(format!("field 'code.zipFile': {error}")))?;
    let code = Code {
        digest: checksum::sha256_hex(&zip),
        crc64: checksum::crc64(&zip),
        size_bytes: u64::try_from(zip.len()).expect("the size is bounded"),
    };
    Ok(Some(Package { zip: Bytes::from(zip), code }))
}

#[cfg(test)]
mod tests;
