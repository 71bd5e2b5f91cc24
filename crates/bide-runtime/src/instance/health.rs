//! Whether the server of a custom runtime is well, as its health check says (FC "CustomHealthCheckConfig").
//!
//! Owns the counting and when it is asked. At the start it must succeed before the first request, within the time that a
//! start has; later an instance that fails is reported once. One that serves all the requests it may at once, or is
//! frozen, is not asked: a server with one thread would not answer.

use std::time::Duration;

use bide_types::resource::HealthCheck;

use super::Instance;
use crate::runtime::StartFailure;

/// What the last checks together say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    Unknown,
    Well,
    Unwell,
}

/// Counts checks in a row.
#[derive(Debug)]
pub(super) struct Health<'a> {
    check: &'a HealthCheck,
    successes: u32,
    failures: u32,
}

impl<'a> Health<'a> {
    pub(super) fn new(check: &'a HealthCheck) -> Self {
        Self { check, successes: 0, failures: 0 }
    }

    pub(super) fn note(&mut self, succeeded: bool) -> Condition {
        (self.successes, self.failures) = match succeeded {
            true => (self.successes.saturating_add(1), 0),
            false => (0, self.failures.saturating_add(1)),
        };
        if self.successes >= self.check.success_threshold {
            Condition::Well
        } else if self.failures >= self.check.failure_threshold {
            Condition::Unwell
        } else {
            Condition::Unknown
        }
    }
}

impl Instance {
    /// Waits until the health check of a new instance has succeeded as often as it must.
    pub(super) async fn until_well(&self) -> Result<(), StartFailure> {
        let Some(check) = &self.spec.function.health_check else { return Ok(()) };
        let clock = &self.surroundings.clock;
        clock.sleep(seconds(check.initial_delay_seconds)).await;
        let well = async {
            let mut health = Health::new(check);
            while health.note(self.answers_in_time(check).await) != Condition::Well {
                clock.sleep(seconds(check.period_seconds)).await;
            }
        };
        tokio::select! {
            () = well => Ok(()),
            () = clock.sleep(self.surroundings.start_timeout) => {
                let limit = self.surroundings.start_timeout.as_secs();
                let message = format!("the health check '{}' did not succeed within {limit} seconds", check.path);
                Err(StartFailure::not_started(&message))
            }
            exit = self.handle.exited() => {
                let message = "the custom runtime's process ended before its health check succeeded";
                Err(StartFailure::ended(&self.handle, exit, &self.spec.function, message))
            }
        }
    }

    /// Checks from time to time; resolves when the instance is found unwell, `false` if it is to be checked no more.
    pub(crate) async fn is_found_unwell(&self) -> bool {
        let Some(check) = &self.spec.function.health_check else { return false };
        let mut health = Health::new(check);
        loop {
            self.surroundings.clock.sleep(seconds(check.period_seconds)).await;
            if !self.is_usable() {
                return false;
            }
            if !self.is_engaged() && health.note(self.answers_in_time(check).await) == Condition::Unwell {
                return true;
            }
        }
    }

    async fn answers_in_time(&self, check: &HealthCheck) -> bool {
        tokio::select! {
            well = self.channel.probe(&check.path) => well,
            () = self.surroundings.clock.sleep(seconds(check.timeout_seconds)) => false,
        }
    }
}

fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(u64::from(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_count_in_a_row() {
        let check = HealthCheck {
            path: "/".to_owned(),
            initial_delay_seconds: 0,
            period_seconds: 1,
            timeout_seconds: 1,
            failure_threshold: 3,
            success_threshold: 2,
        };
        let mut health = Health::new(&check);
        let conditions: Vec<Condition> = [true, true, false, false, true, false, false, false]
            .into_iter()
            .map(|succeeded| health.note(succeeded))
            .collect();
        use Condition::{Unknown, Unwell, Well};
        assert_eq!(conditions, [Unknown, Well, Unknown, Unknown, Unknown, Unknown, Unknown, Unwell]);
    }
}
