//! A server with a hostile function and one that minds its own business.
//!
//! Owns what every story of the suite ends with: the bystander answers as before, from the same instance, and nothing is
//! left when the server ends. With `BIDE_TEST_SANDBOX=none` the same attempts are made without a sandbox, to see which tests
//! would notice.

use std::io::Write as _;
use std::path::Path;

use bide_client::{Answer, ClientError};
use http::Method;
use serde_json::{Value, json};

use crate::support::{Function, World, is_ours, text};

/// `attempts.py`.
pub(super) const ATTEMPTS: &str = include_str!("attempts.py");
const BYSTANDER: &str = "bystander";
const TELLS: &str =
    "import os\ndef handler(event, context):\n    return event.decode() + os.environ['FC_INSTANCE_ID']\n";

pub(super) struct Prison {
    pub(super) world: World,
    /// The bystander's instance.
    instance: String,
}

impl Prison {
    pub(super) async fn open() -> Self {
        Self::open_with(&[]).await
    }

    /// Starts the server with some settings by environment.
    pub(super) async fn open_with(settings: &[(&str, &str)]) -> Self {
        Self::open_for(settings, true).await
    }

    /// With or without access to other hosts for all functions.
    pub(super) async fn open_network(access: bool) -> Self {
        Self::open_for(&[], access).await
    }

    async fn open_for(settings: &[(&str, &str)], access: bool) -> Self {
        let sandbox = std::env::var("BIDE_TEST_SANDBOX").unwrap_or_else(|_| "require".to_owned());
        let mut all = vec![("BIDE_SANDBOX", sandbox.as_str()), ("BIDE_DRAIN_TIMEOUT_SECONDS", "1")];
        all.extend(settings);
        let world = World::start_with(&all).await;
        world.api.deploy(BYSTANDER, Function::python(TELLS)).await;
        // Before there is an instance: it would be replaced.
        world.api.update_service(json!({ "internetAccess": access })).await;
        let instance = text(&world.api.invoke(BYSTANDER, "").await).to_owned();
        Self { world, instance }
    }

    /// Runs `source`, which may use all of `attempts`, once with an event, and returns what its handler does.
    pub(super) async fn attempt(&self, name: &str, source: &str, event: Value) -> Value {
        self.deploy(name, hostile(source)).await;
        self.invoke(name, event).await
    }

    pub(super) async fn deploy(&self, name: &str, function: Function) {
        self.world.api.deploy(name, function).await;
    }

    /// Calls a function that is to return, and reads what it says.
    pub(super) async fn invoke(&self, name: &str, event: Value) -> Value {
        let answer = self.world.api.invoke(name, event.to_string()).await;
        assert_eq!(answer.header("x-fc-error-type"), "", "{name}: {}", text(&answer));
        // A text comes as it is.
        serde_json::from_slice(&answer.body).unwrap_or_else(|_| text(&answer).into())
    }

    /// Calls a function that is to fail; its error's message.
    pub(super) async fn failure(&self, name: &str, event: Value) -> String {
        let answer = self.world.api.invoke(name, event.to_string()).await;
        let error_type = answer.header("x-fc-error-type");
        assert_eq!((answer.status, error_type), (200, "UnhandledInvocationError"), "{}", text(&answer));
        let error: Value = serde_json::from_slice(&answer.body).expect("error JSON");
        error["errorMessage"].as_str().expect("a message").to_owned()
    }

    /// Tries to create a function from fields.
    pub(super) async fn upload(&self, fields: &Value) -> Result<Answer, ClientError> {
        let body = serde_json::to_vec(fields).unwrap();
        let path = "/2016-08-15/services/it/functions";
        self.world.api.client().call(Method::POST, path, &[], body.into()).await
    }

    /// The bystander's instance still serves.
    pub(super) async fn check(&self) {
        let answer = self.world.api.invoke(BYSTANDER, "still ").await;
        assert_eq!(text(&answer), format!("still {}", self.instance), "the bystander noticed something");
    }

    /// As [`Prison::check`], and the server ends in order, with nothing left.
    pub(super) async fn close(mut self) {
        self.check().await;
        let data = self.data_dir();
        self.world.server.stop().await;
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(!mounts.contains(&data), "a mount is left");
    }

    pub(super) fn data_dir(&self) -> String {
        self.world.dir.path().join("data").display().to_string()
    }

    /// Numbers on this host of the processes of an instance.
    pub(super) fn processes_of(&self, instance: &str) -> Vec<u64> {
        self.world.processes_of(instance)
    }

    /// The processes of our own between the server and its instances.
    pub(super) fn supervisors(&self) -> Vec<u64> {
        let all = std::fs::read_dir("/proc").unwrap().flatten();
        let all = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let above =
            |pid| std::iter::successors(Some(pid), |pid| Some(parent_of(*pid)).filter(|pid| *pid > 1));
        all.filter(|pid| is_ours(*pid) && above(*pid).any(|pid| pid == self.world.server.pid())).collect()
    }

    /// Processes of all functions but the bystander.
    pub(super) fn strangers(&self) -> Vec<u64> {
        let own = self.processes_of(&self.instance);
        self.world.instances().into_iter().filter(|pid| !own.contains(pid)).collect()
    }
}

fn parent_of(pid: u64) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)?.parse().ok()).unwrap_or(0)
}

/// A Python function that may use all of `attempts`.
pub(super) fn hostile(source: &str) -> Function {
    Function::python(&format!("from attempts import *\n{source}")).file("attempts.py", ATTEMPTS)
}

/// Checks every outcome: its name in the answer and what is expected.
pub(super) fn expect(seen: &Value, expected: &[(&str, &str)]) {
    let expected: serde_json::Map<_, _> =
        expected.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let differs: Vec<_> = expected
        .iter()
        .filter(|(name, value)| seen[name.as_str()] != **value)
        .map(|(name, value)| format!("{name}: {} instead of {value}", seen[name.as_str()]))
        .collect();
    assert!(differs.is_empty(), "{differs:#?}");
    assert_eq!(seen.as_object().map(serde_json::Map::len), Some(expected.len()), "all are checked: {seen:#}");
}

/// Whether the kernel bounds the memory of instances here.
pub(super) async fn has_memory_groups(prison: &Prison) -> bool {
    let status = prison.world.api.status().await;
    !status["containment"]["notes"].to_string().contains("memory is only looked at")
}

/// Says, past the capture of test output, that something could not be tried.
pub(super) fn not_shown(what: &str) {
    let _ = writeln!(std::io::stderr(), "NOT SHOWN: {what}");
}

/// Whether this test runs as root.
pub(super) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether instances can be given a way to other hosts.
pub(super) fn has_way_out() -> bool {
    let tun = std::fs::File::options().read(true).write(true).open("/dev/net/tun");
    let pasta = Path::new("/usr/bin/pasta").exists();
    if !pasta {
        not_shown("outbound network: pasta is not installed (package passt)");
    }
    pasta && tun.is_ok()
}
