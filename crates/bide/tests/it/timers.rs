//! Time triggers for real: the server is killed between ticks, and each tick is one invocation all the same.
//!
//! No schedule fires more than once a minute, so several that fire at seconds of their own make ticks close together.
//! `BIDE_TIMERS_MINUTES=5` makes the test go on for so long, with a kill after every tick.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bide_env::{Clock as _, SystemClock};
use bide_types::Timestamp;
use http::Method;
use serde_json::{Value, json};

use crate::support::{Api, Function, World, bide, until, until_within};

/// Says in the journal which tick it was called for.
const TICKING: &str = r#"
import json
from journal import note

def handler(event, context):
    tick = json.loads(event)
    note(id=tick["triggerName"], time=tick["triggerTime"], payload=tick["payload"], request=context.request_id)
"#;

/// Schedules, and the seconds between their ticks.
const SCHEDULES: u64 = 4;
const GAP_SECONDS: u64 = 3;

async fn create(api: &Api, name: &str, schedule: &str) -> Value {
    let config = json!({ "cronExpression": schedule, "payload": "p", "enable": true });
    let trigger = json!({ "triggerName": name, "triggerType": "timer", "triggerConfig": config });
    let path = format!("{}/triggers", Api::path("ticks"));
    api.client().json(Method::POST, &path, Some(&trigger)).await.expect("created")
}

/// The times that the journal knows, by trigger.
fn seen(world: &World) -> BTreeMap<String, BTreeSet<String>> {
    let mut seen: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in world.journal.lines() {
        let text = |field: &str| line[field].as_str().expect("a text").to_owned();
        assert_eq!(line["payload"], "p");
        seen.entry(text("id")).or_default().insert(text("time"));
    }
    seen
}

/// The first of the seconds from `from` on that has this remainder in its minute.
fn first(second: u64, from: u64) -> u64 {
    from + (second + 60 - from % 60) % 60
}

#[tokio::test]
async fn each_tick_is_one_invocation_though_the_server_is_killed_between_ticks() {
    let minutes: u64 = std::env::var("BIDE_TIMERS_MINUTES").map_or(0, |text| text.parse().expect("a number"));
    let mut world = World::start().await;
    world.api.deploy("ticks", Function::python(TICKING).journal(&world.journal)).await;
    let begin = SystemClock::new().now().as_secs() + GAP_SECONDS;
    let seconds: Vec<u64> = (0..SCHEDULES).map(|index| (begin + index * GAP_SECONDS) % 60).collect();
    for second in &seconds {
        create(&world.api, &format!("at-{second}"), &format!("{second} * * * * *")).await;
    }
    let mut tick = begin;
    let end = begin + (SCHEDULES - 1) * GAP_SECONDS + 60 * minutes;
    while tick <= end {
        let (name, time) = (format!("at-{}", tick % 60), Timestamp::from_secs(tick).to_rfc3339());
        let limit = Duration::from_secs(120); // the tick comes within a minute
        until_within(limit, &time, async || seen(&world).get(&name)?.contains(&time).then_some(())).await;
        world.crash().await;
        tick = seconds.iter().map(|second| first(*second, tick + 1)).min().expect("there are some");
    }
    for second in &seconds {
        let path = format!("{}/triggers/at-{second}", Api::path("ticks"));
        world.api.client().json(Method::DELETE, &path, None).await.expect("deleted");
    }
    let settled = until("all are done", async || {
        let ledger = world.api.ledger("ticks").await;
        (ledger["accepted"] == ledger["succeeded"]).then_some(ledger)
    });
    let accepted = settled.await["accepted"].as_u64().expect("a count");
    let seen = seen(&world);
    let all: BTreeSet<_> = seen.values().flatten().collect();
    assert_eq!(accepted, all.len() as u64, "one invocation for each tick");
    for second in seconds {
        let last = seen[&format!("at-{second}")].last().expect("there is one");
        let times = (first(second, begin)..).step_by(60).map(|tick| Timestamp::from_secs(tick).to_rfc3339());
        let expected: BTreeSet<_> = times.take_while(|time| time <= last).collect();
        assert_eq!(seen[&format!("at-{second}")], expected, "no tick is left out");
    }
}

#[tokio::test]
async fn the_command_line_shows_when_a_timer_is_due() {
    let world = World::start().await;
    world.api.deploy("ticks", Function::python(TICKING)).await;
    let made = create(&world.api, "leap", "CRON_TZ=Asia/Shanghai 0 30 7 29 2 ?").await;
    assert_eq!(made["triggerConfig"]["cronExpression"], "CRON_TZ=Asia/Shanghai 0 30 7 29 2 ?");
    create(&world.api, "hourly", "@every 1h").await;
    let listed = bide(&world.server, &["timers", "--output", "json"]).await.json();
    let names: Vec<_> =
        listed.as_array().expect("a list").iter().map(|timer| &timer["triggerName"]).collect();
    assert_eq!(names, ["hourly", "leap"]);
    let next = listed[1]["nextTick"].as_str().expect("a time");
    assert!(next.ends_with("-02-28T23:30:00Z"), "{next}");
    assert_eq!(listed[1]["lastTick"], Value::Null);
    let table = bide(&world.server, &["timers"]).await.stdout;
    assert!(table.contains("NEXT TICK") && table.contains(next), "{table}");
}
