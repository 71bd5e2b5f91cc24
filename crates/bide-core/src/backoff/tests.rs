use super::*;

#[test]
fn waits_after_function_errors_double_from_half_a_second() {
    let waits: Vec<_> =
        (1..=RETRY_ATTEMPTS_MAX).map(|retry| after_function_error(retry).as_millis()).collect();
    assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16_000, 32_000, 64_000]);
    assert_eq!(after_function_error(u32::MAX), FUNCTION_ERROR_CEILING);
}

#[test]
fn a_chain_ends_with_the_window_unless_it_is_short_and_at_the_count_in_any_case() {
    let now = Timestamp::from_millis(1_700_000_000_000);
    let ends = |since: Timestamp, count: u32| after_refusal(Some(Refusals { since, count }), now).1.is_none();
    let long_ago = now.minus(2 * SYSTEM_RETRY_WINDOW);
    for (since, count, expected) in [
        (now, 1, false),
        (long_ago, REFUSALS_MIN - 2, false),
        (long_ago, REFUSALS_MIN - 1, true),
        (now.minus(SYSTEM_RETRY_WINDOW - REFUSAL_CEILING), 200, false),
        (now.minus(SYSTEM_RETRY_WINDOW - REFUSAL_CEILING + Duration::from_millis(1)), 200, true),
        (now, REFUSALS_MAX - 2, false),
        (now, REFUSALS_MAX - 1, true),
        (now.plus(SYSTEM_RETRY_WINDOW), 200, false),
    ] {
        assert_eq!(ends(since, count), expected, "since {since:?}, {count} before");
    }
    assert_eq!(after_refusal(None, now).0, Refusals { since: now, count: 1 });
}
