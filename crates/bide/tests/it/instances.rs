//! Instances: used again, shared by all kinds of calls, overlapping where that is allowed, replaced, reclaimed.

use std::collections::HashSet;

use serde_json::json;
use tokio::task::JoinSet;

use crate::support::{Api, Function, World, status, text, until};

const TELLS: &str = "import os\ndef handler(event, context):\n    return os.environ['FC_INSTANCE_ID']\n";

/// Four calls meet, or none comes back.
const MEETS: &str = r#"
import os, threading

barrier = threading.Barrier(4)

def handler(event, context):
    barrier.wait(30)
    return os.environ["FC_INSTANCE_ID"]
"#;

async fn invoke_at_once(world: &World, function: &'static str, count: usize) -> Vec<String> {
    let mut calls = JoinSet::new();
    for _ in 0..count {
        let api = Api::of(&world.server);
        calls.spawn(async move { text(&api.invoke(function, "").await).to_owned() });
    }
    calls.join_all().await
}

#[tokio::test]
async fn an_instance_is_used_again_by_synchronous_and_asynchronous_calls_alike() {
    let world = World::start().await;
    world.api.deploy("tells", Function::python(TELLS)).await;
    let first = world.api.invoke("tells", "").await;
    let id = text(&first).to_owned();
    assert_eq!(text(&world.api.invoke("tells", "").await), id);
    world.api.submit_task("tells", "job", "").await;
    let task = world.api.settled("tells", "job").await;
    assert_eq!(task["returnPayload"], id);
    assert_eq!(task["instanceId"], first.header("x-fc-instance-id"));
    assert_eq!(text(&world.api.invoke("tells", "").await), id);
    assert_eq!(world.instances(), world.processes_of(&id));
    assert_eq!(world.instances().len(), 1, "there is one process");
    assert_eq!(world.api.status().await["instances"]["total"], 1);
}

#[tokio::test]
async fn requests_overlap_on_one_instance_where_its_concurrency_allows() {
    let world = World::start_with(&[("BIDE_INSTANCES_PER_FUNCTION", "1")]).await;
    world.api.deploy("meets", Function::python(MEETS).with("instanceConcurrency", 4)).await;
    let ids: HashSet<String> = invoke_at_once(&world, "meets", 4).await.into_iter().collect();
    assert_eq!(ids.len(), 1, "{ids:?}");

    for number in 0..4 {
        world.api.submit_task("meets", &format!("job{number}"), "").await;
    }
    for number in 0..4 {
        let task = world.api.settled("meets", &format!("job{number}")).await;
        assert_eq!(
            (status(&task), task["returnPayload"].as_str()),
            ("Succeeded", ids.iter().next().map(String::as_str))
        );
    }
}

#[tokio::test]
async fn calls_at_once_get_instances_of_their_own_where_concurrency_is_one() {
    const WAITS: &str = r#"
import os, time
from journal import note

def handler(event, context):
    note(id="here")
    while len(open(os.environ["JOURNAL"]).readlines()) < 3:
        time.sleep(0.01)
    return os.environ["FC_INSTANCE_ID"]
"#;
    let world = World::start().await;
    world.api.deploy("waits", Function::python(WAITS).journal(&world.journal)).await;
    let ids: HashSet<String> = invoke_at_once(&world, "waits", 3).await.into_iter().collect();
    assert_eq!(ids.len(), 3, "{ids:?}");
}

#[tokio::test]
async fn an_update_of_the_code_holds_for_the_next_call_and_for_work_that_waits() {
    let version = |number: u32| {
        let source = format!("def handler(event, context):\n    return 'version {number}'\n");
        Function::python(&source)
    };
    let world = World::start().await;
    world.api.deploy("changes", version(1)).await;
    assert_eq!(text(&world.api.invoke("changes", "").await), "version 1");
    world.api.submit_task_in("changes", "job", 1, "").await;
    world.api.update("changes", version(2)).await;
    assert_eq!(text(&world.api.invoke("changes", "").await), "version 2");
    assert_eq!(world.api.settled("changes", "job").await["returnPayload"], "version 2");
    until("the old instance is gone", async || (world.instances().len() == 1).then_some(())).await;
}

#[tokio::test]
async fn what_runs_while_the_code_is_updated_finishes_on_the_old_code() {
    const OLD: &str = r#"
import os, time
from journal import note

def handler(event, context):
    note(id="old")
    while not os.path.exists(event.decode()):
        time.sleep(0.01)
    return "old"
"#;
    let world = World::start().await;
    let gate = world.shared("gate");
    world.api.deploy("changes", Function::python(OLD).journal(&world.journal)).await;
    world.api.submit_task("changes", "job", gate.to_string_lossy().into_owned()).await;
    until("the old code runs", async || world.journal.of("old").pop()).await;
    world.api.update("changes", Function::python("def handler(event, context):\n    return 'new'\n")).await;
    assert_eq!(text(&world.api.invoke("changes", "").await), "new");
    std::fs::write(&gate, "").unwrap();
    assert_eq!(world.api.settled("changes", "job").await["returnPayload"], "old");
}

#[tokio::test]
async fn a_service_that_takes_the_network_away_takes_it_from_running_instances() {
    let world = World::start().await;
    world.api.deploy("tells", Function::python(TELLS)).await;
    let first = text(&world.api.invoke("tells", "").await).to_owned();
    world.api.update_service(json!({ "description": "of no concern to instances" })).await;
    assert_eq!(text(&world.api.invoke("tells", "").await), first);
    world.api.update_service(json!({ "internetAccess": false })).await;
    assert_ne!(text(&world.api.invoke("tells", "").await), first, "a new instance");
    until("the old one is gone", async || world.processes_of(&first).is_empty().then_some(())).await;
}

#[tokio::test]
async fn idle_instances_are_reclaimed_and_the_next_call_starts_a_new_one() {
    let world = World::start_with(&[("BIDE_IDLE_TIMEOUT_SECONDS", "1")]).await;
    world.api.deploy("tells", Function::python(TELLS)).await;
    let node = "const h = (event, context, callback) => callback(null, process.env.FC_INSTANCE_ID); exports.handler = h;";
    world.api.deploy("tells_too", Function::node(node)).await;
    let first = text(&world.api.invoke("tells", "").await).to_owned();
    world.api.invoke("tells_too", "").await;
    assert_eq!(world.instances().len(), 2);
    until("no process of a function is left", async || world.instances().is_empty().then_some(())).await;
    assert_eq!(world.api.status().await["instances"]["total"], 0);
    assert_ne!(text(&world.api.invoke("tells", "").await), first);
}

#[tokio::test]
async fn a_function_that_floods_leaves_others_their_turn() {
    let world = World::start_with(&[("BIDE_INSTANCES_PER_FUNCTION", "2")]).await;
    let slow = "import time\ndef handler(event, context):\n    time.sleep(0.05)\n";
    world.api.deploy("floods", Function::python(slow)).await;
    world.api.deploy("quiet", Function::python(TELLS)).await;
    for number in 0..200 {
        world.api.submit_task("floods", &format!("job{number}"), "").await;
    }
    world.api.submit_task("quiet", "job", "").await;
    world.api.settled("quiet", "job").await;
    let ledger = world.api.ledger("floods").await;
    assert!(ledger["queued"].as_u64().unwrap() > 50, "most of the flood still waits: {ledger}");
}
