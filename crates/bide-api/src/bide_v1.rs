//! bide's own additions to the API, under their own prefix.
//!
//! Owns the download of code packages by link, the counts, instances and time triggers of a node, dead letters, the logs of
//! tasks, and where events come in.
//! Never changes what an FC client sees.

pub(crate) mod dead_letters;
pub(crate) mod events;
pub(crate) mod task_logs;

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{HeaderValue, Response, header};
use bide_engine::{Bucket, InstanceState, Ledger, NodeStatus};
use bide_types::resource::Function;
use bide_types::{AccountId, ErrorCode, Timestamp};
use serde::Serialize;

use crate::error::ApiError;
use crate::path::Segments;
use crate::state::ApiState;
use crate::{code_url, reply};

pub(crate) const CODE_PREFIX: &str = "/bide/v1/code/";
pub(crate) const STATUS_PATH: &str = "/bide/v1/status";
pub(crate) const TIMERS_PATH: &str = "/bide/v1/timers";
pub(crate) const INSTANCES_PATH: &str = "/bide/v1/instances";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StatusBody {
    store: StoreCounts,
    instances: InstanceCounts,
    standbys: StandbyCounts,
    containment: ContainmentBody,
    functions: Vec<FunctionCounts>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ContainmentBody {
    sandboxed: bool,
    in_force: Vec<String>,
    missing: Vec<String>,
    notes: Vec<String>,
}

#[derive(Serialize)]
struct StoreCounts {
    operations: u64,
    batches: u64,
    groups: u64,
    flushes: u64,
}

#[derive(Serialize)]
struct InstanceCounts {
    total: usize,
    starting: usize,
    busy: usize,
    waiting: usize,
    unwell: u64,
}

/// Processes that wait for a function; no instances.
#[derive(Serialize)]
struct StandbyCounts {
    waiting: usize,
    missing: usize,
    used: u64,
}

#[derive(Serialize)]
struct InstanceList<'a> {
    instances: Vec<InstanceBody<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InstanceBody<'a> {
    service_name: &'a str,
    function_name: &'a str,
    qualifier: &'a str,
    instance_id: &'a str,
    state: &'static str,
    /// Peak so far, in MB (2^20 bytes), with two decimals.
    memory_max_mb: f64,
}

#[derive(Serialize)]
struct TimerList<'a> {
    timers: Vec<TimerBody<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TimerBody<'a> {
    service_name: &'a str,
    function_name: &'a str,
    trigger_name: &'a str,
    qualifier: &'a str,
    cron_expression: &'a str,
    enable: bool,
    last_tick: Option<String>,
    next_tick: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FunctionCounts {
    service_name: String,
    function_name: String,
    ledger: BTreeMap<&'static str, u64>,
}

/// What this node did and does, and the ledgers of the caller's functions.
pub(crate) async fn status(state: &ApiState, account: &AccountId) -> Result<Response<Body>, ApiError> {
    let NodeStatus { store, instances, containment, functions } = state.engine.status(account).await?;
    Ok(reply::json(&StatusBody {
        store: StoreCounts {
            operations: store.operations,
            batches: store.batches,
            groups: store.groups,
            flushes: store.flushes,
        },
        instances: InstanceCounts {
            total: instances.instances,
            starting: instances.starting,
            busy: instances.busy,
            waiting: instances.waiting,
            unwell: instances.unwell,
        },
        standbys: StandbyCounts {
            waiting: instances.standbys.waiting,
            missing: instances.standbys.missing,
            used: instances.standbys.used,
        },
        containment: ContainmentBody {
            sandboxed: containment.sandboxed,
            in_force: containment.in_force,
            missing: containment.missing,
            notes: containment.notes,
        },
        functions: functions.iter().map(|(function, ledger)| function_counts(function, ledger)).collect(),
    }))
}

/// The instances of the caller's functions at this moment. There are at most as many as the account may have.
pub(crate) fn instances(state: &ApiState, account: &AccountId) -> Response<Body> {
    let instances = state.engine.instances_of(account);
    let instances = instances.iter().map(|(function, instance)| InstanceBody {
        service_name: function.service.as_str(),
        function_name: function.name.as_str(),
        qualifier: instance.qualifier.as_str(),
        instance_id: instance.id.as_str(),
        state: match instance.state {
            InstanceState::Starting => "Starting",
            InstanceState::Idle => "Idle",
            InstanceState::Busy => "Busy",
            InstanceState::Draining => "Draining",
        },
        memory_max_mb: (instance.memory_max_mb * 100.0).round() / 100.0,
    });
    reply::json(&InstanceList { instances: instances.collect() })
}

/// The time triggers of the caller's functions, and when each is due.
pub(crate) fn timers(state: &ApiState, account: &AccountId) -> Response<Body> {
    let timers = state.engine.timers(account);
    let timers = timers.iter().map(|timer| TimerBody {
        service_name: timer.function.service.as_str(),
        function_name: timer.function.name.as_str(),
        trigger_name: timer.trigger.name.as_str(),
        qualifier: timer.trigger.qualifier.as_str(),
        cron_expression: &timer.config.cron_expression,
        enable: timer.config.enabled,
        last_tick: timer.last_tick.map(Timestamp::to_rfc3339),
        next_tick: timer.next_tick.map(Timestamp::to_rfc3339),
    });
    reply::json(&TimerList { timers: timers.collect() })
}

fn function_counts(function: &Function, ledger: &Ledger) -> FunctionCounts {
    let buckets = Bucket::ALL.iter().map(|bucket| (bucket.name(), ledger.get(*bucket)));
    FunctionCounts {
        service_name: function.service.to_string(),
        function_name: function.name.to_string(),
        ledger: buckets.chain([("accepted", ledger.accepted)]).collect(),
    }
}

/// The zip that a link names.
///
/// # Errors
/// `AccessDenied` for a link that is forged or expired; `FunctionNotFound` when the package is gone.
pub(crate) async fn code(state: &ApiState, path: &str) -> Result<Response<Body>, ApiError> {
    let refused =
        || ApiError::new(ErrorCode::AccessDenied, "the link is not valid or has expired; ask for a new one");
    let segments = path.strip_prefix(CODE_PREFIX).and_then(Segments::parse).ok_or_else(refused)?;
    let texts = segments.texts();
    let &[digest, expires, signature, key] = &texts[..segments.count()] else { return Err(refused()) };
    if !code_url::is_valid(&state.credentials, [digest, expires, signature, key], state.clock.now()) {
        return Err(refused());
    }
    let zip = state.engine.package(digest).await?.ok_or_else(|| {
        ApiError::new(ErrorCode::FunctionNotFound, "the code package of this link does not exist any more")
    })?;
    let mut response = Response::new(Body::from(zip));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/zip"));
    Ok(response)
}
