//! Destination records: which are due, and what one holds.
//!
//! Owns the read of the outbox from its first live entry on: before it lie only the tombstones of what was delivered.

use std::ops::Bound::{Included, Unbounded};

use bide_store::planner::QueuePosition;
use bide_store::{DueDeliveries, PendingDelivery, StoreError};
use bide_types::{InvocationId, Timestamp};
use fjall::Readable as _;

use super::View;
use crate::keys::{Space, deliveries, outbox};
use crate::tables::{Tables, read_error};

/// Where at most `max` records are that are due at `now`, and when the next one after those is due. No entry lies before `first`, which
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
    let mut positions = Vec::new();
    for guard in range {
        let key = guard.key().map_err(|error| read_error(Space::Outbox, &error))?;
        let (due, id) = outbox::parse_key(&key).map_err(|error| error.at(Space::Outbox, &key))?;
        if due > now || positions.len() == max {
            return Ok((positions, Some(due)));
        }
        positions.push((due, id));
    }
    Ok((positions, None))
}

/// The destination record of an invocation that waits to be delivered.
pub(crate) fn delivery(tables: &Tables, id: InvocationId) -> Result<Option<PendingDelivery>, StoreError> {
    let view = View::open(tables);
    let key = deliveries::key(id);
    let stored = view.decoded(Space::Deliveries, &key, |value| deliveries::decode(id, value))?;
    let Some(stored) = stored else { return Ok(None) };
    Ok(Some(PendingDelivery {
        delivery: stored.delivery,
        attempts: stored.attempts,
        due: stored.due,
        payload: view.payload(id)?,
        result: view.result(id)?.unwrap_or_default(),
    }))
}
