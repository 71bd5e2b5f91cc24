//! Every layout: what is written is read back, order of bytes is order of meaning, damage is noticed, and the bytes are
//! those of the golden files.

mod golden;
mod samples;
mod strategies;

use bide_core::Ledger;
use bide_types::{FunctionId, InvocationId, Line, TaskId, Timestamp};
use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use strategies::{attempt_log, delivery, invocation, lease, line, object, position, status, task_id};

proptest! {
    #[test]
    fn invocations_round_trip(invocation in invocation()) {
        let value = invocations::encode(&invocation);
        prop_assert_eq!(invocations::decode(invocation.id, &value), Ok(invocation.clone()));
        prop_assert_eq!(invocations::parse_key(&invocations::key(invocation.id)), Ok(invocation.id));
    }

    #[test]
    fn a_record_that_was_cut_is_noticed(invocation in invocation(), cut in 1_usize..) {
        let value = invocations::encode(&invocation);
        let kept = value.len() - 1 - cut % value.len();
        prop_assert!(invocations::decode(invocation.id, &value[..kept]).is_err());
        let mut longer = value.to_vec();
        longer.push(0);
        prop_assert!(invocations::decode(invocation.id, &longer).is_err());
    }

    #[test]
    fn a_record_with_other_bytes_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let id = InvocationId::new(1);
        let _ = invocations::decode(id, &bytes);
        let _ = deliveries::decode(id, &bytes);
        let _ = leases::decode(id, &bytes);
        let _ = ledgers::decode(&bytes);
        let _ = controls::decode(&bytes);
        let _ = attempt_logs::decode(&bytes);
        let _ = attempt_logs::parse_key(&bytes);
        let _ = task_ids::decode(&bytes);
        let _ = task_ids::parse_key(&bytes);
        let _ = task_status::parse_key(&bytes);
        let _ = queue::parse_key(&bytes);
    }

    #[test]
    fn bodies_round_trip(body in prop::collection::vec(any::<u8>(), 0..3000)) {
        let body = Bytes::from(body);
        prop_assert_eq!(payloads::decode(&payloads::encode(&body)), Ok(body.clone()));
        prop_assert_eq!(results::decode(&results::encode(&body)), Ok(body));
    }

    #[test]
    fn queue_keys_hold_their_line_and_are_ordered_within_it(
        line in line(), other in line(), one in position(), two in position(),
    ) {
        let key = |position| queue::key(&line, position);
        prop_assert_eq!(key(one).cmp(&key(two)), one.cmp(&two));
        prop_assert_eq!(queue::parse_key(&key(one)), Ok((line.clone(), one)));
        let last = queue::last_key(&line);
        prop_assert!(key(one) <= last);
        let within = |key: fjall::UserKey| key >= queue::key(&line, crate::head::START) && key <= last;
        prop_assert_eq!(within(queue::key(&other, two)), line == other, "no line reaches into another");
    }

    #[test]
    fn settled_and_outbox_keys_are_ordered_by_time_and_id(one in position(), two in position()) {
        prop_assert_eq!(settled::key(one).cmp(&settled::key(two)), one.cmp(&two));
        prop_assert_eq!(settled::parse_key(&settled::key(one)), Ok(one));
        prop_assert_eq!(outbox::parse_key(&outbox::key(one)), Ok(one));
    }

    #[test]
    fn leases_round_trip(lease in lease()) {
        prop_assert_eq!(leases::decode(lease.invocation, &leases::encode(&lease)), Ok(lease));
        prop_assert_eq!(leases::parse_key(&leases::key(lease.invocation)), Ok(lease.invocation));
    }

    #[test]
    fn task_ids_round_trip(function in any::<u64>(), task in task_id(), id in any::<u64>()) {
        let (function, id) = (FunctionId::new(function), InvocationId::new(id));
        let key = task_ids::key(function, &task);
        prop_assert!(key.starts_with(&task_ids::prefix(function, &task.as_str()[..1])));
        prop_assert_eq!(task_ids::parse_key(&key), Ok((function, task)));
        prop_assert_eq!(task_ids::decode(&task_ids::encode(id)), Ok(id));
    }

    #[test]
    fn task_keys_round_trip(function in any::<u64>(), id in any::<u64>(), status in status()) {
        let (function, id) = (FunctionId::new(function), InvocationId::new(id));
        prop_assert_eq!(tasks::parse_key(&tasks::key(function, id)), Ok((function, id)));
        let key = task_status::key(function, status, id);
        prop_assert_eq!(task_status::parse_key(&key), Ok((function, status, id)));
    }

    #[test]
    fn deliveries_round_trip(stored in delivery()) {
        let id = stored.delivery.invocation;
        prop_assert_eq!(deliveries::decode(id, &deliveries::encode(&stored)), Ok(stored));
        prop_assert_eq!(deliveries::parse_key(&deliveries::key(id)), Ok(id));
    }

    #[test]
    fn attempt_logs_round_trip(log in attempt_log(), id in any::<u64>()) {
        prop_assert_eq!(attempt_logs::decode(&attempt_logs::encode(&log)), Ok(log.clone()));
        let id = InvocationId::new(id);
        prop_assert_eq!(attempt_logs::parse_key(&attempt_logs::key(id, log.slot())), Ok((id, log.slot())));
    }

    #[test]
    fn ledgers_round_trip(accepted in any::<u64>(), counts in any::<[u64; 9]>(), function in any::<u64>()) {
        let ledger = Ledger::from_parts(accepted, counts);
        prop_assert_eq!(ledgers::decode(&ledgers::encode(&ledger)), Ok(ledger));
        let function = FunctionId::new(function);
        prop_assert_eq!(ledgers::parse_key(&ledgers::key(function)), Ok(function));
    }

    #[test]
    fn controls_round_trip((key, object) in object()) {
        prop_assert_eq!(controls::decode(&controls::encode(&object)), Ok(object));
        prop_assert_eq!(controls::parse_key(controls::key(&key)), Ok(key));
    }

    #[test]
    fn numbers_round_trip(number in any::<u64>()) {
        prop_assert_eq!(meta::decode(&meta::encode(number)), Ok(number));
    }
}

#[test]
fn another_version_is_told_with_its_place() {
    let mut value = invocations::encode(&samples::invocations().remove(0)).to_vec();
    value[0] = 9;
    let id = InvocationId::new(0xabc);
    let error = invocations::decode(id, &value).expect_err("version 9 is not known");
    let error = error.at(Space::Invocations, &invocations::key(id));
    assert!(error.to_string().contains("invocations/0000000000000abc"), "{error}");
    assert!(error.to_string().contains("version 9"), "{error}");
}

#[test]
fn a_text_that_breaks_its_rule_is_damage() {
    let id = InvocationId::new(1);
    let value = invocations::encode(&samples::invocations().remove(0)).to_vec();
    let place =
        value.windows(6).position(|window| window == b"LATEST").expect("the qualifier is in the record");
    let mut damaged = value;
    damaged[place] = b' ';
    assert!(invocations::decode(id, &damaged).is_err());
}

#[test]
fn a_long_task_id_and_the_first_moment_have_keys() {
    let longest = TaskId::new(&"a".repeat(128)).expect("a valid id");
    assert_eq!(task_ids::key(FunctionId::new(1), &longest).len(), 136);
    let start = (Timestamp::ZERO, InvocationId::new(0));
    assert!(
        queue::key(&Line::latest(FunctionId::new(1)), start)
            < queue::key(&Line::latest(FunctionId::new(1)), (Timestamp::ZERO, InvocationId::new(1)))
    );
}
