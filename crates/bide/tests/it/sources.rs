//! Events from outside end as one task each, whatever stops in between, and are acknowledged only once that is certain.
//!
//! Owns one story for every source: a message comes while nothing can be stored, the server is killed, and the source has
//! heard of nothing; then the server is killed again and again while messages come. Sources are the real ones.

use std::collections::BTreeMap;
use std::process::Command;

use amqprs::BasicProperties;
use amqprs::channel::{BasicPublishArguments, QueueDeclareArguments};
use async_nats::jetstream::{self, consumer::PullConsumer};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::destinations::Receiver;
use crate::destinations::amqp::{QUEUE, RabbitMq};
use crate::destinations::nats::{Nats, STREAM, TOKEN};
use crate::support::component::{Process, data, installed, port, until_listens};
use crate::support::{Api, Function, Launch, Reply, Server, curl, directory, status, until};

const ECHO: &str = "def handler(event, context):\n    return event\n";
const FUNCTION: &str = "sink";
const SENDER_TOKEN: &str = "a-token-of-a-sender-of-events";
/// More than any disk has.
const FULL: &str = "1000000000";
/// Messages of one round, and kills while they come.
const MESSAGES: usize = 12;
const ROUNDS: usize = 3;

/// A broker that hands out messages.
trait Feed {
    /// The value of `source` in the settings.
    fn source(&self) -> String;
    async fn begin(&mut self);
    /// Hands a message to the broker.
    async fn publish(&self, text: &str);
    /// Messages that nobody acknowledged; the server does not run.
    async fn left(&self) -> usize;
}

struct Scene {
    api: Api,
    server: Server,
    dir: TempDir,
}

impl Scene {
    async fn start(settings: &str) -> Self {
        let dir = directory();
        std::fs::write(dir.path().join("token"), SENDER_TOKEN).expect("written");
        let token = dir.path().join("token");
        let senders =
            format!("[[event_senders]]\nname = \"gateway\"\ntoken = {{ file = \"{}\" }}\n", token.display());
        std::fs::write(dir.path().join("bide.toml"), format!("{senders}{settings}")).expect("written");
        let server = Self::launch(&dir, "0").await;
        let api = Api::of(&server);
        api.deploy(FUNCTION, Function::python(ECHO)).await;
        Self { api, server, dir }
    }

    async fn launch(dir: &TempDir, reserve: &str) -> Server {
        let launch = Launch::new(&dir.path().join("data")).env("BIDE_CONFIG", dir.path().join("bide.toml"));
        launch.env("BIDE_DISK_RESERVE_MB", reserve).ready().await
    }

    /// Kills the server and starts it again, maybe with a disk that takes nothing new.
    async fn crash(&mut self, reserve: &str) {
        self.server.kill().await;
        self.server = Self::launch(&self.dir, reserve).await;
        self.api = Api::of(&self.server);
    }

    /// The events of all tasks with their number, once there are `count` and all have succeeded.
    async fn tasks(&self, count: usize) -> BTreeMap<String, usize> {
        let tasks = until("every task has succeeded", async || {
            let tasks = self.api.tasks(FUNCTION).await;
            (tasks.len() >= count && tasks.iter().all(|task| status(task) == "Succeeded")).then_some(tasks)
        });
        let mut seen = BTreeMap::new();
        for task in tasks.await {
            *seen.entry(task["invocationPayload"].as_str().expect("a text").to_owned()).or_default() += 1;
        }
        seen
    }

    async fn post(&self, path: &str, kind: &str, body: &Value) -> Reply {
        let kind = format!("content-type: {kind}");
        let bearer = format!("authorization: Bearer {SENDER_TOKEN}");
        let arguments = ["-H", &kind, "-H", &bearer, "-d", &body.to_string()];
        curl(&self.server, "localhost", path, &arguments).await
    }

    async fn create_trigger(&self, kind: &str, source: &str, config: Value) {
        let trigger = json!({
            "triggerName": kind, "triggerType": kind, "sourceArn": source, "triggerConfig": config,
        });
        let path = format!("{}/triggers", Api::path(FUNCTION));
        self.api.client().json(http::Method::POST, &path, Some(&trigger)).await.expect("created");
    }
}

async fn every_message_is_one_task(mut feed: impl Feed) {
    feed.begin().await;
    let settings = format!(
        "[[event_sources]]\nname = \"orders\"\nservice = \"it\"\nfunction = \"{FUNCTION}\"\nsource = {}\n",
        feed.source()
    );
    let mut scene = Scene::start(&settings).await;
    // It comes while nothing can be stored: the broker hears of nothing, and has it when the server is dead.
    scene.crash(FULL).await;
    feed.publish("first").await;
    until("the message waits", async || scene.server.log().contains("a message waits").then_some(())).await;
    scene.server.kill().await;
    until("the broker still has it", async || (feed.left().await == 1).then_some(())).await;
    // More come while the server is killed.
    let mut expected = BTreeMap::from([("first".to_owned(), 1)]);
    for round in 0..ROUNDS {
        scene.server = Scene::launch(&scene.dir, "0").await;
        scene.api = Api::of(&scene.server);
        for number in 0..MESSAGES {
            let text = format!("{round}-{number}");
            feed.publish(&text).await;
            expected.insert(text, 1);
        }
        scene.server.kill().await;
    }
    scene.server = Scene::launch(&scene.dir, "0").await;
    scene.api = Api::of(&scene.server);
    // Behind all that a kill left without an acknowledgement, which may be handed out again only after a while.
    feed.publish("last").await;
    expected.insert("last".to_owned(), 1);
    assert_eq!(scene.tasks(expected.len()).await, expected);
    until("all is acknowledged", async || (feed.left().await == 0).then_some(())).await;
    assert_eq!(scene.tasks(expected.len()).await, expected, "what was handed out again is the same task");
    scene.server.stop().await;
    assert_eq!(feed.left().await, 0, "it stays so");
}

/// `table` with more keys.
fn with(table: &str, more: &str) -> String {
    format!("{}, {more} }}", table.strip_suffix(" }").expect("a table"))
}

impl Feed for RabbitMq {
    fn source(&self) -> String {
        with(&self.target(), &format!("queue = \"{QUEUE}\""))
    }

    async fn begin(&mut self) {
        Receiver::start(self).await;
    }

    async fn publish(&self, text: &str) {
        let connection = self.connect().await;
        let channel = connection.open_channel(None).await.expect("a channel");
        let properties = BasicProperties::default().with_message_id(text).with_persistence(true).finish();
        let arguments = BasicPublishArguments::new("", QUEUE);
        channel.basic_publish(properties, text.into(), arguments).await.expect("published");
        // The broker answers after it has the message.
        let same = QueueDeclareArguments::durable_client_named(QUEUE).passive(true).finish();
        channel.queue_declare(same).await.expect("it answers");
    }

    async fn left(&self) -> usize {
        let connection = self.connect().await;
        let channel = connection.open_channel(None).await.expect("a channel");
        let same = QueueDeclareArguments::durable_client_named(QUEUE).passive(true).finish();
        let (_, messages, _) = channel.queue_declare(same).await.expect("it answers").expect("an answer");
        usize::try_from(messages).expect("few")
    }
}

impl Feed for Nats {
    fn source(&self) -> String {
        with(&self.target().replace("fc.{name}", "fc.results"), &format!("stream = \"{STREAM}\""))
    }

    async fn begin(&mut self) {
        Receiver::start(self).await;
    }

    async fn publish(&self, text: &str) {
        let options = async_nats::ConnectOptions::new().token(TOKEN.to_owned());
        let client = options.connect(format!("127.0.0.1:{}", self.port)).await.expect("it answers");
        let context = jetstream::new(client);
        let published = context.publish("fc.results", text.to_owned().into()).await;
        published.expect("published").await.expect("kept");
    }

    async fn left(&self) -> usize {
        let consumer: PullConsumer =
            self.stream().await.get_consumer("bide-orders").await.expect("it was made");
        let info = consumer.get_info().await.expect("it answers");
        usize::try_from(info.num_pending).expect("few") + info.num_ack_pending
    }
}

#[tokio::test]
async fn every_message_of_a_rabbitmq_queue_is_one_task() {
    every_message_is_one_task(RabbitMq::new(false)).await;
}

#[tokio::test]
async fn every_message_of_a_jetstream_is_one_task() {
    every_message_is_one_task(Nats::new(false)).await;
}

#[tokio::test]
async fn an_event_over_http_is_one_task_and_is_acknowledged_only_when_that_is_durable() {
    let mut scene = Scene::start("").await;
    scene.create_trigger("eventbridge", "", json!({})).await;
    scene.create_trigger("oss", "acs:oss:::pictures", json!({"events": ["oss:ObjectCreated:*"]})).await;
    let event = json!({"specversion": "1.0", "id": "1", "source": "/shop", "type": "made"});
    let record = json!({
        "eventName": "s3:ObjectCreated:Put",
        "s3": {"bucket": {"name": "pictures"}, "object": {"key": "a", "sequencer": "1"}},
    });
    let posts = [
        ("/bide/v1/events", "application/cloudevents+json", event),
        ("/bide/v1/s3-notifications", "application/json", json!({"Records": [record]})),
    ];
    scene.crash(FULL).await;
    for (path, kind, body) in &posts {
        assert_eq!(scene.post(path, kind, body).await.status, 503);
    }
    scene.crash("0").await;
    for (path, kind, body) in &posts {
        let answer = scene.post(path, kind, body).await;
        assert_eq!((answer.status, answer.json()["invocations"].as_u64()), (202, Some(1)));
    }
    scene.crash("0").await;
    for (path, kind, body) in &posts {
        let answer = scene.post(path, kind, body).await;
        assert_eq!((answer.status, answer.json()["repeated"].as_u64()), (202, Some(1)));
    }
    let tasks = scene.tasks(2).await;
    assert_eq!((tasks.len(), tasks.values().sum::<usize>()), (2, 2));
}

/// One request of S3 by curl; a body is sent by `PUT`.
async fn s3(port: u16, method: &str, path: &str, body: Option<&str>) {
    let mut command = tokio::process::Command::from(Command::new("curl"));
    command
        .args(["--disable", "--noproxy", "*", "--silent", "--show-error", "--fail", "--path-as-is"])
        .args(["--aws-sigv4", "aws:amz:us-east-1:s3", "--user", "root:root-secret", "-X", method]);
    if let Some(body) = body {
        command.args(["--data-binary", body, "-H", "content-type: text/plain"]);
    }
    command.args(["-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD"]);
    let output = command.arg(format!("http://127.0.0.1:{port}{path}")).output().await.expect("curl runs");
    assert!(output.status.success(), "{method} {path}: {}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn what_happens_to_objects_of_a_real_gateway_is_one_task_each() {
    let scene = Scene::start("").await;
    let config = json!({
        "events": ["oss:ObjectCreated:PutObject", "oss:ObjectRemoved:*"],
        "filter": {"key": {"prefix": "in/", "suffix": ".txt"}},
    });
    scene.create_trigger("oss", "acs:oss:::pictures", config).await;
    let (data, port) = (data(), port());
    let objects = data.path().join("objects");
    std::fs::create_dir(&objects).expect("made");
    let address = scene.server.endpoint().trim_start_matches("http://");
    let hook = format!("http://gateway:{SENDER_TOKEN}@{address}/bide/v1/s3-notifications?keys=plain");
    let mut command = Command::new(installed("versitygw"));
    command
        .args(["--access", "root", "--secret", "root-secret", "--port", &format!("127.0.0.1:{port}")])
        .args(["--event-webhook-url", &hook, "posix"])
        .arg(&objects);
    let _gateway = Process::start(&mut command, &data.path().join("log"));
    until_listens(port).await;
    s3(port, "PUT", "/pictures", None).await;
    for key in ["in/a%20b%2Bc.txt", "in/%C3%BC.txt", "out/a.txt", "in/a.png"] {
        s3(port, "PUT", &format!("/pictures/{key}"), Some("hello")).await;
    }
    s3(port, "DELETE", "/pictures/in/%C3%BC.txt", None).await;
    let tasks = scene.tasks(3).await;
    let mut seen: Vec<(String, String)> = tasks
        .keys()
        .map(|event| {
            let event: Value = serde_json::from_str(event).expect("JSON");
            let event = &event["events"][0];
            assert_eq!(event["oss"]["bucket"]["name"], "pictures");
            let text = |value: &Value| value.as_str().expect("a text").to_owned();
            (text(&event["eventName"]), text(&event["oss"]["object"]["key"]))
        })
        .collect();
    seen.sort();
    let expected = [
        ("ObjectCreated:PutObject", "in/a b+c.txt"),
        ("ObjectCreated:PutObject", "in/ü.txt"),
        ("ObjectRemoved:DeleteObject", "in/ü.txt"),
    ];
    assert_eq!(seen, expected.map(|(name, key)| (name.to_owned(), key.to_owned())));
}
