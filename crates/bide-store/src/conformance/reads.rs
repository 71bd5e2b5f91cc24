//! Everything that can be read from a store, so that two stores, or two moments, can be compared.

use std::fmt::{Debug, Write as _};

use bide_core::{LeaseHolder, Status};
use bide_types::{FunctionId, InvocationId, Qualifier, Timestamp};

use super::driver::{HOLDER, all_tasks, at, due_deliveries, every_page};
use crate::query::{SortOrder, TaskQuery};
use crate::store::Store;

/// The functions that checks work with.
pub(super) const FUNCTIONS: [FunctionId; 3] = [FunctionId::new(1), FunctionId::new(2), FunctionId::new(3)];

/// Answers by name, printed.
pub(super) struct Reads(Vec<(String, String)>);

impl Reads {
    fn note(&mut self, name: impl Into<String>, answer: &impl Debug) {
        self.0.push((name.into(), format!("{answer:#?}")));
    }

    /// # Panics
    /// If an answer differs; shows the first difference.
    pub(super) fn assert_same(&self, other: &Self, context: &str) {
        if let Some(difference) = self.difference(other) {
            panic!("{context}: {difference}");
        }
    }

    /// The first difference, in words.
    pub(super) fn difference(&self, other: &Self) -> Option<String> {
        let names = |reads: &Self| reads.0.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        if names(self) != names(other) {
            return Some(format!("other things can be read: {:?} and {:?}", names(self), names(other)));
        }
        let mut pairs = self.0.iter().zip(&other.0);
        let ((name, expected), (_, found)) = pairs.find(|(expected, found)| expected != found)?;
        Some(format!("{name} differs\n{}", first_difference(expected, found)))
    }
}

/// The first line that differs, with some lines around it.
pub(super) fn first_difference(expected: &str, found: &str) -> String {
    let (expected, found): (Vec<_>, Vec<_>) = (expected.lines().collect(), found.lines().collect());
    let same = expected.iter().zip(&found).take_while(|(expected, found)| expected == found).count();
    let mut text = String::new();
    for (title, lines) in [("expected", &expected), ("found", &found)] {
        let _ = writeln!(text, "--- {title}, line {same} of {}", lines.len());
        for line in lines.iter().skip(same.saturating_sub(12)).take(24) {
            let _ = writeln!(text, "{line}");
        }
    }
    text
}

/// Reads all there is.
pub(super) async fn reads(store: &dyn Store, now: Timestamp) -> Reads {
    let mut reads = Reads(Vec::new());
    let mut waiting = store.waiting().await.expect("a read");
    waiting.sort_unstable();
    reads.note("waiting", &waiting);
    for own in [HOLDER, LeaseHolder(99)] {
        let mut leases = store.lapsed_leases(own, now, usize::MAX).await.expect("a read");
        leases.sort_unstable_by_key(|lease| lease.invocation);
        reads.note(format!("leases that are not of {own:?}"), &leases);
    }
    for (now, max) in [(now, 2), (Timestamp::MAX, usize::MAX)] {
        let deliveries = due_deliveries(store, now, max).await;
        reads.note(format!("{max} deliveries due at {now:?}"), &deliveries);
    }
    for (after, max) in [(None, usize::MAX), (Some((now, InvocationId::new(0))), 2)] {
        let letters = store.dead_letters(after, max).await.expect("a read");
        for letter in &letters {
            let id = letter.delivery.invocation;
            reads.note(format!("dead letter {id}"), &store.dead_letter(id).await.expect("a read"));
        }
        reads.note(format!("{max} dead letters after {after:?}"), &letters);
    }
    reads.note("number of dead letters", &store.dead_letter_count().await.expect("a read"));
    reads.note("controls", &store.controls().await.expect("a read"));
    for function in FUNCTIONS {
        read_function(&mut reads, store, function).await;
    }
    reads
}

async fn read_function(reads: &mut Reads, store: &dyn Store, function: FunctionId) {
    reads.note(format!("ledger of {function}"), &store.ledger(function).await.expect("a read"));
    let all = TaskQuery { function, ..all_tasks() };
    let tasks = every_page(store, all.clone()).await;
    for task in &tasks {
        let id = task.invocation.task_id().expect("only tasks are listed").clone();
        let view = store.task(function, id.clone()).await.expect("a read");
        reads.note(format!("task {id} of {function}"), &view);
        let logs = store.task_logs(function, id.clone()).await.expect("a read");
        reads.note(format!("logs of task {id} of {function}"), &logs);
    }
    reads.note(format!("tasks of {function}"), &tasks);
    for query in queries(&all) {
        let tasks = every_page(store, query.clone()).await;
        reads.note(format!("{query:?}"), &tasks);
    }
}

fn queries(all: &TaskQuery) -> Vec<TaskQuery> {
    let newest = TaskQuery { order: SortOrder::NewestFirst, limit: 3, payloads: false, ..all.clone() };
    let mut queries: Vec<_> =
        Status::ALL.map(|status| TaskQuery { status: Some(status), ..newest.clone() }).into();
    queries.extend([
        TaskQuery { limit: 1, ..all.clone() },
        newest.clone(),
        TaskQuery { id_prefix: Some("job-1".to_owned()), limit: 2, ..all.clone() },
        TaskQuery { qualifier: Some(Qualifier::latest()), limit: 7, ..all.clone() },
        TaskQuery { accepted_from: Some(at(3000)), limit: 5, ..all.clone() },
        TaskQuery { accepted_to: Some(at(3000)), limit: 5, ..all.clone() },
        TaskQuery { accepted_from: Some(at(1000)), accepted_to: Some(at(9000)), ..newest },
    ]);
    queries
}
