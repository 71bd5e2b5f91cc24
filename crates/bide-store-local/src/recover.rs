//! Opening as recovery: the writer's state, read from what is on disk.
//!
//! Owns the few scans of an opening: leases, dead letters, and two seeks per line that has waiting work. It is
//! the same after a clean close and after a crash, and writes nothing.

use bide_store::StoreError;
use bide_types::InvocationId;

use crate::head::HeadLimits;
use crate::keys::{Space, leases, meta};
use crate::published::View;
use crate::state::State;
use crate::tables::Tables;

/// The state of the writer and what it shows to readers.
pub(crate) fn recover(tables: &Tables, limits: HeadLimits) -> Result<(State, View), StoreError> {
    let mut state = State::new(tables.clone(), limits);
    state.last_id = InvocationId::new(number(tables, meta::LAST_ID_KEY)?.unwrap_or(0));
    state.id_lead = number(tables, meta::ID_LEAD_KEY)?.unwrap_or(0);
    let mut view = View { id_lead: state.id_lead, ..View::default() };
    let mut next = state.next_line(None)?;
    while let Some(line) = next {
        state.heads.add_unread(&line);
        next = state.next_line(Some(&line))?;
        view.waiting.extend(state.first_due(&line)?.map(|due| (line, due)));
    }
    for entry in tables.scan(Space::Leases) {
        let (key, value) = entry?;
        let id = leases::parse_key(&key).map_err(|error| error.at(Space::Leases, &key))?;
        let lease = leases::decode(id, &value).map_err(|error| error.at(Space::Leases, &key))?;
        view.leases.insert(id, lease);
    }
    for entry in tables.scan(Space::DeadLetters) {
        entry?;
        state.dead_letters += 1;
    }
    view.dead_letters = state.dead_letters;
    view.first_delivery = state.first_delivery()?;
    Ok((state, view))
}

/// A number of `meta`.
pub(crate) fn number(tables: &Tables, name: &str) -> Result<Option<u64>, StoreError> {
    let value = tables.get(Space::Meta, name.as_bytes())?;
    value
        .map(|value| meta::decode(&value).map_err(|error| error.at(Space::Meta, name.as_bytes())))
        .transpose()
}
