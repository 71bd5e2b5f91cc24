//! The writes of one group, and reads that see them.
//!
//! Owns the overlay: the batches of a group are planned one after the other, each over what the earlier ones wrote,
//! before any of it is on disk. Then all of it goes to the engine as one atomic batch and one flush. A crash before the
//! flush leaves nothing of the group, and nobody was answered.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::ops::Bound;

use bide_store::StoreError;
use fjall::{OwnedWriteBatch, UserKey, UserValue};

use crate::keys::Space;
use crate::tables::{Tables, read_error};

type Writes = BTreeMap<UserKey, Option<UserValue>>;

pub(crate) struct Txn {
    tables: Tables,
    /// Per keyspace, in the order of [`Space::ALL`]; `None` removes.
    writes: [Writes; Space::ALL.len()],
}

impl Txn {
    pub(crate) fn new(tables: Tables) -> Self {
        Self { tables, writes: Default::default() }
    }

    pub(crate) fn tables(&self) -> &Tables {
        &self.tables
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.writes.iter().all(BTreeMap::is_empty)
    }

    pub(crate) fn put(&mut self, space: Space, key: impl Into<UserKey>, value: impl Into<UserValue>) {
        self.writes[space.index()].insert(key.into(), Some(value.into()));
    }

    pub(crate) fn remove(&mut self, space: Space, key: impl Into<UserKey>) {
        self.writes[space.index()].insert(key.into(), None);
    }

    pub(crate) fn get(&self, space: Space, key: &[u8]) -> Result<Option<UserValue>, StoreError> {
        match self.writes[space.index()].get(key) {
            Some(written) => Ok(written.clone()),
            None => self.tables.get(space, key),
        }
    }

    /// Keys after `after` up to `end`, in order, at most `max`.
    pub(crate) fn keys(
        &self,
        space: Space,
        after: Bound<&[u8]>,
        end: Bound<&[u8]>,
        max: usize,
    ) -> Result<Vec<UserKey>, StoreError> {
        let stored = self
            .tables
            .space(space)
            .range::<&[u8], _>((after, end))
            .map(|guard| guard.key().map_err(|error| read_error(space, &error)));
        let written = self.writes[space.index()].range::<[u8], _>((after, end));
        merge(stored.peekable(), written.peekable(), max)
    }

    /// Everything written, as one batch of the engine; leaves nothing behind.
    pub(crate) fn take_batch(&mut self) -> OwnedWriteBatch {
        let count = self.writes.iter().map(BTreeMap::len).sum();
        let mut batch = OwnedWriteBatch::with_capacity(self.tables.database().clone(), count);
        for (space, writes) in Space::ALL.iter().zip(&mut self.writes) {
            let keyspace = self.tables.space(*space);
            for (key, value) in std::mem::take(writes) {
                match value {
                    Some(value) => batch.insert(keyspace, key, value),
                    None => batch.remove(keyspace, key),
                }
            }
        }
        batch
    }
}

/// Both orders as one; what was written wins over what is stored.
fn merge<'a>(
    mut stored: Peekable<impl Iterator<Item = Result<UserKey, StoreError>>>,
    mut written: Peekable<impl Iterator<Item = (&'a UserKey, &'a Option<UserValue>)>>,
    max: usize,
) -> Result<Vec<UserKey>, StoreError> {
    let mut keys = Vec::new();
    while keys.len() < max {
        let stored_first = match (stored.peek(), written.peek()) {
            (None, None) => break,
            (Some(Err(_)), _) | (Some(_), None) => true,
            (None, Some(_)) => false,
            (Some(Ok(stored_key)), Some((written_key, _))) => {
                if stored_key == *written_key {
                    stored.next();
                    continue;
                }
                stored_key < *written_key
            }
        };
        if stored_first {
            keys.extend(stored.next().transpose()?);
        } else if let Some((key, Some(_))) = written.next() {
            keys.push(key.clone());
        }
    }
    Ok(keys)
}

#[cfg(test)]
mod tests;
