//! Resource names of destinations, as callers write them (fc-api 5).
//!
//! Owns the check that a configured destination is one that bide can deliver to. Never delivers: the engine's outbox
//! does.

use bide_engine::arn::{self, FunctionArn};
use bide_types::AccountId;
use bide_types::limits::DESTINATION_CHARS_MAX;

use crate::error::ApiError;

/// Reads the function that `resource` names. `field` is the name of the field for refusals.
pub(crate) fn parse(field: &str, resource: &str, caller: &AccountId) -> Result<FunctionArn, ApiError> {
    let refuse = |why: &str| ApiError::invalid(format!("field '{field}': {why}"));
    if resource.chars().count() > DESTINATION_CHARS_MAX {
        return Err(refuse(&format!("it must be at most {DESTINATION_CHARS_MAX} characters")));
    }
    let target = arn::parse(resource).map_err(|error| refuse(&error.to_string()))?;
    if target.account.as_ref().is_some_and(|account| account != caller) {
        return Err(refuse("the destination must belong to the same account"));
    }
    Ok(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(resource: &str) -> Result<FunctionArn, ApiError> {
        parse("destinationConfig.onSuccess.destination", resource, &AccountId::new("10001").expect("valid"))
    }

    #[test]
    fn functions_of_the_same_account_are_destinations() {
        assert!(read("acs:fc:local:10001:services/s/functions/f").is_ok());
        assert!(read("acs:fc:::services/s.LATEST/functions/f").is_ok());
    }

    #[test]
    fn every_refusal_names_the_field() {
        let too_long = format!("acs:fc:::services/s/functions/{}", "f".repeat(500));
        for (resource, says) in [
            ("acs:mns:local:10001:/queues/q/messages", "not supported"),
            ("acs:eventbridge:local:10001:eventbus/b", "not supported"),
            ("acs:fc:local:10001:functions/f", "not supported"),
            ("https://example.com/", "not supported"),
            ("acs:fc:local:10002:services/s/functions/f", "same account"),
            ("acs:fc:local:10001:services/1s/functions/f", "service name '1s'"),
            ("acs:fc:local:10001:services/s/functions/", "function name ''"),
            (too_long.as_str(), "at most 512 characters"),
        ] {
            let message = read(resource).expect_err("refused").message;
            assert!(message.starts_with("field 'destinationConfig.onSuccess.destination'"), "{message}");
            assert!(message.contains(says), "{message}");
        }
    }
}
