//! What holds for every sequence of commands, at whatever times they come.

use std::time::Duration;

use bide_types::Timestamp;
use bide_types::limits::SYSTEM_RETRY_WINDOW;
use proptest::prelude::*;

use super::{at, has_epoch};
use crate::backoff::{REFUSAL_CEILING, REFUSALS_MAX, REFUSALS_MIN};
use crate::command::{Command, Enqueue, Failure, FunctionError, Rejected, Run, Transition, enqueue, step};
use crate::fixtures::{Story, dequeue_with, enqueued, fail, instance, request, start};
use crate::invocation::{
    DestinationStatus, Epoch, Invocation, LeaseHolder, Mode, State, Status, TIMELINE_EVENTS_MAX,
};
use crate::ledger::{Bucket, Ledger};
use crate::policy::Policy;
use crate::settlement::Slot;

/// Most retries of any policy that is drawn.
const RETRIES_MAX: u32 = 3;

/// A command before its epoch is known.
#[derive(Clone, Debug)]
struct Act {
    command: Command,
    /// Added to the epoch in force; 0 most of the time.
    epoch_offset: i32,
    /// Time since the act before, in milliseconds.
    wait: i64,
}

fn policies() -> impl Strategy<Value = Policy> {
    let target = |name: &'static str| proptest::option::of(Just(name.to_owned()));
    (0..=RETRIES_MAX, 1..100_u64, target("on-success"), target("on-failure")).prop_map(
        |(retries_max, age, on_success, on_failure)| Policy {
            retries_max,
            age_max: Duration::from_secs(age * age),
            on_success,
            on_failure,
        },
    )
}

fn failures() -> impl Strategy<Value = Failure> {
    prop_oneof![
        Just(Failure::Throttled),
        Just(Failure::System),
        Just(Failure::Function(FunctionError::Handled)),
        Just(Failure::Function(FunctionError::Unhandled)),
        Just(Failure::Function(FunctionError::TimedOut)),
        Just(Failure::Function(FunctionError::OutOfMemory)),
    ]
}

fn commands() -> impl Strategy<Value = Command> {
    let epoch = Epoch(0);
    let dequeue = |policy| Command::Dequeue { policy, holder: LeaseHolder(0), expires_at: at(0) };
    prop_oneof![
        8 => policies().prop_map(dequeue),
        8 => Just(Command::Start { epoch, instance: instance() }),
        6 => failures().prop_map(move |failure| Command::Fail { epoch, failure, run: Run::default() }),
        2 => Just(Command::Lapse { epoch }),
        1 => Just(Command::Succeed { epoch, run: Run::default() }),
        1 => Just(Command::FinishStop { epoch }),
        1 => policies().prop_map(|policy| Command::Stop { policy }),
        1 => policies().prop_map(|policy| Command::Expire { policy }),
        1 => proptest::option::of(policies())
            .prop_map(|policy| Command::Invalidate { reason: "gone".to_owned(), policy }),
    ]
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let epoch_offset = prop_oneof![6 => Just(0), 1 => -3..0, 1 => 1..3];
    let wait = prop_oneof![
        8 => 0..2_000_i64,
        1 => -60_000..0_i64,
        1 => 0..20_000_000_i64,
    ];
    let act = (commands(), epoch_offset, wait).prop_map(|(command, epoch_offset, wait)| Act {
        command,
        epoch_offset,
        wait,
    });
    proptest::collection::vec(act, 0..120)
}

fn with_epoch(mut command: Command, given: Epoch) -> Command {
    match &mut command {
        Command::Start { epoch, .. }
        | Command::Succeed { epoch, .. }
        | Command::Fail { epoch, .. }
        | Command::FinishStop { epoch }
        | Command::Lapse { epoch } => *epoch = given,
        Command::Dequeue { .. }
        | Command::Expire { .. }
        | Command::Invalidate { .. }
        | Command::Stop { .. } => {}
    }
    command
}

fn moved(now: Timestamp, wait: i64) -> Timestamp {
    let distance = Duration::from_millis(wait.unsigned_abs());
    if wait < 0 { now.minus(distance) } else { now.plus(distance) }
}

/// One life under observation.
struct Witness {
    invocation: Invocation,
    ledger: Ledger,
    now: Timestamp,
    settlements: u32,
    deliveries: u32,
    function_errors: u32,
}

impl Witness {
    fn new(delay: Duration, plain: bool) -> Self {
        let mut request = Enqueue { delay, ..request() };
        request.task = request.task.filter(|_| !plain);
        let invocation = enqueue(request, enqueued().id, at(0));
        let mut ledger = Ledger::default();
        ledger.accept(Bucket::of(&invocation));
        Self { invocation, ledger, now: at(0), settlements: 0, deliveries: 0, function_errors: 0 }
    }

    fn act(&mut self, act: Act) {
        self.now = moved(self.now, act.wait);
        let epoch = Epoch(self.invocation.epoch.0.wrapping_add_signed(act.epoch_offset.into()));
        let command = with_epoch(act.command, epoch);
        let outcome = step(&self.invocation, command.clone(), self.now);
        if self.settlements > 0 {
            assert_eq!(outcome, Err(Rejected::Settled(self.invocation.status())), "settled once");
            return;
        }
        if has_epoch(&command) && act.epoch_offset != 0 {
            assert!(
                matches!(outcome, Err(Rejected::StaleEpoch { .. } | Rejected::NotHeld)),
                "{epoch:?} is not in force: {outcome:?}"
            );
        }
        if let Ok(transition) = outcome {
            self.accept(&command, transition);
        }
    }

    fn accept(&mut self, command: &Command, transition: Transition) {
        let Transition { next, delivery } = transition;
        let before = std::mem::replace(&mut self.invocation, next);
        let next = &self.invocation;
        assert_unchanged_identity(&before, next);
        self.check_order(command, &before);
        if let Command::Fail { failure: Failure::Function(_), .. } = command
            && !matches!(before.state, State::Stopping { .. })
        {
            self.function_errors += 1;
        }
        assert!(self.function_errors <= RETRIES_MAX + 1, "{} runs failed", self.function_errors);
        assert!(next.retries <= RETRIES_MAX);
        assert_ne!((before.state.clone(), before.policy.clone()), (next.state.clone(), next.policy.clone()));
        self.ledger.shift(Bucket::of(&before), Bucket::of(next));
        self.settlements += u32::from(next.settlement().is_some());
        self.deliveries += u32::from(delivery.is_some());
        self.check_end(delivery.map(|delivery| (delivery.slot, delivery.target)));
        self.check_timeline();
        assert!(self.ledger.balances());
        assert_eq!(self.ledger.open() + u64::from(self.settlements), 1);
    }

    /// Never early, and each lease has an epoch of its own.
    fn check_order(&self, command: &Command, before: &Invocation) {
        let next = &self.invocation;
        if matches!(next.state, State::Dequeued { .. }) {
            assert!(matches!(command, Command::Dequeue { .. }));
            assert!(before.due().is_some_and(|due| due <= self.now), "early");
            assert!(self.now >= before.not_before || before.epoch > Epoch(0), "before the caller's delay");
            assert_eq!(next.epoch, Epoch(before.epoch.0 + 1));
        } else {
            assert_eq!(next.epoch, before.epoch);
        }
        if let Some(lease) = next.lease() {
            assert_eq!(lease.epoch, next.epoch, "the lease that is out has the last epoch granted");
        }
        let started = u32::from(matches!(command, Command::Start { .. }));
        let unloadable = u32::from(
            matches!(before.state, State::Dequeued { .. })
                && matches!(command, Command::Fail { failure: Failure::Function(_), .. }),
        );
        assert_eq!(next.runs, before.runs + started + unloadable);
    }

    /// A destination record is made with the settlement, for the slot of its kind, if there is a target.
    fn check_end(&self, delivery: Option<(Slot, String)>) {
        let next = &self.invocation;
        let policy = next.policy.clone().unwrap_or(Policy { on_failure: None, ..Policy::default() });
        let expected = next.settlement().and_then(|_| match next.status() {
            Status::Succeeded => policy.on_success.map(|target| (Slot::Success, target)),
            _ => policy.on_failure.map(|target| (Slot::Failure, target)),
        });
        assert_eq!(delivery, expected);
        assert_eq!(next.destination == DestinationStatus::Pending, self.deliveries == 1);
        assert!(self.deliveries <= self.settlements && self.settlements <= 1);
        assert_eq!(next.status().is_final(), self.settlements == 1);
        assert_eq!(Bucket::of(next).is_settled(), self.settlements == 1);
    }

    fn check_timeline(&self) {
        let Mode::Task { timeline, .. } = &self.invocation.mode else { return };
        assert!(timeline.len() <= TIMELINE_EVENTS_MAX);
        assert_eq!(timeline[0].status, Status::Enqueued);
        let last = timeline[timeline.len() - 1].status;
        let status = self.invocation.status();
        assert!(last == status || status == Status::Dequeued, "the timeline ends {last:?}, not {status:?}");
        let finals = timeline.iter().filter(|event| event.status.is_final()).count();
        assert_eq!(finals, usize::from(status.is_final()));
    }
}

fn assert_unchanged_identity(before: &Invocation, next: &Invocation) {
    let identity = |invocation: &Invocation| {
        (
            (invocation.id, invocation.function, invocation.qualifier.clone(), invocation.request_id.clone()),
            (invocation.task_id().cloned(), invocation.accepted_at, invocation.not_before, invocation.hops),
        )
    };
    assert_eq!(identity(before), identity(next));
}

proptest! {
    #[test]
    fn every_life_keeps_the_promises(acts in acts(), delay in 0..5_000_u64, plain in any::<bool>()) {
        let mut witness = Witness::new(Duration::from_millis(delay), plain);
        for act in acts {
            witness.act(act);
        }
    }

    /// However the attempts end, and however long they and the pauses between them last.
    #[test]
    fn attempts_without_success_come_to_an_end(
        ends in proptest::collection::vec((failures(), any::<bool>(), 0..400_000_u64, 0..400_000_u64), 1..40),
    ) {
        let mut story = Story::of(enqueued());
        let mut now = at(0);
        let attempts_max = (RETRIES_MAX + 1) * REFUSALS_MAX;
        for attempt in 0.. {
            prop_assert!(attempt <= attempts_max, "it goes on for ever");
            let Some(due) = story.invocation.due() else { break };
            let (failure, starts, run, pause) = ends[attempt as usize % ends.len()];
            now = now.max(due).plus(Duration::from_millis(pause));
            story = story.then(now, dequeue_with(Policy::default()));
            if story.status() == Status::Expired {
                break;
            }
            if starts {
                story = story.then_with(now, start);
            }
            now = now.plus(Duration::from_millis(run));
            story = story.then_with(now, |epoch| fail(epoch, failure));
        }
        prop_assert!(story.status().is_final());
    }

    /// The rule of the reference: up to five hours, when each attempt is made as soon as it is due.
    #[test]
    fn refusals_stop_after_the_window(seconds in proptest::collection::vec(0..50_u64, 1..20)) {
        let mut story = Story::of(enqueued());
        let mut now = at(0);
        let mut refusals = 0;
        while let Some(due) = story.invocation.due() {
            now = now.max(due);
            story = story.then(now, dequeue_with(Policy::default()));
            now = now.plus(Duration::from_secs(seconds[refusals % seconds.len()]));
            story = story.then_with(now, |epoch| fail(epoch, Failure::Throttled));
            refusals += 1;
        }
        prop_assert_eq!(story.status(), Status::Failed);
        prop_assert!(refusals > REFUSALS_MIN as usize);
        let first_refusal = story.invocation.refusals.expect("it was refused").since;
        let lasted = now.since(first_refusal);
        let longest_attempt = Duration::from_secs(50);
        prop_assert!(lasted <= SYSTEM_RETRY_WINDOW + longest_attempt);
        prop_assert!(lasted + REFUSAL_CEILING > SYSTEM_RETRY_WINDOW);
    }
}
