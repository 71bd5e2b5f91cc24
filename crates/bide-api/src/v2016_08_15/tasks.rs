//! Tasks ("stateful async invocations"): list, get, stop, and the functions that have them (fc-api 6).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bide_engine::{
    DestinationStatus, Event, Invocation, Mode, SortOrder, State, Status, Target, TaskQuery, TaskView,
};
use bide_types::{ErrorCode, InvocationId, TaskId, Timestamp, limits};
use serde::Serialize;

use super::{Answer, page};
use crate::edge::Call;
use crate::error::ApiError;
use crate::path::service_and_qualifier;
use crate::query::Query;
use crate::reply;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TaskBody<'a> {
    service_name: &'a str,
    function_name: &'a str,
    qualifier: &'a str,
    invocation_id: &'a str,
    request_id: &'a str,
    status: &'static str,
    /// Time of acceptance: it exists in every state, and the filters of the list act on it.
    started_time: u64,
    end_time: u64,
    duration_ms: u64,
    already_retried_times: u32,
    destination_status: &'static str,
    invocation_error_message: &'a str,
    #[serde(flatten)]
    payload: Option<InvocationPayload>,
    #[serde(flatten)]
    result: Option<ReturnPayload>,
    instance_id: &'a str,
    events: Vec<EventBody<'a>>,
}

/// Bytes as text. Those that are no text become base64, which a field of bide's own says.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InvocationPayload {
    invocation_payload: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    invocation_payload_is_base64: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReturnPayload {
    return_payload: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    return_payload_is_base64: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EventBody<'a> {
    event_id: usize,
    status: &'static str,
    timestamp: u64,
    event_detail: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TaskList<'a> {
    invocations: Vec<TaskBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StatefulFunction {
    service_name: String,
    function_name: String,
    qualifier: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StatefulFunctionList {
    data: Vec<StatefulFunction>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

pub(super) async fn list(call: Call<'_>, segment: &str, function: &str) -> Answer {
    let target = resolve(&call, segment, function)?;
    let query = read_query(&Query::parse(call.head.uri.query())?, &target)?;
    let found = call.state.engine.tasks(query).await?;
    let invocations = found.tasks.iter().map(|task| TaskBody::new(&target, task)).collect();
    let next_token = found.next.map(|id| format!("{:x}", id.get()));
    Ok(reply::json(&TaskList { invocations, next_token }))
}

pub(super) async fn get(call: Call<'_>, segment: &str, function: &str, id: &str) -> Answer {
    let target = resolve(&call, segment, function)?;
    let task = call.state.engine.task(&target, &task_id(id)?).await?;
    Ok(reply::json(&TaskBody::new(&target, &task)))
}

pub(super) async fn stop(call: Call<'_>, segment: &str, function: &str, id: &str) -> Answer {
    let target = resolve(&call, segment, function)?;
    call.state.engine.stop_task(&target, &task_id(id)?).await?;
    Ok(reply::json(&serde_json::Map::new()))
}

pub(super) async fn list_functions(call: Call<'_>) -> Answer {
    let query = Query::parse(call.head.uri.query())?;
    let functions = call.state.engine.stateful_functions(call.account());
    let each = functions.iter().flat_map(|(function, qualifiers)| {
        qualifiers.iter().map(|qualifier| StatefulFunction {
            service_name: function.value.service.to_string(),
            function_name: function.value.name.to_string(),
            qualifier: qualifier.to_string(),
        })
    });
    let named =
        each.map(|item| (format!("{}/{}/{}", item.service_name, item.function_name, item.qualifier), item));
    let (data, next_token) = page(named, query.text("nextToken"), query.limit(limits::LIST_PAGE_DEFAULT)?);
    Ok(reply::json(&StatefulFunctionList { data, next_token }))
}

fn resolve(call: &Call<'_>, segment: &str, function: &str) -> Result<Target, ApiError> {
    let (service, qualifier) = service_and_qualifier(segment)?;
    Ok(call.state.engine.resolve(call.account(), service, function, &qualifier)?)
}

/// An id that cannot be one names no task.
fn task_id(text: &str) -> Result<TaskId, ApiError> {
    TaskId::new(text)
        .map_err(|error| ApiError::new(ErrorCode::StatefulAsyncInvocationNotFound, error.to_string()))
}

fn read_query(query: &Query, target: &Target) -> Result<TaskQuery, ApiError> {
    let status = match query.text("status") {
        None => None,
        Some(name) => Some(Status::parse(name).ok_or_else(|| {
            let known: Vec<_> = Status::ALL.iter().map(|status| status.as_str()).collect();
            ApiError::invalid(format!("query parameter 'status' must be one of {}", known.join(", ")))
        })?),
    };
    let order = match query.text("sortOrderByTime") {
        None | Some("desc") => SortOrder::NewestFirst,
        Some("asc") => SortOrder::OldestFirst,
        Some(_) => return Err(ApiError::invalid("query parameter 'sortOrderByTime' must be asc or desc")),
    };
    let after = match query.text("nextToken") {
        None => None,
        Some(token) => Some(InvocationId::new(u64::from_str_radix(token, 16).map_err(|_| {
            ApiError::invalid("query parameter 'nextToken' is not one that this operation returned")
        })?)),
    };
    Ok(TaskQuery {
        function: target.function().id,
        qualifier: Some(target.qualifier.clone()),
        status,
        id_prefix: query.text("invocationIdPrefix").map(str::to_owned),
        accepted_from: query.number("startedTimeBegin", 0..=u64::MAX)?.map(Timestamp::from_millis),
        accepted_to: query.number("startedTimeEnd", 0..=u64::MAX)?.map(Timestamp::from_millis),
        order,
        limit: query.limit(limits::TASK_LIST_PAGE_DEFAULT)?,
        after,
        payloads: query.flag("includePayload")?,
    })
}

impl<'a> TaskBody<'a> {
    fn new(target: &'a Target, task: &'a TaskView) -> Self {
        let function = target.function();
        let invocation = &task.invocation;
        let settlement = invocation.settlement();
        Self {
            service_name: function.service.as_str(),
            function_name: function.name.as_str(),
            qualifier: invocation.qualifier.as_str(),
            invocation_id: invocation.task_id().map_or("", TaskId::as_str),
            request_id: invocation.request_id.as_str(),
            status: invocation.status().as_str(),
            started_time: invocation.accepted_at.as_millis(),
            end_time: settlement.map_or(0, |settlement| settlement.at.as_millis()),
            duration_ms: settlement
                .map_or(0, |settlement| u64::try_from(settlement.duration.as_millis()).unwrap_or(u64::MAX)),
            already_retried_times: invocation.retries,
            destination_status: destination_status(invocation.destination),
            invocation_error_message: settlement.map_or("", |settlement| settlement.outcome.error_message()),
            payload: task.payload.as_deref().map(|bytes| {
                let (invocation_payload, invocation_payload_is_base64) = text(bytes);
                InvocationPayload { invocation_payload, invocation_payload_is_base64 }
            }),
            result: task.result.as_deref().map(|bytes| {
                let (return_payload, return_payload_is_base64) = text(bytes);
                ReturnPayload { return_payload, return_payload_is_base64 }
            }),
            instance_id: instance(invocation),
            events: events(invocation),
        }
    }
}

fn instance(invocation: &Invocation) -> &str {
    let instance = match &invocation.state {
        State::Running { instance, .. } => Some(instance),
        State::Stopping { instance, .. } => instance.as_ref(),
        State::Settled(settlement) => settlement.instance.as_ref(),
        State::Enqueued | State::Dequeued { .. } | State::Backoff { .. } | State::Retrying { .. } => None,
    };
    instance.map_or("", |instance| instance.as_str())
}

fn events(invocation: &Invocation) -> Vec<EventBody<'_>> {
    let timeline: &[Event] = match &invocation.mode {
        Mode::Plain => &[],
        Mode::Task { timeline, .. } => timeline,
    };
    let numbered = timeline.iter().enumerate();
    numbered
        .map(|(index, event)| EventBody {
            event_id: index + 1,
            status: event.status.as_str(),
            timestamp: event.at.as_millis(),
            event_detail: &event.detail,
        })
        .collect()
}

fn destination_status(status: DestinationStatus) -> &'static str {
    match status {
        DestinationStatus::None => "",
        DestinationStatus::Pending => "Pending",
        DestinationStatus::Delivered => "Succeeded",
        DestinationStatus::Failed | DestinationStatus::DeadLettered => "Failed",
    }
}

/// The bytes as text, and whether they had to become base64 for that.
fn text(bytes: &[u8]) -> (String, bool) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (text.to_owned(), false),
        Err(_) => (BASE64.encode(bytes), true),
    }
}
