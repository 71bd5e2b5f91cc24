//! What a long line costs: memory while it grows, opening it again, and taking its front.
//!
//! ```text
//! cargo run --release -p bide-store-local --example backlog [thousands] [directory]
//! ```
//!
//! Fills one function's queue with deferred invocations of 1 KB, closes, opens, and claims the first of them in batches
//! of 100. Memory must not follow the length of the line.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bide_core::{CallKind, Enqueue, Policy, PolicyTable};
use bide_env::{Clock, SystemClock};
use bide_store::{Batch, Claim, Store, Submission};
use bide_store_local::{LocalStore, Options};
use bide_types::{FunctionId, Line, Qualifier, RequestId};
use bytes::Bytes;

const FUNCTION: FunctionId = FunctionId::new(1);
const BATCH: u64 = 1000;
const CLAIMS: u32 = 200;

type Error = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let thousands = std::env::args().nth(1).map_or(Ok(200), |text| text.parse())?;
    let temporary = tempfile::tempdir()?;
    let directory = std::env::args().nth(2).map_or_else(|| temporary.path().to_owned(), PathBuf::from);
    runtime.block_on(run(thousands, &directory.join("backlog")))
}

async fn run(thousands: u64, path: &Path) -> Result<(), Error> {
    let clock = SystemClock::new();
    let store = LocalStore::open(path, Options::default())?;
    let started = clock.monotonic();
    let mut slowest = Duration::ZERO;
    for batch in 0..thousands {
        let begun = clock.monotonic();
        let submissions = (0..BATCH).map(|number| submission(batch * BATCH + number)).collect();
        store.commit(Batch { now: clock.now(), submissions, ..Batch::default() }).await?;
        slowest = slowest.max(clock.monotonic() - begun);
    }
    let rate = (thousands * BATCH) as f64 / (clock.monotonic() - started).as_secs_f64();
    println!(
        "filled {} at {rate:.0}/s, slowest thousand {slowest:?}; memory {}",
        thousands * BATCH,
        resident()
    );
    store.close().await?;
    drop(store);

    let started = clock.monotonic();
    let store = LocalStore::open(path, Options::default())?;
    println!("opened in {:?}; memory {}", clock.monotonic() - started, resident());
    let mut latencies = Vec::new();
    for _ in 0..CLAIMS {
        let started = clock.monotonic();
        claim(&store, &clock).await?;
        latencies.push(clock.monotonic() - started);
    }
    latencies.sort_unstable();
    println!(
        "claims of 100: p50 {:?}, p99 {:?}; memory {}",
        latencies[latencies.len() / 2],
        latencies[latencies.len() * 99 / 100],
        resident()
    );
    store.close().await?;
    Ok(())
}

async fn claim(store: &LocalStore, clock: &SystemClock) -> Result<(), Error> {
    // All of it is due two hours from now.
    let now = clock.now().plus(Duration::from_secs(2 * 3600));
    let claim = Claim {
        line: Line::latest(FUNCTION),
        max: 100,
        policies: Arc::new(PolicyTable::in_force([(Qualifier::latest(), Policy::default())])),
        holder: store.holder(),
        lease_expires_at: now.plus(Duration::from_secs(60)),
    };
    let reply = store.commit(Batch { now, claims: vec![claim], ..Batch::default() }).await?;
    assert!(!reply.claims[0].claimed.is_empty(), "the line is long enough");
    Ok(())
}

fn submission(number: u64) -> Submission {
    let mut payload = vec![0_u8; 1024];
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for chunk in payload.chunks_mut(8) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        chunk.copy_from_slice(&state.to_le_bytes()[..chunk.len()]);
    }
    Submission {
        enqueue: Enqueue {
            function: FUNCTION,
            qualifier: Qualifier::latest(),
            request_id: RequestId::new(&format!("request-{number}")).expect("a valid id"),
            kind: CallKind::Event,
            task: None,
            // In no order, as delays are.
            delay: Duration::from_secs(1 + number.wrapping_mul(7919) % 3600),
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
