use std::collections::BTreeMap;

use super::*;

#[test]
fn the_first_and_the_last_attempts_keep_their_slots() {
    let mut kept = BTreeMap::new();
    for attempt in 1..=512 {
        kept.insert(slot(attempt), attempt);
        assert!(slot(attempt) < slots(attempt), "attempt {attempt} is among the slots of its task");
        assert_eq!(kept.len(), usize::try_from(slots(attempt)).expect("few"));
    }
    let mut attempts: Vec<u32> = kept.into_values().collect();
    attempts.sort_unstable();
    assert_eq!(attempts, [1, 2, 3, 4, 505, 506, 507, 508, 509, 510, 511, 512]);
}

#[test]
fn the_window_holds_what_no_later_attempt_has_replaced() {
    for attempts in 0..=40 {
        let mut kept = BTreeMap::new();
        kept.extend((1..=attempts).map(|attempt| (slot(attempt), attempt)));
        let mut kept: Vec<u32> = kept.into_values().collect();
        kept.sort_unstable();
        assert_eq!(window(attempts).collect::<Vec<_>>(), kept, "of {attempts}");
    }
}

#[test]
fn a_task_without_attempts_has_no_slots() {
    assert_eq!(slots(0), 0);
}
