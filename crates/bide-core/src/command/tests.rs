//! The table of all pairs of state and command, and its agreement with the diagram.

mod properties;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use bide_types::limits::{EVENT_AGE_DEFAULT, SYSTEM_RETRY_WINDOW};

use super::*;
use crate::backoff::REFUSALS_MIN;
use crate::fixtures::{
    Story, UNHANDLED, at, backing_off, deferred, dequeue, dequeued, enqueued, fail, retrying, run, running,
    start, stop, stopping, succeed,
};
use crate::invocation::Refusals;

/// All commands of the table are given at this moment.
const NOW: u64 = 1000;

fn too_old() -> Invocation {
    let accepted_at = at(NOW - 1).minus(EVENT_AGE_DEFAULT);
    Invocation { accepted_at, not_before: accepted_at, ..enqueued() }
}

fn without_retries(mut story: Story) -> Story {
    story.invocation.retries = 3;
    story
}

fn refused_for_five_hours(mut story: Story) -> Story {
    let since = at(0).minus(SYSTEM_RETRY_WINDOW);
    story.invocation.refusals = Some(Refusals { since, count: REFUSALS_MIN });
    story
}

fn later(mut story: Story) -> Story {
    let due = at(NOW + 1);
    match &mut story.invocation.state {
        State::Backoff { due: stored } | State::Retrying { due: stored } => *stored = due,
        other => panic!("{other:?} has no due time"),
    }
    story
}

/// At least one invocation for every state, and one for each circumstance that decides between two ends.
fn states() -> Vec<(&'static str, Invocation)> {
    let expired = || Story::of(too_old()).then(at(NOW), dequeue());
    let invalid = Command::Invalidate { reason: "gone".to_owned(), policy: None };
    let stories = [
        ("Enqueued", Story::of(enqueued())),
        ("Enqueued, deferred", Story::of(deferred(Duration::from_millis(NOW + 1)))),
        ("Enqueued, too old", Story::of(too_old())),
        ("Dequeued", dequeued()),
        ("Dequeued, no retries left", without_retries(dequeued())),
        ("Dequeued, refused for 5 h", refused_for_five_hours(dequeued())),
        ("Backoff", backing_off()),
        ("Backoff, not due", later(backing_off())),
        ("Running", running()),
        ("Running, no retries left", without_retries(running())),
        ("Running, refused for 5 h", refused_for_five_hours(running())),
        ("Retrying", retrying()),
        ("Retrying, not due", later(retrying())),
        ("Stopping, not started", dequeued().then(at(0), stop())),
        ("Stopping", stopping()),
        ("Succeeded", running().then_with(at(0), succeed)),
        ("Failed", without_retries(running()).then_with(at(0), |epoch| fail(epoch, UNHANDLED))),
        ("Stopped", Story::of(enqueued()).then(at(0), stop())),
        ("Expired", expired()),
        ("Invalid", Story::of(enqueued()).then(at(0), invalid)),
    ];
    stories.map(|(name, story)| (name, story.invocation)).into()
}

/// Every command, with the epoch given.
fn commands(epoch: Epoch) -> Vec<(&'static str, Command)> {
    let policy = crate::fixtures::policy();
    vec![
        ("Dequeue", dequeue()),
        ("Expire", Command::Expire { policy: policy.clone() }),
        ("Invalidate", Command::Invalidate { reason: "gone".to_owned(), policy: Some(policy) }),
        ("Start", start(epoch)),
        ("Succeed", Command::Succeed { epoch, run: run(1) }),
        ("Fail function", fail(epoch, UNHANDLED)),
        ("Fail throttled", fail(epoch, Failure::Throttled)),
        ("Fail system", fail(epoch, Failure::System)),
        ("Stop", stop()),
        ("FinishStop", Command::FinishStop { epoch }),
        ("Lapse", Command::Lapse { epoch }),
    ]
}

fn has_epoch(command: &Command) -> bool {
    match command {
        Command::Dequeue { .. }
        | Command::Expire { .. }
        | Command::Invalidate { .. }
        | Command::Stop { .. } => false,
        Command::Start { .. }
        | Command::Succeed { .. }
        | Command::Fail { .. }
        | Command::FinishStop { .. }
        | Command::Lapse { .. } => true,
    }
}

/// The name of a state in the diagram: the status, except that Backoff is told from Dequeued.
fn node(invocation: &Invocation) -> &'static str {
    match invocation.state {
        State::Backoff { .. } => "Backoff",
        _ => invocation.status().as_str(),
    }
}

fn show(outcome: &Result<Transition, Rejected>) -> String {
    match outcome {
        Err(rejected) => format!("- {rejected}"),
        Ok(Transition { next, delivery }) => {
            let mut text = format!("> {}", node(next));
            if let Some(due) = next.due() {
                let _ = write!(text, ", due in {:?}", due.since(at(NOW)));
            }
            if let Some(delivery) = delivery {
                let _ = write!(text, ", tells {}", delivery.target);
            }
            text
        }
    }
}

#[test]
fn the_table_of_all_states_and_commands_is_as_reviewed() {
    let mut table = String::new();
    for (name, invocation) in states() {
        let _ = writeln!(table, "{name}");
        for (command_name, command) in commands(invocation.epoch) {
            let outcome = step(&invocation, command, at(NOW));
            let _ = writeln!(table, "  {command_name:<14} {}", show(&outcome));
        }
    }
    insta::assert_snapshot!("table", table);
}

#[test]
fn a_command_of_another_epoch_is_rejected_in_every_state() {
    for (name, invocation) in states() {
        for other in [Epoch(invocation.epoch.0.wrapping_sub(1)), Epoch(invocation.epoch.0 + 1)] {
            for (command_name, command) in
                commands(other).into_iter().filter(|(_, command)| has_epoch(command))
            {
                let outcome = step(&invocation, command, at(NOW));
                assert!(outcome.is_err(), "{command_name} of {other:?} to {name}: {outcome:?}");
            }
        }
    }
}

/// Edges as `from`, `to`, `command`.
type Edges = BTreeSet<(String, String, String)>;

/// The edges that the Mermaid diagram in the header of the crate draws.
fn drawn_edges() -> Edges {
    let header = include_str!("../lib.rs");
    let lines = header.lines().filter_map(|line| line.strip_prefix("//!"));
    let edges = lines.filter_map(|line| line.split_once("-->"));
    let mut drawn = Edges::new();
    for (from, rest) in edges {
        let (to, labels) = rest.split_once(':').unwrap_or((rest, ""));
        for label in labels.split(',') {
            drawn.insert((from.trim().to_owned(), to.trim().to_owned(), label.trim().to_owned()));
        }
    }
    drawn
}

/// The edges that the table yields, with those in and out of the life itself.
fn taken_edges() -> Edges {
    let mut taken = Edges::new();
    taken.insert(("[*]".to_owned(), node(&enqueued()).to_owned(), "enqueue".to_owned()));
    for (_, invocation) in states() {
        for (command_name, command) in commands(invocation.epoch) {
            if let Ok(Transition { next, .. }) = step(&invocation, command, at(NOW)) {
                taken.insert((node(&invocation).to_owned(), node(&next).to_owned(), command_name.to_owned()));
            }
        }
    }
    taken
}

#[test]
fn the_diagram_in_the_header_draws_exactly_the_edges_of_the_table() {
    let (drawn, taken) = (drawn_edges(), taken_edges());
    let missing: Vec<_> = taken.difference(&drawn).collect();
    let invented: Vec<_> = drawn.difference(&taken).collect();
    assert!(missing.is_empty() && invented.is_empty(), "missing: {missing:#?}, invented: {invented:#?}");
}

#[test]
fn every_status_is_in_the_table() {
    let covered: BTreeSet<Status> = states().iter().map(|(_, invocation)| invocation.status()).collect();
    assert_eq!(covered, Status::ALL.into_iter().collect());
    for status in Status::ALL {
        assert_eq!(Status::parse(status.as_str()), Some(status));
    }
    assert_eq!(Status::parse("enqueued"), None);
}
