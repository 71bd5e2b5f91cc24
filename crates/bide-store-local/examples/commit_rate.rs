//! How fast the local store commits: submissions at several numbers of callers, and whole lives.
//!
//! ```text
//! cargo run --release -p bide-store-local --example commit_rate [directory]
//! ```
//!
//! Every submission is one batch with a 1 KB event, answered after its flush; the store groups what is waiting. A life
//! is submit, claim, start and succeed, in batches as the engine makes them. Prints rates, latencies and flush counts.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bide_core::{CallKind, Command, Enqueue, Epoch, Policy, PolicyTable, Run};
use bide_env::{Clock, SystemClock};
use bide_store::{Batch, Claim, Claimed, Stats, Store, Submission, SubmitReply, Transition};
use bide_store_local::{LocalStore, Options};
use bide_types::{FunctionId, InstanceId, Line, Qualifier, RequestId, TaskId};
use bytes::Bytes;

const PAYLOAD_BYTES: usize = 1024;
const ROUND: Duration = Duration::from_secs(3);
const FUNCTION: FunctionId = FunctionId::new(1);

type Error = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(run())
}

async fn run() -> Result<(), Error> {
    let temporary = tempfile::tempdir()?;
    let directory = std::env::args().nth(1).unwrap_or_else(|| temporary.path().display().to_string());
    let clock = Arc::new(SystemClock::new());
    println!("memory with an empty store open: {}", {
        let store = LocalStore::open(&Path::new(&directory).join("idle"), Options::default())?;
        let memory = resident();
        store.close().await?;
        memory
    });
    println!(
        "{:<26} {:>10} {:>9} {:>9} {:>9} {:>9}",
        "submit, 1 KB each", "per s", "p50 us", "p99 us", "flushes", "per flush"
    );
    for (mode, task) in [("plain", false), ("task", true)] {
        for callers in [1, 64, 256] {
            let path = Path::new(&directory).join(format!("{mode}-{callers}"));
            let store = LocalStore::open(&path, Options::default())?;
            submit_round(&store, &clock, callers, task, mode).await?;
            store.close().await?;
        }
    }
    for task in [false, true] {
        let store =
            LocalStore::open(&Path::new(&directory).join(format!("life-{task}")), Options::default())?;
        life_round(&store, &clock, task).await?;
        store.close().await?;
    }
    println!("memory at the end: {}", resident());
    Ok(())
}

async fn submit_round(
    store: &LocalStore,
    clock: &Arc<SystemClock>,
    callers: usize,
    task: bool,
    mode: &str,
) -> Result<(), Error> {
    let numbers = Arc::new(AtomicU64::new(0));
    let end = clock.monotonic() + ROUND;
    let running: Vec<_> = (0..callers)
        .map(|_| tokio::spawn(submit_until(end, store.clone(), clock.clone(), numbers.clone(), task)))
        .collect();
    let mut latencies = Vec::new();
    for caller in running {
        latencies.extend(caller.await??);
    }
    latencies.sort_unstable();
    let at = |percent: usize| latencies[(latencies.len() - 1) * percent / 100].as_micros();
    let Stats { flushes, operations, groups, .. } = store.stats();
    assert_eq!(flushes, groups, "one flush for each group");
    println!(
        "{:<26} {:>10.0} {:>9} {:>9} {:>9} {:>9.1}",
        format!("{mode}, {callers} callers"),
        latencies.len() as f64 / ROUND.as_secs_f64(),
        at(50),
        at(99),
        flushes,
        operations as f64 / flushes as f64,
    );
    Ok(())
}

/// One caller: submits, waits for the answer, submits again. Returns the latencies.
async fn submit_until(
    end: Duration,
    store: LocalStore,
    clock: Arc<SystemClock>,
    numbers: Arc<AtomicU64>,
    task: bool,
) -> Result<Vec<Duration>, Error> {
    let mut latencies = Vec::new();
    while clock.monotonic() < end {
        let number = numbers.fetch_add(1, Ordering::Relaxed);
        let started = clock.monotonic();
        let submissions = vec![submission(FUNCTION, number, task)];
        store.commit(Batch { now: clock.now(), submissions, ..Batch::default() }).await?;
        latencies.push(clock.monotonic() - started);
    }
    Ok(latencies)
}

/// Four batches of different steps are under way at once, as in a busy engine.
async fn life_round(store: &LocalStore, clock: &Arc<SystemClock>, task: bool) -> Result<(), Error> {
    const LANES: u64 = 4;
    const WIDTH: usize = 64;
    let end = clock.monotonic() + ROUND;
    let started = clock.monotonic();
    let lanes = (0..LANES).map(|lane| {
        let (store, clock) = (store.clone(), clock.clone());
        tokio::spawn(async move {
            let function = FunctionId::new(lane + 1);
            let mut settled = 0;
            while clock.monotonic() < end {
                settled += one_life(&store, &clock, function, lane << 40 | settled, WIDTH, task).await?;
            }
            Ok::<_, Error>(settled)
        })
    });
    let mut settled = 0;
    for lane in lanes.collect::<Vec<_>>() {
        settled += lane.await??;
    }
    let stats = store.stats();
    println!(
        "lives ({}): {:.0} settled/s, {} flushes, {:.1} operations each",
        if task { "task" } else { "plain" },
        settled as f64 / (clock.monotonic() - started).as_secs_f64(),
        stats.flushes,
        stats.operations as f64 / stats.flushes as f64,
    );
    Ok(())
}

async fn one_life(
    store: &LocalStore,
    clock: &SystemClock,
    function: FunctionId,
    first: u64,
    width: usize,
    task: bool,
) -> Result<u64, Error> {
    let submissions =
        (first..).take(width).map(|number| submission(function, number, task)).collect::<Vec<_>>();
    let reply = store.commit(Batch { now: clock.now(), submissions, ..Batch::default() }).await?;
    assert!(reply.submissions.iter().all(|reply| matches!(reply, SubmitReply::Accepted { .. })));
    let claim = Claim {
        line: Line::latest(function),
        max: width,
        policies: Arc::new(PolicyTable::in_force([(Qualifier::latest(), Policy::default())])),
        holder: store.holder(),
        lease_expires_at: clock.now().plus(Duration::from_secs(60)),
    };
    let reply = store.commit(Batch { now: clock.now(), claims: vec![claim], ..Batch::default() }).await?;
    let claimed = reply.claims.into_iter().flat_map(|reply| reply.claimed).collect::<Vec<_>>();
    let instance = InstanceId::new("c-1")?;
    let starts = transitions(&claimed, &|epoch| Command::Start { epoch, instance: instance.clone() });
    store.commit(Batch { now: clock.now(), transitions: starts, ..Batch::default() }).await?;
    let ends = transitions(&claimed, &|epoch| Command::Succeed { epoch, run: Run::default() });
    store.commit(Batch { now: clock.now(), transitions: ends, ..Batch::default() }).await?;
    Ok(claimed.len() as u64)
}

fn transitions(claimed: &[Claimed], command: &dyn Fn(Epoch) -> Command) -> Vec<Transition> {
    let transition = |claimed: &Claimed| Transition {
        invocation: claimed.invocation.id,
        command: command(claimed.invocation.epoch),
        result: None,
        log: None,
    };
    claimed.iter().map(transition).collect()
}

fn submission(function: FunctionId, number: u64, task: bool) -> Submission {
    let mut payload = vec![0_u8; PAYLOAD_BYTES];
    // Bytes that do not compress, as real events hardly do in small pieces.
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for chunk in payload.chunks_mut(8) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        chunk.copy_from_slice(&state.to_le_bytes()[..chunk.len()]);
    }
    let text = format!("task-{number:020}");
    Submission {
        enqueue: Enqueue {
            function,
            qualifier: Qualifier::latest(),
            request_id: RequestId::new(&text).expect("a valid id"),
            kind: CallKind::Event,
            task: task.then(|| TaskId::new(&text).expect("a valid id")),
            delay: Duration::ZERO,
            parent: None,
            hops: 0,
        },
        payload: Bytes::from(payload),
    }
}

fn resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or("VmRSS: unknown");
    line.trim_start_matches("VmRSS:").trim().to_owned()
}
