//! Group commit: what waits while the disk is busy is stored together, with one flush.
//!
//! Owns the only path to [`Store::commit`]. There is no timer: an idle store commits at once, and while a commit runs
//! the next batch gathers. Callers are answered after the commit that holds their record, so a crash before it leaves
//! callers without an answer, never an answer without a record.

use std::sync::Arc;

use bide_env::Clock;
use bide_store::{
    Batch, BatchReply, Claim, ClaimReply, Claimed, ControlChange, ControlConflict, Purge, SettleDelivery,
    Stop, StopReply, Store, StoreError, Submission, SubmitReply, Transition, TransitionReply,
};
use bide_types::FunctionId;
use tokio::sync::{mpsc, oneshot};

use crate::options::{BATCH_OPERATIONS_MAX, BATCHER_QUEUE_MAX};
use crate::running::Running;
use crate::signals::Signals;

type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

enum Request {
    Submit(Submission, Answer<SubmitReply>),
    Transition(Transition, Option<Answer<TransitionReply>>),
    Stop(Stop, Answer<StopReply>),
    Claim(Claim, Answer<ClaimReply>),
    Control(ControlChange, Answer<Result<u64, ControlConflict>>),
    /// Settles a delivery, and submits what it leads to in the same batch.
    Deliver(SettleDelivery, Option<Submission>, Answer<()>),
    Purge(Purge, Answer<usize>),
}

/// Where operations are handed in; cheap to clone.
#[derive(Clone)]
pub(crate) struct Batcher {
    requests: mpsc::Sender<Request>,
}

/// The task behind [`Batcher`].
pub(crate) struct BatcherTask {
    requests: mpsc::Receiver<Request>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    signals: Arc<Signals>,
    running: Arc<Running>,
}

impl Batcher {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        signals: Arc<Signals>,
        running: Arc<Running>,
    ) -> (Self, BatcherTask) {
        let (sender, requests) = mpsc::channel(BATCHER_QUEUE_MAX);
        (Self { requests: sender }, BatcherTask { requests, store, clock, signals, running })
    }

    pub(crate) async fn submit(&self, submission: Submission) -> Result<SubmitReply, StoreError> {
        self.ask(|answer| Request::Submit(submission, answer)).await
    }

    pub(crate) async fn transition(&self, transition: Transition) -> Result<TransitionReply, StoreError> {
        self.ask(|answer| Request::Transition(transition, Some(answer))).await
    }

    /// Hands in a transition that rides along with the next flush; gives it back when the queue is full.
    pub(crate) fn ride_along(&self, transition: Transition) -> Option<Transition> {
        match self.requests.try_send(Request::Transition(transition, None)) {
            Ok(()) => None,
            Err(error) => match error.into_inner() {
                Request::Transition(transition, None) => Some(transition),
                _ => unreachable!("the request that was handed in comes back"),
            },
        }
    }

    pub(crate) async fn stop(&self, stop: Stop) -> Result<StopReply, StoreError> {
        self.ask(|answer| Request::Stop(stop, answer)).await
    }

    pub(crate) async fn claim(&self, claim: Claim) -> Result<ClaimReply, StoreError> {
        self.ask(|answer| Request::Claim(claim, answer)).await
    }

    pub(crate) async fn control(
        &self,
        change: ControlChange,
    ) -> Result<Result<u64, ControlConflict>, StoreError> {
        self.ask(|answer| Request::Control(change, answer)).await
    }

    pub(crate) async fn deliver(
        &self,
        settle: SettleDelivery,
        submission: Option<Submission>,
    ) -> Result<(), StoreError> {
        self.ask(|answer| Request::Deliver(settle, submission, answer)).await
    }

    pub(crate) async fn purge(&self, purge: Purge) -> Result<usize, StoreError> {
        self.ask(|answer| Request::Purge(purge, answer)).await
    }

    async fn ask<T>(&self, request: impl FnOnce(Answer<T>) -> Request) -> Result<T, StoreError> {
        let (answer, reply) = oneshot::channel();
        self.requests.send(request(answer)).await.map_err(|_| StoreError::Closed)?;
        reply.await.unwrap_or(Err(StoreError::Closed))
    }
}

impl BatcherTask {
    /// Runs until every [`Batcher`] is gone and the last request is answered.
    pub(crate) async fn run(mut self) {
        let mut waiting = Vec::with_capacity(BATCH_OPERATIONS_MAX);
        while self.requests.recv_many(&mut waiting, BATCH_OPERATIONS_MAX).await > 0 {
            let (batch, answers) = gather(waiting.drain(..), self.clock.now());
            match self.store.commit(batch).await {
                Ok(reply) => self.answer(answers, reply),
                Err(error) => {
                    tracing::error!(%error, "a batch could not be stored");
                    answers.refuse(&error);
                }
            }
        }
    }

    /// Side effects first, in the order of the batch, then the callers.
    fn answer(&self, answers: Answers, reply: BatchReply) {
        let BatchReply { controls, submissions, transitions, stops, claims, purges } = reply;
        for claim in &claims {
            for Claimed { invocation, .. } in &claim.claimed {
                self.running.enter(invocation.id, invocation.epoch);
            }
            if claim.delivery {
                self.signals.outbox.notify_one();
            }
        }
        for stop in &stops {
            self.after_stop(stop);
        }
        for transition in &transitions {
            self.after_transition(transition);
        }
        for (reply, function) in submissions.iter().zip(&answers.submitted_to) {
            if let SubmitReply::Accepted { due, .. } = reply {
                self.signals.work(*function, *due);
            }
        }
        send_all(answers.controls, controls);
        send_some(answers.submissions, submissions);
        send_some(answers.transitions, transitions);
        send_all(answers.stops, stops);
        send_all(answers.claims, claims);
        send_all(answers.purges, purges);
        for answer in answers.deliveries {
            let _ = answer.send(Ok(()));
        }
    }

    fn after_stop(&self, reply: &StopReply) {
        match reply {
            StopReply::Stopping { invocation } => self.running.cancel(*invocation),
            StopReply::Stopped { delivery: true } => self.signals.outbox.notify_one(),
            StopReply::Stopped { delivery: false } | StopReply::Unchanged { .. } | StopReply::NotFound => {}
        }
    }

    fn after_transition(&self, reply: &TransitionReply) {
        match reply {
            TransitionReply::Applied { function, due, delivery, .. } => {
                if let Some(due) = due {
                    self.signals.work(*function, *due);
                }
                if *delivery {
                    self.signals.outbox.notify_one();
                }
            }
            TransitionReply::Rejected(rejected) => {
                tracing::debug!(%rejected, "a late transition was refused")
            }
            TransitionReply::NotFound => tracing::debug!("a transition came for a record that is gone"),
        }
    }
}

/// Who waits for which reply of a batch; each list parallel to the batch's.
#[derive(Default)]
struct Answers {
    controls: Vec<Answer<Result<u64, ControlConflict>>>,
    submissions: Vec<Option<Answer<SubmitReply>>>,
    submitted_to: Vec<FunctionId>,
    transitions: Vec<Option<Answer<TransitionReply>>>,
    stops: Vec<Answer<StopReply>>,
    deliveries: Vec<Answer<()>>,
    claims: Vec<Answer<ClaimReply>>,
    purges: Vec<Answer<usize>>,
}

fn gather(requests: impl Iterator<Item = Request>, now: bide_types::Timestamp) -> (Batch, Answers) {
    let mut batch = Batch { now, ..Batch::default() };
    let mut answers = Answers::default();
    for request in requests {
        match request {
            Request::Submit(submission, answer) => answers.submit(&mut batch, submission, Some(answer)),
            Request::Transition(transition, answer) => {
                batch.transitions.push(transition);
                answers.transitions.push(answer);
            }
            Request::Stop(stop, answer) => {
                batch.stops.push(stop);
                answers.stops.push(answer);
            }
            Request::Claim(claim, answer) => {
                batch.claims.push(claim);
                answers.claims.push(answer);
            }
            Request::Control(change, answer) => {
                batch.controls.push(change);
                answers.controls.push(answer);
            }
            Request::Deliver(settle, submission, answer) => {
                batch.deliveries.push(settle);
                answers.deliveries.push(answer);
                if let Some(submission) = submission {
                    answers.submit(&mut batch, submission, None);
                }
            }
            Request::Purge(purge, answer) => {
                batch.purges.push(purge);
                answers.purges.push(answer);
            }
        }
    }
    (batch, answers)
}

impl Answers {
    fn submit(&mut self, batch: &mut Batch, submission: Submission, answer: Option<Answer<SubmitReply>>) {
        self.submitted_to.push(submission.enqueue.function);
        self.submissions.push(answer);
        batch.submissions.push(submission);
    }

    fn refuse(self, error: &StoreError) {
        refuse_all(self.controls, error);
        refuse_all(self.submissions.into_iter().flatten(), error);
        refuse_all(self.transitions.into_iter().flatten(), error);
        refuse_all(self.stops, error);
        refuse_all(self.deliveries, error);
        refuse_all(self.claims, error);
        refuse_all(self.purges, error);
    }
}

// A caller that no longer waits is no fault: its record is stored all the same.

fn send_all<T>(answers: Vec<Answer<T>>, replies: Vec<T>) {
    for (answer, reply) in answers.into_iter().zip(replies) {
        let _ = answer.send(Ok(reply));
    }
}

fn send_some<T>(answers: Vec<Option<Answer<T>>>, replies: Vec<T>) {
    for (answer, reply) in answers.into_iter().zip(replies) {
        if let Some(answer) = answer {
            let _ = answer.send(Ok(reply));
        }
    }
}

fn refuse_all<T>(answers: impl IntoIterator<Item = Answer<T>>, error: &StoreError) {
    for answer in answers {
        let _ = answer.send(Err(error.clone()));
    }
}
