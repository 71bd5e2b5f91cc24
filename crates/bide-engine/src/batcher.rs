//! Group commit: what waits while the disk is busy is stored together, with one flush.
//!
//! Owns the only path to [`Store::commit`]. There is no timer: an idle store commits at once, and while a commit runs
//! the next batch gathers. Callers are answered after the commit that holds their record, so a crash before it leaves
//! callers without an answer, never an answer without a record; only claimed work is handed out as soon as the store has
//! decided on it (`ClaimListener`). A record that cannot be read fails those who need it,
//! not those who happen to share a batch with them.

use std::sync::{Arc, Mutex};
use std::vec::IntoIter;

use bide_env::Clock;
use bide_store::{
    Batch, BatchReply, Claim, ClaimListener, ClaimReply, Claimed, ControlChange, ControlConflict,
    DeadLetterChange, Purge, SettleDelivery, Stop, StopReply, Store, StoreError, Submission, SubmitReply,
    Transition, TransitionReply,
};
use bide_types::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use crate::observer::{Observer, Seen};
use crate::options::{BATCH_OPERATIONS_MAX, BATCHER_QUEUE_MAX};
use crate::running::Running;
use crate::signals::Signals;

type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

enum Request {
    /// With the room that the event takes until it is stored, whether its caller waits for that or not.
    Submit(Submission, OwnedSemaphorePermit, Answer<SubmitReply>),
    Transition(Transition, Option<Answer<TransitionReply>>),
    Stop(Stop, Answer<StopReply>),
    Claim(Claim, ClaimAnswer),
    Control(ControlChange, Answer<Result<u64, ControlConflict>>),
    /// Settles a delivery, and submits what it leads to in the same batch.
    Deliver(SettleDelivery, Option<Submission>, Answer<()>),
    DeadLetter(DeadLetterChange, Answer<usize>),
    Purge(Purge, Answer<usize>),
}

/// The answer to a claim: given as soon as the claim is decided, so it may have been taken when the batch is answered.
#[derive(Clone)]
struct ClaimAnswer(Arc<Mutex<Option<Answer<ClaimReply>>>>);

impl ClaimAnswer {
    fn new(answer: Answer<ClaimReply>) -> Self {
        Self(Arc::new(Mutex::new(Some(answer))))
    }

    fn take(&self) -> Option<Answer<ClaimReply>> {
        self.0.lock().expect("nobody panics while holding an answer").take()
    }

    /// Enters the attempts that the claim begins, then answers; nothing if that was done before.
    fn give(&self, running: &Running, reply: &ClaimReply) {
        let Some(answer) = self.take() else { return };
        for Claimed { invocation, .. } in &reply.claimed {
            running.enter(invocation.id, invocation.epoch);
        }
        let _ = answer.send(Ok(reply.clone()));
    }
}

/// Where operations are handed in; cheap to clone.
#[derive(Clone)]
pub(crate) struct Batcher {
    requests: mpsc::Sender<Request>,
}

/// What it works with.
pub(crate) struct Surroundings {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) signals: Arc<Signals>,
    pub(crate) running: Arc<Running>,
    pub(crate) observer: Arc<dyn Observer>,
}

/// The task behind [`Batcher`].
pub(crate) struct BatcherTask {
    requests: mpsc::Receiver<Request>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    signals: Arc<Signals>,
    running: Arc<Running>,
    observer: Arc<dyn Observer>,
    /// Whether new work was refused for lack of space when it was last looked at; that is logged once.
    is_short_of_space: bool,
}

impl Batcher {
    pub(crate) fn new(surroundings: Surroundings) -> (Self, BatcherTask) {
        let Surroundings { store, clock, signals, running, observer } = surroundings;
        let (sender, requests) = mpsc::channel(BATCHER_QUEUE_MAX);
        (
            Self { requests: sender },
            BatcherTask { requests, store, clock, signals, running, observer, is_short_of_space: false },
        )
    }

    /// Submits an event; `room` is given back once it is stored or refused.
    pub(crate) async fn submit(
        &self,
        submission: Submission,
        room: OwnedSemaphorePermit,
    ) -> Result<SubmitReply, StoreError> {
        self.ask(|answer| Request::Submit(submission, room, answer)).await
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
        self.ask(|answer| Request::Claim(claim, ClaimAnswer::new(answer))).await
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

    /// Changes dead letters; returns how many.
    pub(crate) async fn dead_letter(&self, change: DeadLetterChange) -> Result<usize, StoreError> {
        self.ask(|answer| Request::DeadLetter(change, answer)).await
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
        loop {
            let mut requests = Vec::new();
            if self.requests.recv_many(&mut requests, BATCH_OPERATIONS_MAX).await == 0 {
                return;
            }
            let requests = self.turn_away(requests);
            if !requests.is_empty() {
                self.commit(requests).await;
            }
        }
    }

    /// Refuses the new events among `requests` if the store has no space for them, and leaves out the logs of what ended;
    /// returns what is left.
    fn turn_away(&mut self, mut requests: Vec<Request>) -> Vec<Request> {
        let is_new = |request: &Request| matches!(request, Request::Submit(..));
        if !requests.iter().any(|request| is_new(request) || request.has_log()) {
            return requests;
        }
        let space = self.store.check_space();
        let was_short = std::mem::replace(&mut self.is_short_of_space, space.is_err());
        let Err(error) = space else {
            if was_short {
                tracing::info!("the disk has room again: new invocations are accepted");
            }
            return requests;
        };
        if !was_short {
            tracing::error!(%error, "new invocations are refused");
        }
        requests.iter_mut().for_each(Request::drop_log);
        let (new, rest) = requests.into_iter().partition::<Vec<_>, _>(is_new);
        new.into_iter().for_each(|request| request.refuse(&error));
        rest
    }

    /// Stores what is asked for in one batch, and answers.
    async fn commit(&self, mut requests: Vec<Request>) {
        let mut batch = gather(&requests, self.clock.now());
        batch.on_claims = self.claim_listener(&requests);
        let (operations, began) = (batch.len(), self.clock.monotonic());
        let committed = self.store.commit(batch).await;
        let took = self.clock.monotonic().saturating_sub(began);
        self.observer.observe(&Seen::Committed { operations, took, stored: committed.is_ok() });
        match committed {
            Ok(reply) => self.answer(requests, reply),
            // Something cannot be read and nothing was stored; one half does not need what is damaged.
            Err(StoreError::Read { .. } | StoreError::Damaged { .. }) if requests.len() > 1 => {
                let rest = requests.split_off(requests.len() / 2);
                Box::pin(self.commit(requests)).await;
                Box::pin(self.commit(rest)).await;
            }
            Err(error) => {
                tracing::error!(%error, "a batch could not be stored");
                requests.into_iter().for_each(|request| request.refuse(&error));
            }
        }
    }

    /// Hands claimed work out as soon as the store has decided on it; `None` if nobody claims.
    fn claim_listener(&self, requests: &[Request]) -> Option<ClaimListener> {
        let answers: Vec<ClaimAnswer> = requests.iter().filter_map(Request::claim_answer).cloned().collect();
        if answers.is_empty() {
            return None;
        }
        let running = Arc::clone(&self.running);
        Some(ClaimListener::new(move |claims| {
            answers.iter().zip(claims).for_each(|(answer, reply)| answer.give(&running, reply));
        }))
    }

    /// Side effects first, in the order of the batch, then the callers.
    fn answer(&self, requests: Vec<Request>, reply: BatchReply) {
        let claims = requests.iter().filter_map(Request::claim_answer);
        for (answer, claim) in claims.zip(&reply.claims) {
            answer.give(&self.running, claim);
            if claim.delivery {
                self.signals.outbox.notify_one();
            }
        }
        for stop in &reply.stops {
            self.after_stop(stop);
        }
        for transition in &reply.transitions {
            self.after_transition(transition);
        }
        let controls = requests.iter().filter_map(Request::control);
        for (change, reply) in controls.zip(&reply.controls) {
            if reply.is_ok() {
                let now = self.clock.now();
                change
                    .submissions
                    .iter()
                    .for_each(|submission| self.signals.work(submission.enqueue.line(), now));
            }
        }
        if reply.dead_letters.iter().any(|changed| *changed > 0) {
            self.signals.outbox.notify_one();
        }
        let submitted = requests.iter().filter_map(Request::submission);
        for (submission, reply) in submitted.zip(&reply.submissions) {
            if let SubmitReply::Accepted { due, .. } = reply {
                self.signals.work(submission.enqueue.line(), *due);
            }
        }
        let mut replies = Replies::new(reply);
        requests.into_iter().for_each(|request| request.answer(&mut replies));
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
            TransitionReply::Applied { line, due, delivery, .. } => {
                if let Some(due) = due {
                    self.signals.work(line.clone(), *due);
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

fn gather(requests: &[Request], now: Timestamp) -> Batch {
    let mut batch = Batch { now, ..Batch::default() };
    for request in requests {
        match request {
            Request::Submit(submission, ..) => batch.submissions.push(submission.clone()),
            Request::Transition(transition, _) => batch.transitions.push(transition.clone()),
            Request::Stop(stop, _) => batch.stops.push(stop.clone()),
            Request::Claim(claim, _) => batch.claims.push(claim.clone()),
            Request::Control(change, _) => batch.controls.push(change.clone()),
            Request::Deliver(settle, submission, _) => {
                batch.deliveries.push(settle.clone());
                batch.submissions.extend(submission.clone());
            }
            Request::DeadLetter(change, _) => batch.dead_letters.push(*change),
            Request::Purge(purge, _) => batch.purges.push(*purge),
        }
    }
    batch
}

/// The replies of a batch that are given when it is stored, each list in the order of the requests.
struct Replies {
    controls: IntoIter<Result<u64, ControlConflict>>,
    submissions: IntoIter<SubmitReply>,
    transitions: IntoIter<TransitionReply>,
    stops: IntoIter<StopReply>,
    dead_letters: IntoIter<usize>,
    purges: IntoIter<usize>,
}

impl Replies {
    fn new(reply: BatchReply) -> Self {
        let BatchReply { controls, submissions, transitions, stops, dead_letters, claims: _, purges } = reply;
        Self {
            controls: controls.into_iter(),
            submissions: submissions.into_iter(),
            transitions: transitions.into_iter(),
            stops: stops.into_iter(),
            dead_letters: dead_letters.into_iter(),
            purges: purges.into_iter(),
        }
    }
}

impl Request {
    fn has_log(&self) -> bool {
        let Self::Transition(transition, _) = self else { return false };
        transition.log.as_ref().is_some_and(|log| !log.text.is_empty())
    }

    /// Keeps no more of a log than how long it was.
    fn drop_log(&mut self) {
        let Self::Transition(Transition { log: Some(log), .. }, _) = self else { return };
        let text = std::mem::take(&mut log.text);
        log.dropped_bytes = log.dropped_bytes.saturating_add(u64::try_from(text.len()).unwrap_or(u64::MAX));
    }

    /// What it adds to the submissions of its batch.
    fn submission(&self) -> Option<&Submission> {
        match self {
            Self::Submit(submission, ..) => Some(submission),
            Self::Deliver(_, submission, _) => submission.as_ref(),
            Self::Transition(..)
            | Self::Stop(..)
            | Self::Claim(..)
            | Self::Control(..)
            | Self::DeadLetter(..)
            | Self::Purge(..) => None,
        }
    }

    fn control(&self) -> Option<&ControlChange> {
        match self {
            Self::Control(change, _) => Some(change),
            Self::Submit(..)
            | Self::Transition(..)
            | Self::Stop(..)
            | Self::Claim(..)
            | Self::Deliver(..)
            | Self::DeadLetter(..)
            | Self::Purge(..) => None,
        }
    }

    fn claim_answer(&self) -> Option<&ClaimAnswer> {
        match self {
            Self::Claim(_, answer) => Some(answer),
            Self::Submit(..)
            | Self::Deliver(..)
            | Self::Transition(..)
            | Self::Stop(..)
            | Self::Control(..)
            | Self::DeadLetter(..)
            | Self::Purge(..) => None,
        }
    }

    /// Takes its own from the replies and passes it on.
    fn answer(self, replies: &mut Replies) {
        match self {
            Self::Submit(_, room, answer) => {
                drop(room);
                send(answer, replies.submissions.next());
            }
            Self::Transition(_, answer) => {
                let reply = replies.transitions.next();
                if let Some(answer) = answer {
                    send(answer, reply);
                }
            }
            Self::Stop(_, answer) => send(answer, replies.stops.next()),
            Self::Claim(..) => {} // answered when it was decided
            Self::Control(_, answer) => send(answer, replies.controls.next()),
            Self::Deliver(_, submission, answer) => {
                if submission.is_some() {
                    replies.submissions.next();
                }
                send(answer, Some(()));
            }
            Self::DeadLetter(_, answer) => send(answer, replies.dead_letters.next()),
            Self::Purge(_, answer) => send(answer, replies.purges.next()),
        }
    }

    fn refuse(self, error: &StoreError) {
        match self {
            Self::Submit(_, room, answer) => {
                drop(room);
                refuse(answer, error);
            }
            Self::Transition(_, Some(answer)) => refuse(answer, error),
            Self::Transition(_, None) => {}
            Self::Stop(_, answer) => refuse(answer, error),
            Self::Claim(_, answer) => {
                if let Some(answer) = answer.take() {
                    refuse(answer, error);
                }
            }
            Self::Control(_, answer) => refuse(answer, error),
            Self::Deliver(_, _, answer) => refuse(answer, error),
            Self::DeadLetter(_, answer) => refuse(answer, error),
            Self::Purge(_, answer) => refuse(answer, error),
        }
    }
}

// A caller that no longer waits is no fault: its record is stored all the same.

fn send<T>(answer: Answer<T>, reply: Option<T>) {
    let _ = answer.send(Ok(reply.expect("a store replies to every operation")));
}

fn refuse<T>(answer: Answer<T>, error: &StoreError) {
    let _ = answer.send(Err(error.clone()));
}
