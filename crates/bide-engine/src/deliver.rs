//! The outbox: destination records are delivered at least once.
//!
//! Owns retries of deliveries and the hop limit. A function as target is invoked asynchronously, in the same commit
//! that settles the delivery, so for it a crash neither loses nor doubles a record. It re-reads the outbox at every
//! round, so nothing is lost with this task.

use std::sync::Arc;
use std::time::Duration;

use bide_core::CallKind;
use bide_env::request_id;
use bide_store::{DeliveryOutcome, PendingDelivery, SettleDelivery, Submission};
use bide_types::Timestamp;
use bytes::Bytes;
use tokio::sync::watch;

use crate::arn;
use crate::http_payload;
use crate::invoke::destination_submission;
use crate::options::{
    DELIVERIES_AT_ONCE, DELIVERY_ATTEMPTS_MAX, DELIVERY_WAIT_FIRST, DELIVERY_WAIT_MAX, DESTINATION_HOPS_MAX,
    DESTINATION_RECORD_BYTES_MAX, MAINTENANCE_PERIOD, STORE_RETRY_WAIT,
};
use crate::record;
use crate::start::Shared;

/// Delivers until `stopping` says so.
pub(crate) async fn run(shared: Arc<Shared>, mut stopping: watch::Receiver<bool>) {
    loop {
        let wake = round(&shared).await;
        tokio::select! {
            _ = stopping.wait_for(|stopping| *stopping) => return,
            () = shared.signals.outbox.notified() => {}
            () = shared.clock.sleep_until(wake) => {}
        }
    }
}

/// Delivers what is due; returns when to look again.
async fn round(shared: &Shared) -> Timestamp {
    loop {
        let now = shared.clock.now();
        if shared.is_stopping() {
            return now;
        }
        let (due, next) = match shared.store.due_deliveries(now, DELIVERIES_AT_ONCE).await {
            Ok(read) => read,
            Err(error) => {
                tracing::error!(%error, "cannot read the outbox");
                return now.plus(STORE_RETRY_WAIT);
            }
        };
        if due.is_empty() {
            return next.unwrap_or(now.plus(MAINTENANCE_PERIOD));
        }
        let mut deliveries = tokio::task::JoinSet::new();
        for pending in due {
            let (outcome, submission) = attempt(shared, &pending, now);
            let settle = SettleDelivery { invocation: pending.delivery.invocation, outcome };
            let batcher = shared.batcher.clone();
            deliveries.spawn(async move { batcher.deliver(settle, submission).await });
        }
        if let Some(error) = deliveries.join_all().await.into_iter().find_map(Result::err) {
            tracing::error!(%error, "a delivery could not be settled");
            return now.plus(STORE_RETRY_WAIT);
        }
    }
}

/// What comes of one delivery: its outcome, and the invocation that it leads to.
fn attempt(
    shared: &Shared,
    pending: &PendingDelivery,
    now: Timestamp,
) -> (DeliveryOutcome, Option<Submission>) {
    let delivery = &pending.delivery;
    match prepare(shared, pending) {
        Ok(submission) => (DeliveryOutcome::Delivered, Some(submission)),
        Err(Failure::Passing(_)) if pending.attempts + 1 < DELIVERY_ATTEMPTS_MAX => {
            (DeliveryOutcome::RetryAt(now.plus(wait(pending.attempts))), None)
        }
        Err(Failure::Passing(reason) | Failure::Lasting(reason)) => {
            tracing::warn!(request_id = %delivery.request_id, target = %delivery.target, reason, "delivery given up");
            (DeliveryOutcome::GaveUp, None)
        }
    }
}

/// Why a record cannot be delivered now.
enum Failure {
    /// It may be possible later.
    Passing(String),
    Lasting(String),
}

/// The invocation of the target with the record of `pending`.
fn prepare(shared: &Shared, pending: &PendingDelivery) -> Result<Submission, Failure> {
    let lasting = |reason: &str| Failure::Lasting(reason.to_owned());
    let delivery = &pending.delivery;
    let function = shared
        .catalog
        .named(delivery.function)
        .ok_or_else(|| lasting("the function that it is about was deleted long ago"))?;
    if delivery.hops >= DESTINATION_HOPS_MAX {
        return Err(lasting("too many destinations follow on one another"));
    }
    let arn = arn::parse(&delivery.target).map_err(|error| Failure::Lasting(error.to_string()))?;
    let account = arn.account.as_ref().unwrap_or(&function.account);
    let target = shared
        .catalog
        .resolve(account, arn.service.as_str(), arn.function.as_str(), &arn.qualifier)
        .map_err(|error| Failure::Passing(error.to_string()))?;
    let region = &shared.options.region;
    let name = arn::format(region, &function.account, &function.service, &delivery.qualifier, &function.name);
    let payload = original(pending).map_err(|error| Failure::Lasting(error.to_string()))?;
    let record = record::encode(pending, &payload, &name);
    if record.len() > DESTINATION_RECORD_BYTES_MAX {
        return Err(lasting("the record is too large"));
    }
    let request_id = request_id(shared.entropy.as_ref());
    Ok(destination_submission(&target, request_id, delivery.hops + 1, record))
}

/// What the record shows as the payload: the event, or the body of the HTTP call.
fn original(pending: &PendingDelivery) -> Result<Bytes, http_payload::Undecodable> {
    match pending.delivery.kind {
        CallKind::Event => Ok(pending.payload.clone()),
        CallKind::Http => http_payload::body(&pending.payload),
    }
}

/// Wait after the failed attempt number `attempts` (0 is the first).
fn wait(attempts: u32) -> Duration {
    (DELIVERY_WAIT_FIRST * 2_u32.pow(attempts.min(16))).min(DELIVERY_WAIT_MAX)
}
