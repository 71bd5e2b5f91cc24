//! The bytes on disk, held in `testdata/`: one line per entry, key and value in hexadecimal; one directory per version.
//! Layouts of older versions are read only.
//!
//! A difference means that data written by an earlier build may no longer be read: then a layout needs a new version
//! beside the old one, and golden files in its directory. Only for a new sample: `BIDE_GOLDEN=write cargo test -p
//! bide-store-local golden`.

use std::fs;
use std::path::PathBuf;

use bide_core::{Ledger, Status};
use bide_store::{ControlKey, ControlObject, LeaseRef};
use bide_types::{FunctionId, InvocationId, Line, Timestamp};
use bytes::Bytes;

use super::samples;
use crate::index::entries;
use crate::keys::{
    Space, attempt_logs, controls, deliveries, invocations, leases, ledgers, meta, outbox, payloads, queue,
    results, settled, task_status,
};

type Entry = (Vec<u8>, Vec<u8>);

/// Samples of one keyspace.
fn entries_of(space: Space) -> Vec<Entry> {
    let own = |key: &[u8], value: &[u8]| (key.to_vec(), value.to_vec());
    let id = InvocationId::new(0x0102_0304_0506_0708);
    match space {
        Space::Invocations => samples::invocations()
            .iter()
            .map(|invocation| own(&invocations::key(invocation.id), &invocations::encode(invocation)))
            .collect(),
        Space::Payloads => vec![own(&payloads::key(id), &payloads::encode(b"event"))],
        Space::Results => vec![own(&results::key(id), &results::encode(b"result"))],
        Space::AttemptLogs => samples::attempt_logs()
            .iter()
            .map(|log| own(&attempt_logs::key(id, log.slot()), &attempt_logs::encode(log)))
            .collect(),
        Space::Deliveries => samples::deliveries()
            .iter()
            .map(|stored| own(&deliveries::key(stored.delivery.invocation), &deliveries::encode(stored)))
            .collect(),
        Space::Outbox | Space::DeadLetters => vec![own(&outbox::key((Timestamp::from_millis(9), id)), &[])],
        Space::Ledgers => {
            let ledger = Ledger::from_parts(450, [10, 20, 30, 40, 50, 60, 70, 80, 90]);
            vec![own(&ledgers::key(FunctionId::new(5)), &ledgers::encode(&ledger))]
        }
        Space::Controls => {
            let object = ControlObject { revision: 3, value: Bytes::from_static(b"{}") };
            vec![own(controls::key(&ControlKey::new(&["service", "demo"])), &controls::encode(&object))]
        }
        Space::Meta => meta::KEYS
            .iter()
            .zip(7..)
            .map(|(key, number)| own(key.as_bytes(), &meta::encode(number)))
            .collect(),
        Space::TaskStatus => Status::ALL
            .iter()
            .map(|status| own(&task_status::key(FunctionId::new(1), *status, id), &[]))
            .collect(),
        Space::Queue | Space::Leases | Space::TaskIds | Space::Tasks | Space::Settled => {
            samples::first_invocations()
                .iter()
                .flat_map(entries)
                .filter(|entry| entry.space() == space)
                .map(|entry| own(&entry.key(), &entry.value()))
                .collect()
        }
    }
}

/// The version that is written.
fn version(space: Space) -> u8 {
    match space {
        Space::Invocations => invocations::VERSION,
        Space::Deliveries => deliveries::VERSION,
        Space::Queue => 2,
        _ => 1,
    }
}

fn path(space: Space, version: u8) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("testdata/v{version}/{}.txt", space.name()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = |place| u8::from_str_radix(&text[place..place + 2], 16).expect("hexadecimal");
    (0..text.len()).step_by(2).map(digits).collect()
}

#[test]
fn every_layout_is_as_in_its_golden_file() {
    for space in Space::ALL {
        let lines =
            entries_of(space).iter().map(|(key, value)| format!("{} {}\n", hex(key), hex(value))).collect();
        if std::env::var_os("BIDE_GOLDEN").is_some() {
            fs::write(path(space, version(space)), &lines).expect("a golden file can be written");
        }
        let golden =
            fs::read_to_string(path(space, version(space))).expect("every keyspace has a golden file");
        assert!(!golden.is_empty(), "{} has samples", space.name());
        let found: String = lines;
        assert_eq!(golden, found, "{} is written as before", space.name());
    }
}

#[test]
fn the_keys_of_the_first_queue_are_those_of_latest() {
    for (key, _) in golden_of(Space::Queue, 1) {
        let (line, position) = queue::parse_key(&key).expect("a key");
        assert_eq!(line, Line::latest(FunctionId::new(1)));
        assert_eq!(*queue::key(&line, position), *key);
    }
}

fn golden(space: Space) -> Vec<Entry> {
    golden_of(space, version(space))
}

fn golden_of(space: Space, version: u8) -> Vec<Entry> {
    let text = fs::read_to_string(path(space, version)).expect("every keyspace has a golden file");
    let entry = |line: &str| line.split_once(' ').map(|(key, value)| (unhex(key), unhex(value)));
    text.lines().map(|line| entry(line).expect("key and value")).collect()
}

#[test]
fn the_records_of_the_golden_files_are_read() {
    let records =
        [(1, samples::first_invocations()), (2, samples::second_invocations()), (3, samples::invocations())];
    for (version, expected) in records {
        let found = golden_of(Space::Invocations, version).into_iter().map(|(key, value)| {
            let id = invocations::parse_key(&key).expect("a key");
            invocations::decode(id, &value).expect("a record")
        });
        assert_eq!(found.collect::<Vec<_>>(), expected, "version {version}");
    }
    let records = [
        (1, samples::first_deliveries()),
        (2, samples::second_deliveries()),
        (3, samples::third_deliveries()),
        (4, samples::deliveries()),
    ];
    for (version, expected) in records {
        let found = golden_of(Space::Deliveries, version).into_iter().map(|(key, value)| {
            let id = deliveries::parse_key(&key).expect("a key");
            deliveries::decode(id, &value).expect("a record")
        });
        assert_eq!(found.collect::<Vec<_>>(), expected, "version {version}");
    }
}

#[test]
fn the_entries_of_the_golden_files_are_read() {
    for (key, value) in golden(Space::Leases) {
        let id = leases::parse_key(&key).expect("a key");
        let LeaseRef { invocation, holder, .. } = leases::decode(id, &value).expect("a lease");
        assert_eq!((invocation, holder.0), (id, 7));
    }
    let logs = golden(Space::AttemptLogs).into_iter().map(|(key, value)| {
        let log = attempt_logs::decode(&value).expect("a log");
        assert_eq!(attempt_logs::parse_key(&key).expect("a key").1, log.slot());
        log
    });
    assert_eq!(logs.collect::<Vec<_>>(), samples::attempt_logs());
    let (key, value) = golden(Space::Ledgers).remove(0);
    assert_eq!(ledgers::parse_key(&key), Ok(FunctionId::new(5)));
    let ledger = ledgers::decode(&value).expect("a ledger");
    assert!(ledger.balances() && ledger.accepted == 450);
    let (_, value) = golden(Space::Controls).remove(0);
    assert_eq!(controls::decode(&value).expect("an object").revision, 3);
    for (key, _) in golden(Space::Settled) {
        settled::parse_key(&key).expect("a key");
    }
    let statuses =
        golden(Space::TaskStatus).into_iter().map(|(key, _)| task_status::parse_key(&key).expect("a key").1);
    assert_eq!(statuses.collect::<Vec<_>>(), Status::ALL);
}
