//! Resource names of destinations, as callers write them (fc-api 5).
//!
//! Owns the check of their form and account. Whether something stands for a queue, topic or bus is for the engine to
//! say, and so is delivering.

use bide_engine::arn::{self, DestinationArn};
use bide_types::AccountId;
use bide_types::limits::DESTINATION_CHARS_MAX;

use crate::error::ApiError;

/// Reads the destination that `resource` names. `field` is the name of the field for refusals.
pub(crate) fn parse(field: &str, resource: &str, caller: &AccountId) -> Result<DestinationArn, ApiError> {
    let refuse = |why: &str| ApiError::invalid(format!("field '{field}': {why}"));
    if resource.chars().count() > DESTINATION_CHARS_MAX {
        return Err(refuse(&format!("it must be at most {DESTINATION_CHARS_MAX} characters")));
    }
    let target = arn::parse(resource).map_err(|error| refuse(&error.to_string()))?;
    if target.account().is_some_and(|account| account != caller) {
        return Err(refuse("the destination must belong to the same account"));
    }
    Ok(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(resource: &str) -> Result<DestinationArn, ApiError> {
        parse("destinationConfig.onSuccess.destination", resource, &AccountId::new("10001").expect("valid"))
    }

    #[test]
    fn functions_queues_and_buses_of_the_same_account_are_destinations() {
        assert!(read("acs:fc:local:10001:services/s/functions/f").is_ok());
        assert!(read("acs:fc:::services/s.LATEST/functions/f").is_ok());
        assert!(read("acs:mns:local:10001:/queues/q/messages").is_ok());
        assert!(read("acs:eventbridge:::eventbus/b").is_ok());
    }

    #[test]
    fn every_refusal_names_the_field() {
        let too_long = format!("acs:fc:::services/s/functions/{}", "f".repeat(500));
        for (resource, says) in [
            ("acs:mns:local:10001:/queues/q", "not supported"),
            ("acs:mns:local:10002:/queues/q/messages", "same account"),
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
