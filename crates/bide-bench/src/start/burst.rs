//! Many starts at once.
//!
//! The function is entered, says when, and stays busy until every start must be over, so that no instance serves two
//! calls; that each call had an instance of its own is checked.

use std::collections::BTreeSet;
use std::time::Duration;

use bide_env::{Clock as _, SystemClock};
use bytes::Bytes;
use http::Method;
use tokio::task::JoinSet;

use super::{PLATFORM, Ways, entered, renew, spawn};
use crate::figures::{Samples, wall_clock};
use crate::node::Node;
use crate::subject::{Runtime, Subjects};

/// Time for every start, above which the benchmark gives up.
const HOLD_PER_START: Duration = Duration::from_millis(200);
const HOLD_MIN: Duration = Duration::from_secs(2);

/// What came of `count` starts at once, with the platform and without.
pub(crate) async fn measure(
    node: &Node,
    subjects: &Subjects,
    runtime: Runtime,
    count: usize,
) -> anyhow::Result<Ways> {
    let mut ways = Ways::new();
    let lean = subjects.lean(runtime);
    ways.insert(lean.name, spawns(subjects, runtime, count).await?);
    ways.insert(PLATFORM, calls(node, runtime, count).await?);
    renew(&node.client()?, runtime).await?;
    Ok(ways)
}

async fn spawns(subjects: &Subjects, runtime: Runtime, count: usize) -> anyhow::Result<Samples> {
    let mut running = JoinSet::new();
    for _ in 0..count {
        let bare = subjects.lean(runtime);
        running.spawn_blocking(move || spawn(&bare));
    }
    let mut samples = Samples::default();
    while let Some(done) = running.join_next().await {
        samples.add(done??);
    }
    Ok(samples)
}

/// From just before each request is sent to the entry of its handler, which reads the same clock.
async fn calls(node: &Node, runtime: Runtime, count: usize) -> anyhow::Result<Samples> {
    let clock = SystemClock::new();
    let hold = HOLD_MIN.max(HOLD_PER_START * u32::try_from(count)?);
    let until = clock.now().plus(hold).as_millis().to_string();
    let path = format!("{}/invocations", runtime.path());
    let mut running = JoinSet::new();
    for _ in 0..count {
        // A client each: none waits for the connection of another.
        let (client, path, until) = (node.client()?, path.clone(), Bytes::from(until.clone()));
        running.spawn(async move {
            let sent = wall_clock()?;
            let answer = client.call(Method::POST, &path, &[], until).await?;
            let entered = entered(&answer.body)?;
            anyhow::Ok((answer.header("x-fc-instance-id").to_owned(), entered.saturating_sub(sent)))
        });
    }
    let (mut samples, mut ids) = (Samples::default(), BTreeSet::new());
    while let Some(done) = running.join_next().await {
        let (id, sample) = done??;
        samples.add(sample);
        ids.insert(id);
    }
    anyhow::ensure!(
        ids.len() == count,
        "{} instances for {count} calls: the starts took too long",
        ids.len()
    );
    Ok(samples)
}
