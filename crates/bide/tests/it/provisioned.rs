//! Instances that are kept ready, what they are told before they end or are frozen, and what they share.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use serde_json::{Value, json};

use crate::support::{Api, Function, World, bide, status, text, until, zip};

/// Notes in the journal that it runs and that it is told of its end.
const TOLD: &str = r#"
import os, time
from journal import note

def handler(event, context):
    note(id="ran", instance=os.environ["FC_INSTANCE_ID"])
    if event == b"hang":
        time.sleep(1000)

def stop(context):
    note(id="told")

def freeze(context):
    note(id="freezes")
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

#[tokio::test]
async fn a_running_task_is_told_before_it_is_stopped() {
    let world = World::start().await;
    let hooks = json!({ "preStop": { "handler": "index.stop", "timeout": 20 } });
    let function = Function::python(TOLD).journal(&world.journal).with("instanceLifecycleConfig", hooks);
    world.api.deploy("told", function).await;
    world.api.submit_task("told", "job", "hang").await;
    until("it runs", async || (world.journal.of("ran").len() == 1).then_some(())).await;
    world.api.stop_task("told", "job").await;
    let task = world.api.settled("told", "job").await;
    assert_eq!(status(&task), "Stopped");
    assert_eq!(world.journal.of("told").len(), 1);
}

/// Processes of the server's functions that are stopped.
fn frozen(world: &World) -> usize {
    let is_stopped = |pid: &u64| {
        std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") T "))
    };
    world.instances().iter().filter(|pid| is_stopped(pid)).count()
}

#[tokio::test]
async fn an_idle_instance_with_the_hook_is_frozen_and_wakes_for_the_next_call() {
    let mut world = World::start().await;
    let hooks = json!({
        "preFreeze": { "handler": "index.freeze", "timeout": 20 },
        "preStop": { "handler": "index.stop", "timeout": 20 },
    });
    let function = Function::python(TOLD).journal(&world.journal).with("instanceLifecycleConfig", hooks);
    world.api.deploy("told", function).await;
    for calls in 1..=2 {
        world.api.invoke("told", "").await;
        until("it is frozen", async || (frozen(&world) == 1).then_some(())).await;
        assert_eq!(world.journal.of("freezes").len(), calls);
    }
    let ran = world.journal.of("ran");
    assert_eq!(ran[0]["instance"], ran[1]["instance"]);
    world.server.stop().await;
    assert_eq!(world.journal.of("told").len(), 1, "it wakes for its end as well");
}

#[tokio::test]
async fn a_layer_is_shared_under_opt() {
    const READS: &str =
        "import shared\ndef handler(event, context):\n    return shared.WORD + open('/opt/data').read()\n";
    let world = World::start().await;
    let code = zip(&[
        ("python/shared.py".to_owned(), "WORD = 'from a '".to_owned(), 0o644),
        ("data".to_owned(), "layer".to_owned(), 0o644),
    ]);
    let layer = json!({ "code": { "zipFile": STANDARD.encode(code) } });
    let layers = "/2016-08-15/layers/common/versions";
    let published = world.api.client().json(Method::POST, layers, Some(&layer)).await.expect("published");
    let arns = json!([published["arn"]]);
    world.api.deploy("reads", Function::python(READS).with("layers", arns)).await;
    assert_eq!(text(&world.api.invoke("reads", "").await), "from a layer");
    world.api.client().json(Method::DELETE, &format!("{layers}/1"), None).await.expect("deleted");
    world.api.update("reads", Function::python(READS)).await;
    assert_eq!(text(&world.api.invoke("reads", "").await), "from a layer", "the function keeps it");
}
