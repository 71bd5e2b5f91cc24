//! The instances of a function that have started (fc-api 4.1, "ListInstances").

use bide_engine::{InstanceInfo, InstanceState};
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

impl<'a> From<&'a InstanceInfo> for InstanceBody<'a> {
    fn from(instance: &'a InstanceInfo) -> Self {
        let version_id = instance.qualifier.version_number().unwrap_or(LATEST_VERSION);
        Self { instance_id: instance.id.as_str(), version_id }
    }
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
    let found = started.filter(|instance| wanted.is_empty() || wanted.contains(&instance.id.as_str()));
    let instances = found.take(limit).map(InstanceBody::from).collect();
    Ok(reply::json(&InstanceList { instances }))
}
