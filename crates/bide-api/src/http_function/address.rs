//! What an HTTP call is addressed to: by its host, else by its path.
//!
//! Owns the three forms of address (fc-api 1.3), and that none of them shadows the API: a host counts only if it lies below
//! the HTTP domain or is a custom domain, and neither can be a name by which the API is reached.

use axum::http::header::HOST;
use axum::http::request::Parts;
use axum::http::uri::Authority;
use bide_engine::HttpTarget;
use bide_types::{AccountId, DomainName};
use percent_encoding::percent_decode_str;

use crate::auth;
use crate::error::ApiError;
use crate::path::service_and_qualifier;
use crate::state::ApiState;

/// What the path form begins with.
const PROXY_PREFIX: &str = "/2016-08-15/proxy/";

/// An HTTP call's function, and how the call's path is divided between address and function.
pub(crate) struct Addressed {
    pub(crate) target: HttpTarget,
    /// What belongs to the address; empty on a domain.
    pub(crate) base_path: String,
    /// What the function sees.
    pub(crate) path: String,
}

/// What a request is addressed to; `None` if it is a call of the API.
pub(crate) fn find(state: &ApiState, head: &Parts) -> Option<Result<Addressed, ApiError>> {
    let path = head.uri.path();
    if let Some(name) = host(head).and_then(name_of_host)
        && let Some(found) = by_host(state, &name, path)
    {
        return Some(found.map(|target| Addressed {
            target,
            base_path: String::new(),
            path: path.to_owned(),
        }));
    }
    path.starts_with(PROXY_PREFIX).then(|| by_path(state, head, path))
}

fn by_host(state: &ApiState, name: &str, path: &str) -> Option<Result<HttpTarget, ApiError>> {
    if let Some(label) = state.domains.label_of(name) {
        return Some(Ok(state.engine.http_target_of_subdomain(label, name)).and_then(|found| Ok(found?)));
    }
    if state.domains.is_api_host(name) {
        return None;
    }
    state.engine.http_target_of_domain(name, path).map(|found| Ok(found?))
}

/// `/2016-08-15/proxy/{service}[.{qualifier}]/{function}/{path}`
fn by_path(state: &ApiState, head: &Parts, path: &str) -> Result<Addressed, ApiError> {
    let not_supported = || ApiError::path_not_supported(head.method.as_str(), path);
    let decode = |text| percent_decode_str(text).decode_utf8().map_err(|_| not_supported());
    let address = path.strip_prefix(PROXY_PREFIX).ok_or_else(not_supported)?;
    let (segment, rest) = address.split_once('/').ok_or_else(not_supported)?;
    let (function, _) = rest.split_once('/').unwrap_or((rest, ""));
    let length = PROXY_PREFIX.len() + segment.len() + 1 + function.len();
    let (base_path, path) = path.split_at(length);
    let (segment, function) = (decode(segment)?, decode(function)?);
    if function.is_empty() {
        return Err(not_supported());
    }
    let (service, qualifier) = service_and_qualifier(&segment)?;
    let account = account(state, head)?;
    let target = state.engine.http_target(&account, service, &function, &qualifier)?;
    let path = if path.is_empty() { "/" } else { path };
    Ok(Addressed { target, base_path: base_path.to_owned(), path: path.to_owned() })
}

/// Whose function the path form means: the path names no account. It never depends on which functions other accounts
/// have.
///
/// # Errors
/// `MissingRequiredHeader` when nothing says it and the server has several accounts.
fn account(state: &ApiState, head: &Parts) -> Result<AccountId, ApiError> {
    if let Some(account) = auth::claimed_account(&state.credentials, head)? {
        return Ok(account.clone());
    }
    if let Some(account) = auth::hinted_account(&head.headers) {
        return Ok(account);
    }
    // The vendor's endpoints begin with the account.
    let label = host(head).and_then(|host| host.split('.').next());
    let named = label.and_then(|label| state.credentials.account(label));
    let found = named.or_else(|| state.credentials.sole_account()).cloned();
    found.ok_or_else(|| ApiError::missing_header("X-Fc-Account-Id"))
}

/// The host that the caller addressed, as sent.
pub(crate) fn host(head: &Parts) -> Option<&str> {
    match head.uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => head.headers.get(HOST)?.to_str().ok(),
    }
}

/// The name in a host, in lower case and without its port.
pub(crate) fn name_of_host(host: &str) -> Option<String> {
    let authority = host.parse::<Authority>().ok()?;
    let name = authority.host().trim_end_matches('.');
    Some(name.to_ascii_lowercase())
}

/// Why `name` cannot be a custom domain. A domain takes all that is sent to its name, other accounts' calls of the API
/// included, so it must be sure that the API does not have it.
pub(crate) fn is_reserved(state: &ApiState, head: &Parts, name: &DomainName) -> Option<&'static str> {
    let reached_by = host(head).and_then(name_of_host);
    if !name.as_str().contains('.') {
        Some("it has no dot; such names are kept for servers")
    } else if state.domains.is_api_host(name.as_str()) || reached_by.as_deref() == Some(name.as_str()) {
        Some("it is a name of this server's API")
    } else if state.domains.api_hosts.is_empty() && state.credentials.sole_account().is_none() {
        Some(
            "this server has several accounts, and its setting api_hosts does not say how its API is reached",
        )
    } else if state.domains.is_http_domain(name) {
        Some("names under the server's HTTP domain are given by the server")
    } else {
        None
    }
}
