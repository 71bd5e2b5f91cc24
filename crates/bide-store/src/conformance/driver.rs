//! Short words for what the checks do to a store.

use std::sync::Arc;
use std::time::Duration;

use bide_core::{
    CallKind, Command, Enqueue, Epoch, Failure, FunctionError, LeaseHolder, Ledger, Policy, PolicyTable, Run,
    Status,
};
use bide_types::{FunctionId, InstanceId, InvocationId, Line, Qualifier, RequestId, TaskId, Timestamp};
use bytes::Bytes;

use super::Subject;
use crate::batch::{
    Batch, BatchReply, Claim, ClaimReply, Claimed, DeadLetter, DeadLetterChange, DeliveryOutcome,
    PendingDelivery, Purge, SettleDelivery, Stop, StopReply, Submission, SubmitReply, Transition,
    TransitionReply,
};
use crate::query::{SortOrder, TaskQuery, TaskView};
use crate::store::Store;

pub(super) const FUNCTION: FunctionId = FunctionId::new(1);
pub(super) const OTHER_FUNCTION: FunctionId = FunctionId::new(2);
pub(super) const HOLDER: LeaseHolder = LeaseHolder(0);
const LEASE: Duration = Duration::from_secs(3600);

/// The moment `millis` after the checks begin.
pub(super) fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + millis)
}

pub(super) fn task_id(text: &str) -> TaskId {
    TaskId::from_caller(text).expect("a valid task id")
}

pub(super) fn plain() -> Submission {
    let enqueue = Enqueue {
        function: FUNCTION,
        qualifier: Qualifier::latest(),
        request_id: RequestId::new("request").expect("a valid request id"),
        kind: CallKind::Event,
        task: None,
        delay: Duration::ZERO,
        parent: None,
        hops: 0,
    };
    Submission { enqueue, payload: Bytes::from_static(b"event") }
}

pub(super) fn task(id: &str) -> Submission {
    let mut submission = plain();
    submission.enqueue.task = Some(task_id(id));
    submission.payload = Bytes::from(format!("event of {id}"));
    submission
}

/// A task whose payload is an HTTP call.
pub(super) fn http_task(id: &str) -> Submission {
    let mut submission = task(id);
    submission.enqueue.kind = CallKind::Http;
    submission
}

pub(super) fn deferred(mut submission: Submission, delay: Duration) -> Submission {
    submission.enqueue.delay = delay;
    submission
}

pub(super) fn of(mut submission: Submission, function: FunctionId) -> Submission {
    submission.enqueue.function = function;
    submission
}

pub(super) fn with_qualifier(mut submission: Submission, qualifier: &str) -> Submission {
    submission.enqueue.qualifier = Qualifier::new(qualifier).expect("a valid qualifier");
    submission
}

/// The same policy for LATEST; other qualifiers do not exist.
pub(super) fn policies(policy: Policy) -> Arc<PolicyTable> {
    Arc::new(PolicyTable::in_force([(Qualifier::latest(), policy)]))
}

/// The default policy with both destinations.
pub(super) fn with_destinations() -> Policy {
    Policy {
        on_success: Some("on-success".to_owned()),
        on_failure: Some("on-failure".to_owned()),
        ..Policy::default()
    }
}

pub(super) fn start(epoch: Epoch) -> Command {
    Command::Start { epoch, instance: InstanceId::new("c-1").expect("a valid instance id") }
}

pub(super) fn succeed(epoch: Epoch) -> Command {
    Command::Succeed { epoch, run: Run { duration: Duration::from_millis(5), instance: None } }
}

pub(super) fn fail(epoch: Epoch) -> Command {
    Command::Fail { epoch, failure: Failure::Function(FunctionError::Unhandled), run: Run::default() }
}

pub(super) fn throttle(epoch: Epoch) -> Command {
    Command::Fail { epoch, failure: Failure::Throttled, run: Run::default() }
}

/// All tasks of [`FUNCTION`], oldest first, with their events.
pub(super) fn all_tasks() -> TaskQuery {
    TaskQuery {
        function: FUNCTION,
        qualifier: None,
        status: None,
        id_prefix: None,
        accepted_from: None,
        accepted_to: None,
        order: SortOrder::OldestFirst,
        limit: 100,
        after: None,
        payloads: true,
    }
}

/// Follows the pages of a query to their end.
pub(super) async fn every_page(store: &dyn Store, mut query: TaskQuery) -> Vec<TaskView> {
    let mut tasks = Vec::new();
    loop {
        let page = store.tasks(query.clone()).await.expect("a page");
        assert!(page.tasks.len() <= query.limit, "a page of {} for {}", page.tasks.len(), query.limit);
        tasks.extend(page.tasks);
        match page.next {
            None => return tasks,
            Some(next) => {
                assert_ne!(Some(next), query.after, "the next page is the same page");
                query.after = Some(next);
            }
        }
    }
}

/// Destination records due at `now`, at most `max`, and when the next one is due.
pub(super) async fn due_deliveries(
    store: &dyn Store,
    now: Timestamp,
    max: usize,
) -> (Vec<PendingDelivery>, Option<Timestamp>) {
    let (positions, next) = store.due_deliveries(now, max).await.expect("a read");
    let mut pending = Vec::new();
    for (due, id) in positions {
        let delivery = store.delivery(id).await.expect("a read").expect("what is in the outbox is there");
        assert_eq!((delivery.due, delivery.delivery.invocation), (due, id));
        pending.push(delivery);
    }
    (pending, next)
}

/// A store under test, asked for one thing at a time.
pub(super) struct Driver<S> {
    subject: S,
    policies: Arc<PolicyTable>,
}

impl<S: Subject> Driver<S> {
    /// With the default policy for LATEST.
    pub(super) fn new(subject: S) -> Self {
        Self { subject, policies: policies(Policy::default()) }
    }

    /// From now on claims and stops come with this policy for LATEST.
    pub(super) fn use_policy(&mut self, policy: Policy) {
        self.policies = policies(policy);
    }

    pub(super) fn use_policies(&mut self, policies: PolicyTable) {
        self.policies = Arc::new(policies);
    }

    pub(super) fn store(&self) -> &dyn Store {
        self.subject.store()
    }

    pub(super) async fn reopen(self) -> Self {
        Self { subject: self.subject.reopen().await, policies: self.policies }
    }

    pub(super) async fn commit(&self, batch: Batch) -> BatchReply {
        let sizes = [
            batch.controls.len(),
            batch.submissions.len(),
            batch.transitions.len(),
            batch.stops.len(),
            batch.dead_letters.len(),
            batch.claims.len(),
            batch.purges.len(),
        ];
        let reply = self.store().commit(batch).await.expect("a healthy store commits");
        let answers = [
            reply.controls.len(),
            reply.submissions.len(),
            reply.transitions.len(),
            reply.stops.len(),
            reply.dead_letters.len(),
            reply.claims.len(),
            reply.purges.len(),
        ];
        assert_eq!(answers, sizes, "one answer for each operation");
        reply
    }

    pub(super) async fn submit_all(&self, now: Timestamp, submissions: Vec<Submission>) -> Vec<SubmitReply> {
        self.commit(Batch { now, submissions, ..Batch::default() }).await.submissions
    }

    pub(super) async fn submit(&self, now: Timestamp, submission: Submission) -> InvocationId {
        match self.submit_all(now, vec![submission]).await.pop() {
            Some(SubmitReply::Accepted { id, .. }) => id,
            other => panic!("not accepted: {other:?}"),
        }
    }

    /// A claim for `LATEST` of [`FUNCTION`].
    pub(super) fn wish(&self, max: usize, now: Timestamp) -> Claim {
        Claim {
            line: Line::latest(FUNCTION),
            max,
            policies: Arc::clone(&self.policies),
            holder: HOLDER,
            lease_expires_at: now.plus(LEASE),
        }
    }

    pub(super) async fn claim(&self, now: Timestamp, max: usize) -> ClaimReply {
        let claims = vec![self.wish(max, now)];
        self.commit(Batch { now, claims, ..Batch::default() }).await.claims.remove(0)
    }

    pub(super) async fn claim_of(&self, qualifier: &str, now: Timestamp, max: usize) -> ClaimReply {
        let line = Line::new(FUNCTION, Qualifier::new(qualifier).expect("a valid qualifier"));
        let claims = vec![Claim { line, ..self.wish(max, now) }];
        self.commit(Batch { now, claims, ..Batch::default() }).await.claims.remove(0)
    }

    pub(super) async fn claim_one(&self, now: Timestamp) -> Claimed {
        let mut reply = self.claim(now, 1).await;
        reply.claimed.pop().expect("work is due")
    }

    pub(super) async fn transition(
        &self,
        now: Timestamp,
        invocation: InvocationId,
        command: Command,
        result: Option<&'static str>,
    ) -> TransitionReply {
        let transition = Transition { invocation, command, result: result.map(Bytes::from), log: None };
        let batch = Batch { now, transitions: vec![transition], ..Batch::default() };
        self.commit(batch).await.transitions.remove(0)
    }

    /// Like `transition`, and it must be accepted; the new status.
    pub(super) async fn apply(
        &self,
        now: Timestamp,
        invocation: InvocationId,
        command: Command,
        result: Option<&'static str>,
    ) -> Status {
        match self.transition(now, invocation, command, result).await {
            TransitionReply::Applied { status, .. } => status,
            other => panic!("not applied: {other:?}"),
        }
    }

    /// Claims the first due work and starts it.
    pub(super) async fn start_one(&self, now: Timestamp) -> (InvocationId, Epoch) {
        let claimed = self.claim_one(now).await.invocation;
        self.apply(now, claimed.id, start(claimed.epoch), None).await;
        (claimed.id, claimed.epoch)
    }

    /// Submits, claims, starts and completes one invocation, all at `now`. Nothing else may be due.
    pub(super) async fn settle(&self, now: Timestamp, submission: Submission) -> InvocationId {
        let submitted = self.submit(now, submission).await;
        let (id, epoch) = self.start_one(now).await;
        assert_eq!(id, submitted, "other work is due as well");
        assert_eq!(self.apply(now, id, succeed(epoch), Some("result")).await, Status::Succeeded);
        id
    }

    pub(super) async fn stop(&self, now: Timestamp, task: &str) -> StopReply {
        let stops =
            vec![Stop { function: FUNCTION, task: task_id(task), policies: Arc::clone(&self.policies) }];
        self.commit(Batch { now, stops, ..Batch::default() }).await.stops.remove(0)
    }

    pub(super) async fn deliver(&self, now: Timestamp, invocation: InvocationId, outcome: DeliveryOutcome) {
        let deliveries = vec![SettleDelivery { invocation, outcome }];
        self.commit(Batch { now, deliveries, ..Batch::default() }).await;
    }

    /// Gives a delivery up for a reason.
    pub(super) async fn give_up(&self, now: Timestamp, invocation: InvocationId, reason: &str) {
        self.deliver(now, invocation, DeliveryOutcome::GaveUp { reason: reason.to_owned() }).await;
    }

    pub(super) async fn change_letter(&self, now: Timestamp, change: DeadLetterChange) -> usize {
        let dead_letters = vec![change];
        self.commit(Batch { now, dead_letters, ..Batch::default() }).await.dead_letters.remove(0)
    }

    /// The dead letters, the longest given up first.
    pub(super) async fn dead_letters(&self) -> Vec<DeadLetter> {
        let letters = self.store().dead_letters(None, usize::MAX).await.expect("a read");
        let count = self.store().dead_letter_count().await.expect("a read");
        assert_eq!(count, letters.len());
        letters
    }

    pub(super) async fn purge(&self, now: Timestamp, settled_before: Timestamp, max: usize) -> usize {
        let purges = vec![Purge { settled_before, max }];
        self.commit(Batch { now, purges, ..Batch::default() }).await.purges.remove(0)
    }

    pub(super) async fn task(&self, id: &str) -> Option<TaskView> {
        self.store().task(FUNCTION, task_id(id)).await.expect("a read")
    }

    pub(super) async fn status(&self, id: &str) -> Option<Status> {
        self.task(id).await.map(|task| task.invocation.status())
    }

    pub(super) async fn ledger(&self) -> Ledger {
        self.store().ledger(FUNCTION).await.expect("a ledger")
    }

    pub(super) async fn pending_deliveries(&self) -> Vec<PendingDelivery> {
        due_deliveries(self.store(), Timestamp::MAX, usize::MAX).await.0
    }
}
