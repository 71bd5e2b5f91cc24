//! The model's destination records: those that wait to be delivered, and those that were given up.

use bide_core::Delivery;
use bide_types::{InvocationId, Timestamp};

use super::Data;
use crate::batch::{DeadLetter, PendingDelivery};
use crate::store::{DueDeliveries, OutboxPosition};

/// A destination record.
pub(super) struct Kept {
    pub(super) delivery: Delivery,
    pub(super) attempts: u32,
    /// When it is due, or since when it is dead.
    pub(super) at: Timestamp,
    /// Why it was given up.
    pub(super) dead: Option<String>,
}

impl Data {
    pub(super) fn put_off(&mut self, id: InvocationId, at: Timestamp, attempts: u32) {
        let kept = self.kept(id);
        kept.attempts += attempts;
        kept.at = at;
    }

    pub(super) fn kept(&mut self, id: InvocationId) -> &mut Kept {
        self.deliveries.get_mut(&id).expect("a destination record that is kept is stored")
    }

    /// Places of those that are dead, or of those that are not, in their order.
    pub(super) fn positions(&self, dead: bool) -> Vec<OutboxPosition> {
        let kept = self.deliveries.iter().filter(|(_, kept)| kept.dead.is_some() == dead);
        let mut positions: Vec<_> = kept.map(|(id, kept)| (kept.at, *id)).collect();
        positions.sort_unstable();
        positions
    }

    pub(super) fn due_deliveries(&self, now: Timestamp, max: usize) -> DueDeliveries {
        let order = self.positions(false);
        let due: Vec<_> = order.iter().take_while(|(at, _)| *at <= now).take(max).copied().collect();
        let next = order.get(due.len()).map(|(at, _)| *at);
        (due, next)
    }

    pub(super) fn delivery(&self, id: InvocationId) -> Option<PendingDelivery> {
        self.deliveries.get(&id).filter(|kept| kept.dead.is_none()).map(|kept| self.pending(id, kept))
    }

    pub(super) fn pending(&self, id: InvocationId, kept: &Kept) -> PendingDelivery {
        let record = &self.records[&id];
        PendingDelivery {
            delivery: kept.delivery.clone(),
            attempts: kept.attempts,
            due: kept.at,
            payload: record.payload.clone(),
            result: record.result.clone().unwrap_or_default(),
        }
    }

    pub(super) fn dead_letter(&self, id: InvocationId) -> Option<(DeadLetter, PendingDelivery)> {
        let kept = self.deliveries.get(&id)?;
        let letter = DeadLetter {
            delivery: kept.delivery.clone(),
            attempts: kept.attempts,
            since: kept.at,
            reason: kept.dead.clone()?,
        };
        Some((letter, self.pending(id, kept)))
    }

    pub(super) fn dead_letters(&self, after: Option<OutboxPosition>, max: usize) -> Vec<DeadLetter> {
        let positions =
            self.positions(true).into_iter().filter(|position| after.is_none_or(|after| *position > after));
        positions.take(max).filter_map(|(_, id)| Some(self.dead_letter(id)?.0)).collect()
    }
}
