//! A page of tasks.
//!
//! Owns the choice of the index: few task ids with the wanted prefix, else the status index when a status is wanted,
//! else the order of acceptance. The work for a page is bounded: when most records are filtered out, a page comes back
//! short, with the place where the next one goes on.

use bide_core::Invocation;
use bide_store::{SortOrder, StoreError, TaskPage, TaskQuery, TaskView};
use bide_types::{InvocationId, Timestamp};
use fjall::{Guard, Iter, Readable as _};

use super::View;
use crate::keys::codec::Undecodable;
use crate::keys::{Space, task_ids, task_status, tasks};
use crate::tables::{Tables, read_error};

/// Records looked at for one page.
const EXAMINED_MAX: usize = 10_000;
/// So many task ids with the wanted prefix are collected and sorted; with more, another index serves.
const PREFIX_MATCHES_MAX: usize = 2_000;
/// The latest moment that an id can express.
const TIME_MAX: Timestamp = Timestamp::from_millis((1 << 44) - 1);

/// Ids that may match, both ends included.
#[derive(Clone, Copy)]
struct IdRange {
    first: u64,
    last: u64,
}

pub(crate) fn tasks(tables: &Tables, query: &TaskQuery, id_lead: u64) -> Result<TaskPage, StoreError> {
    let view = View::open(tables);
    let Some(range) = id_range(query, id_lead) else { return Ok(TaskPage::default()) };
    if let Some(ids) = view.ids_by_prefix(query, range)? {
        return view.page(query, ids.into_iter().map(Ok));
    }
    let parse = |guard: Guard| view.parse(query, guard);
    let iter = view.index(query, range);
    match query.order {
        SortOrder::OldestFirst => view.page(query, iter.map(parse)),
        SortOrder::NewestFirst => view.page(query, iter.rev().map(parse)),
    }
}

/// What the times and the position of the page say about ids. An id is never before its acceptance, and at most
/// `id_lead` ahead of it.
fn id_range(query: &TaskQuery, id_lead: u64) -> Option<IdRange> {
    let mut range = IdRange {
        first: query.accepted_from.map_or(0, first_id_at),
        last: query.accepted_to.map_or(u64::MAX, |to| first_id_at(to).saturating_add(id_lead)),
    };
    match (query.after, query.order) {
        (None, _) => {}
        (Some(after), SortOrder::OldestFirst) => range.first = range.first.max(after.get().checked_add(1)?),
        (Some(after), SortOrder::NewestFirst) => range.last = range.last.min(after.get().checked_sub(1)?),
    }
    (range.first <= range.last).then_some(range)
}

fn first_id_at(time: Timestamp) -> u64 {
    InvocationId::first_at(time.min(TIME_MAX)).get()
}

impl View<'_> {
    /// The ids of all tasks with the wanted prefix in the order of the page; `None` if there are too many.
    fn ids_by_prefix(
        &self,
        query: &TaskQuery,
        range: IdRange,
    ) -> Result<Option<Vec<InvocationId>>, StoreError> {
        let Some(prefix) = &query.id_prefix else { return Ok(None) };
        let prefix = task_ids::prefix(query.function, prefix);
        let matching = self.snapshot.prefix(self.tables.space(Space::TaskIds), &prefix);
        let mut ids = Vec::new();
        for (count, guard) in matching.enumerate() {
            if count == PREFIX_MATCHES_MAX {
                return Ok(None);
            }
            let (key, value) = guard.into_inner().map_err(|error| read_error(Space::TaskIds, &error))?;
            let id = task_ids::decode(&value).map_err(|error| error.at(Space::TaskIds, &key))?;
            if (range.first..=range.last).contains(&id.get()) {
                ids.push(id);
            }
        }
        ids.sort_unstable();
        if query.order == SortOrder::NewestFirst {
            ids.reverse();
        }
        Ok(Some(ids))
    }

    fn index(&self, query: &TaskQuery, range: IdRange) -> Iter {
        let (first, last) = (InvocationId::new(range.first), InvocationId::new(range.last));
        let space = self.tables.space(index_space(query));
        match query.status {
            Some(status) => {
                let key = |id| task_status::key(query.function, status, id);
                self.snapshot.range(space, key(first)..=key(last))
            }
            None => {
                let key = |id| tasks::key(query.function, id);
                self.snapshot.range(space, key(first)..=key(last))
            }
        }
    }

    fn parse(&self, query: &TaskQuery, guard: Guard) -> Result<InvocationId, StoreError> {
        let space = index_space(query);
        let key = guard.key().map_err(|error| read_error(space, &error))?;
        let id = match space {
            Space::TaskStatus => task_status::parse_key(&key).map(|(_, _, id)| id),
            _ => tasks::parse_key(&key).map(|(_, id)| id),
        };
        id.map_err(|error| error.at(space, &key))
    }

    /// The first tasks of `ids` that match.
    fn page(
        &self,
        query: &TaskQuery,
        ids: impl Iterator<Item = Result<InvocationId, StoreError>>,
    ) -> Result<TaskPage, StoreError> {
        let mut page = TaskPage::default();
        let mut last_examined = None;
        for (examined, id) in ids.enumerate() {
            if examined == EXAMINED_MAX {
                page.next = last_examined;
                return Ok(page);
            }
            let id = id?;
            let invocation = self.listed(id)?;
            if query.matches(&invocation) {
                if page.tasks.len() == query.limit {
                    page.next = page.tasks.last().map(|task| task.invocation.id);
                    return Ok(page);
                }
                let payload = query.payloads.then(|| self.payload(id)).transpose()?;
                page.tasks.push(TaskView { invocation, payload, result: None });
            }
            last_examined = Some(id);
        }
        Ok(page)
    }

    fn listed(&self, id: InvocationId) -> Result<Invocation, StoreError> {
        self.invocation(id)?.ok_or_else(|| {
            Undecodable::new("an index of tasks points at it, but it is not stored")
                .at(Space::Invocations, &crate::keys::invocations::key(id))
        })
    }
}

fn index_space(query: &TaskQuery) -> Space {
    if query.status.is_some() { Space::TaskStatus } else { Space::Tasks }
}
