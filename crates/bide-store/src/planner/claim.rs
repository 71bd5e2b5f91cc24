//! Claims: due work of one line is handed out under leases, in the order of due time.
//!
//! Owns the walk along the line and its bounds. What is too old or can never run is settled on the way.

use bide_core::{Command, Rejected};
use bide_types::InvocationId;

use super::Planner;
use crate::batch::{Claim, ClaimReply, Claimed};
use crate::store::StoreError;

/// Entries that one claim may settle (expired, invalid) on top of those it hands out.
pub const CLAIM_SETTLED_MAX: usize = 256;

/// Entries that a claim which hands out nothing may look at.
pub const CLAIM_EXAMINED_MAX: usize = 256;

/// Entries read at once while a claim walks the queue beyond what it wants to hand out.
const LOOKAHEAD: usize = 16;

impl Planner<'_> {
    pub(super) fn claim(&mut self, claim: &Claim) -> Result<ClaimReply, StoreError> {
        let mut reply = ClaimReply::default();
        let mut examined = 0;
        let mut after = None;
        loop {
            let wanted = claim.max - reply.claimed.len();
            let head = self.reader.head(&claim.line, after, wanted + LOOKAHEAD)?;
            let Some(last) = head.last().copied() else { return Ok(reply) };
            for (due, id) in head {
                if due > self.now
                    || is_served(claim, &reply, examined)
                    || !self.claim_one(claim, id, &mut reply)?
                {
                    reply.next_due = Some(due);
                    return Ok(reply);
                }
                examined += 1;
            }
            after = Some(last);
        }
    }

    /// Hands out or settles one waiting invocation; false when the line stops here.
    fn claim_one(
        &mut self,
        claim: &Claim,
        id: InvocationId,
        reply: &mut ClaimReply,
    ) -> Result<bool, StoreError> {
        let Some(invocation) = self.load(id)? else { return Ok(true) };
        match self.apply(&invocation, command(claim, &invocation), None, None)? {
            // Not too old, so nor is what was accepted after it. (What was accepted earlier and deferred, or has a
            // stricter qualifier, expires when the line has moved on to it: late, but before it runs.)
            Err(Rejected::NotExpired) => Ok(false),
            // This batch has changed it already (a stop, say), or only its first dequeue could expire it.
            Err(_) => Ok(true),
            Ok(applied) if applied.next.settlement().is_some() => {
                reply.settled += 1;
                reply.delivery |= applied.delivery;
                Ok(true)
            }
            Ok(applied) => {
                let payload = self.payload(applied.next.id)?;
                reply.claimed.push(Claimed { invocation: applied.next, payload });
                Ok(true)
            }
        }
    }
}

/// Whether the claim has all it may take. What a claim for work passes over, its own batch has changed; so only a
/// claim for nothing needs a bound on that.
fn is_served(claim: &Claim, reply: &ClaimReply, examined: usize) -> bool {
    match claim.max {
        0 => examined >= CLAIM_EXAMINED_MAX,
        max => reply.claimed.len() == max || reply.settled >= CLAIM_SETTLED_MAX,
    }
}

fn command(claim: &Claim, invocation: &bide_core::Invocation) -> Command {
    match claim.policies.get(&invocation.qualifier) {
        None => Command::Invalidate {
            reason: format!("qualifier '{}' or its function does not exist", invocation.qualifier),
            policy: claim.policies.get_former(&invocation.qualifier).cloned(),
        },
        Some(policy) if claim.max == 0 => Command::Expire { policy: policy.clone() },
        Some(policy) => Command::Dequeue {
            policy: policy.clone(),
            holder: claim.holder,
            expires_at: claim.lease_expires_at,
        },
    }
}
