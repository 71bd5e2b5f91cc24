//! A disk that takes no more, for real: a process under a limit of file size.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bide_store::{Health, Store, StoreError};
use bytes::Bytes;

use crate::support::{FUNCTION, assert_sound, at, directory, open, submit, task, task_id};

const DIRECTORY_VARIABLE: &str = "BIDE_FULL_DISK_DIRECTORY";
/// Blocks of 512 bytes, as `ulimit -f` counts in `sh` (1024 in some): less than a journal grows to.
const BLOCKS_MAX: u64 = 40_000;
const EVENT_BYTES: usize = 100_000;
/// More than the limit holds.
const SUBMISSIONS_MAX: u64 = 2_000;

#[test]
fn a_write_that_the_system_refuses_is_a_fault_and_loses_nothing_that_was_answered() {
    let directory = directory();
    // The store is made without the limit; only writing meets it.
    drop(open(directory.path()));
    let accepted = run_limited(directory.path());
    assert!(accepted > 0, "the first submissions fit");
    assert_sound(directory.path(), "after a full disk");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let store = open(directory.path());
        assert!(store.task(FUNCTION, task_id(accepted)).await.expect("a read").is_some());
        let ledger = store.ledger(FUNCTION).await.expect("a read");
        assert!(ledger.balances() && ledger.accepted >= accepted);
    });
}

/// The number of the last task that the child was told was accepted.
fn run_limited(directory: &Path) -> u64 {
    let test = std::env::current_exe().expect("a test knows its program");
    // Ignored, the signal of the limit becomes an error of the write.
    let script = format!(
        "trap '' XFSZ; ulimit -f {BLOCKS_MAX}; exec \"$0\" --exact full_disk::submits_until_refused --nocapture"
    );
    let mut child = Command::new("/bin/sh")
        .args([Path::new("-c"), Path::new(&script), &test])
        .env(DIRECTORY_VARIABLE, directory)
        .stdout(Stdio::piped())
        .spawn()
        .expect("a shell starts");
    let output = BufReader::new(child.stdout.take().expect("it is piped"));
    let numbers =
        output.lines().map_while(Result::ok).filter_map(|line| line.strip_prefix("accepted ")?.parse().ok());
    let last = numbers.max().unwrap_or(0);
    assert!(child.wait().expect("the child is ours").success(), "the child saw what it should");
    last
}

/// Not a test of its own: the child of the test above.
#[test]
fn submits_until_refused() {
    let Some(directory) = std::env::var_os(DIRECTORY_VARIABLE) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let store = open(&PathBuf::from(directory));
        for number in 1..SUBMISSIONS_MAX {
            let mut submission = task(number);
            submission.payload = noise(number);
            match submit(&store, at(number), vec![submission]).await {
                Ok(_) => println!("accepted {number}"),
                Err(error) => {
                    assert!(matches!(error, StoreError::Faulted { .. }), "{error:?}");
                    break;
                }
            }
        }
        assert!(matches!(store.health(), Health::Faulted(_)), "the limit was met");
        let later = submit(&store, at(0), vec![task(0)]).await;
        assert!(matches!(later, Err(StoreError::Faulted { .. })), "{later:?}");
    });
}

/// Bytes that do not compress.
fn noise(seed: u64) -> Bytes {
    let mut state = seed;
    Bytes::from_iter((0..EVENT_BYTES).map(|_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    }))
}
