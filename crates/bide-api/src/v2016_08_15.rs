//! API generation 2016-08-15: services that contain functions, qualifiers in the path, the FC signature.
//!
//! Owns the routes and the wire form of this generation; every module below is one group of operations, and each
//! handler translates, makes one call of the domain, and translates back. Never holds a rule of the domain.

mod aliases;
mod async_config;
mod code;
mod domains;
mod functions;
mod instances;
mod invoke;
mod layers;
mod on_demand;
mod provision;
mod services;
mod tasks;
mod triggers;
mod versions;

use axum::body::Body;
use axum::http::{Method, Response};
use bide_engine::{Listing, Target};
use bide_types::limits::LIST_PAGE_DEFAULT;

use crate::edge::Call;
use crate::error::ApiError;
use crate::path::{Segments, service_and_qualifier};
use crate::query::Query;

/// What the path of every request of this generation starts with.
pub(crate) const PREFIX: &str = "/2016-08-15/";

/// Largest body of a call that carries no code.
const SETTINGS_BODY_BYTES_MAX: usize = 64 * 1024;

type Answer = Result<Response<Body>, ApiError>;

/// Answers an authenticated call. Invocations come first and unboxed: they are the hot path.
pub(crate) async fn route(call: Call<'_>, segments: &Segments<'_>) -> Answer {
    let texts = segments.texts();
    match (&call.head.method, &texts[..segments.count()]) {
        (&Method::POST, ["services", service, "functions", function, "invocations"]) => {
            invoke::invoke(call, service, function).await
        }
        (_, path) => Box::pin(route_management(call, path)).await,
    }
}

/// The table of contents of this generation.
#[rustfmt::skip] // one line per operation
async fn route_management(call: Call<'_>, path: &[&str]) -> Answer {
    match (&call.head.method, path) {
        (&Method::POST,   ["services"]) => services::create(call).await,
        (&Method::GET,    ["services"]) => services::list(call).await,
        (&Method::GET,    ["services", s]) => services::get(call, s).await,
        (&Method::PUT,    ["services", s]) => services::update(call, s).await,
        (&Method::DELETE, ["services", s]) => services::delete(call, s).await,

        (&Method::POST,   ["services", s, "versions"]) => versions::publish(call, s).await,
        (&Method::GET,    ["services", s, "versions"]) => versions::list(call, s).await,
        (&Method::DELETE, ["services", s, "versions", v]) => versions::delete(call, s, v).await,

        (&Method::POST,   ["services", s, "aliases"]) => aliases::create(call, s).await,
        (&Method::GET,    ["services", s, "aliases"]) => aliases::list(call, s).await,
        (&Method::GET,    ["services", s, "aliases", a]) => aliases::get(call, s, a).await,
        (&Method::PUT,    ["services", s, "aliases", a]) => aliases::update(call, s, a).await,
        (&Method::DELETE, ["services", s, "aliases", a]) => aliases::delete(call, s, a).await,

        (&Method::POST,   ["services", s, "functions"]) => functions::create(call, s).await,
        (&Method::GET,    ["services", s, "functions"]) => functions::list(call, s).await,
        (&Method::GET,    ["services", s, "functions", f]) => functions::get(call, s, f).await,
        (&Method::PUT,    ["services", s, "functions", f]) => functions::update(call, s, f).await,
        (&Method::DELETE, ["services", s, "functions", f]) => functions::delete(call, s, f).await,
        (&Method::GET,    ["services", s, "functions", f, "code"]) => code::get(call, s, f).await,

        (&Method::POST,   ["services", s, "functions", f, "triggers"]) => triggers::create(call, s, f).await,
        (&Method::GET,    ["services", s, "functions", f, "triggers"]) => triggers::list(call, s, f).await,
        (&Method::GET,    ["services", s, "functions", f, "triggers", t]) => triggers::get(call, s, f, t).await,
        (&Method::PUT,    ["services", s, "functions", f, "triggers", t]) => triggers::update(call, s, f, t).await,
        (&Method::DELETE, ["services", s, "functions", f, "triggers", t]) => triggers::delete(call, s, f, t).await,

        (&Method::POST,   ["custom-domains"]) => domains::create(call).await,
        (&Method::GET,    ["custom-domains"]) => domains::list(call).await,
        (&Method::GET,    ["custom-domains", d]) => domains::get(call, d).await,
        (&Method::PUT,    ["custom-domains", d]) => domains::update(call, d).await,
        (&Method::DELETE, ["custom-domains", d]) => domains::delete(call, d).await,

        (&Method::PUT,    ["services", s, "functions", f, "async-invoke-config"]) => async_config::put(call, s, f).await,
        (&Method::GET,    ["services", s, "functions", f, "async-invoke-config"]) => async_config::get(call, s, f).await,
        (&Method::DELETE, ["services", s, "functions", f, "async-invoke-config"]) => async_config::delete(call, s, f).await,
        (&Method::GET,    ["services", s, "functions", f, "async-invoke-configs"]) => async_config::list(call, s, f).await,

        (&Method::GET,    ["services", s, "functions", f, "stateful-async-invocations"]) => tasks::list(call, s, f).await,
        (&Method::GET,    ["services", s, "functions", f, "stateful-async-invocations", id]) => tasks::get(call, s, f, id).await,
        (&Method::PUT,    ["services", s, "functions", f, "stateful-async-invocations", id]) => tasks::stop(call, s, f, id).await,
        (&Method::GET,    ["stateful-async-invocation-functions"]) => tasks::list_functions(call).await,

        (&Method::PUT,    ["services", s, "functions", f, "provision-config"]) => provision::put(call, s, f).await,
        (&Method::GET,    ["services", s, "functions", f, "provision-config"]) => provision::get(call, s, f).await,
        (&Method::GET,    ["provision-configs"]) => provision::list(call).await,
        (&Method::PUT,    ["services", s, "functions", f, "on-demand-config"]) => on_demand::put(call, s, f).await,
        (&Method::GET,    ["services", s, "functions", f, "on-demand-config"]) => on_demand::get(call, s, f).await,
        (&Method::DELETE, ["services", s, "functions", f, "on-demand-config"]) => on_demand::delete(call, s, f).await,
        (&Method::GET,    ["on-demand-configs"]) => on_demand::list(call).await,
        (&Method::GET,    ["services", s, "functions", f, "instances"]) => instances::list(call, s, f).await,

        (&Method::GET,    ["layers"]) => layers::list(call).await,
        (&Method::POST,   ["layers", l, "versions"]) => layers::publish(call, l).await,
        (&Method::GET,    ["layers", l, "versions"]) => layers::list_versions(call, l).await,
        (&Method::GET,    ["layers", l, "versions", v]) => layers::get(call, l, v).await,
        (&Method::DELETE, ["layers", l, "versions", v]) => layers::delete(call, l, v).await,
        // The name has slashes, which some clients send as they are.
        (&Method::GET,    ["layerarn", arn @ ..]) if !arn.is_empty() => layers::get_by_arn(call, &arn.join("/")).await,

        _ => Err(call.path_not_supported()),
    }
}

/// What a call on a function and qualifier is about.
fn target(call: &Call<'_>, segment: &str, function: &str) -> Result<Target, ApiError> {
    let (service, qualifier) = service_and_qualifier(segment)?;
    Ok(call.state.engine.resolve(call.account(), service, function, &qualifier)?)
}

/// Which part of an alphabetical list is asked for. The token is the name that the page starts with.
fn listing(query: &Query) -> Result<Listing, ApiError> {
    Ok(Listing {
        prefix: query.text("prefix").map(str::to_owned),
        start: query.text("nextToken").or_else(|| query.text("startKey")).map(str::to_owned),
        limit: query.limit(LIST_PAGE_DEFAULT)?,
    })
}

/// One page of items in the order of their names, and the name that the next page starts with.
fn page<T>(
    named: impl Iterator<Item = (String, T)>,
    start: Option<&str>,
    limit: usize,
) -> (Vec<T>, Option<String>) {
    let mut rest = named.skip_while(|(name, _)| start.is_some_and(|start| name.as_str() < start));
    let items = rest.by_ref().take(limit).map(|(_, item)| item).collect();
    (items, rest.next().map(|(name, _)| name))
}
