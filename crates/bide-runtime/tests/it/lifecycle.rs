//! Hooks, freezing and health checks of real instances.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bide_env::{ManualClock, SystemClock};
use bide_runtime::{AttemptResult, Cancel, Executor, FunctionErrorCause};
use bide_types::Timestamp;
use bide_types::resource::{Function, HealthCheck, LifecycleHook};

use crate::world::{World, failure, request, runs, spec, text, until};

/// Notes in the file that the event names what happens to it.
const NOTES: &str = r#"
import os, time
place = None
def note(what):
    with open(place, "a") as file:
        file.write(what + "\n")
def handler(event, context):
    global place
    place, _, todo = event.decode().partition(" ")
    note("ran")
    if todo == "hang":
        time.sleep(1000)
    return os.getpid()
def stop(context):
    note("stop")
def freeze(context):
    note("freeze")
def hang(context):
    note("hang")
    time.sleep(1000)
def fail(context):
    note("fail")
    raise RuntimeError("no")
"#;

fn hook(name: &str, timeout_seconds: u32) -> Option<LifecycleHook> {
    Some(LifecycleHook { handler: format!("index.{name}"), timeout_seconds })
}

fn notes(place: &Path) -> Vec<String> {
    std::fs::read_to_string(place).unwrap().lines().map(str::to_owned).collect()
}

fn event(place: &Path, todo: &str) -> String {
    format!("{} {todo}", place.display())
}

#[tokio::test]
async fn an_instance_is_told_before_it_is_ended_whether_idle_or_running() {
    let world = Arc::new(World::new().await);
    let place = tempfile::NamedTempFile::new().unwrap();
    let mut function = world.python(NOTES);
    function.pre_stop = hook("stop", 20);
    let spec = spec(function);
    let pid: u32 = text(&world.call(&spec, event(place.path(), "")).await).parse().unwrap();
    world.pools.retire_but(spec.function.id, &[]);
    until(|| !runs(pid)).await;
    assert_eq!(notes(place.path()), ["ran", "stop"]);

    let cancel = Cancel::new();
    let call = {
        let (world, spec, cancel) = (Arc::clone(&world), Arc::clone(&spec), cancel.clone());
        let event = event(place.path(), "hang");
        tokio::spawn(async move { world.call_with(&spec, request(event), cancel).await.result })
    };
    until(|| notes(place.path()).len() == 3).await;
    cancel.cancel();
    assert_eq!(call.await.unwrap(), AttemptResult::Stopped);
    assert_eq!(notes(place.path()), ["ran", "stop", "ran", "stop"]);
}

#[tokio::test]
async fn hooks_that_fail_or_hang_keep_nothing_from_ending() {
    let clock = ManualClock::at(Timestamp::from_millis(1_000_000));
    let world = World::with(|_| {}, Arc::new(clock.clone())).await;
    for (name, timeout_seconds) in [("fail", 90), ("hang", 90), ("missing", 90)] {
        let place = tempfile::NamedTempFile::new().unwrap();
        let mut function = world.python(NOTES);
        function.pre_stop = hook(name, timeout_seconds);
        let spec = spec(function);
        let pid: u32 = text(&world.call(&spec, event(place.path(), "")).await).parse().unwrap();
        world.pools.retire_but(spec.function.id, &[]);
        if name == "hang" {
            until(|| notes(place.path()).len() == 2).await;
            clock.advance(Duration::from_secs(89));
            assert!(runs(pid), "it has its time");
        }
        until(|| {
            clock.advance(Duration::from_millis(500));
            !runs(pid)
        })
        .await;
    }
}

#[tokio::test]
async fn at_a_shutdown_hooks_have_little_time() {
    let clock = Arc::new(SystemClock::new());
    let world = World::with(|options| options.hurried_hook_time = Duration::from_millis(50), clock).await;
    let place = tempfile::NamedTempFile::new().unwrap();
    let mut function = world.python(NOTES);
    function.pre_stop = hook("hang", 90);
    let pid: u32 = text(&world.call(&spec(function), event(place.path(), "")).await).parse().unwrap();
    tokio::time::timeout(Duration::from_secs(30), world.pools.shutdown()).await.unwrap();
    assert!(!runs(pid));
    assert_eq!(notes(place.path()), ["ran", "hang"]);
}

/// Whether the process is stopped.
fn is_frozen(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") T "))
}

#[tokio::test]
async fn an_idle_instance_with_the_hook_is_frozen_and_wakes_for_the_next_request_and_for_its_end() {
    let world = World::new().await;
    let place = tempfile::NamedTempFile::new().unwrap();
    let mut function = world.python(NOTES);
    function.pre_freeze = hook("freeze", 20);
    function.pre_stop = hook("stop", 20);
    let spec = spec(function);
    for _ in 0..2 {
        let outcome = world.call(&spec, event(place.path(), "")).await;
        let pid: u32 = text(&outcome).parse().unwrap();
        until(|| is_frozen(pid)).await;
    }
    assert_eq!(notes(place.path()), ["ran", "freeze", "ran", "freeze"]);
    world.pools.shutdown().await;
    assert_eq!(notes(place.path()).last().unwrap(), "stop");
}

/// Is well while its file says so, and counts how often it was asked.
const WELL: &str = r#"
import http.server, os
asked = 0
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def answer(self, status, body):
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        global asked
        asked += 1
        well = open(os.environ["PLACE"]).read() == "well" and asked > 2
        self.answer(200 if well and self.path == "/up?deep=1" else 503, b"")
    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.answer(200, str(os.getpid()).encode())
    def log_message(self, *args):
        pass
server = http.server.ThreadingHTTPServer(("0.0.0.0", int(os.environ["FC_SERVER_PORT"])), Handler)
open(os.environ["PLACE"] + ".listening", "w").close()
server.serve_forever()
"#;

fn checked(world: &World, place: &Path) -> Function {
    let bootstrap = format!("#!/usr/bin/env python3\n{WELL}");
    let mut function = world.function("custom", "x", &[("bootstrap", &bootstrap, 0o755)]);
    function.environment.insert("PLACE".to_owned(), place.to_str().unwrap().to_owned());
    function.health_check = Some(HealthCheck {
        path: "/up?deep=1".to_owned(),
        initial_delay_seconds: 1,
        period_seconds: 1,
        timeout_seconds: 1,
        failure_threshold: 2,
        success_threshold: 1,
    });
    function
}

#[tokio::test]
async fn a_server_is_used_once_it_is_well_and_replaced_when_it_is_not() {
    let world = World::new().await;
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("place");
    std::fs::write(&place, "well").unwrap();
    let spec = spec(checked(&world, &place));
    let pid: u32 = text(&world.call(&spec, "").await).parse().unwrap();
    std::fs::write(&place, "ill").unwrap();
    until(|| world.pools.stats().unwell == 1).await;
    until(|| !runs(pid)).await;
    std::fs::write(&place, "well").unwrap();
    assert_ne!(text(&world.call(&spec, "").await), pid.to_string());
}

#[tokio::test]
async fn a_server_that_never_becomes_well_fails_its_start() {
    let clock = ManualClock::at(Timestamp::from_millis(1_000_000));
    let world = Arc::new(World::with(|_| {}, Arc::new(clock.clone())).await);
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("place");
    std::fs::write(&place, "ill").unwrap();
    let spec = spec(checked(&world, &place));
    let call = {
        let (world, spec) = (Arc::clone(&world), Arc::clone(&spec));
        tokio::spawn(async move { world.call(&spec, "").await })
    };
    until(|| directory.path().join("place.listening").exists()).await;
    until(|| {
        clock.advance(Duration::from_millis(200));
        call.is_finished()
    })
    .await;
    let outcome = call.await.unwrap();
    assert_eq!(failure(&outcome).cause, FunctionErrorCause::StartFailed);
    assert!(
        failure(&outcome).body["errorMessage"]
            .as_str()
            .unwrap()
            .contains("did not succeed within 120 seconds")
    );
}
