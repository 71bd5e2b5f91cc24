//! The pools: reuse, caps, lines, reclaiming, retiring, cancelling, and that nothing is left behind.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bide_env::{ManualClock, SystemClock};
use bide_runtime::{AttemptResult, Cancel, Executor, ExecutorStats, Scale};
use bide_types::Timestamp;
use bide_types::resource::Function;

use crate::world::{World, failure, json, request, runs, spec, text, until};

const PID: &str = "import os\ndef handler(event, context):\n    return os.getpid()\n";

/// Tells its pid and that of a child that ignores SIGTERM, then hangs.
const HANG: &str = r#"
import os, subprocess, sys, time
def handler(event, context):
    child = subprocess.Popen(["/bin/sh", "-c", "trap '' TERM; while :; do sleep 1000; done"])
    with open(event.decode(), "w") as file:
        file.write("%d %d\n" % (os.getpid(), child.pid))
    time.sleep(1000)
"#;

/// Starts [`HANG`] and waits until it hangs.
async fn hang(world: &Arc<World>, cancel: &Cancel) -> (tokio::task::JoinHandle<AttemptResult>, Vec<u32>) {
    let spec = spec(world.python(HANG));
    let place = tempfile::NamedTempFile::new().unwrap();
    let path = place.path().to_str().unwrap().to_owned();
    let (on, cancel) = (Arc::clone(world), cancel.clone());
    let call = tokio::spawn(async move { on.call_with(&spec, request(path), cancel).await.result });
    let pids = || std::fs::read_to_string(place.path()).unwrap();
    until(|| pids().ends_with('\n')).await;
    let pids = pids().split_whitespace().map(|pid| pid.parse().unwrap()).collect();
    (call, pids)
}

#[tokio::test]
async fn warm_instances_are_reused_and_only_the_first_call_is_cold() {
    let world = World::new().await;
    let spec = spec(world.python(PID));
    let first = world.call(&spec, "").await;
    let second = world.call(&spec, "").await;
    assert!(first.cold_start && !second.cold_start);
    assert_eq!(text(&first), text(&second));
    assert_eq!(first.instance, second.instance);
    assert_eq!(world.pools.stats(), ExecutorStats { instances: 1, ..ExecutorStats::default() });
}

#[tokio::test]
async fn cancelling_ends_the_process_and_its_children_before_the_outcome() {
    let world = Arc::new(World::new().await);
    let cancel = Cancel::new();
    let (call, pids) = hang(&world, &cancel).await;
    cancel.cancel();
    assert_eq!(call.await.unwrap(), AttemptResult::Stopped);
    assert!(!runs(pids[0]));
    until(|| !runs(pids[1])).await;
    assert_eq!(world.pools.stats().instances, 0);
}

#[tokio::test]
async fn attempts_beside_a_cancelled_one_are_not_blamed_on_the_function() {
    let world = Arc::new(World::new().await);
    let mut function = world.python(
        "import time\ndef handler(event, context):\n    open(event.decode(), 'w').write('x')\n    time.sleep(1000)\n",
    );
    function.instance_concurrency = 2;
    let spec = spec(function);
    let cancel = Cancel::new();
    let [one, two] = [(); 2].map(|()| world.pools.try_reserve(&spec).unwrap());
    let places = [tempfile::NamedTempFile::new().unwrap(), tempfile::NamedTempFile::new().unwrap()];
    let path = |at: usize| places[at].path().to_str().unwrap().to_owned();
    let one = tokio::spawn(one.invoke(request(path(0)), cancel.clone(), Box::new(|_| {})));
    let two = tokio::spawn(two.invoke(request(path(1)), Cancel::new(), Box::new(|_| {})));
    until(|| places.iter().all(|place| place.as_file().metadata().unwrap().len() == 1)).await;
    cancel.cancel();
    let (one, two) = (one.await.unwrap(), two.await.unwrap());
    assert_eq!(one.instance, two.instance);
    assert_eq!(one.result, AttemptResult::Stopped);
    assert!(matches!(two.result, AttemptResult::SystemError { .. }), "{two:?}");
}

#[tokio::test]
async fn a_dropped_attempt_kills_its_instance_and_frees_the_slot() {
    let world = Arc::new(World::new().await);
    let (call, pids) = hang(&world, &Cancel::new()).await;
    call.abort();
    until(|| !pids.iter().any(|pid| runs(*pid))).await;
    until(|| world.pools.stats() == ExecutorStats::default()).await;
}

#[tokio::test]
async fn shutdown_ends_everything_and_refuses_what_comes_later() {
    let world = Arc::new(World::new().await);
    let idle = spec(world.python(PID));
    let idle_pid: u32 = text(&world.call(&idle, "").await).parse().unwrap();
    let (call, pids) = hang(&world, &Cancel::new()).await;
    world.pools.shutdown().await;
    assert!(!runs(idle_pid) && !runs(pids[0]));
    until(|| !runs(pids[1])).await;
    let message = "the server is shutting down".to_owned();
    assert_eq!(call.await.unwrap(), AttemptResult::SystemError { message });
    assert!(world.pools.try_reserve(&idle).is_none());
    assert!(world.pools.reserve(&idle).await.is_err());
}

#[tokio::test]
async fn pools_that_are_dropped_take_their_processes_along() {
    let world = World::new().await;
    let pid: u32 = text(&world.call(&spec(world.python(PID)), "").await).parse().unwrap();
    assert!(runs(pid));
    drop(world);
    until(|| !runs(pid)).await;
}

#[tokio::test]
async fn idle_instances_are_reclaimed_after_the_timeout_and_not_before() {
    let clock = ManualClock::at(Timestamp::from_millis(1_000_000));
    let world =
        World::with(|options| options.idle_timeout = Duration::from_secs(60), Arc::new(clock.clone())).await;
    let spec = spec(world.python(PID));
    let pid: u32 = text(&world.call(&spec, "").await).parse().unwrap();
    clock.advance(Duration::from_secs(59));
    assert_eq!(text(&world.call(&spec, "").await), pid.to_string());
    clock.advance(Duration::from_secs(59));
    assert!(runs(pid));
    until(|| {
        clock.advance(Duration::from_secs(1));
        !runs(pid)
    })
    .await;
    assert_eq!(world.pools.stats().instances, 0);
}

#[tokio::test]
async fn an_idle_instance_that_dies_is_noticed() {
    let world = World::new().await;
    let spec = spec(world.python(PID));
    let first = world.call(&spec, "").await;
    let pid: i32 = text(&first).parse().unwrap();
    std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
    until(|| world.pools.stats().instances == 0).await;
    assert_ne!(world.call(&spec, "").await.instance, first.instance);
}

#[tokio::test]
async fn a_new_revision_replaces_the_instances_of_the_old_one() {
    let world = World::new().await;
    let mut function = world.python(PID);
    let old: u32 = text(&world.call(&spec(function.clone()), "").await).parse().unwrap();
    function.revision = 2;
    let new_spec = spec(function.clone());
    let new: u32 = text(&world.call(&new_spec, "").await).parse().unwrap();
    until(|| !runs(old)).await;
    assert!(runs(new));
    world.pools.retire_but(function.id, &[]);
    until(|| !runs(new)).await;
    assert_ne!(text(&world.call(&new_spec, "").await), new.to_string());
}

#[tokio::test]
async fn at_a_hard_cap_callers_are_throttled_and_below_it_they_wait_in_line() {
    let clock = Arc::new(SystemClock::new());
    let world = Arc::new(World::with(|options| options.instances_per_function_max = 1, clock).await);
    let spec = spec(world.python(PID));
    let slot = world.pools.try_reserve(&spec).unwrap();
    assert!(world.pools.try_reserve(&spec).is_none());
    let refused = world.pools.reserve(&spec).await.err().unwrap();
    assert_eq!(refused.reason, "the function has reached its limit of 1 instances");
    let freed = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&freed);
    world.pools.on_capacity(Arc::new(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
    }));
    drop(slot);
    assert!(freed.load(Ordering::Relaxed) > 0);
    until(|| world.pools.stats().starting == 0).await;
    assert!(world.pools.try_reserve(&spec).is_some());
}

#[tokio::test]
async fn waiting_callers_are_served_in_order_while_starts_are_limited() {
    let clock = Arc::new(SystemClock::new());
    let world = Arc::new(World::with(|options| options.starts_max = 1, clock).await);
    let first = spec(world.python(PID));
    let slot = world.pools.try_reserve(&first).unwrap();
    let second = spec(world.python(PID));
    let order = Arc::new(Mutex::new(Vec::new()));
    let calls: Vec<_> = (0..3)
        .map(|number| {
            let (world, second, order) = (Arc::clone(&world), Arc::clone(&second), Arc::clone(&order));
            tokio::spawn(async move {
                let slot = world.pools.reserve(&second).await.unwrap();
                order.lock().unwrap().push(number);
                let outcome = slot.invoke(request(""), Cancel::new(), Box::new(|_| {})).await;
                assert!(matches!(outcome.result, AttemptResult::Returned(_)), "{outcome:?}");
            })
        })
        .collect();
    drop(slot);
    for call in calls {
        call.await.unwrap();
    }
    assert_eq!(*order.lock().unwrap(), [0, 1, 2]);
}

#[tokio::test]
async fn functions_that_never_come_up_do_not_keep_others_from_starting() {
    let clock = Arc::new(SystemClock::new());
    let world = World::with(|options| options.starts_max = 1, clock).await;
    let hanging = spec(world.python("import time\ntime.sleep(1000)\n"));
    let held = world.pools.try_reserve(&hanging).unwrap();
    world.call(&spec(world.python(PID)), "").await;
    drop(held);
    world.pools.shutdown().await;
}

#[tokio::test]
async fn an_idle_instance_of_another_function_makes_room_at_the_cap_of_the_account() {
    let clock = Arc::new(SystemClock::new());
    let world = World::with(|options| options.instances_per_account_max = 1, clock).await;
    let first: u32 = text(&world.call(&spec(world.python(PID)), "").await).parse().unwrap();
    let second = spec(world.python(PID));
    world.call(&second, "").await;
    until(|| !runs(first)).await;
    let held = world.pools.try_reserve(&second).unwrap();
    let refused = world.pools.reserve(&spec(world.python(PID))).await.err().unwrap();
    assert_eq!(refused.reason, "the account has reached its limit of 1 instances");
    drop(held);
}

#[tokio::test]
async fn the_started_hook_names_the_instance_before_the_handler_runs() {
    let world = World::new().await;
    let spec = spec(
        world.python("import os\ndef handler(event, context):\n    return [os.environ['FC_INSTANCE_ID']]\n"),
    );
    let slot = world.pools.try_reserve(&spec).unwrap();
    let seen = Arc::new(Mutex::new(None));
    let hook = Arc::clone(&seen);
    let started = Box::new(move |instance| *hook.lock().unwrap() = Some(instance));
    let outcome = slot.invoke(request(""), Cancel::new(), started).await;
    assert_eq!(*seen.lock().unwrap(), Some(outcome.instance.clone()));
    assert_eq!(json(&outcome)[0], outcome.instance.as_str());
}

#[tokio::test]
async fn what_the_platform_lacks_is_a_system_error() {
    let clock = Arc::new(SystemClock::new());
    let world = World::with(|options| options.python = "/no/such/python".into(), clock).await;
    let outcome = world.call(&spec(world.python(PID)), "").await;
    assert!(matches!(outcome.result, AttemptResult::SystemError { .. }), "{outcome:?}");
    let mut function = world.node("");
    function.code.digest = "ff".repeat(32);
    let outcome = world.call(&spec(function), "").await;
    assert!(matches!(outcome.result, AttemptResult::SystemError { .. }), "{outcome:?}");
    assert_eq!(world.pools.stats(), ExecutorStats::default());
}

#[tokio::test]
async fn a_failing_start_answers_every_caller_that_shares_it() {
    let world = Arc::new(World::new().await);
    let mut function = world.python("raise RuntimeError('no')\n");
    function.instance_concurrency = 10;
    let spec = spec(function);
    let slots: Vec<_> = (0..5).map(|_| world.pools.try_reserve(&spec).unwrap()).collect();
    for slot in slots {
        let outcome = slot.invoke(request(""), Cancel::new(), Box::new(|_| {})).await;
        assert_eq!(failure(&outcome).body["errorMessage"], "no");
    }
    assert_eq!(world.pools.stats(), ExecutorStats::default());
}

#[tokio::test]
async fn programs_of_layers_are_found_and_the_first_layer_wins() {
    let world = World::new().await;
    let mut function = world.python(
        "import subprocess\ndef handler(event, context):\n    return subprocess.check_output(['tool']) + subprocess.check_output(['other'])\n",
    );
    let tool = |text: &str| format!("#!/bin/sh\necho {text}\n");
    function.layers = vec![
        world.layer(&[("bin/tool", &tool("first"), 0o755)]),
        world.layer(&[("bin/tool", &tool("second"), 0o755), ("bin/other", &tool("other"), 0o755)]),
    ];
    assert_eq!(text(&world.call(&spec(function), "").await), "first\nother\n");
}

#[tokio::test]
async fn a_minimum_is_ready_before_any_call_and_is_made_up_again() {
    let world = World::new().await;
    let mut function = world.python(PID);
    let scaled = |function: &Function, provisioned| {
        let mut spec = spec(function.clone()).as_ref().clone();
        spec.scale = Scale { provisioned, on_demand_max: None };
        Arc::new(spec)
    };
    let two = scaled(&function, 2);
    let current = || world.pools.provision_status(function.id, &two.qualifier).current;
    world.pools.assign(&two);
    until(|| current() == 2).await;
    let first = world.call(&two, "").await;
    assert!(!first.cold_start);
    let pid: i32 = text(&first).parse().unwrap();
    std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
    until(|| current() == 1).await;
    until(|| current() == 2).await;
    let old = world.pools.process_ids();
    function.revision = 2;
    world.pools.assign(&scaled(&function, 1));
    until(|| !old.iter().any(|pid| runs(*pid))).await;
    until(|| world.pools.process_ids().len() == 1).await;
    world.pools.retire_but(function.id, &[]);
    until(|| world.pools.stats() == ExecutorStats::default()).await;
}

#[tokio::test]
async fn code_that_never_starts_is_tried_again_later_and_says_why() {
    let clock = ManualClock::at(Timestamp::from_millis(1_000_000));
    let world = World::with(|_| {}, Arc::new(clock.clone())).await;
    let function = world.python("raise RuntimeError('no luck')\n");
    let mut spec = spec(function.clone()).as_ref().clone();
    spec.scale = Scale { provisioned: 1, on_demand_max: None };
    world.pools.assign(&Arc::new(spec.clone()));
    let status = || world.pools.provision_status(function.id, &spec.qualifier);
    until(|| status().error.is_some()).await;
    assert_eq!((status().current, status().error.as_deref()), (0, Some("no luck")));
    assert_eq!(world.pools.stats().starting, 0, "it waits");
    let again = || {
        clock.advance(Duration::from_millis(250));
        world.pools.stats().starting == 1
    };
    until(again).await;
    world.pools.shutdown().await;
}

#[tokio::test]
async fn a_cap_of_nothing_refuses_at_once_and_turns_away_who_waits() {
    let clock = Arc::new(SystemClock::new());
    let world = Arc::new(World::with(|options| options.starts_max = 1, clock).await);
    let open = spec(world.python(PID));
    let mut shut = open.as_ref().clone();
    shut.scale = Scale { provisioned: 0, on_demand_max: Some(0) };
    let held = world.pools.try_reserve(&open).unwrap();
    let waiting = {
        let (world, open) = (Arc::clone(&world), Arc::clone(&open));
        tokio::spawn(async move { world.pools.reserve(&open).await.err() })
    };
    until(|| world.pools.stats().waiting == 1).await;
    world.pools.assign(&Arc::new(shut));
    let reason =
        "the on-demand configuration of qualifier LATEST allows 0 instances beside the 0 provisioned";
    assert_eq!(waiting.await.unwrap().unwrap().reason, reason);
    assert_eq!(world.pools.reserve(&open).await.err().unwrap().reason, reason);
    drop(held);
    until(|| world.pools.stats() == ExecutorStats::default()).await;
    world.pools.assign(&open);
    assert!(world.pools.try_reserve(&open).is_some());
}
