//! Standby instances: that a function cannot tell whether it was started from one, and that each serves one function once.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::support::{Function, World, text, until};

/// What a Python function sees of its surroundings; what differs between any two instances is left out.
const LOOKS_PY: &str = r#"
import json, os, resource, socket, sys, time

def handler(event, context):
    descriptors = sorted(os.listdir("/proc/self/fd"))  # first: what collects garbage later is not the point
    environment = {name: value for name, value in os.environ.items() if name != "FC_INSTANCE_ID"}
    limits = open("/proc/self/limits").read().splitlines()
    status = dict(line.split(":\t", 1) for line in open("/proc/self/status") if ":\t" in line)
    mounts = [line.split(" ")[1] for line in open("/proc/self/mounts")]
    return json.dumps({
        "environment": environment, "cwd": os.getcwd(), "path": sys.path, "argv": sys.argv, "flags": str(sys.flags),
        "limits": limits, "uid": os.getuid(), "umask": os.popen("umask").read(), "zone": time.tzname, "stdin": os.read(0, 1).decode(),
        "child": os.popen("env | grep -v INSTANCE_ID | sort").read(), "code": sorted(os.listdir("/code")), "opt": os.listdir("/opt"),
        "host name": socket.gethostname() == os.environ["FC_INSTANCE_ID"], "mounts": sorted(set(mounts)),
        "caps": status["CapEff"], "seccomp": status["Seccomp"], "privileges": status["NoNewPrivs"], "file": __file__,
        "descriptors": descriptors, "log": __import__("logging").getLogger().level,
    }, sort_keys=True)
"#;

const LOOKS_JS: &str = r#"
const fs = require('fs');
const os = require('os');
const { execSync } = require('child_process');

exports.handler = (event, context, callback) => {
  const { FC_INSTANCE_ID, ...environment } = process.env;
  callback(null, JSON.stringify({
    environment, cwd: process.cwd(), argv: process.argv, execArgv: process.execArgv, paths: module.paths,
    global: require('module').globalPaths, limits: fs.readFileSync('/proc/self/limits', 'utf8'), file: __filename,
    zone: Intl.DateTimeFormat().resolvedOptions().timeZone, child: execSync('env | grep -v INSTANCE_ID | sort', { encoding: 'utf8' }),
    code: fs.readdirSync('/code').sort(), hostName: os.hostname() === FC_INSTANCE_ID, uid: process.getuid(), umask: process.umask(),
    mounts: [...new Set(fs.readFileSync('/proc/self/mounts', 'utf8').split('\n').map((line) => line.split(' ')[1]))].sort(),
  }));
};
"#;

/// What `GET /bide/v1/status` says of standbys.
async fn counts(world: &World) -> Value {
    world.api.status().await["standbys"].clone()
}

/// Waits until nothing is to be started any more.
async fn until_filled(world: &World) {
    until("the standbys wait", async || (counts(world).await["missing"] == 0).then_some(())).await;
}

async fn used(world: &World) -> u64 {
    counts(world).await["used"].as_u64().unwrap()
}

/// Deploys a function, calls it, and says whether a standby became its instance.
async fn first_call(world: &World, name: &str, function: Function) -> (String, bool) {
    world.api.deploy(name, function).await;
    let before = used(world).await;
    let answer = text(&world.api.invoke(name, "").await).to_owned();
    (answer, used(world).await == before + 1)
}

#[tokio::test]
async fn a_function_sees_the_same_with_a_standby_and_without() {
    let world = World::start().await;
    for (runtime, looks) in [("python3", LOOKS_PY), ("nodejs20", LOOKS_JS)] {
        let function = || {
            let name = if runtime == "python3" { "index.py" } else { "index.js" };
            Function::of(runtime).file(name, looks).file("other.txt", "x").env("OWN", "1").env("EMPTY", "")
        };
        world.api.deploy("looks", function()).await;
        let (whole, used_before) =
            (text(&world.api.invoke("looks", "").await).to_owned(), used(&world).await);
        until_filled(&world).await;
        // A changed function: another instance.
        world.api.update("looks", function().with("description", "changed")).await;
        let late = text(&world.api.invoke("looks", "").await).to_owned();
        assert_eq!(used(&world).await, used_before + 1);
        let [whole, late]: [Value; 2] = [whole, late].map(|seen| serde_json::from_str(&seen).unwrap());
        assert_eq!(whole["hostName"].as_bool().or(whole["host name"].as_bool()), Some(true));
        assert_eq!(whole, late, "{runtime}");
        world.api.delete("looks").await;
    }
}

#[tokio::test]
async fn a_standby_serves_one_function_and_is_replaced() {
    let world = World::start().await;
    assert_eq!(
        counts(&world).await,
        json!({ "waiting": 0, "missing": 0, "used": 0 }),
        "none before they are asked for"
    );
    let tells = |name: &str| {
        Function::python(&format!(
            "import os\ndef handler(event, context):\n    return '{name}' + os.environ['FC_INSTANCE_ID']\n"
        ))
    };
    let (_, from_standby) = first_call(&world, "first", tells("first")).await;
    assert!(!from_standby);
    until_filled(&world).await;
    let waiting = world.server.standbys();
    assert_eq!((waiting.len(), counts(&world).await["waiting"].as_u64()), (2, Some(2)));
    assert_eq!(world.instances().len(), 1, "a standby is no instance");
    let mut ids = Vec::new();
    for name in ["a", "b", "c"] {
        until_filled(&world).await;
        let (answer, from_standby) = first_call(&world, name, tells(name)).await;
        assert!(from_standby && answer.starts_with(name), "{name}: {answer}");
        ids.push(answer[1..].to_owned());
    }
    ids.dedup();
    assert_eq!(ids.len(), 3);
    assert_eq!(world.instances().len(), 4);
}

#[tokio::test]
async fn asynchronous_calls_get_standbys_as_well() {
    let world = World::start().await;
    for (name, function) in [
        ("python", Function::python("def handler(event, context):\n    return event\n")),
        ("node", Function::node("exports.handler = (event, context, callback) => callback(null, event);\n")),
    ] {
        world.api.deploy(&format!("{name}-before"), function).await;
        world.api.invoke(&format!("{name}-before"), "").await;
    }
    until_filled(&world).await;
    for (name, function) in [
        ("python", Function::python("def handler(event, context):\n    return event\n")),
        ("node", Function::node("exports.handler = (event, context, callback) => callback(null, event);\n")),
    ] {
        let before = used(&world).await;
        world.api.deploy(name, function).await;
        world.api.submit_task(name, "job", "late").await;
        assert_eq!(world.api.settled(name, "job").await["returnPayload"], "late");
        assert_eq!(used(&world).await, before + 1);
    }
}

#[tokio::test]
async fn what_counts_from_the_first_instruction_on_takes_the_whole_way() {
    let world = World::start().await;
    let path = "import lib\ndef handler(event, context):\n    return lib.NAME\n";
    let plain = "def handler(event, context):\n    return 'plain'\n";
    first_call(&world, "before", Function::python(plain)).await;
    let node = "exports.handler = (event, context, callback) => callback(null, global.hooked || 'plain');\n";
    first_call(&world, "node-before", Function::node(node)).await;
    until_filled(&world).await;
    let with_path =
        Function::python(path).file("inner/lib.py", "NAME = 'found'\n").env("PYTHONPATH", "/code/inner");
    assert_eq!(first_call(&world, "python-path", with_path).await, ("found".to_owned(), false));
    let hooked = Function::node(node)
        .file("hook.js", "global.hooked = 'hooked';\n")
        .env("NODE_OPTIONS", "--require /code/hook.js");
    assert_eq!(first_call(&world, "node-options", hooked).await, ("hooked".to_owned(), false));
    // A module of the function's own by the name of one that a standby has loaded already.
    let hiding = Function::python("import queue\ndef handler(event, context):\n    return queue.NAME\n")
        .file("queue.py", "NAME = 'own'\n");
    world.api.deploy("hiding", hiding).await;
    assert_eq!(text(&world.api.invoke("hiding", "").await), "own");
}

#[tokio::test]
async fn the_limits_of_the_function_hold_in_a_standby() {
    let world = World::start().await;
    let fine = "def handler(event, context):\n    return 'fine'\n";
    first_call(&world, "before", Function::python(fine).with("memorySize", 1024)).await;
    until_filled(&world).await;
    let before = used(&world).await;
    let hog = "def handler(event, context):\n    x = bytearray(512 << 20)\n    return 'held'\n";
    world.api.deploy("hog", Function::python(hog).with("memorySize", 128)).await;
    let answer = world.api.invoke("hog", "").await;
    assert_eq!(used(&world).await, before + 1);
    let error = String::from_utf8_lossy(&answer.body);
    assert!(error.contains("more memory than its limit of 128 MB"), "{error}");
}

#[tokio::test]
async fn a_standby_that_dies_is_noticed_and_no_call_fails_for_it() {
    let world = World::start().await;
    let fine = "def handler(event, context):\n    return 'fine'\n";
    first_call(&world, "before", Function::python(fine)).await;
    until_filled(&world).await;
    for pid in world.server.standbys() {
        // It may be gone already, with its sandbox.
        let _ = kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), Signal::KILL);
    }
    world.api.deploy("after", Function::python(fine)).await;
    assert_eq!(text(&world.api.invoke("after", "").await), "fine");
    until("others stand ready", async || (world.server.standbys().len() == 2).then_some(())).await;
    let (_, from_standby) = first_call(&world, "later", Function::python(fine)).await;
    assert!(from_standby);
}

#[tokio::test]
async fn with_a_number_of_zero_there_are_none() {
    let world = World::start_with(&[("BIDE_STANDBY_INSTANCES", "0")]).await;
    let fine = "def handler(event, context):\n    return 'fine'\n";
    for name in ["a", "b"] {
        assert_eq!(first_call(&world, name, Function::python(fine)).await, ("fine".to_owned(), false));
    }
    assert_eq!(counts(&world).await, json!({ "waiting": 0, "missing": 0, "used": 0 }));
    assert!(world.server.standbys().is_empty());
}

#[tokio::test]
async fn standbys_end_with_the_server() {
    let mut world = World::start().await;
    first_call(&world, "before", Function::python("def handler(event, context):\n    return 1\n")).await;
    until_filled(&world).await;
    world.server.stop().await;
    assert!(world.server.standbys().is_empty());
    world.start_again().await;
    first_call(&world, "again", Function::python("def handler(event, context):\n    return 1\n")).await;
    until_filled(&world).await;
    world.server.kill().await;
    assert!(world.server.standbys().is_empty());
}
