//! The outbox: destination records are delivered at least once.
//!
//! Owns which record is delivered when: each target has a lane of its own, so one that is slow or down slows no other,
//! and a failed record waits longer each time until it is given up. It re-reads the outbox, so nothing is lost with this
//! task; a crash between a confirmation and its record in the store sends a record once more. A function as target is
//! invoked asynchronously in the commit that settles the delivery, so for it a crash neither loses nor doubles a record.

pub(crate) mod attempt;
mod lanes;

use std::collections::HashSet;
use std::sync::Arc;

use bide_store::{PendingDelivery, StoreError};
use bide_types::{InvocationId, Timestamp};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::options::{LANE_PACE_WINDOW, MAINTENANCE_PERIOD, OUTBOX_PAGE, STORE_RETRY_WAIT};
use crate::start::Shared;
use attempt::{Done, Step};
use lanes::{Admission, LaneKey, Lanes};

/// Delivers until `stopping` says so; then lets what is under way finish, within the drain timeout.
pub(crate) async fn run(shared: Arc<Shared>, mut stopping: watch::Receiver<bool>) {
    let mut deliverer = Deliverer::new(Arc::clone(&shared));
    loop {
        let wake = deliverer.look().await;
        tokio::select! {
            _ = stopping.wait_for(|stopping| *stopping) => break,
            () = shared.signals.outbox.notified() => deliverer.look_again = true,
            Some(done) = deliverer.under_way.join_next() => {
                deliverer.finished(done.expect("a delivery neither panics nor is cancelled"));
            }
            () = shared.clock.sleep_until(wake) => deliverer.look_again = true,
        }
    }
    deliverer.drain().await;
}

struct Deliverer {
    shared: Arc<Shared>,
    lanes: Lanes,
    /// Taken up from the outbox: under way, or in a lane.
    known: HashSet<InvocationId>,
    under_way: JoinSet<Done>,
    /// Whether the outbox may hold something due that is not known.
    look_again: bool,
    /// Whether the last look left something due aside.
    more: bool,
    /// When to look again at the latest.
    wake: Timestamp,
}

impl Deliverer {
    fn new(shared: Arc<Shared>) -> Self {
        Self {
            wake: shared.clock.now(),
            shared,
            lanes: Lanes::default(),
            known: HashSet::new(),
            under_way: JoinSet::new(),
            look_again: true,
            more: false,
        }
    }

    /// Takes up what is due, if something may be; returns when to look again.
    async fn look(&mut self) -> Timestamp {
        let now = self.shared.clock.now();
        if self.look_again && !self.shared.is_stopping() {
            self.look_again = false;
            self.wake = self.take_up_due(now).await.unwrap_or_else(|error| {
                tracing::error!(%error, "cannot read the outbox");
                now.plus(STORE_RETRY_WAIT)
            });
        }
        self.wake
    }

    async fn take_up_due(&mut self, now: Timestamp) -> Result<Timestamp, StoreError> {
        // What is known lies in front, so so much more has to be asked for.
        let (positions, next) = self.shared.store.due_deliveries(now, self.known.len() + OUTBOX_PAGE).await?;
        for (_, id) in positions {
            if !self.known.contains(&id)
                && let Some(pending) = self.shared.store.delivery(id).await?
                && !self.take_up(pending, now)
            {
                self.more = true;
                // Should the lane fall silent, it is no longer fast then, and what is behind goes on.
                return Ok(now.plus(LANE_PACE_WINDOW));
            }
        }
        self.more = next.is_some_and(|next| next <= now);
        Ok(next.filter(|next| *next > now).unwrap_or(now.plus(MAINTENANCE_PERIOD)))
    }

    /// Whether it was taken up; if not, nothing behind it is either.
    fn take_up(&mut self, pending: PendingDelivery, now: Timestamp) -> bool {
        let id = pending.delivery.invocation;
        let route = attempt::route(&self.shared, &pending);
        let lane = route.lane();
        let admission = self.lanes.admit(&lane, route.concurrency(), id, now);
        let step = match admission {
            Admission::Leave => return false,
            Admission::Start => Some(Step::Send(Some(Box::new((pending, route))))),
            Admission::Wait => None,
            Admission::PutOff(until) => Some(Step::PutOff(until)),
            Admission::Refuse(until) => Some(Step::Refuse(until)),
        };
        self.known.insert(id);
        if let Some(step) = step {
            self.start(lane, id, step);
        }
        true
    }

    fn start(&mut self, lane: LaneKey, id: InvocationId, step: Step) {
        self.under_way.spawn(attempt::run(Arc::clone(&self.shared), lane, id, step));
    }

    /// Notes what came of an attempt, and starts what waited behind it.
    fn finished(&mut self, done: Done) {
        let now = self.shared.clock.now();
        self.known.remove(&done.id);
        // What was left aside is looked for when it may find room.
        self.look_again |= self.more && (done.sent.is_none() || self.lanes.has_room(&done.lane));
        match &done.stored {
            Ok(again) => self.wake = again.map_or(self.wake, |again| self.wake.min(again)),
            Err(error) => {
                tracing::error!(%error, "a delivery could not be settled");
                self.look_again = false;
                self.wake = now.plus(STORE_RETRY_WAIT);
            }
        }
        if let Some(sent) = done.sent {
            self.lanes.finished(&done.lane, sent, now);
        }
        while let Some((id, admission)) = self.lanes.next(&done.lane, now) {
            let step = match admission {
                Admission::Refuse(until) => Step::Refuse(until),
                _ => Step::Send(None),
            };
            self.start(done.lane.clone(), id, step);
        }
    }

    /// What is not confirmed when the time is over is sent again at the next start.
    async fn drain(mut self) {
        let ended = async { while self.under_way.join_next().await.is_some() {} };
        let in_time = tokio::select! {
            () = ended => true,
            () = self.shared.clock.sleep(self.shared.options.drain_timeout) => false,
        };
        if !in_time {
            tracing::warn!("deliveries that outlast the drain timeout are sent again at the next start");
        }
    }
}
