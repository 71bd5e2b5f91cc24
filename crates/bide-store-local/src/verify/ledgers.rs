//! The ledgers, counted again from the records.
//!
//! What is open must match exactly. What is settled may be more in the ledger than in the records, since settled
//! records go; it may never be less.

use bide_core::{Bucket, Invocation};

use super::Check;
use crate::keys::codec::Undecodable;
use crate::keys::{Space, ledgers, meta};

/// How many records of a function are in each bucket, in the order of [`Bucket::ALL`].
pub(super) type Tally = [u64; Bucket::ALL.len()];

impl Check<'_> {
    pub(super) fn tally(&mut self, invocation: &Invocation) {
        let bucket = Bucket::of(invocation);
        let tally = self.tallies.entry(invocation.function).or_default();
        for (count, known) in tally.iter_mut().zip(Bucket::ALL) {
            *count += u64::from(known == bucket);
        }
    }

    pub(super) fn ledgers(&mut self) {
        self.walk(Space::Ledgers, |check, key, value| {
            let function = ledgers::parse_key(key)?;
            let ledger = ledgers::decode(value)?;
            let tally = check.tallies.remove(&function).unwrap_or_default();
            if !ledger.balances() {
                let sum = ledger.counts().iter().sum::<u64>();
                let what = format!("{} were accepted, but {sum} are accounted for", ledger.accepted);
                check.problem(Space::Ledgers, key, what);
            }
            for (bucket, records) in Bucket::ALL.into_iter().zip(tally) {
                let counted = ledger.get(bucket);
                let agrees = if bucket.is_settled() { records <= counted } else { records == counted };
                if !agrees {
                    let what = format!("{counted} are counted as {}, {records} are stored", bucket.name());
                    check.problem(Space::Ledgers, key, what);
                }
            }
            Ok(())
        });
        for (function, tally) in std::mem::take(&mut self.tallies) {
            let what =
                format!("the ledger of {function} is missing; {} are stored", tally.iter().sum::<u64>());
            self.problem(Space::Ledgers, &ledgers::key(function), what);
        }
    }

    /// The numbers of `meta`.
    pub(super) fn numbers(&mut self) {
        self.walk(Space::Meta, |_, key, value| {
            meta::decode(value)?;
            match meta::KEYS.iter().any(|name| name.as_bytes() == key) {
                true => Ok(()),
                false => Err(Undecodable::new("it is not known")),
            }
        });
        let (last_id, lead) = (self.last_id.get(), self.id_lead);
        for (name, least) in [(meta::LAST_ID_KEY, last_id), (meta::ID_LEAD_KEY, lead)] {
            let value = self.get(Space::Meta, name.as_bytes());
            let number = value.and_then(|value| meta::decode(&value).ok()).unwrap_or(0);
            if number < least {
                let what = format!("it is {number}, but a record calls for {least} at least");
                self.problem(Space::Meta, name.as_bytes(), what);
            }
        }
    }
}
