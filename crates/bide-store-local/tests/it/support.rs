//! Stores in temporary directories, and short words for what is done to them.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bide_core::{CallKind, Command, Enqueue, Epoch, Invocation, Policy, PolicyTable, Run};
use bide_store::{
    Batch, Claim, Claimed, LogText, Store as _, StoreError, Submission, SubmitReply, Transition,
};
use bide_store_local::{FaultHook, HeadLimits, LocalStore, Options, Step, verify};
use bide_types::{FunctionId, InstanceId, InvocationId, Line, Qualifier, RequestId, TaskId, Timestamp};
use bytes::Bytes;
use tempfile::TempDir;

pub(crate) const FUNCTION: FunctionId = FunctionId::new(1);

/// Bounds so small that every queue of a few entries crosses them.
pub(crate) const TINY: HeadLimits = HeadLimits { refill: 3, max: 5, total: 8 };

/// In memory where the system has a place for that: what tests do to a store, a kill included, does not need a disk.
pub(crate) fn directory() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("a temporary directory")
}

pub(crate) fn open(path: &Path) -> LocalStore {
    LocalStore::open(path, Options::default()).expect("the store opens")
}

/// Makes the disk fail once, at a step of a group that is counted down to.
#[derive(Clone)]
pub(crate) struct Trap {
    step: Step,
    left: Arc<AtomicI64>,
}

impl Trap {
    pub(crate) fn at(step: Step) -> Self {
        Self { step, left: Arc::new(AtomicI64::new(i64::MAX)) }
    }

    /// Lets `count` more groups pass that step.
    pub(crate) fn set(&self, count: u64) {
        self.left.store(count.try_into().expect("a small number"), Ordering::SeqCst);
    }

    pub(crate) fn hook(&self) -> FaultHook {
        let trap = self.clone();
        Arc::new(move |step| {
            if step == trap.step && trap.left.fetch_sub(1, Ordering::SeqCst) == 0 {
                return Err(io::Error::other("a fault was asked for"));
            }
            Ok(())
        })
    }
}

/// The moment `millis` after a test begins.
pub(crate) fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + millis)
}

pub(crate) fn task_id(number: u64) -> TaskId {
    TaskId::new(&format!("task-{number}")).expect("a valid id")
}

/// A task of [`FUNCTION`], due at once.
pub(crate) fn task(number: u64) -> Submission {
    let mut submission = plain(number);
    submission.enqueue.task = Some(task_id(number));
    submission
}

pub(crate) fn plain(number: u64) -> Submission {
    let enqueue = Enqueue {
        function: FUNCTION,
        qualifier: Qualifier::latest(),
        request_id: RequestId::new("request").expect("a valid id"),
        kind: CallKind::Event,
        task: None,
        delay: Duration::ZERO,
        parent: None,
        hops: 0,
    };
    Submission { enqueue, payload: Bytes::from(format!("event {number}")) }
}

pub(crate) async fn submit(
    store: &LocalStore,
    now: Timestamp,
    submissions: Vec<Submission>,
) -> Result<Vec<InvocationId>, StoreError> {
    let reply = store.commit(Batch { now, submissions, ..Batch::default() }).await?;
    let id = |reply: &SubmitReply| match reply {
        SubmitReply::Accepted { id, .. } => Some(*id),
        SubmitReply::Duplicate => None,
    };
    Ok(reply.submissions.iter().filter_map(id).collect())
}

pub(crate) async fn claim(
    store: &LocalStore,
    now: Timestamp,
    max: usize,
) -> Result<Vec<Claimed>, StoreError> {
    let reply = store.commit(claim_batch(store, now, max)).await?;
    Ok(reply.claims.into_iter().flat_map(|reply| reply.claimed).collect())
}

pub(crate) fn claim_batch(store: &LocalStore, now: Timestamp, max: usize) -> Batch {
    let claim = Claim {
        line: Line::latest(FUNCTION),
        max,
        policies: Arc::new(PolicyTable::in_force([(Qualifier::latest(), Policy::default())])),
        holder: store.holder(),
        lease_expires_at: now.plus(Duration::from_secs(60)),
    };
    Batch { now, claims: vec![claim], ..Batch::default() }
}

/// Applies the same command to all.
pub(crate) async fn transition(
    store: &LocalStore,
    now: Timestamp,
    claimed: &[Claimed],
    command: impl Fn(Epoch) -> Command,
) -> Result<(), StoreError> {
    let transition = |claimed: &Claimed| Transition {
        invocation: claimed.invocation.id,
        command: command(claimed.invocation.epoch),
        result: Some(Bytes::from_static(b"result")),
        log: None,
    };
    let transitions = claimed.iter().map(transition).collect();
    store.commit(Batch { now, transitions, ..Batch::default() }).await.map(drop)
}

pub(crate) fn start(epoch: Epoch) -> Command {
    Command::Start { epoch, instance: InstanceId::new("c-1").expect("a valid id") }
}

pub(crate) fn succeed(epoch: Epoch) -> Command {
    Command::Succeed { epoch, run: Run::default() }
}

/// Claims one, starts it and completes it with a log.
pub(crate) async fn run_logged(store: &LocalStore, now: Timestamp, log: LogText) -> Result<(), StoreError> {
    let claimed = claim(store, now, 1).await?;
    transition(store, now, &claimed, start).await?;
    let Invocation { id, epoch, .. } = claimed[0].invocation;
    let transition = Transition { invocation: id, command: succeed(epoch), result: None, log: Some(log) };
    store.commit(Batch { now, transitions: vec![transition], ..Batch::default() }).await.map(drop)
}

/// Claims up to `max`, starts and completes them.
pub(crate) async fn run(store: &LocalStore, now: Timestamp, max: usize) -> Result<Vec<Claimed>, StoreError> {
    let claimed = claim(store, now, max).await?;
    transition(store, now, &claimed, start).await?;
    transition(store, now, &claimed, succeed).await?;
    Ok(claimed)
}

/// # Panics
/// If anything in a directory that nobody has open does not agree.
pub(crate) fn assert_sound(path: &Path, context: &str) {
    let report = verify(path, &mut |_| {}).expect("the store opens");
    assert!(report.is_sound(), "{context}: {:#?}", report.problems);
}
