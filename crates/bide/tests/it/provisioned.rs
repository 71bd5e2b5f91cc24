//! Instances that are kept ready.

use http::Method;
use serde_json::{Value, json};

use crate::support::{Api, Function, World, bide, until};

/// Notes in the journal that it runs.
const TOLD: &str = r#"
import os
from journal import note

def handler(event, context):
    note(id="ran", instance=os.environ["FC_INSTANCE_ID"])
"#;

async fn put(world: &World, config: &str, body: Value) -> Value {
    let path = format!("{}/{config}", Api::path("told"));
    world.api.client().json(Method::PUT, &path, Some(&body)).await.expect("put")
}

async fn get(world: &World, what: &str) -> Value {
    world.api.client().json(Method::GET, &format!("{}/{what}", Api::path("told")), None).await.expect("got")
}

/// The ids of the function's instances, once there are `count` that are ready.
async fn instances(world: &World, count: u64) -> Vec<String> {
    let current = async || (get(world, "provision-config").await["current"] == count).then_some(());
    until("the instances are ready", current).await;
    let list = get(world, "instances").await;
    let ids = list["instances"].as_array().unwrap().iter();
    ids.map(|instance| instance["instanceId"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn provisioned_instances_are_there_before_the_first_call_also_after_a_restart_and_a_crash() {
    let mut world = World::start().await;
    world.api.deploy("told", Function::python(TOLD).journal(&world.journal)).await;
    put(&world, "provision-config", json!({ "target": 2 })).await;
    put(&world, "on-demand-config", json!({ "maximumInstanceCount": 0 })).await;
    assert_eq!(instances(&world, 2).await.len(), 2);
    world.api.invoke("told", "").await;
    world.restart().await;
    let fresh = instances(&world, 2).await;
    world.crash().await;
    let ids = instances(&world, 2).await;
    assert!(ids.iter().all(|id| !fresh.contains(id)), "{ids:?} {fresh:?}");
    world.api.invoke("told", "").await;
    let ran = world.journal.of("ran");
    assert!(ids.iter().any(|id| ran[1]["instance"] == *id), "{ran:?} {ids:?}");

    let shown = bide(&world.server, &["instances", "--output", "json"]).await.json();
    assert_eq!((shown.as_array().unwrap().len(), &shown[0]["state"]), (2, &json!("Idle")));
    put(&world, "provision-config", json!({ "target": 0 })).await;
    let refused = world.api.try_invoke("told", "", &[]).await;
    assert!(
        refused.is_err_and(|error| error.is_refusal("ResourceExhausted")),
        "no instance is allowed any more"
    );
}
