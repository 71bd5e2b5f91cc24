//! InvokeFunction, synchronous and asynchronous.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bide_engine::{AsyncCall, AttemptOutcome, AttemptResult, SyncCall, Target};
use bide_types::limits::{ASYNC_PAYLOAD_BYTES_MAX, SYNC_PAYLOAD_BYTES_MAX};

use super::Answer;
use crate::edge::Call;
use crate::error::ApiError;
use crate::invocation::{self, AsyncOptions, Mode, SyncOptions, error_type, text, tracing_context};
use crate::path::service_and_qualifier;

/// The headers of a result that scripts in browsers may read.
const EXPOSED_HEADERS: &str = "Date,x-fc-request-id,x-fc-error-type,x-fc-code-checksum,x-fc-invocation-duration,\
    x-fc-max-memory-usage,x-fc-log-result,x-fc-instance-id,x-fc-invocation-code-version,\
    x-fc-invocation-service-version";

pub(super) async fn invoke(call: Call<'_>, segment: &str, function: &str) -> Answer {
    let (service, qualifier) = service_and_qualifier(segment)?;
    let target = call.state.engine.resolve(call.account(), service, function, &qualifier)?;
    let engine = &call.state.engine;
    let answer = match invocation::mode(&call.head.headers) {
        Ok(Mode::Async(options)) => submit(call, &target, options).await,
        Ok(Mode::Sync(options)) => Box::pin(run(call, &target, &options)).await,
        Err(error) => Err(error),
    };
    invocation::tell(engine, &target, &answer);
    answer
}

/// 202 once the event is on stable storage; never before.
async fn submit(mut call: Call<'_>, target: &Target, options: AsyncOptions) -> Answer {
    let body = call.read_body(ASYNC_PAYLOAD_BYTES_MAX).await?;
    let submission = AsyncCall {
        request_id: call.request_id.clone(),
        task_id: options.task_id,
        stateful: options.task_mode,
        delay: options.delay,
        payload: body.bytes,
        parent: options.parent,
        http: None,
    };
    let accepted = call.state.engine.submit(target, submission).await?;
    Ok(invocation::accepted(&accepted))
}

async fn run(mut call: Call<'_>, target: &Target, options: &SyncOptions) -> Answer {
    let body = call.read_body(SYNC_PAYLOAD_BYTES_MAX).await?;
    let request = SyncCall {
        request_id: call.request_id.clone(),
        payload: body.bytes.clone(),
        tracing: tracing_context(&call.head.headers),
        parent: invocation::trace_parent(&call.head.headers),
    };
    let outcome = call.state.engine.invoke(target, request).await?;
    result(target, outcome, options)
}

/// The result of a run. A failure of the function's code is a result as well, with status 200 and its error type.
fn result(target: &Target, outcome: AttemptOutcome, options: &SyncOptions) -> Answer {
    let mut headers = result_headers(target, &outcome);
    // Of an instance that serves several requests at once nobody can say whose lines they are (fc-behaviour 7.9).
    if options.log_tail && target.function().instance_concurrency == 1 {
        headers.insert("x-fc-log-result", text(&BASE64.encode(&outcome.log_tail)));
    }
    let body = match outcome.result {
        AttemptResult::Returned(body) => body,
        AttemptResult::FunctionError { kind, body, .. } => {
            headers.insert("x-fc-error-type", HeaderValue::from_static(error_type(kind)));
            body
        }
        AttemptResult::SystemError { .. } | AttemptResult::Stopped => return Err(ApiError::internal()),
    };
    let mut response = Response::new(Body::from(body));
    *response.headers_mut() = headers;
    Ok(response)
}

fn result_headers(target: &Target, outcome: &AttemptOutcome) -> HeaderMap {
    let octets = HeaderValue::from_static("application/octet-stream");
    let code = &target.function().code;
    let pairs = [
        (header::CONTENT_TYPE, octets),
        (header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED_HEADERS)),
        (name("x-fc-invocation-duration"), text(&outcome.duration.as_millis().to_string())),
        (name("x-fc-max-memory-usage"), text(&format!("{:.2}", outcome.memory_max_mb))),
        (name("x-fc-code-checksum"), text(&code.crc64.to_string())),
        (name("x-fc-instance-id"), text(outcome.instance.as_str())),
        (name("x-fc-invocation-service-version"), text(target.version().as_str())),
        (name("x-fc-invocation-code-version"), text(target.version().as_str())),
    ];
    pairs.into_iter().collect()
}

fn name(text: &'static str) -> HeaderName {
    HeaderName::from_static(text)
}
