//! One attempt to deliver a record, and its outcome in the store.
//!
//! Owns where a record goes, what it says, the hop limit, and when it is given up. An outcome that is not stored (a
//! crash, a fault of the store) leaves the record in the outbox, so it is delivered again.

use std::sync::Arc;
use std::time::Duration;

use bide_core::{CallKind, Delivery};
use bide_env::request_id;
use bide_store::{DeliveryOutcome, PendingDelivery, SettleDelivery, StoreError, Submission};
use bide_types::resource::Function;
use bide_types::{InvocationId, Timestamp};
use bytes::Bytes;

use super::lanes::{LaneKey, Sent};
use crate::arn::{self, DestinationArn, FunctionArn, ResourceArn};
use crate::destinations::{Mapping, Message};
use crate::http_payload;
use crate::invoke::internal_submission;
use crate::observer::{Began, DeliveryFacts, DeliveryResult, Seen};
use crate::options::{
    DEAD_LETTER_REASON_CHARS_MAX, DELIVERIES_AT_ONCE, DELIVERY_ATTEMPTS_MAX, DELIVERY_WAIT_FIRST,
    DELIVERY_WAIT_MAX, DESTINATION_HOPS_MAX, DESTINATION_RECORD_BYTES_MAX,
};
use crate::record;
use crate::start::Shared;
use crate::trace::SpanIds;

/// Where a record goes.
pub(super) enum Route {
    Function(FunctionArn),
    Target(ResourceArn, Mapping),
    /// Nowhere at present, and why.
    Nowhere(String),
}

/// What is done about a delivery.
pub(super) enum Step {
    /// It is sent; with what was read of it, if that is at hand.
    Send(Option<Box<(PendingDelivery, Route)>>),
    /// It counts as failed: its target is down, and is not tried before that time.
    Refuse(Timestamp),
    /// It is looked at again then.
    PutOff(Timestamp),
}

/// A step that came to its end.
pub(super) struct Done {
    pub(super) id: InvocationId,
    pub(super) lane: LaneKey,
    /// `None` if nothing was sent.
    pub(super) sent: Option<Sent>,
    /// When the record is due again, or an error if what came of the step could not be stored.
    pub(super) stored: Result<Option<Timestamp>, StoreError>,
}

impl Route {
    pub(super) fn lane(&self) -> LaneKey {
        match self {
            Self::Function(_) | Self::Nowhere(_) => LaneKey::Own,
            Self::Target(_, mapping) => LaneKey::Target(Arc::clone(&mapping.name)),
        }
    }

    pub(super) fn concurrency(&self) -> usize {
        match self {
            Self::Function(_) | Self::Nowhere(_) => DELIVERIES_AT_ONCE,
            Self::Target(_, mapping) => mapping.concurrency.max(1),
        }
    }

    /// After how many failed attempts a record is given up.
    fn attempts(&self) -> u32 {
        match self {
            Self::Function(_) | Self::Nowhere(_) => DELIVERY_ATTEMPTS_MAX,
            Self::Target(_, mapping) => mapping.attempts.min(DELIVERY_ATTEMPTS_MAX),
        }
    }
}

/// Where the record of `pending` goes.
pub(super) fn route(shared: &Shared, pending: &PendingDelivery) -> Route {
    let delivery = &pending.delivery;
    let resource = match arn::parse(&delivery.target) {
        Ok(DestinationArn::Function(function)) => return Route::Function(function),
        Ok(DestinationArn::Resource(resource)) => resource,
        Err(error) => return Route::Nowhere(error.to_string()),
    };
    let Some(function) = shared.catalog.named(delivery.function) else { return Route::Nowhere(forgotten()) };
    let name = resource.in_full(&shared.options.region, &function.account);
    match shared.destinations.find(&name) {
        Some(mapping) => Route::Target(resource, mapping),
        None => Route::Nowhere(format!("nothing in the settings stands for {name}")),
    }
}

/// Does one step and stores what came of it.
pub(super) async fn run(shared: Arc<Shared>, lane: LaneKey, id: InvocationId, step: Step) -> Done {
    let (sent, settled) = match step {
        Step::Send(at_hand) => send(&shared, id, at_hand).await,
        Step::Refuse(until) => (None, refuse(&shared, id, until).await),
        Step::PutOff(until) => (None, Ok(Some((DeliveryOutcome::PutOff(until), None)))),
    };
    let stored = match settled {
        Ok(Some((outcome, submission))) => {
            let again = match &outcome {
                DeliveryOutcome::RetryAt(at) | DeliveryOutcome::PutOff(at) => Some(*at),
                DeliveryOutcome::Delivered | DeliveryOutcome::GaveUp { .. } => None,
            };
            let settle = SettleDelivery { invocation: id, outcome };
            shared.batcher.deliver(settle, submission).await.map(|()| again)
        }
        Ok(None) => Ok(None),
        Err(error) => Err(error),
    };
    Done { id, lane, sent, stored }
}

/// What is to be stored; nothing if the delivery is gone.
type Settled = Result<Option<(DeliveryOutcome, Option<Submission>)>, StoreError>;

async fn send(
    shared: &Shared,
    id: InvocationId,
    at_hand: Option<Box<(PendingDelivery, Route)>>,
) -> (Option<Sent>, Settled) {
    let (pending, route) = match at_hand {
        Some(at_hand) => *at_hand,
        None => match shared.store.delivery(id).await {
            Ok(Some(pending)) => {
                let route = route(shared, &pending);
                (pending, route)
            }
            Ok(None) => return (Some(Sent::Well), Ok(None)),
            Err(error) => return (Some(Sent::Well), Err(error)),
        },
    };
    let began = Began::now(shared);
    let (sent, outcome, submission) = match attempt(shared, &pending, &route).await {
        Ok(mut submission) => {
            if let Some(submission) = &mut submission {
                let span = span(shared, &pending.delivery, began);
                submission.enqueue.parent = span.map(|span| span.as_parent());
            }
            (Sent::Well, DeliveryOutcome::Delivered, submission)
        }
        Err(failure) => {
            let sent = if matches!(failure, Failure::OfTarget(_)) { Sent::TargetFailed } else { Sent::Well };
            (sent, after(shared, &pending, &route, failure, Timestamp::ZERO), None)
        }
    };
    observe(shared, &pending, &outcome, began);
    (Some(sent), Ok(Some((outcome, submission))))
}

/// Tells of an attempt to deliver. If its outcome cannot be stored, it is told again with the next attempt.
fn observe(shared: &Shared, pending: &PendingDelivery, outcome: &DeliveryOutcome, began: Began) {
    let result = match outcome {
        DeliveryOutcome::Delivered => DeliveryResult::Delivered,
        DeliveryOutcome::RetryAt(_) => DeliveryResult::Failed,
        DeliveryOutcome::GaveUp { .. } => DeliveryResult::GaveUp,
        DeliveryOutcome::PutOff(_) => return,
    };
    let delivery = &pending.delivery;
    shared.observe(&Seen::Delivery(&DeliveryFacts {
        function: shared.catalog.named(delivery.function).as_deref(),
        delivery,
        attempts: pending.attempts,
        result,
        began_at: began.at,
        took: began.took(shared),
        span: span(shared, delivery, began),
    }));
}

fn span(shared: &Shared, delivery: &Delivery, began: Began) -> Option<SpanIds> {
    shared.options.sampling.map(|sampling| SpanIds::of_delivery(delivery, began.at, sampling))
}

async fn refuse(shared: &Shared, id: InvocationId, until: Timestamp) -> Settled {
    let Some(pending) = shared.store.delivery(id).await? else { return Ok(None) };
    let failure = Failure::OfTarget("the target failed several times in a row and is left alone".to_owned());
    let route = route(shared, &pending);
    let outcome = after(shared, &pending, &route, failure, until);
    observe(shared, &pending, &outcome, Began::now(shared));
    Ok(Some((outcome, None)))
}

/// Why a record was not delivered.
enum Failure {
    /// It may be possible later.
    Passing(String),
    /// The same, and the target is to blame.
    OfTarget(String),
    Lasting(String),
}

impl Failure {
    fn reason(self) -> String {
        match self {
            Self::Passing(reason) | Self::OfTarget(reason) | Self::Lasting(reason) => reason,
        }
    }
}

/// What becomes of a record that was not delivered: it is tried again, not before `not_before`, or given up.
fn after(
    shared: &Shared,
    pending: &PendingDelivery,
    route: &Route,
    failure: Failure,
    not_before: Timestamp,
) -> DeliveryOutcome {
    let delivery = &pending.delivery;
    let lasting = matches!(failure, Failure::Lasting(_));
    let reason = failure.reason();
    let attempts = pending.attempts + 1;
    if lasting || attempts >= route.attempts() {
        tracing::warn!(
            request_id = %delivery.request_id, target = %delivery.target, attempts, reason, "delivery given up"
        );
        return DeliveryOutcome::GaveUp { reason: bounded(reason) };
    }
    tracing::debug!(request_id = %delivery.request_id, target = %delivery.target, attempts, reason, "not delivered");
    DeliveryOutcome::RetryAt(shared.clock.now().plus(wait(pending.attempts)).max(not_before))
}

/// A reason as it is kept: what an answer said must not grow the store.
fn bounded(mut reason: String) -> String {
    if let Some((end, _)) = reason.char_indices().nth(DEAD_LETTER_REASON_CHARS_MAX) {
        reason.truncate(end);
    }
    reason
}

/// Wait after the failed attempt number `attempts` (0 is the first).
fn wait(attempts: u32) -> Duration {
    (DELIVERY_WAIT_FIRST * 2_u32.pow(attempts.min(16))).min(DELIVERY_WAIT_MAX)
}

/// Delivers; for a function, the submission that does it.
async fn attempt(
    shared: &Shared,
    pending: &PendingDelivery,
    route: &Route,
) -> Result<Option<Submission>, Failure> {
    let delivery = &pending.delivery;
    let about = shared.catalog.named(delivery.function).ok_or_else(|| Failure::Lasting(forgotten()))?;
    match route {
        Route::Nowhere(reason) => Err(Failure::Passing(reason.clone())),
        Route::Function(arn) => submission(shared, pending, &about, arn).map(Some),
        Route::Target(resource, mapping) => {
            let message = message(shared, pending, &about, resource)?;
            tokio::select! {
                sent = mapping.target.send(Arc::new(message)) => {
                    sent.map_err(|error| Failure::OfTarget(error.to_string()))?;
                }
                () = shared.clock.sleep(mapping.timeout) => {
                    let reason = format!("no confirmation within {} ms", mapping.timeout.as_millis());
                    return Err(Failure::OfTarget(reason));
                }
            }
            Ok(None)
        }
    }
}

/// The invocation of the target function with the record of `pending`.
fn submission(
    shared: &Shared,
    pending: &PendingDelivery,
    about: &Function,
    arn: &FunctionArn,
) -> Result<Submission, Failure> {
    let delivery = &pending.delivery;
    if delivery.hops >= DESTINATION_HOPS_MAX {
        return Err(Failure::Lasting("too many destinations follow on one another".to_owned()));
    }
    let account = arn.account.as_ref().unwrap_or(&about.account);
    let target = shared
        .catalog
        .resolve(account, arn.service.as_str(), arn.function.as_str(), &arn.qualifier, || shared.share())
        .map_err(|error| Failure::Passing(error.to_string()))?;
    let record = encode(pending, &function_arn(shared, delivery, about))?;
    let request_id = request_id(shared.entropy.as_ref());
    Ok(internal_submission(&target, request_id, delivery.hops + 1, record))
}

fn message(
    shared: &Shared,
    pending: &PendingDelivery,
    about: &Function,
    resource: &ResourceArn,
) -> Result<Message, Failure> {
    let delivery = &pending.delivery;
    let function_arn = function_arn(shared, delivery, about);
    Ok(Message {
        id: format!("{}-{}", delivery.invocation, delivery.request_id),
        record: encode(pending, &function_arn)?,
        function_arn,
        resource: resource.in_full(&shared.options.region, &about.account),
        kind: resource.kind,
        name: resource.name.clone(),
        condition: delivery.outcome.condition().to_owned(),
        accepted_at: delivery.accepted_at,
    })
}

/// The record of `pending` as it would be sent.
///
/// # Errors
/// Why it cannot be made.
pub(crate) fn record_of(shared: &Shared, pending: &PendingDelivery) -> Result<Bytes, String> {
    let about = shared.catalog.named(pending.delivery.function).ok_or_else(forgotten)?;
    encode(pending, &function_arn(shared, &pending.delivery, &about)).map_err(Failure::reason)
}

pub(crate) fn function_arn(shared: &Shared, delivery: &Delivery, about: &Function) -> String {
    let qualifier = &delivery.qualifier;
    arn::format(&shared.options.region, &about.account, &about.service, qualifier, &about.name)
}

fn encode(pending: &PendingDelivery, function_arn: &str) -> Result<Bytes, Failure> {
    let payload = original(pending).map_err(|error| Failure::Lasting(error.to_string()))?;
    let record = record::encode(pending, &payload, function_arn);
    if record.len() > DESTINATION_RECORD_BYTES_MAX {
        return Err(Failure::Lasting("the record is too large".to_owned()));
    }
    Ok(record)
}

/// What the record shows as the payload: the event, or the body of the HTTP call.
fn original(pending: &PendingDelivery) -> Result<Bytes, http_payload::Undecodable> {
    match pending.delivery.kind {
        CallKind::Event => Ok(pending.payload.clone()),
        CallKind::Http => http_payload::body(&pending.payload),
    }
}

fn forgotten() -> String {
    "the function that it is about was deleted long ago".to_owned()
}
