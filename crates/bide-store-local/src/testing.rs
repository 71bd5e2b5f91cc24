//! A store with something in every keyspace, for the tests of this crate.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bide_core::{CallKind, Command, Enqueue, Policy, PolicyTable, Run};
use bide_store::{
    Batch, Claim, Claimed, ControlChange, ControlKey, ControlWrite, DeliveryOutcome, Expected, LogText,
    SettleDelivery, Store, Submission, Transition,
};
use bide_types::{FunctionId, InstanceId, Line, Qualifier, RequestId, TaskId, Timestamp};
use bytes::Bytes;
use tempfile::TempDir;

use crate::{LocalStore, Options};

pub(crate) const FUNCTION: FunctionId = FunctionId::new(1);

/// SHA-256 of `package`.
pub(crate) const PACKAGE_DIGEST: &str = "bc4a71180870f7945155fbb02f4b0a2e3faa2a62d6d31b7039013055ed19869a";
pub(crate) const PACKAGE: &[u8] = b"package";

pub(crate) fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + millis)
}

pub(crate) fn directory() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("a temporary directory")
}

pub(crate) fn submission(task: Option<&str>, delay: Duration) -> Submission {
    let enqueue = Enqueue {
        function: FUNCTION,
        qualifier: Qualifier::latest(),
        request_id: RequestId::new("request").expect("a valid id"),
        kind: CallKind::Event,
        task: task.map(|task| TaskId::new(task).expect("a valid id")),
        delay,
        parent: None,
        hops: 0,
    };
    Submission { enqueue, payload: Bytes::from(vec![b'x'; 2000]) }
}

pub(crate) fn claim(store: &LocalStore, max: usize) -> Claim {
    let policy = Policy { on_success: Some("target".to_owned()), ..Policy::default() };
    Claim {
        line: Line::latest(FUNCTION),
        max,
        policies: Arc::new(PolicyTable::in_force([(Qualifier::latest(), policy)])),
        holder: store.holder(),
        lease_expires_at: at(60_000),
    }
}

/// Claims `max` invocations at `now`.
pub(crate) async fn claimed(store: &LocalStore, now: Timestamp, max: usize) -> Vec<Claimed> {
    let batch = Batch { now, claims: vec![claim(store, max)], ..Batch::default() };
    store.commit(batch).await.expect("a commit").claims.remove(0).claimed
}

pub(crate) async fn transition(store: &LocalStore, now: Timestamp, claimed: &Claimed, command: Command) {
    let result = matches!(command, Command::Succeed { .. }).then(|| Bytes::from_static(b"result"));
    let log = result.is_some().then(|| LogText { text: Bytes::from_static(b"a line\n"), dropped_bytes: 3 });
    let transition = Transition { invocation: claimed.invocation.id, command, result, log };
    let batch = Batch { now, transitions: vec![transition], ..Batch::default() };
    store.commit(batch).await.expect("a commit");
}

/// Tasks `delivered`, `pending`, `dead`, `running`, `waiting`, `deferred`; one plain invocation in line; a control object;
/// a package. Closed.
pub(crate) async fn populate(path: &Path) {
    let store = LocalStore::open(path, Options::default()).expect("the store opens");
    let names = ["delivered", "pending", "dead", "running", "waiting"];
    let mut submissions: Vec<_> = names.iter().map(|name| submission(Some(name), Duration::ZERO)).collect();
    submissions.push(submission(Some("deferred"), Duration::from_secs(600)));
    submissions.push(submission(None, Duration::ZERO));
    let key = ControlKey::new(&["service", "demo"]);
    let write = ControlWrite { key, expected: Expected::Absent, value: Some(Bytes::from_static(b"{}")) };
    let controls = vec![ControlChange::of(vec![write])];
    store.commit(Batch { now: at(0), submissions, controls, ..Batch::default() }).await.expect("a commit");
    let claimed = claimed(&store, at(10), 4).await;
    for work in &claimed {
        let instance = InstanceId::new("c-1").expect("a valid id");
        transition(&store, at(20), work, Command::Start { epoch: work.invocation.epoch, instance }).await;
    }
    for work in &claimed[..3] {
        transition(
            &store,
            at(30),
            work,
            Command::Succeed { epoch: work.invocation.epoch, run: Run::default() },
        )
        .await;
    }
    let invocation = claimed[0].invocation.id;
    let given_up = DeliveryOutcome::GaveUp { reason: "nobody took it".to_owned() };
    let deliveries = vec![
        SettleDelivery { invocation, outcome: DeliveryOutcome::Delivered },
        SettleDelivery { invocation: claimed[2].invocation.id, outcome: given_up },
    ];
    store.commit(Batch { now: at(40), deliveries, ..Batch::default() }).await.expect("a commit");
    store.put_package(PACKAGE_DIGEST.to_owned(), Bytes::from_static(PACKAGE)).await.expect("a package");
    store.close().await.expect("a clean end");
}
