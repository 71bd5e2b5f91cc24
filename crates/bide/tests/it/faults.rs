//! A disk that fills up, a second server, an orderly end, and settings that are wrong.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use bide_api::auth::{Credential, Secret};
use bide_client::{Client, ClientError};
use bide_types::AccountId;
use http::Method;
use serde_json::{Value, json};

use crate::support::{
    ACCOUNT, Api, Function, Journal, KEY_ID, KEY_SECRET, Launch, Server, World, code_of, directory, status,
    statuses, text, until,
};

const WORKING: &str = r#"
from journal import note

def handler(event, context):
    note(id=event.decode()[:20])
    return "done"
"#;

/// Runs until the file that the event names exists.
const WAITING: &str = r#"
import os, time
from journal import note

def handler(event, context):
    note(id="begin")
    while not os.path.exists(event.decode()):
        time.sleep(0.01)
    note(id="end")
    return "done"
"#;

const ECHO: &str = "def handler(event, context):\n    return event\n";

#[tokio::test]
async fn a_second_server_on_the_same_data_is_refused_and_the_first_goes_on() {
    let world = World::start().await;
    world.api.deploy("echo", Function::python(ECHO)).await;
    let data = world.dir.path().join("data");

    let mut second = Launch::new(&data).spawn();
    let ended = second.exited().await;
    assert_eq!(ended.code(), Some(5), "{}", second.log());
    let log = second.log();
    assert!(log.contains("is in use by another bide process"), "{log}");
    assert!(log.contains(&*data.to_string_lossy()), "{log}");
    assert!(!log.contains("bide: ready"), "{log}");
    drop(second);

    assert_eq!(text(&world.api.invoke("echo", "still here").await), "still here");
    world.api.submit_task("echo", "job", "and working").await;
    assert_eq!(status(&world.api.settled("echo", "job").await), "Succeeded");
}

/// 4 MiB: less than a journal grows to.
const FILE_BLOCKS_MAX: u32 = 8192;
/// Events that would not fit many times over.
const SUBMISSIONS_MAX: usize = 4000;
const EVENT_CHARS: usize = 8000;

/// Text that does not compress.
fn large_event(number: usize) -> String {
    let mut state = number as u64;
    let digits = (0..EVENT_CHARS).map(|_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from_digit(u32::try_from(state >> 60).unwrap(), 16).unwrap()
    });
    digits.collect()
}

#[tokio::test]
async fn a_disk_that_fills_up_ends_acceptance_and_loses_nothing_that_was_accepted() {
    let dir = directory();
    let (data, journal) = (dir.path().join("data"), Journal::of_directory(dir.path()));
    // The store is made without the limit; only what is written later meets it.
    let mut server = Launch::new(&data).ready().await;
    Api::of(&server).deploy("works", Function::python(WORKING).journal(&journal)).await;
    server.stop().await;
    let mut server = Launch::new(&data).file_blocks_max(FILE_BLOCKS_MAX).ready().await;
    let api = Api::of(&server);

    let (accepted, refused) = fill(&api).await;
    assert!(accepted > 100, "{accepted} accepted");
    for number in 0..5 {
        let again = api.try_submit_task("works", &format!("late{number}"), 0, "small").await;
        assert_eq!(code_of(again), (503, "ServiceUnavailable".to_owned()), "the store is not trusted again");
    }
    let plain = api.submit("works", "small", &[]).await;
    assert_eq!(code_of(plain), (503, "ServiceUnavailable".to_owned()));
    let ready = api.client().call(Method::GET, "/readyz", &[], bytes::Bytes::new()).await;
    assert_eq!(code_of(ready), (503, "ServiceUnavailable".to_owned()));
    api.client().call(Method::GET, "/healthz", &[], bytes::Bytes::new()).await.expect("it lives");
    let first = api.task("works", "job0").await;
    assert_eq!(status(&first), "Enqueued", "what is there can be read");
    server.stop().await;

    let mut server = Launch::new(&data).ready().await;
    let api = Api::of(&server);
    let tasks = api.tasks("works").await;
    let stored: Vec<_> = tasks.iter().map(|task| task["invocationId"].as_str().unwrap()).collect();
    let expected: Vec<_> = (0..accepted).map(|number| format!("job{number}")).collect();
    assert_eq!(stored, expected, "all that was accepted, and nothing of {refused}");
    for (number, task) in tasks.iter().enumerate() {
        assert_eq!(task["invocationPayload"], large_event(number));
    }
    assert!(journal.lines().is_empty(), "nothing that was refused ran");
    api.submit_task("works", "job", "works again").await;
    assert_eq!(status(&api.settled("works", "job").await), "Succeeded");
    server.stop().await;
}

/// Submits deferred tasks until one is refused; returns how many were accepted, and the first that was not.
async fn fill(api: &Api) -> (usize, String) {
    for number in 0..SUBMISSIONS_MAX {
        let id = format!("job{number}");
        match api.try_submit_task("works", &id, 3600, large_event(number)).await {
            Ok(_) => {}
            Err(ClientError::Refused { status: 503, code, .. }) if code == "ServiceUnavailable" => {
                return (number, id);
            }
            Err(error) => panic!("{id}: {error}"),
        }
    }
    panic!("the disk did not fill up");
}

#[tokio::test]
async fn sigterm_lets_running_work_finish_and_keeps_the_rest() {
    let mut world = World::start_with(&[("BIDE_INSTANCES_PER_FUNCTION", "1")]).await;
    let gate = world.shared("gate");
    let event = gate.to_string_lossy().into_owned();
    world.api.deploy("waits", Function::python(WAITING).journal(&world.journal)).await;
    world.api.submit_task("waits", "running", event.clone()).await;
    until("it runs", async || world.journal.of("begin").pop()).await;
    world.api.submit_task("waits", "in_line", event.clone()).await;
    world.api.submit_task_in("waits", "deferred", 1, event.clone()).await;
    let call = tokio::spawn({
        let (api, event) = (Api::of(&world.server), event.clone());
        async move { api.try_invoke("waits", event, &[]).await }
    });

    world.server.terminate();
    until("it drains", async || world.server.log().contains("bide: draining").then_some(())).await;
    let refused = world.api.try_submit_task("waits", "too_late", 0, event).await;
    assert!(
        matches!(&refused, Err(ClientError::Unreachable { .. } | ClientError::Refused { status: 503, .. })),
        "{refused:?}"
    );
    assert!(world.journal.of("end").is_empty(), "the running attempt is waited for");
    std::fs::write(&gate, "").unwrap();
    world.server.ended_in_order().await;
    assert!(!world.journal.of("end").is_empty());
    drop(call.await);

    world.start_again().await;
    assert_eq!(
        statuses(&world.api.task("waits", "running").await),
        ["Enqueued", "Dequeued", "Running", "Succeeded"]
    );
    for id in ["in_line", "deferred"] {
        let task = world.api.settled("waits", id).await;
        assert_eq!(statuses(&task), ["Enqueued", "Dequeued", "Running", "Succeeded"], "{id}");
    }
    assert_eq!(code_of(world.api.try_task("waits", "too_late").await).0, 404);
}

#[tokio::test]
async fn an_attempt_that_outlasts_the_drain_runs_again_after_the_restart() {
    let mut world = World::start_with(&[("BIDE_DRAIN_TIMEOUT_SECONDS", "1")]).await;
    let gate = world.shared("gate");
    world.api.deploy("waits", Function::python(WAITING).journal(&world.journal)).await;
    world.api.configure("waits", json!({ "maxAsyncRetryAttempts": 0 })).await;
    world.api.submit_task("waits", "job", gate.to_string_lossy().into_owned()).await;
    let line = until("it runs", async || world.journal.of("begin").pop()).await;

    world.restart().await;
    assert!(world.processes_of(line["instance"].as_str().unwrap()).is_empty());
    std::fs::write(&gate, "").unwrap();
    let task = world.api.settled("waits", "job").await;
    assert_eq!(statuses(&task), ["Enqueued", "Dequeued", "Running", "Running", "Succeeded"]);
    assert_eq!(task["alreadyRetriedTimes"], 0, "it used no retry");
    assert_eq!(world.journal.of("begin").len(), 2);
}

#[tokio::test]
async fn wrong_settings_are_told_and_nothing_starts() {
    let dir = directory();
    let data = dir.path().join("data");
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_string_lossy().into_owned()
    };
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let unknown_key = file("unknown.toml", "lisen = \"127.0.0.1:0\"\n");
    let wrong_type = file("type.toml", "idle_timeout_seconds = \"soon\"\n");
    let no_toml = file("no.toml", "listen = \n");
    let no_directory = file("a-file", "");
    let under_a_file = format!("{no_directory}/data");
    for (code, arguments, expected) in [
        (5, vec!["--config", &unknown_key], "unknown field `lisen`"),
        (5, vec!["--config", &wrong_type], "idle_timeout_seconds"),
        (5, vec!["--config", &no_toml], "no.toml"),
        (5, vec!["--config", "/no/such/file"], "cannot read settings file /no/such/file"),
        (5, vec!["--listen", "nowhere"], "listen address 'nowhere' is not of the form IP:PORT"),
        (5, vec!["--listen", &taken], &taken),
        (5, vec!["--data-dir", &no_directory], "a-file"),
        (5, vec!["--data-dir", &under_a_file], "a-file/data"),
        (5, vec!["--region", "no region"], "region 'no region' is invalid"),
        (5, vec!["--log-filter", "=,="], "is no log filter"),
        (2, vec!["--log-format", "xml"], "xml"),
        (2, vec!["--idle-timeout-seconds", "soon"], "soon"),
        (2, vec!["--no-such-flag"], "--no-such-flag"),
    ] {
        let mut server = refused_launch(&data, &arguments).spawn();
        let ended = server.exited().await;
        let log = server.log();
        assert_eq!(ended.code(), Some(code), "{arguments:?}: {log}");
        assert!(log.contains("error:") && log.contains(expected), "{arguments:?}: {log}");
        assert!(!log.contains("panicked") && !log.contains("bide: ready"), "{arguments:?}: {log}");
    }
    let mut half = Launch::bare(&data).env("BIDE_LISTEN", "127.0.0.1:0").env("BIDE_ACCESS_KEY_ID", "key");
    half = half.env("BIDE_DATA_DIR", &data);
    let mut server = half.spawn();
    assert_eq!(server.exited().await.code(), Some(5));
    assert!(server.log().contains("BIDE_ACCESS_KEY_SECRET"), "{}", server.log());
}

/// A launch with `arguments`, and good settings for what they leave out.
fn refused_launch(data: &Path, arguments: &[&str]) -> Launch {
    Launch::bare(data)
        .env("BIDE_LISTEN", "127.0.0.1:0")
        .env("BIDE_DATA_DIR", data)
        .env("BIDE_ACCESS_KEY_ID", KEY_ID)
        .env("BIDE_ACCESS_KEY_SECRET", KEY_SECRET)
        .args(arguments.iter().copied())
}

#[tokio::test]
async fn the_environment_wins_over_the_file_and_flags_over_both() {
    let dir = directory();
    let data = dir.path().join("data");
    let settings = dir.path().join("bide.toml");
    let text = format!(
        "listen = \"127.0.0.1:0\"\nregion = \"of-the-file\"\ndata_dir = \"{}\"\nlog_filter = \"warn\"\n\
         [[credentials]]\naccount_id = \"{ACCOUNT}\"\naccess_key_id = \"{KEY_ID}\"\naccess_key_secret = \"{KEY_SECRET}\"\n",
        data.display()
    );
    std::fs::write(&settings, text).unwrap();
    let from_file = || Launch::bare(&data).env("BIDE_CONFIG", &settings);

    let mut server = from_file().ready().await;
    let api = Api::of(&server);
    let tells = "def handler(event, context):\n    return context.region\n";
    api.deploy("tells", Function::python(tells)).await;
    assert_eq!(crate::support::text(&api.invoke("tells", "").await), "of-the-file");
    assert!(!server.log().contains(" INFO "), "the file's filter holds: {}", server.log());
    server.stop().await;

    let from_environment = || from_file().env("BIDE_REGION", "of-the-environment");
    check_region(from_environment(), "of-the-environment").await;
    check_region(from_environment().args(["--region", "of-the-flags"]), "of-the-flags").await;
}

async fn check_region(launch: Launch, expected: &str) {
    let mut server = launch.ready().await;
    assert_eq!(text(&Api::of(&server).invoke("tells", "").await), expected);
    server.stop().await;
}

#[tokio::test]
async fn generated_credentials_are_private_kept_and_never_logged() {
    let dir = directory();
    let data = dir.path().join("data");
    let launch = || {
        Launch::bare(&data)
            .env("BIDE_LISTEN", "127.0.0.1:0")
            .env("BIDE_DATA_DIR", &data)
            .env("BIDE_LOG_FILTER", "trace")
    };
    let mut server = launch().ready().await;
    let path = data.join("credentials.toml");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let made = std::fs::read_to_string(&path).unwrap();
    let made: toml::Table = made.parse().unwrap();
    use_it(&server, &made).await;
    server.stop().await;
    let secret = made["access_key_secret"].as_str().unwrap();
    assert!(secret.len() >= 32, "long enough not to be guessed");
    assert!(!server.log().contains(secret), "the log shows the secret");

    let mut server = launch().ready().await;
    use_it(&server, &made).await;
    server.stop().await;
    assert_eq!(std::fs::read_to_string(&path).unwrap().parse::<toml::Table>().unwrap(), made);
    assert!(!server.log().contains(secret), "the log shows the secret");

    let mut command = crate::support::bide_command(&["functions", "list", "--output", "json"]);
    command.env("BIDE_DATA_DIR", &data).env("BIDE_ENDPOINT", "http://127.0.0.1:1");
    let output = crate::support::run(command).await;
    assert_eq!(output.code, 4, "it has credentials, but there is no server: {output:?}");
}

/// Deploys and invokes, with the credentials of the file.
async fn use_it(server: &Server, made: &toml::Table) {
    let field = |key: &str| made[key].as_str().unwrap();
    let credential = Credential::new(
        field("access_key_id"),
        &Secret::new(field("access_key_secret")),
        AccountId::new(field("account_id")).unwrap(),
    );
    let client = Client::new(server.endpoint(), credential).unwrap();
    let services: Value = client.json(Method::GET, "/2016-08-15/services", None).await.expect("accepted");
    assert!(services["services"].is_array(), "{services}");
}

#[tokio::test]
async fn given_secrets_are_in_no_log_and_in_no_function() {
    let mut world = World::start_with(&[("BIDE_LOG_FILTER", "trace")]).await;
    let tells = "import os\ndef handler(event, context):\n    return dict(os.environ)\n";
    world.api.deploy("tells", Function::python(tells)).await;
    let answer = world.api.invoke("tells", "").await;
    assert!(!text(&answer).contains(KEY_SECRET) && !text(&answer).contains("BIDE_"), "{}", text(&answer));
    world.api.submit_task("tells", "job", "").await;
    world.api.settled("tells", "job").await;
    let mut client = crate::support::command_for(&world.server, &["functions", "list"]);
    client.env("BIDE_ACCESS_KEY_SECRET", "another-secret-that-is-wrong");
    assert_eq!(crate::support::run(client).await.code, 3);
    world.server.stop().await;
    let log = world.server.log();
    assert!(log.contains("TRACE") || log.contains("DEBUG"), "the log is full");
    assert!(!log.contains(KEY_SECRET) && !log.contains("another-secret"), "the log shows a secret");
}
