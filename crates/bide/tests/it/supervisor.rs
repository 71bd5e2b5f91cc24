//! The process that keeps the sandboxes dies: what ran in them is tried again, and nobody is blamed.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::support::{Function, World, is_ours, statuses, text, until};

/// Hangs the first time it comes to `handler`, or to the import if the function is called that.
const HANGS_ONCE: &str = r#"
import os, time
from journal import note

def hang_once(id):
    note(id=id)
    with open(os.environ["JOURNAL"]) as journal:
        if journal.read().count('"%s"' % id) == 1:
            time.sleep(1000)

if os.environ["FC_FUNCTION_NAME"] == "import":
    hang_once("import")

def initialize(context):
    hang_once("initialize")

def handler(event, context):
    hang_once(event.decode())
    return "done"
"#;

/// The number of the process whose child this is.
fn parent_of(pid: u64) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split_whitespace().nth(1)?.parse().ok()
}

/// Kills the child of the server that keeps the sandboxes.
fn kill_supervisor(world: &World) {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let supervisor: Vec<u64> =
        pids.filter(|pid| is_ours(*pid) && parent_of(*pid) == Some(world.server.pid())).collect();
    assert_eq!(supervisor.len(), 1);
    let pid = Pid::from_raw(i32::try_from(supervisor[0]).unwrap()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
}

#[tokio::test]
async fn what_dies_with_the_supervisor_is_no_error_of_the_function() {
    let world = World::start().await;
    for name in ["handler", "import", "initialize"] {
        let mut function = Function::python(HANGS_ONCE).journal(&world.journal);
        if name == "initialize" {
            function = function.with("initializer", "index.initialize").with("initializationTimeout", 30);
        }
        world.api.deploy(name, function).await;
        world.api.configure(name, json!({ "maxAsyncRetryAttempts": 0, "statefulInvocation": true })).await;
        world.api.submit_task(name, name, name).await;
        until(&format!("{name} hangs"), async || world.journal.of(name).pop()).await;
        kill_supervisor(&world);
        let task = world.api.settled(name, name).await;
        assert_eq!(statuses(&task).last(), Some(&"Succeeded"), "{task:#}");
    }
    assert_eq!(text(&world.api.invoke("handler", "handler").await), "done");
}
