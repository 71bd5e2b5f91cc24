//! Destination records that are due.
//!
//! Owns the read of the outbox from its first live entry on: before it lie only the tombstones of what was delivered.

use std::ops::Bound::{Included, Unbounded};

use bide_store::planner::QueuePosition;
use bide_store::{DueDeliveries, PendingDelivery, StoreError};
use bide_types::{InvocationId, Timestamp};
use fjall::Readable as _;

use super::View;
use crate::keys::codec::Undecodable;
use crate::keys::{Space, deliveries, outbox};
use crate::tables::{Tables, read_error};

/// At most `max` records due at `now`, and when the next one after those is due. No entry lies before `first`, which
/// must have been read before this snapshot is taken.
pub(crate) fn due_deliveries(
    tables: &Tables,
    first: QueuePosition,
    now: Timestamp,
    max: usize,
) -> Result<DueDeliveries, StoreError> {
    let view = View::open(tables);
    let start = outbox::key(first);
    let range =
        view.snapshot.range::<&[u8], _>(tables.space(Space::Outbox), (Included(&start[..]), Unbounded));
    let mut pending = Vec::new();
    for guard in range {
        let key = guard.key().map_err(|error| read_error(Space::Outbox, &error))?;
        let (due, id) = outbox::parse_key(&key).map_err(|error| error.at(Space::Outbox, &key))?;
        if due > now || pending.len() == max {
            return Ok((pending, Some(due)));
        }
        pending.push(view.delivery(id)?);
    }
    Ok((pending, None))
}

impl View<'_> {
    fn delivery(&self, id: InvocationId) -> Result<PendingDelivery, StoreError> {
        let key = deliveries::key(id);
        let stored =
            self.decoded(Space::Deliveries, &key, |value| deliveries::decode(id, value))?.ok_or_else(
                || Undecodable::new("the record of the outbox is missing").at(Space::Deliveries, &key),
            )?;
        Ok(PendingDelivery {
            delivery: stored.delivery,
            attempts: stored.attempts,
            due: stored.due,
            payload: self.payload(id)?,
            result: self.result(id)?.unwrap_or_default(),
        })
    }
}
