//! Time triggers: what fires, when, and what does not.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bide_engine::{Bucket, Error, MissedTicks, Options, Store as _};
use bide_env::Clock as _;
use bide_store::{Batch, ControlChange, ControlWrite, Expected};
use bide_types::resource::{TimerTrigger, Trigger, TriggerConfig};
use bide_types::{ErrorCode, Qualifier, Timestamp, TriggerName};
use serde_json::Value;

use crate::fixture::Fixture;

const MINUTE: Duration = Duration::from_secs(60);

pub(crate) fn timer(fixture: &Fixture, function: &str, name: &str, schedule: &str) -> Trigger {
    Trigger {
        id: format!("id of {name} of {function}"),
        function: fixture.target(function).function().id,
        name: TriggerName::new(name).expect("valid"),
        description: String::new(),
        qualifier: Qualifier::latest(),
        source_arn: String::new(),
        invocation_role: String::new(),
        config: TriggerConfig::Timer(TimerTrigger {
            cron_expression: schedule.to_owned(),
            enabled: true,
            payload: "any \"text\"".to_owned(),
        }),
        created_at: fixture.clock.now(),
        modified_at: fixture.clock.now(),
    }
}

fn config(trigger: &mut Trigger) -> &mut TimerTrigger {
    match &mut trigger.config {
        TriggerConfig::Timer(config) => config,
        TriggerConfig::Http(_) | TriggerConfig::EventBridge(_) | TriggerConfig::Oss(_) => panic!("a timer"),
    }
}

async fn create(fixture: &Fixture, name: &str, schedule: &str) -> Result<(), Error> {
    let trigger = timer(fixture, "f", name, schedule);
    fixture.engine.create_trigger(&fixture.target("f"), trigger).await.map(|_| ())
}

async fn change(fixture: &Fixture, name: &str, change: impl FnOnce(&mut TimerTrigger)) {
    let found = fixture.engine.trigger(&fixture.account, "s", "f", name).expect("exists");
    let mut trigger = found.value.as_ref().clone();
    change(config(&mut trigger));
    let target = fixture.target("f");
    fixture.engine.replace_trigger(&target, trigger, Some(found.revision)).await.expect("replaced");
}

/// Lets time pass, one second after the other.
pub(crate) async fn pass(fixture: &Fixture, time: Duration) {
    fixture.settle().await;
    for _ in 0..time.as_secs() {
        fixture.clock.advance(Duration::from_secs(1));
        fixture.settle().await;
    }
}

/// Trigger names and times of what the functions were called with.
fn ticks(fixture: &Fixture) -> Vec<(String, String)> {
    let events = fixture.events.lock().expect("free");
    let read = |event: &[u8]| -> Value { serde_json::from_slice(event).expect("JSON") };
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    events
        .iter()
        .map(|event| read(event))
        .map(|event| (text(&event["triggerName"]), text(&event["triggerTime"])))
        .collect()
}

fn times(fixture: &Fixture) -> Vec<String> {
    ticks(fixture).into_iter().map(|(_, time)| time).collect()
}

async fn accepted(fixture: &Fixture) -> u64 {
    fixture.engine.ledger(&fixture.target("f")).await.expect("readable").accepted
}

#[tokio::test]
async fn a_tick_hands_over_its_time_the_name_and_the_payload() {
    let fixture = Fixture::new(4).await; // it is 22:13:20
    create(&fixture, "nightly", "30 15 22 * * ?").await.expect("created");
    pass(&fixture, Duration::from_secs(129)).await;
    assert_eq!(ticks(&fixture), []);
    pass(&fixture, Duration::from_secs(1)).await;
    let expected =
        r#"{"triggerTime":"2023-11-14T22:15:30Z","triggerName":"nightly","payload":"any \"text\""}"#;
    assert_eq!(fixture.events.lock().expect("free")[..], [expected]);
    pass(&fixture, Duration::from_secs(600)).await;
    assert_eq!((times(&fixture).len(), accepted(&fixture).await), (1, 1));
    let [status] = &fixture.engine.timers(&fixture.account)[..] else { panic!("one timer") };
    assert_eq!(status.last_tick.map(Timestamp::to_rfc3339).as_deref(), Some("2023-11-14T22:15:30Z"));
    assert_eq!(status.next_tick.map(Timestamp::to_rfc3339).as_deref(), Some("2023-11-15T22:15:30Z"));
}

#[tokio::test]
async fn ticks_of_a_function_in_task_mode_are_tasks() {
    let fixture = Fixture::new(4).await;
    let target = fixture.target("f");
    fixture.engine.put_async_config(&target, |config| config.stateful = Some(true)).await.expect("put");
    create(&fixture, "t", "@every 1m").await.expect("created");
    pass(&fixture, MINUTE).await;
    let (request, _) = fixture.executor.started().remove(0);
    let id = bide_types::TaskId::from_request(&request);
    let task = fixture.engine.task(&fixture.target("f"), &id).await.expect("a task");
    assert_eq!(task.payload.as_deref(), Some(&fixture.events.lock().expect("free")[0][..]));
}

#[tokio::test]
async fn a_schedule_counts_from_when_it_comes_into_force() {
    let fixture = Fixture::new(4).await; // it is 22:13:20
    create(&fixture, "t", "@every 2m").await.expect("created");
    pass(&fixture, Duration::from_secs(90)).await;
    change(&fixture, "t", |config| config.payload = "new".to_owned()).await;
    pass(&fixture, Duration::from_secs(30)).await;
    assert_eq!(times(&fixture), ["2023-11-14T22:15:20Z"], "another payload does not move the ticks");
    assert!(fixture.events.lock().expect("free")[0].ends_with(br#""payload":"new"}"#));
    pass(&fixture, Duration::from_secs(100)).await;
    change(&fixture, "t", |config| config.cron_expression = "@every 1m".to_owned()).await; // at 22:17:00
    pass(&fixture, MINUTE).await;
    assert_eq!(times(&fixture)[1..], ["2023-11-14T22:18:00Z"]);
    change(&fixture, "t", |config| config.enabled = false).await;
    pass(&fixture, 3 * MINUTE).await;
    assert_eq!(times(&fixture).len(), 2);
    assert!(fixture.engine.timers(&fixture.account)[0].next_tick.is_none());
    pass(&fixture, Duration::from_secs(10)).await;
    change(&fixture, "t", |config| config.enabled = true).await; // at 22:21:10
    pass(&fixture, MINUTE).await;
    assert_eq!(times(&fixture)[2..], ["2023-11-14T22:22:10Z"], "what was due meanwhile does not fire");
}

#[tokio::test]
async fn a_trigger_that_is_made_anew_is_another() {
    let fixture = Fixture::new(4).await; // it is 22:13:20
    create(&fixture, "t", "0 * * * * *").await.expect("created");
    pass(&fixture, MINUTE).await;
    fixture.engine.delete_trigger(&fixture.account, "s", "f", "t", None).await.expect("deleted");
    pass(&fixture, MINUTE).await;
    assert_eq!(times(&fixture), ["2023-11-14T22:14:00Z"]);
    create(&fixture, "t", "0 * * * * *").await.expect("created");
    pass(&fixture, MINUTE).await;
    assert_eq!(times(&fixture)[1..], ["2023-11-14T22:16:00Z"]);
    let stored = fixture.store.clone();
    fixture.engine.delete_trigger(&fixture.account, "s", "f", "t", None).await.expect("deleted");
    let controls = stored.controls().await.expect("readable");
    assert!(!controls.iter().any(|(key, _)| key.as_str().contains("/t")), "nothing of it is left");
    fixture.engine.delete_function(&fixture.account, "s", "f", None).await.expect("deleted");
}

/// Ticks every minute from 22:14:00 on; the first has fired when the server dies, at 22:14:20, for `down`.
async fn after_a_while(down: Duration, missed_ticks: MissedTicks) -> Fixture {
    let fixture = Fixture::new(4).await;
    create(&fixture, "t", "0 * * * * *").await.expect("created");
    pass(&fixture, MINUTE).await;
    assert_eq!(times(&fixture), ["2023-11-14T22:14:00Z"]);
    fixture.engine.shutdown().await;
    fixture.clock.advance(down);
    let fixture = fixture.crash_with(2, Options { missed_ticks, ..Options::default() }).await;
    fixture.settle().await;
    fixture
}

#[tokio::test]
async fn a_short_absence_misses_no_tick() {
    let fixture = after_a_while(Duration::from_secs(99), MissedTicks::Skip).await; // at 22:15:59
    assert_eq!(times(&fixture), ["2023-11-14T22:15:00Z"], "59 seconds late");
    pass(&fixture, MINUTE).await;
    assert_eq!(times(&fixture)[1..], ["2023-11-14T22:16:00Z"]);
}

#[tokio::test]
async fn missed_ticks_are_passed_over_by_default() {
    let fixture = after_a_while(Duration::from_secs(3640), MissedTicks::default()).await; // at 23:15:00
    assert_eq!(times(&fixture), ["2023-11-14T23:15:00Z"], "the one that is due");
    let fixture = after_a_while(Duration::from_secs(86_400), MissedTicks::default()).await;
    assert_eq!(times(&fixture), ["2023-11-15T22:14:00Z"], "20 seconds late");
}

#[tokio::test]
async fn missed_ticks_fire_once_if_that_is_set() {
    let hourly = async |missed_ticks| {
        let fixture = Fixture::new(4).await; // it is 22:13:20
        create(&fixture, "t", "0 0 * * * *").await.expect("created");
        fixture.engine.shutdown().await;
        fixture.clock.advance(Duration::from_secs(5 * 3600));
        let fixture = fixture.crash_with(2, Options { missed_ticks, ..Options::default() }).await;
        fixture.settle().await;
        fixture
    };
    let fixture = hourly(MissedTicks::FireOnce).await;
    assert_eq!(times(&fixture), ["2023-11-15T03:00:00Z"], "the last of five");
    fixture.engine.shutdown().await;
    let again = Options { missed_ticks: MissedTicks::FireOnce, ..Options::default() };
    let fixture = fixture.crash_with(3, again.clone()).await;
    fixture.settle().await;
    assert_eq!((times(&fixture).len(), accepted(&fixture).await), (0, 1), "and not at every start");
    let fixture = hourly(MissedTicks::Skip).await;
    assert_eq!(times(&fixture).len(), 0);
    fixture.engine.shutdown().await;
    let fixture = fixture.crash_with(3, again).await;
    fixture.settle().await;
    assert_eq!(times(&fixture).len(), 0, "what was passed over stays so");
}

#[tokio::test]
async fn a_machine_that_slept_has_missed_ticks() {
    let fixture = Fixture::new(4).await;
    create(&fixture, "t", "0 * * * * *").await.expect("created");
    fixture.settle().await;
    fixture.clock.advance(Duration::from_secs(8 * 3600));
    fixture.settle().await;
    assert_eq!(times(&fixture), ["2023-11-15T06:13:00Z"]);
}

#[tokio::test]
async fn a_clock_that_is_put_back_repeats_no_tick() {
    let fixture = Fixture::new(4).await; // it is 22:13:20
    create(&fixture, "t", "0 * * * * *").await.expect("created");
    pass(&fixture, 2 * MINUTE).await;
    assert_eq!(times(&fixture), ["2023-11-14T22:14:00Z", "2023-11-14T22:15:00Z"]);
    fixture.engine.shutdown().await;
    let mut fixture = fixture;
    fixture.clock = bide_env::ManualClock::at(crate::fixture::START);
    let fixture = fixture.crash(2).await;
    pass(&fixture, 2 * MINUTE).await;
    assert_eq!(times(&fixture).len(), 0, "it waits until the clock has caught up");
    pass(&fixture, MINUTE).await;
    assert_eq!(times(&fixture), ["2023-11-14T22:16:00Z"]);
    fixture.engine.shutdown().await;
    let mut fixture = fixture;
    fixture.clock = bide_env::ManualClock::at(crate::fixture::START);
    let fixture = fixture.crash(3).await;
    for enabled in [false, true] {
        change(&fixture, "t", |config| config.enabled = enabled).await;
    }
    pass(&fixture, MINUTE).await;
    assert_eq!(times(&fixture), ["2023-11-14T22:14:00Z"], "unless it is made to begin anew");
}

#[tokio::test]
async fn what_cannot_be_stored_is_tried_again() {
    let (fixture, troubled) = Fixture::with(4, Options::default()).await; // it is 22:13:20
    create(&fixture, "t", "0 * * * * *").await.expect("created");
    troubled.refused_changes.store(10, Ordering::Relaxed); // 1, 2, 4, 8, 16, then 30 seconds: into the fourth minute
    pass(&fixture, 3 * MINUTE).await;
    assert_eq!(times(&fixture).len(), 0);
    pass(&fixture, 2 * MINUTE).await;
    let due: Vec<_> = (14..=18).map(|minute| format!("2023-11-14T22:{minute}:00Z")).collect();
    assert_eq!((times(&fixture), accepted(&fixture).await), (due, 5), "each once, in order, however late");
}

#[tokio::test]
async fn a_timer_that_cannot_be_stored_stops_no_other() {
    let (fixture, troubled) = Fixture::with(4, Options::default()).await; // it is 22:13:20
    for name in ["a", "b"] {
        create(&fixture, name, "0 * * * * *").await.expect("created");
    }
    troubled.refused_changes.store(2, Ordering::Relaxed); // both together, then the first alone
    pass(&fixture, 3 * MINUTE).await;
    let fired = ticks(&fixture);
    for name in ["a", "b"] {
        let times: Vec<_> =
            fired.iter().filter(|(of, _)| of == name).map(|(_, time)| &time[11..16]).collect();
        assert_eq!(times, ["22:14", "22:15", "22:16"], "{name}");
    }
}

#[tokio::test]
async fn while_the_disk_is_nearly_full_ticks_wait() {
    let (fixture, troubled) = Fixture::with(4, Options::default()).await; // it is 22:13:20
    create(&fixture, "t", "0 * * * * *").await.expect("created");
    troubled.is_nearly_full.store(true, Ordering::Relaxed);
    pass(&fixture, 2 * MINUTE).await;
    assert_eq!((times(&fixture).len(), accepted(&fixture).await), (0, 0));
    troubled.is_nearly_full.store(false, Ordering::Relaxed);
    pass(&fixture, MINUTE).await;
    assert_eq!(times(&fixture).len(), 3, "none is lost");
}

#[tokio::test]
async fn two_nodes_on_one_store_fire_each_tick_once() {
    let first = Fixture::new(4).await;
    create(&first, "t", "0 * * * * *").await.expect("created");
    let old = first.engine.clone();
    let second = first.crash(2).await;
    pass(&second, 3 * MINUTE).await;
    assert_eq!(accepted(&second).await, 3);
    old.shutdown().await;
}

#[tokio::test]
async fn many_that_are_due_at_once_all_fire() {
    let fixture = Fixture::new(4).await;
    for function in ["f", "g"] {
        for index in 0..50 {
            let trigger = timer(&fixture, function, &format!("t{index}"), "0 * * * * *");
            fixture.engine.create_trigger(&fixture.target(function), trigger).await.expect("created");
        }
        let error = fixture
            .engine
            .create_trigger(&fixture.target(function), timer(&fixture, function, "more", "0 * * * * *"))
            .await
            .expect_err("50 is the limit");
        assert_eq!(error.code(), ErrorCode::LimitExceededError);
    }
    pass(&fixture, MINUTE).await;
    fixture.executor.until(|executor| executor.started().len() == 100).await;
    let names: std::collections::BTreeSet<_> = fixture.executor.started().into_iter().collect();
    assert_eq!(names.len(), 100);
}

#[tokio::test]
async fn what_can_never_fire_is_refused() {
    let fixture = Fixture::new(4).await;
    let error = create(&fixture, "t", "* * * * * *").await.expect_err("refused");
    assert_eq!(error.code(), ErrorCode::InvalidArgument);
    assert!(error.to_string().contains("triggerConfig.cronExpression"), "{error}");
    let mut trigger = timer(&fixture, "f", "t", "@every 1m");
    // 69 bytes stand around the payload.
    config(&mut trigger).payload = "x".repeat(131_072 - 68);
    let error =
        fixture.engine.create_trigger(&fixture.target("f"), trigger.clone()).await.expect_err("refused");
    assert!(error.to_string().contains("131073 bytes"), "{error}");
    config(&mut trigger).payload.pop();
    fixture
        .engine
        .create_trigger(&fixture.target("f"), trigger)
        .await
        .expect("exactly as much as an event may have");
}

/// Changes a stored control object behind the engine's back; `None` removes it.
async fn tamper(fixture: &Fixture, kind: &str, change: impl Fn(&str) -> Option<String>) {
    let stored = fixture.store.reopen();
    let controls = stored.controls().await.expect("readable");
    let (key, object) = controls.into_iter().find(|(key, _)| key.as_str().starts_with(kind)).expect("there");
    let value = change(std::str::from_utf8(&object.value).expect("JSON")).map(Into::into);
    let writes = vec![ControlWrite { key, expected: Expected::Anything, value }];
    let controls = vec![ControlChange::of(writes)];
    stored.commit(Batch { now: fixture.clock.now(), controls, ..Batch::default() }).await.expect("stored");
}

#[tokio::test]
async fn a_tick_whose_qualifier_was_never_there_is_invalid() {
    let fixture = Fixture::new(4).await;
    create(&fixture, "t", "0 * * * * *").await.expect("created");
    fixture.engine.shutdown().await;
    tamper(&fixture, "trigger/", |trigger| Some(trigger.replace("LATEST", "prod"))).await;
    let fixture = fixture.crash(2).await;
    pass(&fixture, 2 * MINUTE).await;
    assert_eq!((times(&fixture).len(), accepted(&fixture).await), (0, 2));
    let ledger = fixture.engine.ledger(&fixture.target("f")).await.expect("readable");
    assert_eq!(ledger.get(Bucket::Invalid), 2);
    let [status] = &fixture.engine.timers(&fixture.account)[..] else { panic!("one timer") };
    assert_eq!(status.last_tick.map(Timestamp::to_rfc3339).as_deref(), Some("2023-11-14T22:15:00Z"));
}

#[tokio::test]
async fn a_schedule_that_this_build_cannot_read_keeps_no_server_from_starting() {
    let fixture = Fixture::new(4).await;
    create(&fixture, "t", "CRON_TZ=Europe/Kyiv 0 * * * * *").await.expect("created");
    fixture.engine.shutdown().await;
    tamper(&fixture, "trigger/", |trigger| Some(trigger.replace("Kyiv", "Atlantis"))).await;
    let fixture = fixture.crash(2).await;
    pass(&fixture, MINUTE).await;
    assert_eq!(times(&fixture).len(), 0);
    change(&fixture, "t", |config| config.cron_expression = "0 * * * * *".to_owned()).await;
    pass(&fixture, MINUTE).await;
    assert_eq!(times(&fixture), ["2023-11-14T22:15:00Z"]);
}

#[tokio::test]
async fn half_a_timer_is_damage() {
    for kind in ["timer/", "trigger/"] {
        let fixture = Fixture::new(4).await;
        create(&fixture, "t", "0 * * * * *").await.expect("created");
        fixture.engine.shutdown().await;
        tamper(&fixture, kind, |_| None).await;
        let error = fixture.try_restart(2).await.err().expect("damage");
        let source = std::error::Error::source(&error).expect("a reason").to_string();
        assert!(source.contains("timer/1/t"), "{source}");
    }
}
