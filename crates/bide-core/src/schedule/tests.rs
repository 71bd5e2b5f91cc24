use proptest::prelude::*;

use super::*;

/// `2024-03-09T06:59:00Z`.
fn at(text: &str) -> Timestamp {
    let moment: jiff::Timestamp = text.parse().expect("a moment");
    Timestamp::from_secs(u64::try_from(moment.as_second()).expect("after 1970"))
}

fn parse(text: &str) -> Schedule {
    Schedule::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The first moments after `after`.
fn ticks(schedule: &str, after: &str, count: usize) -> Vec<String> {
    let schedule = parse(schedule);
    let next = |tick: &Timestamp| schedule.next(at(after), *tick);
    std::iter::successors(next(&at(after)), next).take(count).map(Timestamp::to_rfc3339).collect()
}

#[test]
fn cron_names_moments() {
    let after = "2024-01-31T23:59:30Z"; // a Wednesday
    for (schedule, expected) in [
        ("0 * * * * *", ["2024-02-01T00:00:00Z", "2024-02-01T00:01:00Z"]),
        ("30 59 23 * * *", ["2024-02-01T23:59:30Z", "2024-02-02T23:59:30Z"]),
        ("31 59 23 * * *", ["2024-01-31T23:59:31Z", "2024-02-01T23:59:31Z"]),
        ("0 0/25 * * * *", ["2024-02-01T00:00:00Z", "2024-02-01T00:25:00Z"]),
        ("0 */25 * * * *", ["2024-02-01T00:00:00Z", "2024-02-01T00:25:00Z"]),
        ("0 50-59/5 6,18 * * *", ["2024-02-01T06:50:00Z", "2024-02-01T06:55:00Z"]),
        ("0 0 4 1 * *", ["2024-02-01T04:00:00Z", "2024-03-01T04:00:00Z"]),
        ("0 0 4 31 * ?", ["2024-03-31T04:00:00Z", "2024-05-31T04:00:00Z"]),
        ("0 0 4 ? * 1", ["2024-02-05T04:00:00Z", "2024-02-12T04:00:00Z"]),
        ("0 0 4 ? * SUN", ["2024-02-04T04:00:00Z", "2024-02-11T04:00:00Z"]),
        ("0 0 4 ? * 7", ["2024-02-04T04:00:00Z", "2024-02-11T04:00:00Z"]),
        ("0 0 4 * * fri-sun", ["2024-02-02T04:00:00Z", "2024-02-03T04:00:00Z"]),
        ("0 0 4 29 feb *", ["2024-02-29T04:00:00Z", "2028-02-29T04:00:00Z"]),
        ("0 0 4 * JAN,mar ?", ["2024-03-01T04:00:00Z", "2024-03-02T04:00:00Z"]),
        // Both kinds of day restricted: either will do.
        ("0 0 4 3 * SUN", ["2024-02-03T04:00:00Z", "2024-02-04T04:00:00Z"]),
        // A step restricts, a step of one does not.
        ("0 0 4 */10 * SUN", ["2024-02-01T04:00:00Z", "2024-02-04T04:00:00Z"]),
        ("0 0 4 */1 * SUN", ["2024-02-04T04:00:00Z", "2024-02-11T04:00:00Z"]),
        ("CRON_TZ=Asia/Shanghai 0 0 8 * * *", ["2024-02-01T00:00:00Z", "2024-02-02T00:00:00Z"]),
        ("CRON_TZ=asia/kolkata 0 0 8 1 * *", ["2024-02-01T02:30:00Z", "2024-03-01T02:30:00Z"]),
    ] {
        assert_eq!(ticks(schedule, after, 2), expected, "{schedule}");
    }
}

#[test]
fn intervals_count_from_the_anchor() {
    let schedule = parse("@every 1h30m");
    let anchor = at("2024-01-01T00:00:07Z").plus(std::time::Duration::from_millis(900));
    let next = |after: &str| schedule.next(anchor, at(after)).expect("there is one").to_rfc3339();
    assert_eq!(next("2024-01-01T00:00:07Z"), "2024-01-01T01:30:07Z");
    assert_eq!(next("2024-01-01T01:30:06Z"), "2024-01-01T01:30:07Z");
    assert_eq!(next("2024-01-01T01:30:07Z"), "2024-01-01T03:00:07Z");
    assert_eq!(next("2024-02-01T00:00:07Z"), "2024-02-01T01:30:07Z");
    assert_eq!(
        next("2023-12-01T00:00:00Z"),
        "2024-01-01T01:30:07Z",
        "the first is one interval after the anchor"
    );
    assert_eq!(
        ticks("CRON_TZ=Asia/Shanghai @every 60s", "2024-01-01T00:00:00Z", 1),
        ["2024-01-01T00:01:00Z"]
    );
}

#[test]
fn a_clock_that_is_put_forward_skips_and_one_that_is_put_back_repeats() {
    // New York, 10 March 2024: 02:00 becomes 03:00, at 07:00 UTC.
    let forward = "2024-03-10T06:00:00Z";
    let skipped = ticks("CRON_TZ=America/New_York 0 30 2 * * *", forward, 2);
    assert_eq!(skipped, ["2024-03-11T06:30:00Z", "2024-03-12T06:30:00Z"], "there was no half past two");
    let before = ticks("CRON_TZ=America/New_York 0 30 1 * * *", forward, 2);
    assert_eq!(before, ["2024-03-10T06:30:00Z", "2024-03-11T05:30:00Z"]);
    let at_the_change = ticks("CRON_TZ=America/New_York 0 0 3 * * *", forward, 2);
    assert_eq!(at_the_change, ["2024-03-10T07:00:00Z", "2024-03-11T07:00:00Z"]);
    let every_half_hour = ticks("CRON_TZ=America/New_York 0 */30 * * * *", forward, 4);
    assert_eq!(
        every_half_hour,
        ["2024-03-10T06:30:00Z", "2024-03-10T07:00:00Z", "2024-03-10T07:30:00Z", "2024-03-10T08:00:00Z"]
    );
    // New York, 3 November 2024: 02:00 becomes 01:00, at 06:00 UTC.
    let back = "2024-11-03T05:00:00Z";
    let repeated = ticks("CRON_TZ=America/New_York 0 30 1 * * *", back, 3);
    assert_eq!(repeated, ["2024-11-03T05:30:00Z", "2024-11-03T06:30:00Z", "2024-11-04T06:30:00Z"]);
    let at_the_change = ticks("CRON_TZ=America/New_York 0 0 1 * * *", "2024-11-03T04:59:59Z", 3);
    assert_eq!(at_the_change, ["2024-11-03T05:00:00Z", "2024-11-03T06:00:00Z", "2024-11-04T06:00:00Z"]);
    let once = ticks("CRON_TZ=America/New_York 0 0 2 * * *", back, 2);
    assert_eq!(once, ["2024-11-03T07:00:00Z", "2024-11-04T07:00:00Z"]);
    // Intervals know no clocks on walls; zones whose rules are a formula by then change all the same.
    assert_eq!(
        ticks("CRON_TZ=America/New_York @every 1h", forward, 2),
        ["2024-03-10T07:00:00Z", "2024-03-10T08:00:00Z"]
    );
    let far = ticks("CRON_TZ=Europe/Berlin 0 30 2 31 3 *", "2069-01-01T00:00:00Z", 2);
    assert_eq!(
        far,
        ["2070-03-31T00:30:00Z", "2071-03-31T00:30:00Z"],
        "in 2069 that is in the skipped hour: 31 March"
    );
}

#[test]
fn what_never_comes_is_none() {
    for schedule in ["0 0 0 30 2 ?", "0 0 0 31 4,6,9,11 *"] {
        assert_eq!(parse(schedule).next(Timestamp::ZERO, at("2024-01-01T00:00:00Z")), None, "{schedule}");
    }
    for schedule in ["0 * * * * *", "@every 1m", "CRON_TZ=Europe/Berlin 0 * * * * *"] {
        assert_eq!(
            parse(schedule).next(Timestamp::ZERO, Timestamp::MAX).map(Timestamp::to_rfc3339),
            None,
            "{schedule}"
        );
    }
}

#[test]
fn what_is_no_schedule_is_refused_with_the_reason() {
    for (text, part) in [
        ("", "six fields"),
        ("* * * * *", "not 5"),
        ("0 * * * * * *", "not 7"),
        ("* * * * * *", "second '*'"),
        ("*/5 * * * * *", "second"),
        ("0,30 * * * * *", "second"),
        ("60 * * * * *", "from 0 to 59"),
        ("0 60 * * * *", "minute '60'"),
        ("0 * 24 * * *", "hour '24'"),
        ("0 * * 0 * *", "day of month '0'"),
        ("0 * * 32 * *", "day of month"),
        ("0 * * * 13 *", "month '13'"),
        ("0 * * * FEBR *", "month 'FEBR'"),
        ("0 * * * ? *", "month '?'"),
        ("0 ? * * * *", "minute '?'"),
        ("0 * * * * 0", "day of week '0'"),
        ("0 * * * * 8", "day of week"),
        ("0 * * * * 1/2", "no step"),
        ("0 * * * * MON#2", "day of week"),
        ("0 * * L * *", "day of month 'L'"),
        ("0 * * 15W * *", "day of month '15W'"),
        ("0 * * ?,3 * *", "day of month '?'"),
        ("0 20-10 * * * *", "before it begins"),
        ("0 */0 * * * *", "step '0'"),
        ("0 */61 * * * *", "step '61'"),
        ("0 */x * * * *", "step 'x'"),
        ("0 1,, * * * *", "minute ''"),
        ("0 -5 * * * *", "minute ''"),
        ("0 +5 * * * *", "minute '+5'"),
        ("0 999999999999 * * * *", "minute"),
        ("@every", "@every takes"),
        ("@every1m", "@every takes"),
        ("@every 1", "@every takes"),
        ("@every 1.5h", "@every takes"),
        ("@every 1d", "@every takes"),
        ("@every m", "@every takes"),
        ("@every 1ü", "@every takes"),
        ("@every 59s", "one minute"),
        ("@every 0m", "one minute"),
        ("@every 99999999999999999999h", "@every takes"),
        ("@every 9999999999999h", "ten years"),
        ("@daily", "six fields"),
        ("CRON_TZ=Asia/Shanghai", "followed by"),
        ("CRON_TZ=Mars/Olympus 0 * * * * *", "Mars/Olympus"),
        ("CRON_TZ= 0 * * * * *", "time zone ''"),
        ("TZ=Asia/Shanghai 0 * * * * *", "not 7"),
    ] {
        let error = Schedule::parse(text).expect_err(text).to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}

fn field(max: u8, min: u8) -> impl Strategy<Value = String> {
    prop_oneof![
        Just("*".to_owned()),
        (min..=max).prop_map(|number| number.to_string()),
        (min..=max, 1_u8..8).prop_map(|(first, step)| format!("{first}/{step}")),
        (min..=max, min..=max).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
    ]
}

proptest! {
    /// The search agrees with looking at every second's wall clock, across changes of the clocks.
    #[test]
    fn the_next_moment_is_the_first_that_the_wall_clock_names(
        second in 0_u8..60, minute in field(59, 0), hour in field(23, 0),
        zone in prop::sample::select(vec!["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Africa/Casablanca"]),
        after in 1_704_067_200_u64..1_735_689_600,
    ) {
        let schedule = parse(&format!("CRON_TZ={zone} {second} {minute} {hour} * * *"));
        let Form::Cron { cron, zone } = &schedule.form else { unreachable!("it is cron") };
        let after = Timestamp::from_secs(after);
        let found = schedule.next(Timestamp::ZERO, after).expect("every day has one, or the next");
        let first_minute = (after.as_secs() + 1).next_multiple_of(60) - 60 + u64::from(second);
        let named = (first_minute..found.as_secs() + 60).step_by(60).filter(|at| *at > after.as_secs()).find(|at| {
            let time = zone.to_datetime(jiff::Timestamp::from_second(i64::try_from(*at).expect("small")).expect("valid"));
            cron.names(time)
        });
        prop_assert_eq!(named, Some(found.as_secs()));
    }
}
