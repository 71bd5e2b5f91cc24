//! Functions called over HTTP (fc-behaviour 5): by the path form, by subdomain, by custom domain.
//!
//! Owns the life of such a call at the edge: what it is addressed to, who may call, limits, and the way to the function
//! and back. Never reads what passes through. Every address leads to the same rules; only how it is found differs.

mod address;
mod headers;
mod response;

pub(crate) use address::{Addressed, find, is_reserved};

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, Response, StatusCode, header};
use bide_engine::{AsyncCall, HttpAnswer, HttpCall, HttpRequest, HttpResponse};
use bide_types::ErrorCode;
use bide_types::limits::{ASYNC_PAYLOAD_BYTES_MAX, HTTP_PATH_BYTES_MAX, SYNC_PAYLOAD_BYTES_MAX};
use bide_types::resource::HttpAuth;

use crate::auth;
use crate::edge::Arrival;
use crate::error::ApiError;
use crate::invocation::{self, AsyncOptions, Mode, SyncOptions};
use crate::serve::Peer;

pub(crate) const ERROR_TYPE: &str = "x-fc-error-type";

type Answer = Result<Response<Body>, ApiError>;

/// Answers a call of a function over HTTP.
pub(crate) async fn answer(arrival: Arrival<'_>, addressed: Addressed) -> Answer {
    let engine = &arrival.state.engine;
    let answer = Box::pin(answer_to(arrival, &addressed)).await;
    invocation::tell(engine, addressed.target.target(), &answer);
    answer
}

async fn answer_to(mut arrival: Arrival<'_>, addressed: &Addressed) -> Answer {
    let head = arrival.head;
    check_size(head)?;
    let signed = authorize(&arrival, addressed)?;
    addressed.target.check_method(&head.method)?;
    let request = http_request(head, addressed)?;
    match invocation::mode(&head.headers)? {
        Mode::Async(options) => submit(&mut arrival, addressed, request, options).await,
        Mode::Sync(options) => {
            let options = SyncOptions { log_tail: options.log_tail && signed };
            Box::pin(run(&mut arrival, addressed, request, &options)).await
        }
    }
}

fn check_size(head: &Parts) -> Result<(), ApiError> {
    let path = head.uri.path_and_query().map_or(0, |target| target.as_str().len());
    if path > HTTP_PATH_BYTES_MAX {
        return Err(ApiError::invalid(format!("path and query exceed {HTTP_PATH_BYTES_MAX} bytes")));
    }
    headers::check_request_size(&head.headers)
}

/// Whether the caller proved to act for the account that owns the function.
///
/// # Errors
/// Those of [`auth::authenticate_http`], and `AccessDenied` for another account, when the trigger asks for a signature.
/// Without one a bad signature is no fault: the header may mean something to the function.
fn authorize(arrival: &Arrival<'_>, addressed: &Addressed) -> Result<bool, ApiError> {
    let (state, owner) = (arrival.state, &addressed.target.target().function().account);
    let signer = auth::authenticate_http(&state.credentials, arrival.head, state.clock.now());
    match addressed.target.trigger().auth {
        HttpAuth::Anonymous => Ok(signer.is_ok_and(|signer| signer.account() == owner)),
        HttpAuth::Function if signer?.account() == owner => Ok(true),
        HttpAuth::Function => Err(ApiError::new(
            ErrorCode::AccessDenied,
            "the access key is of another account than the function",
        )),
    }
}

fn http_request(head: &Parts, addressed: &Addressed) -> Result<HttpRequest, ApiError> {
    if !addressed.path.starts_with('/') {
        return Err(ApiError::invalid("the request must name a path"));
    }
    let mut headers = headers::to_function(&head.headers, addressed.target.trigger().auth);
    // An authority in the target outweighs the header (RFC 9112, 3.2.2), by which the call came to this function.
    if let Some(host) = head.uri.authority().and_then(|host| HeaderValue::from_str(host.as_str()).ok()) {
        headers.insert(header::HOST, host);
    }
    Ok(HttpRequest {
        method: head.method.clone(),
        path: addressed.path.clone(),
        query: head.uri.query().map(str::to_owned),
        headers,
        base_path: addressed.base_path.clone(),
        host: address::host(head).unwrap_or_default().to_owned(),
        client_ip: head.extensions.get::<Peer>().map(|peer| peer.ip),
        format: addressed.target.trigger().format,
    })
}

/// 202 once the whole call is on stable storage; never before.
async fn submit(
    arrival: &mut Arrival<'_>,
    addressed: &Addressed,
    request: HttpRequest,
    options: AsyncOptions,
) -> Answer {
    let body = arrival.read_body(ASYNC_PAYLOAD_BYTES_MAX).await?;
    let call = AsyncCall {
        request_id: arrival.request_id.clone(),
        task_id: options.task_id,
        stateful: options.task_mode,
        delay: options.delay,
        payload: body.bytes,
        parent: options.parent,
        http: Some(request),
    };
    let accepted = arrival.state.engine.submit(addressed.target.target(), call).await?;
    Ok(invocation::accepted(&accepted))
}

async fn run(
    arrival: &mut Arrival<'_>,
    addressed: &Addressed,
    request: HttpRequest,
    options: &SyncOptions,
) -> Answer {
    let (target, state) = (addressed.target.target(), arrival.state);
    let body = arrival.read_body(SYNC_PAYLOAD_BYTES_MAX).await?;
    let call = HttpCall {
        request_id: arrival.request_id.clone(),
        request,
        body: body.bytes.clone(),
        tracing: invocation::tracing_context(&arrival.head.headers),
        parent: invocation::trace_parent(&arrival.head.headers),
    };
    // Of an instance that serves several requests at once nobody can say whose lines they are (fc-behaviour 7.9).
    let log_tail = options.log_tail && target.function().instance_concurrency == 1;
    match state.engine.invoke_http(target, call).await? {
        HttpAnswer::Failed(outcome) => Ok(response::failed(*outcome, log_tail)),
        HttpAnswer::Response(response) => {
            let head = response_head(&response)?;
            if arrival.head.method == Method::HEAD || response::has_no_body(response.head.status) {
                response::without_body(response, head, log_tail).await
            } else if log_tail {
                response::gathered(response, head, &state.room).await
            } else {
                Ok(response::streamed(response, head, body))
            }
        }
    }
}

/// What the caller gets before the body.
///
/// # Errors
/// `BadResponse` for a head that HTTP or our limits do not allow.
fn response_head(response: &HttpResponse) -> Result<Response<()>, ApiError> {
    let status = response.head.status;
    if status.is_informational() {
        return Err(ApiError::new(
            ErrorCode::BadResponse,
            format!("the function answered with status {status}"),
        ));
    }
    let mut head = Response::new(());
    *head.status_mut() = status;
    *head.headers_mut() = headers::to_caller(&response.head.headers)?;
    if let Some(instance) = &response.instance {
        head.headers_mut().insert("x-fc-instance-id", invocation::text(instance.as_str()));
    }
    Ok(head)
}

/// Marks the answer of a platform error, so that callers can tell it from one of the function.
pub(crate) fn mark_error(response: &mut Response<Body>) {
    response.headers_mut().insert(ERROR_TYPE, HeaderValue::from_static("FcCommonError"));
}

fn json(status: StatusCode, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
