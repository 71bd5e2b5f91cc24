//! Results reach targets of other systems, whatever stops in between.
//!
//! Owns the two stories that every kind of target has to tell: each way to end leaves its documented record, and nothing
//! is lost when the target and the server go down while records are on their way. Targets are the real ones.

pub(crate) mod amqp;
mod dead_letters;
mod http;
mod kafka;
pub(crate) mod nats;
mod redis;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::component;
use crate::support::{Api, Function, Journal, Launch, Server, bide, directory, is_final, shared, until};

/// Something that stands for queues and can be stopped.
pub(crate) trait Receiver {
    /// What the settings say about it, as the value of `target`.
    fn target(&self) -> String;
    /// The resource that it stands for, and all those like it, as the settings name them. Their name is `results`.
    fn resource(&self) -> (&'static str, &'static str) {
        ("acs:mns:::/queues/results/messages", "acs:mns:*:*:/queues/*/messages")
    }
    /// What the server has to trust to reach it; with one, records come over TLS.
    fn certificate(&self) -> Option<PathBuf> {
        None
    }
    /// Starts it, the first time or again with what it kept.
    async fn start(&mut self);
    /// Ends it without warning.
    async fn stop(&mut self);
    /// Every record that it has got so far, in no order; each maybe several times.
    async fn records(&mut self) -> Vec<Value>;
}

/// A server that sends the ends of all functions to a receiver.
struct Scene {
    api: Api,
    server: Server,
    journal: Journal,
    dir: TempDir,
    destination: &'static str,
    certificate: Option<PathBuf>,
}

const WORKING: &str = "def handler(event, context):\n    return event.upper()\n";
const FAILING: &str = "def handler(event, context):\n    raise ValueError('no ' + event.decode())\n";
/// Runs until a file is there.
const HOLDING: &str = "
import os, time
from journal import note

def handler(event, context):
    note(id=event.decode(), what='begin')
    while not os.path.exists(os.environ['RELEASE']):
        time.sleep(0.01)
    return 'released'
";

impl Scene {
    /// `more` are further settings of the destination.
    async fn start(receiver: &impl Receiver, more: &str) -> Self {
        let dir = directory();
        let (destination, pattern) = receiver.resource();
        let settings = format!(
            "instances_per_function = 1\n[[destinations]]\narn = \"{pattern}\"\n{more}\ntarget = {}\n",
            receiver.target()
        );
        std::fs::write(dir.path().join("bide.toml"), settings).expect("written");
        let certificate = receiver.certificate();
        let server = Self::launch(&dir, certificate.as_deref()).await;
        let (api, journal) = (Api::of(&server), Journal::of_directory(dir.path()));
        Self { api, server, journal, dir, destination, certificate }
    }

    async fn launch(dir: &TempDir, certificate: Option<&Path>) -> Server {
        let launch = Launch::new(&dir.path().join("data")).env("BIDE_CONFIG", dir.path().join("bide.toml"));
        match certificate {
            Some(certificate) => launch.env("SSL_CERT_FILE", certificate).ready().await,
            None => launch.ready().await,
        }
    }

    async fn start_again(&mut self) {
        self.server = Self::launch(&self.dir, self.certificate.as_deref()).await;
        self.api = Api::of(&self.server);
    }

    async fn deploy(&self, name: &str, function: Function) {
        self.deploy_with(name, function, self.destination).await;
    }

    async fn deploy_with(&self, name: &str, function: Function, destination: &str) {
        self.api.deploy(name, function).await;
        let target = json!({ "destination": destination });
        let config = json!({
            "maxAsyncRetryAttempts": 0,
            "destinationConfig": { "onSuccess": target, "onFailure": target },
        });
        self.api.configure(name, config).await;
    }

    fn release(&self) -> PathBuf {
        shared(self.dir.path()).join("release")
    }
}

/// What a receiver has got, by the payload of the request.
async fn by_payload(receiver: &mut impl Receiver) -> BTreeMap<String, Vec<Value>> {
    let mut records: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for record in receiver.records().await {
        let payload = record["requestPayload"].as_str().expect("a string").to_owned();
        records.entry(payload).or_default().push(record);
    }
    records
}

/// The record that the cloud service documents (fc-behaviour 2.2).
fn expected(
    task: &Value,
    function: &str,
    payload: &str,
    error: (&str, &str),
    result: &str,
    runs: u32,
) -> Value {
    let (condition, function_error) = error;
    json!({
        "timestamp": task["startedTime"],
        "requestContext": {
            "requestId": task["requestId"],
            "functionArn": format!("acs:fc:local:123456789012:services/it.LATEST/functions/{function}"),
            "condition": condition,
            "approximateInvokeCount": runs,
        },
        "requestPayload": payload,
        "responseContext": { "statusCode": 200, "functionError": function_error },
        "responsePayload": result,
    })
}

/// A success, a failure, a stop and an expiry each leave their record.
async fn every_end_leaves_its_record(mut receiver: impl Receiver) {
    receiver.start().await;
    let scene = Scene::start(&receiver, "").await;
    let release = scene.release();
    scene.deploy("works", Function::python(WORKING)).await;
    scene.deploy("fails", Function::python(FAILING)).await;
    let holding = Function::python(HOLDING).journal(&scene.journal);
    scene.deploy("holds", holding.env("RELEASE", &release.to_string_lossy())).await;
    scene.api.configure("holds", json!({ "maxAsyncEventAgeInSeconds": 1 })).await;

    scene.api.submit_task("works", "works", "order 1").await;
    scene.api.submit_task("fails", "fails", "order 2").await;
    scene.api.submit_task_in("works", "stops", 600, "order 3").await;
    scene.api.stop_task("works", "stops").await;
    scene.api.submit_task("holds", "holds", "order 4").await;
    until("the function holds its only instance", async || {
        (!scene.journal.of("order 4").is_empty()).then_some(())
    })
    .await;
    scene.api.submit_task("holds", "expires", "order 5").await;
    scene.api.task_when("holds", "expires", |status| status == "Expired").await;
    std::fs::write(&release, "").expect("written");

    let mut all = BTreeMap::new();
    for (function, id) in
        [("works", "works"), ("fails", "fails"), ("works", "stops"), ("holds", "holds"), ("holds", "expires")]
    {
        all.insert(id, scene.api.delivered(function, id).await);
    }
    let records = until("all records are there", async || {
        let records = by_payload(&mut receiver).await;
        (records.len() == all.len()).then_some(records)
    })
    .await;
    let one = |payload: &str| {
        let [record] = &records[payload][..] else { panic!("{records:#?}") };
        record.clone()
    };
    assert_eq!(one("order 1"), expected(&all["works"], "works", "order 1", ("", ""), "ORDER 1", 1));
    assert_eq!(one("order 4"), expected(&all["holds"], "holds", "order 4", ("", ""), "released", 1));
    let stopped = ("InvocationStopped", "");
    assert_eq!(one("order 3"), expected(&all["stops"], "works", "order 3", stopped, "", 0));
    let expired = ("EventAgeExceeded", "");
    assert_eq!(one("order 5"), expected(&all["expires"], "holds", "order 5", expired, "", 0));
    let failed = one("order 2");
    let error: Value = serde_json::from_str(failed["responsePayload"].as_str().expect("text")).expect("JSON");
    assert_eq!((&error["errorMessage"], &error["errorType"]), (&json!("no order 2"), &json!("ValueError")));
    let unhandled = ("UnhandledInvocationError", "UnhandledInvocationError");
    let result = failed["responsePayload"].as_str().expect("text");
    assert_eq!(failed, expected(&all["fails"], "fails", "order 2", unhandled, result, 1));
    receiver.stop().await;
}

/// The target ends while records are on their way to it, the server is killed, and both come back.
async fn nothing_is_lost_while_target_and_server_are_down(mut receiver: impl Receiver) {
    const TASKS: usize = 12;
    receiver.start().await;
    let mut scene = Scene::start(&receiver, "").await;
    scene.deploy("works", Function::python(WORKING)).await;
    for number in 0..TASKS / 2 {
        scene.api.submit_task("works", &format!("t-{number}"), format!("order {number}")).await;
    }
    scene.api.delivered("works", "t-0").await;
    receiver.stop().await;
    for number in TASKS / 2..TASKS {
        scene.api.submit_task("works", &format!("t-{number}"), format!("order {number}")).await;
    }
    let last = format!("t-{}", TASKS - 1);
    let task = scene.api.task_when("works", &last, is_final).await;
    assert_eq!((&task["status"], &task["destinationStatus"]), (&json!("Succeeded"), &json!("Pending")));
    scene.server.kill().await;
    receiver.start().await;
    scene.start_again().await;
    for number in 0..TASKS {
        scene.api.delivered("works", &format!("t-{number}")).await;
    }
    let records = by_payload(&mut receiver).await;
    for number in 0..TASKS {
        let got = &records[&format!("order {number}")];
        assert!(got.iter().all(|record| record == &got[0]), "repetitions are alike: {got:#?}");
    }
    assert_eq!(records.len(), TASKS);
    receiver.stop().await;
}

/// There is no such queue, and the target says so; the next record for one that there is arrives.
async fn what_nobody_takes_becomes_a_dead_letter_that_says_why(mut receiver: impl Receiver, why: &str) {
    receiver.start().await;
    let scene = Scene::start(&receiver, "attempts = 1").await;
    scene
        .deploy_with("lost", Function::python(WORKING), &scene.destination.replace("results", "nowhere"))
        .await;
    scene.deploy("works", Function::python(WORKING)).await;
    scene.api.submit_task("lost", "t", "order 1").await;
    let letters = until("a dead letter", async || {
        let letters = bide(&scene.server, &["deadletters", "list", "--output", "json"]).await.json();
        (letters != json!([])).then_some(letters)
    })
    .await;
    let reason = letters[0]["reason"].as_str().expect("a reason");
    assert!(reason.contains(why), "{reason}");
    scene.api.submit_task("works", "t", "order 2").await;
    scene.api.delivered("works", "t").await;
    let records = receiver.records().await;
    assert_eq!(records.iter().map(|record| &record["requestPayload"]).collect::<Vec<_>>(), ["order 2"]);
    receiver.stop().await;
}

/// The target is down for longer than the settings allow; what was given up is sent when an operator asks for it.
async fn what_was_given_up_is_delivered_when_it_is_redriven(mut receiver: impl Receiver) {
    receiver.start().await;
    receiver.stop().await;
    let scene = Scene::start(&receiver, "attempts = 1").await;
    scene.deploy("works", Function::python(WORKING)).await;
    scene.api.submit_task("works", "t", "order 1").await;
    let task = until("the record is given up", async || {
        let task = scene.api.task("works", "t").await;
        (task["destinationStatus"] == "Failed").then_some(task)
    })
    .await;
    receiver.start().await;
    let redriven = bide(&scene.server, &["deadletters", "redrive", "--all", "--output", "json"]).await.json();
    assert_eq!(redriven, json!({ "changed": 1 }));
    scene.api.delivered("works", "t").await;
    let records = receiver.records().await;
    assert_eq!(records, [expected(&task, "works", "order 1", ("", ""), "ORDER 1", 1)]);
    receiver.stop().await;
}
