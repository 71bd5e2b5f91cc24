use std::collections::BTreeSet;
use std::ops::Bound::{Excluded, Unbounded};

use bide_types::{FunctionId, InvocationId, Timestamp};

use super::*;

fn position(number: u64) -> QueuePosition {
    (Timestamp::from_millis(number), InvocationId::new(number))
}

fn line(number: u64) -> Line {
    Line::latest(FunctionId::new(number))
}

/// Reads from a queue on "disk".
fn source(disk: &BTreeSet<QueuePosition>) -> impl Source + '_ {
    |after, max| Ok(disk.range((Excluded(after), Unbounded)).take(max).copied().collect())
}

#[test]
fn all_heads_together_stay_within_their_bound_and_lose_nothing() {
    let limits = HeadLimits { refill: 8, max: 16, total: 40 };
    let mut heads = DueHeads::new(limits);
    let disk: BTreeSet<_> = (1..=12).map(position).collect();
    for number in 0..10 {
        for entry in &disk {
            heads.insert(&line(number), *entry);
            assert!(heads.total <= limits.total, "{} entries", heads.total);
        }
    }
    assert_eq!(heads.total, heads.heads.values().map(Head::len).sum::<usize>());
    for number in 0..10 {
        let read = heads.read(&line(number), None, 100, source(&disk)).expect("a read");
        assert_eq!(read, disk.iter().copied().collect::<Vec<_>>(), "line {number}");
    }
}

#[test]
fn more_lines_than_the_bound_keep_one_entry_each() {
    let mut heads = DueHeads::new(HeadLimits { refill: 8, max: 16, total: 10 });
    let disk: BTreeSet<_> = (1..=3).map(position).collect();
    for number in 0..100 {
        for entry in &disk {
            heads.insert(&line(number), *entry);
        }
    }
    assert!(heads.total <= 200, "{} entries", heads.total);
    for number in 0..100 {
        assert_eq!(heads.settle(&line(number), source(&disk)).expect("a read"), Some(position(1)));
    }
}

#[test]
fn a_line_with_nothing_left_is_forgotten() {
    let mut heads = DueHeads::new(HeadLimits::default());
    heads.insert(&line(1), position(1));
    heads.remove(&line(1), position(1));
    assert_eq!(heads.settle(&line(1), source(&BTreeSet::new())).expect("a read"), None);
    assert!(heads.heads.is_empty());
    assert_eq!(heads.read(&line(1), None, 5, source(&BTreeSet::new())).expect("a read"), []);
}

#[test]
fn an_unread_function_finds_its_first_entry() {
    let mut heads = DueHeads::new(HeadLimits::default());
    heads.add_unread(&line(1));
    let disk = [position(5)].into();
    assert_eq!(heads.settle(&line(1), source(&disk)).expect("a read"), Some(position(5)));
}
