//! SIGKILL of a process that commits, at moments that nobody chose, again and again on the same directory.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bide_core::Bucket;
use bide_store::Store;
use bide_store_local::LocalStore;

use crate::support::{FUNCTION, assert_sound, at, directory, open, plain, run, submit, task, task_id};

const KILLS: u64 = 12;
/// Set for the process that commits until it is killed.
const DIRECTORY_VARIABLE: &str = "BIDE_CRASH_DIRECTORY";
const FIRST_VARIABLE: &str = "BIDE_CRASH_FIRST";
/// A child that is never killed ends by itself.
const LINES_MAX: u64 = 20_000;
/// Later than every submission, sooner than any is too old.
const RUN_AT: u64 = 40_000_000;

/// What the child was told, per line: `accepted N` or `settled N`, after the commit had resolved.
#[derive(Default)]
struct Told {
    accepted: BTreeSet<u64>,
    settled: BTreeMap<u64, u64>,
}

#[test]
fn what_was_answered_survives_kills_at_any_moment() {
    let directory = directory();
    let mut told = Told::default();
    for kill in 0..KILLS {
        let first = kill * 1_000_000;
        let lines = 3 + (kill * 7919) % 400;
        kill_after(directory.path(), first, lines, &mut told);
        let context = format!("after kill {kill}");
        assert_sound(directory.path(), &context);
        check(directory.path(), &told, &context);
    }
    assert!(told.settled.len() > 100, "{} were settled", told.settled.len());
}

/// Lets a child commit until it has told so many lines, and kills it where it then is.
fn kill_after(directory: &Path, first: u64, lines: u64, told: &mut Told) {
    let test = std::env::current_exe().expect("a test knows its program");
    let mut child = Command::new(test)
        .args(["--exact", "crash::commits_until_killed", "--nocapture", "--test-threads=1"])
        .env(DIRECTORY_VARIABLE, directory)
        .env(FIRST_VARIABLE, first.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the test program starts");
    let output = BufReader::new(child.stdout.take().expect("it is piped"));
    let mut count = 0;
    for line in output.lines() {
        let line = line.expect("the child prints text");
        let Some((what, number)) = line.split_once(' ') else { continue };
        let Ok(number) = number.parse::<u64>() else { continue };
        match what {
            "accepted" => drop(told.accepted.insert(number)),
            "settled" => *told.settled.entry(number).or_default() += 1,
            _ => continue,
        }
        count += 1;
        if count == lines {
            child.kill().expect("the child is ours"); // what it still had in the pipe is read below
        }
    }
    child.wait().expect("the child is ours");
    assert!(count >= lines, "the child told {count} of {lines} lines");
}

/// Everything answered is there.
fn check(directory: &Path, told: &Told, context: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let store = open(directory);
        for number in &told.accepted {
            let task = store.task(FUNCTION, task_id(*number)).await.expect("a read");
            assert!(task.is_some(), "{context}: task {number} was accepted and is gone");
        }
        for number in told.settled.keys() {
            let task =
                store.task(FUNCTION, task_id(*number)).await.expect("a read").expect("it was accepted");
            assert!(
                task.invocation.settlement().is_some(),
                "{context}: task {number} was settled and is not"
            );
        }
        assert!(told.settled.values().all(|times| *times == 1), "{context}: something settled twice");
        let ledger = store.ledger(FUNCTION).await.expect("a read");
        assert!(ledger.get(Bucket::Succeeded) >= told.settled.len() as u64, "{context}");
    });
}

/// Not a test of its own: the child of the test above.
#[test]
fn commits_until_killed() {
    let Some(directory) = std::env::var_os(DIRECTORY_VARIABLE) else { return };
    let first = std::env::var(FIRST_VARIABLE).ok().and_then(|first| first.parse().ok()).expect("a number");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
    runtime.block_on(async {
        let store = open(&PathBuf::from(directory));
        let runner = tokio::spawn(settle(store.clone()));
        for number in first..first + LINES_MAX {
            submit(&store, at(number), vec![task(number), plain(number)]).await.expect("a commit");
            tell("accepted", number);
        }
        runner.abort();
    });
}

/// Runs what is due, beside the submissions.
async fn settle(store: LocalStore) {
    loop {
        let ran = run(&store, at(RUN_AT), 3).await.expect("a run");
        for claimed in &ran {
            if let Some(name) = claimed.invocation.task_id() {
                let number = name.as_str().trim_start_matches("task-").parse().expect("a number");
                tell("settled", number);
            }
        }
        tokio::task::yield_now().await;
    }
}

/// One write for a line, so that a kill does not cut it.
fn tell(what: &str, number: u64) {
    let line = format!("{what} {number}\n");
    std::io::stdout().write_all(line.as_bytes()).expect("somebody listens");
}
