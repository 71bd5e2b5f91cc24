//! Resource names of functions (`acs:fc:{region}:{account}:services/{service}[.{qualifier}]/functions/{function}`) and of
//! layer versions (`acs:fc:{region}:{account}:layers/{layer}/versions/{version}`).
//!
//! Owns their text form (FC "Result callback", "Layer"). An empty region or account means the caller's own.

use bide_types::{AccountId, FunctionName, LayerName, NameError, Qualifier, ServiceName};

/// A function as a destination names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionArn {
    pub account: Option<AccountId>,
    pub service: ServiceName,
    pub qualifier: Qualifier,
    pub function: FunctionName,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArnError {
    #[error(
        "destination '{0}' is not supported: only functions are, as \
         acs:fc:{{region}}:{{account}}:services/{{service}}.{{qualifier}}/functions/{{function}}"
    )]
    Unsupported(String),
    #[error(transparent)]
    Name(#[from] NameError),
}

/// # Errors
/// [`ArnError`] when the text names no function of this form.
pub fn parse(text: &str) -> Result<FunctionArn, ArnError> {
    let unsupported =
        || ArnError::Unsupported(text.chars().take(bide_types::limits::DESTINATION_CHARS_MAX).collect());
    let parts: Vec<&str> = text.splitn(5, ':').collect();
    let &["acs", "fc", _region, account, resource] = parts.as_slice() else { return Err(unsupported()) };
    let (service, function) = resource
        .strip_prefix("services/")
        .and_then(|rest| rest.split_once("/functions/"))
        .ok_or_else(unsupported)?;
    let (service, qualifier) = service.split_once('.').unwrap_or((service, ""));
    Ok(FunctionArn {
        account: if account.is_empty() { None } else { Some(AccountId::new(account)?) },
        service: ServiceName::new(service)?,
        qualifier: if qualifier.is_empty() { Qualifier::latest() } else { Qualifier::new(qualifier)? },
        function: FunctionName::new(function)?,
    })
}

/// The resource name of a function and qualifier.
pub fn format(
    region: &str,
    account: &AccountId,
    service: &ServiceName,
    qualifier: &Qualifier,
    function: &FunctionName,
) -> String {
    format!("acs:fc:{region}:{account}:services/{service}.{qualifier}/functions/{function}")
}

/// A version of a layer as a function names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerArn {
    pub account: Option<AccountId>,
    pub layer: LayerName,
    pub version: u32,
}

/// The text names no version of a layer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "layer '{0}' is invalid: it must be acs:fc:{{region}}:{{account}}:layers/{{layer}}/versions/{{version}}"
)]
pub struct LayerArnError(String);

/// # Errors
/// [`LayerArnError`] when the text names no layer version of this form.
pub fn parse_layer(text: &str) -> Result<LayerArn, LayerArnError> {
    let read = || {
        let parts: Vec<&str> = text.splitn(5, ':').collect();
        let &["acs", "fc", _region, account, resource] = parts.as_slice() else { return None };
        let (layer, version) = resource.strip_prefix("layers/")?.split_once("/versions/")?;
        Some(LayerArn {
            account: if account.is_empty() { None } else { Some(AccountId::new(account).ok()?) },
            layer: LayerName::new(layer).ok()?,
            version: version.parse().ok()?,
        })
    };
    read()
        .ok_or_else(|| LayerArnError(text.chars().take(bide_types::limits::DESTINATION_CHARS_MAX).collect()))
}

/// The resource name of a layer version.
pub fn format_layer(region: &str, account: &AccountId, layer: &LayerName, version: u32) -> String {
    format!("acs:fc:{region}:{account}:layers/{layer}/versions/{version}")
}

#[cfg(test)]
mod tests;
