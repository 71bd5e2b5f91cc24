//! The instances of a function that have started (fc-api 4.1, "ListInstances").

use bide_engine::InstanceState;
use bide_types::limits::LIST_PAGE_DEFAULT;
use serde::Serialize;

use super::{Answer, target};
use crate::edge::Call;
use crate::query::Query;
use crate::reply;

/// What `LATEST` is called here; the Go library wants a number.
const LATEST_VERSION: u32 = 0;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InstanceBody<'a> {
    instance_id: &'a str,
    version_id: u32,
}

#[derive(Serialize)]
struct InstanceList<'a> {
    instances: Vec<InstanceBody<'a>>,
}

pub(super) async fn list(call: Call<'_>, segment: &str, function: &str) -> Answer {
    let query = Query::parse(call.head.uri.query())?;
    let (wanted, limit) = (query.texts("instanceIds"), query.limit(LIST_PAGE_DEFAULT)?);
    let instances = call.state.engine.instances(&target(&call, segment, function)?);
    let started = instances.iter().filter(|instance| instance.state != InstanceState::Starting);
    let named = started.map(|instance| instance.id.as_str());
    let found = named.filter(|id| wanted.is_empty() || wanted.contains(id)).take(limit);
    let instances =
        found.map(|instance_id| InstanceBody { instance_id, version_id: LATEST_VERSION }).collect();
    Ok(reply::json(&InstanceList { instances }))
}
