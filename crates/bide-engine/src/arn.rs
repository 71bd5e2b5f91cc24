//! Resource names of destinations and of layer versions, as callers write them.
//!
//! Owns their text form (FC "Result callback", "Layer"; fc-api 5). Functions are
//! `acs:fc:{region}:{account}:services/{service}[.{qualifier}]/functions/{function}`, layer versions
//! `acs:fc:{region}:{account}:layers/{layer}/versions/{version}`; queues, topics and event buses are in [`resource`]. An
//! empty region or account means the caller's own.

pub mod resource;

use bide_types::{AccountId, FunctionName, LayerName, NameError, Qualifier, ServiceName};

pub use resource::{ResourceArn, ResourceKind};

/// What a result can be sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DestinationArn {
    Function(FunctionArn),
    Resource(ResourceArn),
}

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
        "destination '{0}' is not supported; it must be \
         acs:fc:{{region}}:{{account}}:services/{{service}}.{{qualifier}}/functions/{{function}}, \
         acs:mns:{{region}}:{{account}}:/queues/{{queue}}/messages, \
         acs:mns:{{region}}:{{account}}:/topics/{{topic}}/messages, \
         acs:eventbridge:{{region}}:{{account}}:eventbus/{{bus}} or \
         acs:mq:{{region}}:{{account}}:/instances/{{instance}}/topics/{{topic}}"
    )]
    Unsupported(String),
    #[error(transparent)]
    Name(#[from] NameError),
}

impl DestinationArn {
    /// The account that it names; `None` is the caller's own.
    pub fn account(&self) -> Option<&AccountId> {
        match self {
            Self::Function(function) => function.account.as_ref(),
            Self::Resource(resource) => resource.account.as_ref(),
        }
    }
}

/// # Errors
/// [`ArnError`] when the text names nothing that a result can be sent to.
pub fn parse(text: &str) -> Result<DestinationArn, ArnError> {
    let unsupported =
        || ArnError::Unsupported(text.chars().take(bide_types::limits::DESTINATION_CHARS_MAX).collect());
    let parts: Vec<&str> = text.splitn(5, ':').collect();
    let &["acs", product, region, account, name] = parts.as_slice() else { return Err(unsupported()) };
    let account = if account.is_empty() { None } else { Some(AccountId::new(account)?) };
    if product == "fc" {
        return function(account, name).ok_or_else(unsupported)?.map(DestinationArn::Function);
    }
    let (kind, instance, name) = resource::parse(product, name).ok_or_else(unsupported)?;
    let resource = ResourceArn {
        kind,
        region: region.to_owned(),
        account,
        instance: instance.map(str::to_owned),
        name: name.to_owned(),
    };
    if !resource.is_valid() {
        return Err(unsupported());
    }
    Ok(DestinationArn::Resource(resource))
}

/// The function that `resource` names; `None` if it has not the form of one.
fn function(account: Option<AccountId>, resource: &str) -> Option<Result<FunctionArn, ArnError>> {
    let (service, function) = resource.strip_prefix("services/")?.split_once("/functions/")?;
    let (service, qualifier) = service.split_once('.').unwrap_or((service, ""));
    let named = || {
        Ok(FunctionArn {
            account,
            service: ServiceName::new(service)?,
            qualifier: if qualifier.is_empty() { Qualifier::latest() } else { Qualifier::new(qualifier)? },
            function: FunctionName::new(function)?,
        })
    };
    Some(named())
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
