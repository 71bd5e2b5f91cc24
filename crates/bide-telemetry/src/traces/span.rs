//! What a span says: names and attributes, those of the semantic conventions for functions where there are any.
//!
//! A span never holds an event, a result, or what code printed.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use bide_engine::{
    AttemptFacts, AttemptResult, DeliveryFacts, DeliveryResult, FunctionSpec, Invocation, Seen, SpanIds,
};
use bide_types::Timestamp;
use bide_types::resource::Function;
use opentelemetry::trace::{SpanContext, SpanKind, Status, TraceFlags, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue, SpanId, TraceId};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use crate::metrics::error_type;

/// The span that stands for what has happened, if it is to be recorded.
pub(super) fn of(seen: &Seen<'_>) -> Option<SpanData> {
    match seen {
        Seen::AttemptBegan { spec, invocation, waited: Some(_), began_at, span } => {
            span.filter(|ids| ids.sampled).map(|ids| queue(ids, spec, invocation, *began_at))
        }
        Seen::AttemptEnded(end) => end.span.filter(|ids| ids.sampled).map(|ids| attempt(ids, end)),
        Seen::Delivery(end) => end.span.filter(|ids| ids.sampled).map(|ids| delivery(ids, end)),
        Seen::AttemptBegan { waited: None, .. }
        | Seen::Throttled { .. }
        | Seen::Answered { .. }
        | Seen::Committed { .. } => None,
    }
}

/// From acceptance until the first attempt.
fn queue(ids: SpanIds, spec: &FunctionSpec, invocation: &Invocation, until: Timestamp) -> SpanData {
    let mut span = empty(ids, "queue", Some(&spec.function));
    span.span_kind = SpanKind::Producer;
    span.start_time = time(invocation.accepted_at);
    span.end_time = time(until);
    span.attributes.extend(of_invocation(invocation));
    span
}

fn attempt(ids: SpanIds, end: &AttemptFacts<'_>) -> SpanData {
    let outcome = end.outcome;
    let mut span = empty(ids, "invoke", Some(&end.spec.function));
    span.span_kind = if end.invocation.is_some() { SpanKind::Consumer } else { SpanKind::Server };
    span.start_time = time(end.began_at);
    span.end_time = span.start_time + end.took;
    span.attributes.extend([
        KeyValue::new("faas.invocation_id", end.request_id.to_string()),
        KeyValue::new("faas.version", end.spec.qualifier.to_string()),
        KeyValue::new("faas.coldstart", outcome.cold_start),
        KeyValue::new("faas.instance", outcome.instance.to_string()),
        KeyValue::new("faas.trigger", if end.over_http { "http" } else { "other" }),
        KeyValue::new("bide.qualifier", end.qualifier.to_string()),
        KeyValue::new("bide.invocation_type", end.invocation_type().as_str()),
        KeyValue::new("bide.duration_ms", outcome.duration.as_secs_f64() * 1e3),
    ]);
    if let Some(invocation) = end.invocation {
        span.attributes.push(KeyValue::new("bide.retry_count", i64::from(invocation.retries)));
        span.attributes.extend(of_invocation(invocation));
    }
    span.status = match &outcome.result {
        AttemptResult::Returned(_) => Status::Ok,
        AttemptResult::FunctionError { kind, cause, .. } => Status::error(error_type(*kind, *cause)),
        AttemptResult::SystemError { .. } => Status::error("SystemError"),
        AttemptResult::Stopped => Status::error("Stopped"),
    };
    if let Status::Error { description } = &span.status {
        span.attributes.push(KeyValue::new("error.type", description.to_string()));
    }
    span
}

fn delivery(ids: SpanIds, end: &DeliveryFacts<'_>) -> SpanData {
    let mut span = empty(ids, "deliver", end.function);
    span.span_kind = SpanKind::Producer;
    span.start_time = time(end.began_at);
    span.end_time = span.start_time + end.took;
    span.attributes.extend([
        KeyValue::new("faas.invocation_id", end.delivery.request_id.to_string()),
        KeyValue::new("messaging.destination.name", end.delivery.target.clone()),
        KeyValue::new("bide.attempt", i64::from(end.attempts) + 1),
    ]);
    span.status = match end.result {
        DeliveryResult::Delivered => Status::Ok,
        DeliveryResult::Failed => Status::error("not delivered"),
        DeliveryResult::GaveUp => Status::error("given up"),
    };
    span
}

fn of_invocation(invocation: &Invocation) -> Vec<KeyValue> {
    let request = KeyValue::new("bide.request_id", invocation.request_id.to_string());
    let task = invocation.task_id().map(|task| KeyValue::new("bide.task_id", task.to_string()));
    [request].into_iter().chain(task).collect()
}

fn empty(ids: SpanIds, what: &str, function: Option<&Function>) -> SpanData {
    let names = function.map(|function| (function.service.as_str(), function.name.as_str()));
    let name = match names {
        Some((service, function)) => Cow::Owned(format!("{what} {service}/{function}")),
        None => Cow::Owned(what.to_owned()),
    };
    let attributes = names.map(|(service, function)| {
        [KeyValue::new("faas.name", function.to_owned()), KeyValue::new("bide.service", service.to_owned())]
    });
    SpanData {
        span_context: SpanContext::new(
            TraceId::from_bytes(ids.trace),
            SpanId::from_bytes(ids.span),
            TraceFlags::SAMPLED,
            false,
            TraceState::default(),
        ),
        parent_span_id: ids.parent.map_or(SpanId::INVALID, SpanId::from_bytes),
        parent_span_is_remote: false,
        span_kind: SpanKind::Internal,
        name,
        start_time: SystemTime::UNIX_EPOCH,
        end_time: SystemTime::UNIX_EPOCH,
        attributes: attributes.into_iter().flatten().collect(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: Status::Unset,
        instrumentation_scope: InstrumentationScope::builder("bide").build(),
    }
}

fn time(at: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_micros(at.as_micros())
}
