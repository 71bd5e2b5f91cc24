use std::time::Duration;

use super::*;

const HOUR: u64 = 3600;

fn timer() -> Timer {
    Timer::new(Schedule::parse("@every 1m").expect("valid"), Timestamp::ZERO)
}

fn secs(seconds: u64) -> Timestamp {
    Timestamp::from_secs(seconds)
}

fn owed(through: u64, missed_until: u64, now: u64, rule: MissedTicks) -> Owed {
    timer().owed(secs(through), secs(missed_until), secs(now), rule, 3)
}

#[test]
fn what_is_due_fires_in_order_up_to_the_bound() {
    let Owed { ticks, skipped, through } = owed(60, 0, 179, MissedTicks::Skip);
    assert_eq!((ticks, skipped, through), (vec![secs(120)], None, secs(120)));
    assert_eq!(owed(60, 0, 119, MissedTicks::FireOnce).ticks, []);
    let Owed { ticks, through, .. } = owed(0, 0, HOUR, MissedTicks::Skip);
    assert_eq!(
        (ticks, through),
        (vec![secs(60), secs(120), secs(180)], secs(180)),
        "the rest comes next time"
    );
}

#[test]
fn missed_ticks_are_skipped() {
    let Owed { ticks, skipped, through } = owed(60, HOUR, HOUR + 30, MissedTicks::Skip);
    assert_eq!((ticks, skipped, through), (vec![], Some(secs(HOUR)), secs(HOUR)));
    let Owed { ticks, skipped, through } = owed(60, HOUR, HOUR + 60, MissedTicks::Skip);
    assert_eq!((ticks, skipped, through), (vec![secs(HOUR + 60)], Some(secs(HOUR)), secs(HOUR + 60)));
}

#[test]
fn missed_ticks_fire_once() {
    let Owed { ticks, skipped, through } = owed(60, HOUR, HOUR + 30, MissedTicks::FireOnce);
    assert_eq!((ticks, skipped, through), (vec![secs(HOUR)], None, secs(HOUR)));
    let again = owed(HOUR, HOUR, HOUR + 30, MissedTicks::FireOnce);
    assert_eq!(again.ticks, [], "and not again");
    let Owed { ticks, .. } = owed(60, HOUR, HOUR + 60, MissedTicks::FireOnce);
    assert_eq!(ticks, [secs(HOUR + 60)], "a tick that is due makes up for them");
}

#[test]
fn the_last_of_a_year_of_ticks_is_found_at_once() {
    let year = 365 * 24 * HOUR;
    assert_eq!(timer().last_between(secs(0), secs(year + 59)), Some(secs(year)));
    assert_eq!(timer().last_between(secs(year), secs(year + 59)), None);
    let january = Timer::new(Schedule::parse("5 * * * 1 *").expect("valid"), Timestamp::ZERO);
    let last = january.last_between(Timestamp::ZERO, secs(1_720_000_000)).expect("there is one");
    assert_eq!(last.to_rfc3339(), "2024-01-31T23:59:05Z");
}

#[test]
fn ticks_count_from_the_anchor() {
    let anchor = secs(1000).plus(Duration::from_millis(1));
    let timer = Timer::new(Schedule::parse("40 16 0 * * *").expect("valid"), anchor);
    assert_eq!(
        timer.next(Timestamp::ZERO),
        Some(secs(86_400 + 1000)),
        "the one at 1000 s was before it began"
    );
}
