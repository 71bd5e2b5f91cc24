//! Destination records: which are due, which were given up, and what one holds.
//!
//! Owns the read of the outbox from its first live entry on: before it lie only the tombstones of what was delivered.

use std::ops::Bound::{Excluded, Included, Unbounded};

use bide_store::planner::QueuePosition;
use bide_store::{DeadLetter, DueDeliveries, OutboxPosition, PendingDelivery, StoreError};
use bide_types::{InvocationId, Timestamp};
use fjall::Readable as _;

use super::View;
use crate::keys::codec::Undecodable;
use crate::keys::deliveries::{Place, StoredDelivery};
use crate::keys::{Space, dead_letters, deliveries, outbox};
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
    match stored {
        Some(stored) if stored.place.space() == Space::Outbox => view.pending(stored).map(Some),
        _ => Ok(None),
    }
}

/// A destination record that was given up, as it would be delivered.
pub(crate) fn dead_letter(
    tables: &Tables,
    id: InvocationId,
) -> Result<Option<(DeadLetter, PendingDelivery)>, StoreError> {
    let view = View::open(tables);
    let key = deliveries::key(id);
    let stored = view.decoded(Space::Deliveries, &key, |value| deliveries::decode(id, value))?;
    let Some((stored, letter)) = stored.and_then(|stored| Some((stored.clone(), letter(stored)?))) else {
        return Ok(None);
    };
    Ok(Some((letter, view.pending(stored)?)))
}

/// At most `max` destination records that were given up, from the first after `after` on.
pub(crate) fn dead_letters(
    tables: &Tables,
    after: Option<OutboxPosition>,
    max: usize,
) -> Result<Vec<DeadLetter>, StoreError> {
    let view = View::open(tables);
    let after = after.map(dead_letters::key);
    let start = after.as_ref().map_or(Unbounded, |after| Excluded(&after[..]));
    let range = view.snapshot.range::<&[u8], _>(tables.space(Space::DeadLetters), (start, Unbounded));
    let mut letters = Vec::new();
    for guard in range.take(max) {
        let key = guard.key().map_err(|error| read_error(Space::DeadLetters, &error))?;
        let (_, id) = dead_letters::parse_key(&key).map_err(|error| error.at(Space::DeadLetters, &key))?;
        let record = deliveries::key(id);
        let stored = view.decoded(Space::Deliveries, &record, |value| deliveries::decode(id, value))?;
        let missing = || Undecodable::new("the dead letter is missing").at(Space::Deliveries, &record);
        letters.push(stored.and_then(letter).ok_or_else(missing)?);
    }
    Ok(letters)
}

fn letter(stored: StoredDelivery) -> Option<DeadLetter> {
    match stored.place {
        Place::Outbox { .. } => None,
        Place::Dead { since, reason } => {
            Some(DeadLetter { delivery: stored.delivery, attempts: stored.attempts, since, reason })
        }
    }
}

impl View<'_> {
    fn pending(&self, stored: StoredDelivery) -> Result<PendingDelivery, StoreError> {
        let id = stored.delivery.invocation;
        Ok(PendingDelivery {
            due: stored.place.at(),
            delivery: stored.delivery,
            attempts: stored.attempts,
            payload: self.payload(id)?,
            result: self.result(id)?.unwrap_or_default(),
        })
    }
}
