//! Resource names of functions (`acs:fc:{region}:{account}:services/{service}[.{qualifier}]/functions/{function}`).
//!
//! Owns their text form (FC "Result callback"). An empty region or account means the caller's own.

use bide_types::{AccountId, FunctionName, NameError, Qualifier, ServiceName};

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

#[cfg(test)]
mod tests;
