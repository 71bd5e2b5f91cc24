//! From records to indexes: everything that a record calls for is there.

use bide_core::Invocation;
use bide_types::InvocationId;

use super::Check;
use crate::apply::invocation_lead;
use crate::index::entries;
use crate::keys::codec::Undecodable;
use crate::keys::{Space, deliveries, invocations, payloads};

impl Check<'_> {
    pub(super) fn records(&mut self) {
        self.walk(Space::Invocations, |check, key, value| {
            let id = invocations::parse_key(key)?;
            let invocation = invocations::decode(id, value)?;
            check.last_id = check.last_id.max(id);
            check.id_lead = check.id_lead.max(invocation_lead(&invocation));
            check.tally(&invocation);
            check.record_entries(&invocation);
            check.record_payload(id);
            if invocation.destination.has_record() {
                check.record_delivery(id);
            }
            if invocation.is_forgettable() {
                return Err(Undecodable::new("a settled invocation without a task is still stored"));
            }
            Ok(())
        });
    }

    fn record_entries(&mut self, invocation: &Invocation) {
        for entry in entries(invocation) {
            let (space, key) = (entry.space(), entry.key());
            match self.get(space, &key) {
                Some(value) if value == entry.value() => {}
                Some(_) => self.problem(space, &key, format!("it does not say what {} does", invocation.id)),
                None => self.problem(space, &key, format!("it is missing; {} calls for it", invocation.id)),
            }
        }
    }

    fn record_payload(&mut self, id: InvocationId) {
        let key = payloads::key(id);
        if self.get(Space::Payloads, &key).is_none() {
            self.problem(Space::Payloads, &key, format!("the event of {id} is missing"));
        }
    }

    fn record_delivery(&mut self, id: InvocationId) {
        let key = deliveries::key(id);
        if self.get(Space::Deliveries, &key).is_none() {
            self.problem(Space::Deliveries, &key, format!("the destination record of {id} is missing"));
        }
    }
}
