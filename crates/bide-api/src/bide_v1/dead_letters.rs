//! Destination records that were given up: list, show, deliver again, drop.
//!
//! Owns their wire form and routes, below `/bide/v1/deadletters`.

use axum::body::Body;
use axum::http::{Method, Response};
use bide_engine::{LetterView, OutboxPosition};
use bide_types::{AccountId, InvocationId, Timestamp, limits};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::error::ApiError;
use crate::query::Query;
use crate::reply;
use crate::state::ApiState;

pub(crate) const PREFIX: &str = "/bide/v1/deadletters";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LetterBody<'a> {
    id: String,
    request_id: &'a str,
    function_arn: &'a str,
    destination: &'a str,
    condition: &'a str,
    attempts: u32,
    /// Milliseconds since 1970: when it was given up.
    since: u64,
    reason: &'a str,
    /// As it would be sent; when one is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<&'a RawValue>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LetterList<'a> {
    dead_letters: Vec<LetterBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
struct Changed {
    changed: usize,
}

impl<'a> LetterBody<'a> {
    fn new(view: &'a LetterView, record: Option<&'a RawValue>) -> Self {
        let letter = &view.letter;
        Self {
            id: letter.delivery.invocation.to_string(),
            request_id: letter.delivery.request_id.as_str(),
            function_arn: &view.function_arn,
            destination: &letter.delivery.target,
            condition: view.condition(),
            attempts: letter.attempts,
            since: letter.since.as_millis(),
            reason: &letter.reason,
            record,
        }
    }
}

/// Answers a call below [`PREFIX`]; `rest` is what follows it. `None` if there is no such route.
pub(crate) async fn route(
    state: &ApiState,
    method: &Method,
    rest: &str,
    query: Option<&str>,
    account: &AccountId,
) -> Result<Option<Response<Body>>, ApiError> {
    if !rest.is_empty() && !rest.starts_with('/') {
        return Ok(None);
    }
    let segments: Vec<&str> = rest.split('/').skip(1).collect();
    let response = match (method, &segments[..]) {
        (&Method::GET, []) => list(state, query, account).await?,
        (&Method::DELETE, []) => change_all(state, account, false).await?,
        (&Method::POST, ["redrive"]) => change_all(state, account, true).await?,
        (&Method::GET, [id]) => show(state, account, parse_id(id)?).await?,
        (&Method::DELETE, [id]) => change(state, account, parse_id(id)?, false).await?,
        (&Method::POST, [id, "redrive"]) => change(state, account, parse_id(id)?, true).await?,
        _ => return Ok(None),
    };
    Ok(Some(response))
}

async fn list(
    state: &ApiState,
    query: Option<&str>,
    account: &AccountId,
) -> Result<Response<Body>, ApiError> {
    let query = Query::parse(query)?;
    let after = query.text("nextToken").map(parse_token).transpose()?;
    let limit = query.limit(limits::LIST_PAGE_DEFAULT)?;
    let page = state.engine.dead_letters(account, after, limit).await?;
    Ok(reply::json(&LetterList {
        dead_letters: page.letters.iter().map(|view| LetterBody::new(view, None)).collect(),
        next_token: page.next.map(|(since, id)| format!("{}-{}", since.as_micros(), id.get())),
    }))
}

async fn show(state: &ApiState, account: &AccountId, id: InvocationId) -> Result<Response<Body>, ApiError> {
    let (view, record) = state.engine.dead_letter(account, id).await?;
    let record: &RawValue = serde_json::from_slice(&record).map_err(|_| ApiError::internal())?;
    Ok(reply::json(&LetterBody::new(&view, Some(record))))
}

async fn change(
    state: &ApiState,
    account: &AccountId,
    id: InvocationId,
    redrive: bool,
) -> Result<Response<Body>, ApiError> {
    state.engine.change_dead_letter(account, id, redrive).await?;
    Ok(reply::json(&Changed { changed: 1 }))
}

async fn change_all(
    state: &ApiState,
    account: &AccountId,
    redrive: bool,
) -> Result<Response<Body>, ApiError> {
    let changed = state.engine.change_dead_letters(account, redrive).await?;
    Ok(reply::json(&Changed { changed }))
}

fn parse_id(text: &str) -> Result<InvocationId, ApiError> {
    let number = text.strip_prefix("inv-").and_then(|number| number.parse().ok());
    number
        .map(InvocationId::new)
        .ok_or_else(|| ApiError::invalid("the id of a dead letter must be of the form inv-NUMBER"))
}

fn parse_token(token: &str) -> Result<OutboxPosition, ApiError> {
    let position = || {
        let (since, id) = token.split_once('-')?;
        Some((Timestamp::from_micros(since.parse().ok()?), InvocationId::new(id.parse().ok()?)))
    };
    position().ok_or_else(|| ApiError::invalid("query parameter 'nextToken' is not one of this list"))
}
