//! Invalidate: waiting work that can never run is settled with the reason.
//!
//! Never touches work that an instance may be executing: its result decides.

use bide_types::Timestamp;

use super::{Rejected, Run, Transition, settle};
use crate::invocation::Invocation;
use crate::policy::Policy;
use crate::settlement::Outcome;

pub(super) fn invalidate(
    invocation: &Invocation,
    reason: String,
    policy: Option<Policy>,
    now: Timestamp,
) -> Result<Transition, Rejected> {
    if invocation.due().is_none() {
        return Err(Rejected::Held { current: invocation.epoch });
    }
    let mut next = invocation.clone();
    next.policy = policy.or(next.policy);
    Ok(settle(next, Outcome::Invalid { reason }, Run::default(), now))
}
