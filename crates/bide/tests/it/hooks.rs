//! What instances are told of their lives, in every runtime: the initializer, the hooks before a freeze and before the end.

use serde_json::{Value, json};

use crate::support::{Function, World, status, tellers, text, until};

fn told(function: Function, world: &World) -> Function {
    let hooks = json!({
        "preFreeze": { "handler": "index.freeze", "timeout": 20 },
        "preStop": { "handler": "index.stop", "timeout": 20 },
    });
    initialized(function, world).with("instanceLifecycleConfig", hooks)
}

fn initialized(function: Function, world: &World) -> Function {
    function.journal(&world.journal).with("initializer", "index.initialize").with("initializationTimeout", 20)
}

/// Processes of the server's functions that are stopped.
fn frozen(world: &World) -> usize {
    let is_stopped = |pid: &u64| {
        std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") T "))
    };
    world.instances().iter().filter(|pid| is_stopped(pid)).count()
}

fn told_of(world: &World) -> Vec<String> {
    world.journal.lines().iter().map(|line| line["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_instance_hears_of_its_start_of_each_rest_and_of_its_end() {
    for (name, function) in tellers() {
        let mut world = World::start().await;
        world.api.deploy("told", told(function, &world)).await;
        let first = world.api.invoke("told", "").await;
        assert_eq!(text(&first), "done", "{name}");
        until("it is frozen", async || (frozen(&world) == 1).then_some(())).await;
        world.api.submit_task("told", "job", "").await;
        let task = world.api.settled("told", "job").await;
        assert_eq!(
            (&task["returnPayload"], &task["instanceId"]),
            (&json!("done"), &json!(first.header("x-fc-instance-id"))),
            "{name}: it wakes"
        );
        until("it is frozen again", async || (frozen(&world) == 1).then_some(())).await;
        world.server.stop().await;
        assert_eq!(told_of(&world), ["initialize", "ran", "freeze", "ran", "freeze", "stop"], "{name}");
        let turns = world.journal.lines();
        let hooks = turns.iter().filter(|turn| turn["id"] != "ran");
        assert!(hooks.clone().all(|hook| !hook["request"].as_str().unwrap().is_empty()), "{name}: {turns:?}");
        if name == "custom" {
            let how: Vec<&str> = turns.iter().map(|turn| turn["how"].as_str().unwrap()).collect();
            let (invoke, freeze) = ("POST /invoke", "GET /pre-freeze");
            assert_eq!(how, ["POST /initialize", invoke, freeze, invoke, freeze, "GET /pre-stop"]);
        }
    }
}

#[tokio::test]
async fn a_running_task_is_told_before_it_is_stopped() {
    for (name, function) in tellers() {
        let world = World::start().await;
        world.api.deploy("told", told(function, &world)).await;
        world.api.submit_task("told", "job", r#"{"do": "hang"}"#).await;
        until("it runs", async || world.journal.of("ran").pop()).await;
        world.api.stop_task("told", "job").await;
        assert_eq!(status(&world.api.settled("told", "job").await), "Stopped", "{name}");
        assert_eq!(told_of(&world), ["initialize", "ran", "stop"], "{name}");
    }
}

/// The next call tries again, in a new instance, until the initializer succeeds (fc-behaviour 7.7).
#[tokio::test]
async fn an_initializer_that_fails_is_the_result_of_the_call_and_is_tried_again() {
    for (mode, timeout, message) in
        [("fail", 30, "not the first time"), ("hang", 3, "Function initializer timed out after 3 seconds")]
    {
        for (name, function) in tellers() {
            let world = World::start().await;
            let function = initialized(function, &world).with("initializationTimeout", timeout);
            world.api.deploy("told", function.env("INITIALIZER", mode)).await;
            let answer = world.api.invoke("told", "").await;
            assert_eq!(answer.header("x-fc-error-type"), "UnhandledInvocationError", "{name}");
            let error: Value = serde_json::from_slice(&answer.body).unwrap();
            assert_eq!(error["errorMessage"], message, "{name}");
            for _ in 0..2 {
                assert_eq!(text(&world.api.invoke("told", "").await), "done", "{name}");
            }
            assert_eq!(told_of(&world), ["initialize", "initialize", "ran", "ran"], "{name}");
        }
    }
}

#[tokio::test]
async fn a_task_survives_an_initializer_that_fails_once() {
    for (name, function) in tellers() {
        let world = World::start().await;
        let function = initialized(function, &world).env("INITIALIZER", "fail");
        world.api.deploy("told", function).await;
        world.api.configure("told", json!({ "maxAsyncRetryAttempts": 1 })).await;
        world.api.submit_task("told", "job", "").await;
        let task = world.api.settled("told", "job").await;
        assert_eq!((status(&task), &task["alreadyRetriedTimes"]), ("Succeeded", &json!(1)), "{name}");
        assert_eq!(told_of(&world), ["initialize", "initialize", "ran"], "{name}");
    }
}
