use super::*;

#[test]
fn rfc3339_matches_known_moments() {
    for (millis, text) in [
        (0, "1970-01-01T00:00:00Z"),
        (1_704_067_200_999, "2024-01-01T00:00:00Z"),
        (1_709_164_800_000, "2024-02-29T00:00:00Z"),
        (4_107_542_399_000, "2100-02-28T23:59:59Z"),
        (4_107_542_400_000, "2100-03-01T00:00:00Z"),
    ] {
        assert_eq!(Timestamp::from_millis(millis).to_rfc3339(), text);
    }
}

#[test]
fn a_wait_is_rounded_up_and_never_wraps() {
    assert_eq!(Timestamp::from_micros(5).plus(Duration::from_nanos(1)).as_micros(), 6);
    assert_eq!(Timestamp::MAX.plus(Duration::from_secs(1)), Timestamp::MAX);
    assert_eq!(Timestamp::from_millis(5).since(Timestamp::from_millis(9)), Duration::ZERO);
    assert_eq!(Timestamp::from_micros(5999).as_millis(), 5);
}
