use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_000_000);

fn id(number: u64) -> InvocationId {
    InvocationId::new(number)
}

fn key(name: &str) -> LaneKey {
    LaneKey::Target(name.into())
}

/// Fails so often that the target of `a` counts as down.
fn down() -> Lanes {
    let mut lanes = Lanes::default();
    for number in 0..u64::from(LANE_FAILURES_MAX) {
        assert_eq!(lanes.admit(&key("a"), 2, id(number), NOW), Admission::Start);
        lanes.finished(&key("a"), Sent::TargetFailed, NOW);
    }
    lanes
}

#[test]
fn a_lane_starts_as_many_as_it_may_and_the_rest_wait_in_line() {
    let mut lanes = Lanes::default();
    let admitted: Vec<_> = (0..4).map(|number| lanes.admit(&key("a"), 2, id(number), NOW)).collect();
    assert_eq!(admitted, [Admission::Start, Admission::Start, Admission::Wait, Admission::Wait]);
    assert_eq!(lanes.admit(&key("b"), 2, id(9), NOW), Admission::Start, "another lane is free");
    assert_eq!(lanes.next(&key("a"), NOW), None);
    lanes.finished(&key("a"), Sent::Well, NOW);
    assert_eq!(lanes.next(&key("a"), NOW), Some((id(2), Admission::Start)));
    assert_eq!(lanes.next(&key("a"), NOW), None);
}

#[test]
fn a_full_lane_puts_off() {
    let mut lanes = Lanes::default();
    lanes.admit(&key("a"), 1, id(0), NOW);
    for number in 0..LANE_WAITING_MAX as u64 {
        assert_eq!(lanes.admit(&key("a"), 1, id(number + 1), NOW), Admission::Wait);
    }
    assert_eq!(lanes.admit(&key("a"), 1, id(9_999_999), NOW), Admission::PutOff(NOW.plus(LANE_PUT_OFF)));
}

#[test]
fn a_full_lane_that_is_fast_leaves_the_rest_where_it_is() {
    let mut lanes = Lanes::default();
    lanes.admit(&key("a"), 1, id(0), NOW);
    for number in 0..(LANE_WAITING_MAX + LANE_FAST_MIN) as u64 {
        if number < LANE_FAST_MIN as u64 {
            lanes.finished(&key("a"), Sent::Well, NOW);
            assert_eq!(lanes.admit(&key("a"), 1, id(number), NOW), Admission::Start);
        } else {
            assert_eq!(lanes.admit(&key("a"), 1, id(number), NOW), Admission::Wait);
        }
    }
    assert!(!lanes.has_room(&key("a")) && lanes.has_room(&key("b")));
    assert_eq!(lanes.admit(&key("a"), 1, id(9_999_999), NOW), Admission::Leave);
    let later = NOW.plus(LANE_PACE_WINDOW);
    assert_eq!(lanes.admit(&key("a"), 1, id(9_999_999), later), Admission::Leave, "it was just now");
    let slow = later.plus(LANE_PACE_WINDOW * 2);
    assert_eq!(lanes.admit(&key("a"), 1, id(9_999_999), slow), Admission::PutOff(slow.plus(LANE_PUT_OFF)));
}

#[test]
fn a_target_that_fails_in_a_row_is_left_alone_for_longer_and_longer() {
    let mut lanes = down();
    let mut now = NOW;
    for wait in [LANE_WAIT_FIRST, LANE_WAIT_FIRST * 2, LANE_WAIT_FIRST * 4] {
        let until = now.plus(wait);
        assert_eq!(lanes.admit(&key("a"), 2, id(50), now), Admission::Refuse(until));
        assert_eq!(lanes.admit(&key("b"), 2, id(51), now), Admission::Start, "another lane is free");
        now = until;
        assert_eq!(lanes.admit(&key("a"), 2, id(60), now), Admission::Start, "one is tried");
        assert_eq!(lanes.admit(&key("a"), 2, id(61), now), Admission::Wait, "and no other");
        lanes.finished(&key("a"), Sent::TargetFailed, now);
        assert!(matches!(lanes.next(&key("a"), now), Some((_, Admission::Refuse(_)))));
        assert_eq!(lanes.next(&key("a"), now), None);
        lanes.finished(&key("b"), Sent::Well, now);
    }
}

#[test]
fn a_target_that_is_back_gets_what_waits() {
    let mut lanes = down();
    let now = NOW.plus(LANE_WAIT_FIRST);
    assert_eq!(lanes.admit(&key("a"), 2, id(60), now), Admission::Start);
    for number in 61..64 {
        assert_eq!(lanes.admit(&key("a"), 2, id(number), now), Admission::Wait);
    }
    lanes.finished(&key("a"), Sent::Well, now);
    assert_eq!(lanes.next(&key("a"), now), Some((id(61), Admission::Start)));
    assert_eq!(lanes.next(&key("a"), now), Some((id(62), Admission::Start)));
    assert_eq!(lanes.next(&key("a"), now), None, "as many as it may");
}

#[test]
fn a_success_among_failures_keeps_a_target_up() {
    let mut lanes = Lanes::default();
    for number in 0..20 {
        assert_eq!(lanes.admit(&key("a"), 2, id(number), NOW), Admission::Start);
        let sent = if number % 3 == 0 { Sent::Well } else { Sent::TargetFailed };
        lanes.finished(&key("a"), sent, NOW);
    }
}
