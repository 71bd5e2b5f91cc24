//! The server is killed under load, again and again, and everything that it accepted settles.
//!
//! Owns the load: several connections submit work of every kind (plain and tasks, now and later, short and long, good
//! and failing once) and remember what was answered with 202. A kill comes at a random moment, also while the server
//! starts. The functions keep a journal of their own, so that the server's records are checked against what ran.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::time::Duration;

use bide_client::ClientError;
use bide_env::{Clock as _, Entropy as _, SystemClock, SystemEntropy};
use bide_types::Timestamp;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{
    Api, Function, Journal, Launch, Server, World, bide_command, directory, events, is_final, run, status,
    statuses, until_within,
};

/// Kills under load.
const ROUNDS: u64 = 24;
/// After so many rounds the server is also killed while it starts.
const ROUNDS_PER_STARTUP_KILL: u64 = 4;
const CONNECTIONS: u64 = 4;
/// Submissions of one connection in one round.
const SUBMISSIONS_MAX: u64 = 80;
/// A kill comes at most so long after the load began, or the start.
const LOAD_MS_MAX: u64 = 900;
const STARTUP_MS_MAX: u64 = 250;
/// Tasks whose results are read one by one; the list has no results.
const RESULTS_CHECKED: usize = 100;
/// All that is left after the last kill is done within this.
const SETTLE_TIME_MAX: Duration = Duration::from_secs(120);

/// Says in the journal when it begins and when it has done its work.
const WORKER: &str = r#"
import json, time
from journal import note

def handler(event, context):
    work = json.loads(event)
    note(id=work["id"], what="begin", retry=context.retry_count)
    if work["fails_once"] and context.retry_count == 0:
        note(id=work["id"], what="fail")
        raise RuntimeError("once")
    time.sleep(work["ms"] / 1000)
    note(id=work["id"], what="end")
    return work["id"]
"#;

const COLLECTOR: &str = r#"
def handler(event, context):
    return ""
"#;

/// A sequence that a seed decides (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// True `percent` times in a hundred.
    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// The seed in `BIDE_TEST_SEED`, or a new one.
    fn seeded() -> Self {
        let mut drawn = [0; 8];
        SystemEntropy.fill(&mut drawn);
        let given = std::env::var("BIDE_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or(u64::from_le_bytes(drawn));
        eprintln!("BIDE_TEST_SEED={seed}");
        Self(seed)
    }
}

/// A submission.
#[derive(Clone)]
struct Work {
    id: String,
    is_task: bool,
    delay_seconds: u64,
    ms: u64,
    fails_once: bool,
    /// Read before it was sent, so acceptance is not earlier.
    sent_at: Timestamp,
}

impl Work {
    fn draw(id: String, random: &mut Random, now: Timestamp) -> Self {
        Self {
            id,
            is_task: random.chance(60),
            delay_seconds: if random.chance(30) { 1 + random.below(3) } else { 0 },
            ms: if random.chance(6) { 300 } else { 0 },
            fails_once: random.chance(8),
            sent_at: now,
        }
    }

    fn event(&self) -> String {
        json!({ "id": self.id, "ms": self.ms, "fails_once": self.fails_once }).to_string()
    }

    fn due_at(&self) -> Timestamp {
        self.sent_at.plus(Duration::from_secs(self.delay_seconds))
    }

    async fn submit(&self, api: &Api) -> Result<(), ClientError> {
        if self.is_task {
            return api
                .try_submit_task("tasks", &self.id, self.delay_seconds, self.event())
                .await
                .map(|_| ());
        }
        let delay = ("x-fc-async-delay", self.delay_seconds.to_string());
        api.submit("plain", self.event(), &[delay]).await.map(|_| ())
    }
}

/// What the clients know of all rounds.
#[derive(Default)]
struct Sent {
    accepted: Vec<Work>,
    /// Sent, but the server died before it answered: may be accepted or not.
    unanswered: Vec<Work>,
}

impl Sent {
    fn extend(&mut self, other: Self) {
        self.accepted.extend(other.accepted);
        self.unanswered.extend(other.unanswered);
    }

    fn count(&self, is_task: bool) -> (u64, u64) {
        let count = |list: &[Work]| list.iter().filter(|work| work.is_task == is_task).count() as u64;
        (count(&self.accepted), count(&self.unanswered))
    }
}

#[tokio::test]
async fn what_was_accepted_settles_once_and_never_early_however_often_the_server_is_killed() {
    let mut random = Random::seeded();
    let dir = directory();
    let (data, journal) = (dir.path().join("data"), Journal::of_directory(dir.path()));
    let mut server = start(&data).await;
    deploy(&Api::of(&server), &journal).await;

    let mut sent = Sent::default();
    let (mut cut_runs, mut held_back) = (0, 0);
    for round in 0..ROUNDS {
        let seen = journal.lines().len();
        check_duplicates(&Api::of(&server), &sent, &mut random).await;
        let load = load(&mut server, round, &mut random).await;
        held_back += load.accepted.iter().filter(|work| work.delay_seconds > 0).count();
        sent.extend(load);
        cut_runs += runs_without_an_end(&journal.lines()[seen..]);
        check_log(&server);
        if round % ROUNDS_PER_STARTUP_KILL == 0 {
            verify(&data).await;
            kill_while_it_starts(&data, &mut random).await;
        }
        server = start(&data).await;
    }
    let api = Api::of(&server);
    wait_until_settled(&api).await;

    eprintln!(
        "{} accepted, {} unanswered, {held_back} deferred, {cut_runs} runs cut off by {ROUNDS} kills",
        sent.accepted.len(),
        sent.unanswered.len(),
    );
    assert!(sent.accepted.len() as u64 > 20 * ROUNDS, "several hundred are accepted");
    assert!(held_back as u64 > ROUNDS, "some are deferred at a kill");
    assert!(cut_runs as u64 > ROUNDS / 2, "some run at a kill");
    check_tasks(&api, &sent).await;
    check_ledgers(&api, &sent).await;
    check_journal(&journal, &sent);

    check_log(&server);
    server.stop().await;
    verify(&data).await;
}

#[tokio::test]
async fn an_answer_of_202_survives_a_kill_right_after_it() {
    let mut world = World::start().await;
    deploy(&world.api, &world.journal).await;
    let now = SystemClock::new().now();
    for round in 0..3 {
        let work = |id: &str, is_task| Work {
            id: format!("{id}{round}"),
            is_task,
            delay_seconds: 0,
            ms: 0,
            fails_once: false,
            sent_at: now,
        };
        work("task", true).submit(&world.api).await.expect("accepted");
        work("plain", false).submit(&world.api).await.expect("accepted");
        world.crash().await;
    }
    wait_until_settled(&world.api).await;
    for number in 0..3 {
        let id = format!("task{number}");
        assert_eq!(status(&world.api.task("tasks", &id).await), "Succeeded", "{id}");
        for id in [id, format!("plain{number}")] {
            assert!(world.journal.of(&id).iter().any(|line| line["what"] == "end"), "{id}");
        }
    }
}

/// Counts the data of a server that does not run, however it ended.
async fn verify(data: &Path) {
    let verified = run(bide_command(&["verify", &data.to_string_lossy()])).await;
    assert_eq!(verified.code, 0, "{verified:?}");
}

async fn start(data: &Path) -> Server {
    Launch::new(data).env("BIDE_INSTANCES_PER_FUNCTION", "6").ready().await
}

async fn deploy(api: &Api, journal: &Journal) {
    api.deploy("plain", Function::python(WORKER).journal(journal)).await;
    api.deploy("tasks", Function::python(WORKER).journal(journal)).await;
    api.deploy("collector", Function::python(COLLECTOR)).await;
    let destination = json!({ "onSuccess": { "destination": api.arn("collector") } });
    api.configure("tasks", json!({ "destinationConfig": destination })).await;
}

/// Submits from several connections until the server is killed at a random moment.
async fn load(server: &mut Server, round: u64, random: &mut Random) -> Sent {
    let mut connections = JoinSet::new();
    for connection in 0..CONNECTIONS {
        let (api, random) = (Api::of(server), Random(random.next()));
        connections.spawn(submit_until_killed(api, format!("r{round}_c{connection}"), random));
    }
    let clock = SystemClock::new();
    clock.sleep_until(clock.now().plus(Duration::from_millis(random.below(LOAD_MS_MAX)))).await;
    server.kill().await;
    let mut sent = Sent::default();
    connections.join_all().await.into_iter().for_each(|load| sent.extend(load));
    sent
}

async fn submit_until_killed(api: Api, prefix: String, mut random: Random) -> Sent {
    let clock = SystemClock::new();
    let mut sent = Sent::default();
    for number in 0..SUBMISSIONS_MAX {
        let work = Work::draw(format!("{prefix}_{number}"), &mut random, clock.now());
        match work.submit(&api).await {
            Ok(()) => sent.accepted.push(work),
            Err(ClientError::Unreachable { .. }) => {
                sent.unanswered.push(work);
                break;
            }
            Err(error) => panic!("{}: {error}", work.id),
        }
    }
    sent
}

async fn kill_while_it_starts(data: &Path, random: &mut Random) {
    let mut server = Launch::new(data).spawn();
    let clock = SystemClock::new();
    clock.sleep_until(clock.now().plus(Duration::from_millis(random.below(STARTUP_MS_MAX)))).await;
    server.kill().await;
    check_log(&server);
}

/// An id whose 202 was seen is taken after any crash.
async fn check_duplicates(api: &Api, sent: &Sent, random: &mut Random) {
    let tasks: Vec<_> = sent.accepted.iter().filter(|work| work.is_task).collect();
    let Ok(count @ 1..) = u64::try_from(tasks.len()) else { return };
    let work = tasks[usize::try_from(random.below(count)).unwrap()];
    let again = work.submit(api).await.expect_err("its id is taken");
    assert!(again.is_refusal("StatefulAsyncInvocationAlreadyExists"), "{}: {again}", work.id);
}

fn check_log(server: &Server) {
    let log = server.log();
    let bad: Vec<_> =
        log.lines().filter(|line| line.contains(" ERROR ") || line.contains("panicked")).collect();
    assert!(bad.is_empty(), "the server reports faults: {bad:#?}");
}

async fn wait_until_settled(api: &Api) {
    until_within(SETTLE_TIME_MAX, "everything is settled", async || {
        let mut open = 0;
        for function in ["plain", "tasks", "collector"] {
            let ledger = api.ledger(function).await;
            open += ["deferred", "queued", "running", "retrying"]
                .map(|bucket| number(&ledger[bucket]))
                .iter()
                .sum::<u64>();
        }
        (open == 0).then_some(())
    })
    .await;
}

async fn check_tasks(api: &Api, sent: &Sent) {
    let tasks: HashMap<String, Value> = api
        .tasks("tasks")
        .await
        .into_iter()
        .map(|task| (task["invocationId"].as_str().unwrap().to_owned(), task))
        .collect();
    let known = sent.accepted.iter().chain(&sent.unanswered).filter(|work| work.is_task);
    let known: HashMap<&str, &Work> = known.map(|work| (work.id.as_str(), work)).collect();
    for work in sent.accepted.iter().filter(|work| work.is_task) {
        assert!(tasks.contains_key(&work.id), "{} was accepted and is lost", work.id);
    }
    for (id, task) in &tasks {
        check_task(task, known.get(id.as_str()).unwrap_or_else(|| panic!("nobody sent {id}")));
    }
    for id in tasks.keys().take(RESULTS_CHECKED) {
        assert_eq!(api.task("tasks", id).await["returnPayload"].as_str(), Some(id.as_str()));
    }
}

fn check_task(task: &Value, work: &Work) {
    assert_eq!(status(task), "Succeeded", "{task:#}");
    assert_eq!(task["invocationPayload"], work.event());
    assert_eq!(task["destinationStatus"], "Succeeded", "{task:#}");
    let statuses = statuses(task);
    let finals: Vec<_> = statuses.iter().filter(|status| is_final(status)).collect();
    assert_eq!(finals, [&"Succeeded"], "{task:#}");
    assert_eq!((statuses.first(), statuses.last()), (Some(&"Enqueued"), Some(&"Succeeded")), "{task:#}");
    let retries = statuses.iter().filter(|status| **status == "Retrying").count();
    assert_eq!(retries, usize::from(work.fails_once), "{task:#}");
    let times: Vec<u64> = events(task).iter().map(|event| number(&event["timestamp"])).collect();
    assert!(times.is_sorted(), "{task:#}");
    assert!(times[0] >= work.sent_at.as_millis(), "{task:#}");
    let due = times[0] + work.delay_seconds * 1000;
    for event in events(task).iter().filter(|event| event["status"] == "Running") {
        assert!(number(&event["timestamp"]) >= due, "too early: {task:#}");
    }
}

/// Each function has been given what was accepted, and nothing that nobody sent; and each task made one record.
async fn check_ledgers(api: &Api, sent: &Sent) {
    for (function, is_task) in [("plain", false), ("tasks", true)] {
        let ledger = api.ledger(function).await;
        let (accepted, unanswered) = sent.count(is_task);
        let counted = number(&ledger["accepted"]);
        assert!((accepted..=accepted + unanswered).contains(&counted), "{accepted} to {function}: {ledger}");
        assert_eq!(number(&ledger["succeeded"]), counted, "{function}: {ledger}");
    }
    let (tasks, collected) = (api.ledger("tasks").await, api.ledger("collector").await);
    assert_eq!(collected["accepted"], tasks["accepted"], "one record for each task");
    assert_eq!(collected["succeeded"], tasks["accepted"]);
}

/// Everything accepted ran to its end at least once, and never before it was due.
fn check_journal(journal: &Journal, sent: &Sent) {
    let mut begun: HashMap<String, Vec<u64>> = HashMap::new();
    let mut ended = HashSet::new();
    for line in journal.lines() {
        let id = line["id"].as_str().unwrap().to_owned();
        match line["what"].as_str() {
            Some("begin") => begun.entry(id).or_default().push(number(&line["at"])),
            Some("end") => drop(ended.insert(id)),
            _ => {}
        }
    }
    for work in &sent.accepted {
        assert!(ended.contains(&work.id), "{} never ran to its end", work.id);
    }
    for work in sent.accepted.iter().chain(&sent.unanswered) {
        for at in begun.get(&work.id).into_iter().flatten() {
            assert!(*at >= work.due_at().as_millis(), "{} ran at {at}, due {:?}", work.id, work.due_at());
        }
    }
}

/// Runs in these lines of the journal that have begun and neither failed nor come to their end.
fn runs_without_an_end(lines: &[Value]) -> usize {
    let mut open = HashSet::new();
    for line in lines {
        let id = line["id"].as_str().unwrap();
        if line["what"] == "begin" {
            open.insert(id)
        } else {
            open.remove(id)
        };
    }
    open.len()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))
}
