//! A time trigger on an alias: what it names at the time runs, and ticks after its end are seen.

use std::time::Duration;

use bide_engine::{Bucket, SortOrder, Status, TaskQuery};
use bide_types::Qualifier;
use bide_types::resource::TriggerConfig;

use crate::fixture::Fixture;
use crate::timers::{pass, timer};

const MINUTE: Duration = Duration::from_secs(60);

fn prod() -> Qualifier {
    Qualifier::new("prod").expect("valid")
}

/// A timer of `f` on the alias `prod`, which names version 1 and makes tasks; it fires every minute.
async fn fixture() -> Fixture {
    let fixture = Fixture::new(4).await;
    fixture.publish_two().await;
    fixture.create_alias("prod", 1, None).await;
    let to_g = "acs:fc:::services/s/functions/g".to_owned();
    let (at_prod, g) = (fixture.target_at("prod"), fixture.target("g"));
    let put = fixture.engine.put_async_config(&at_prod, |config| {
        config.stateful = Some(true);
        config.on_failure = Some(to_g);
    });
    put.await.expect("put");
    let stateful = fixture.engine.put_async_config(&g, |config| config.stateful = Some(true));
    stateful.await.expect("put");
    let mut trigger = timer(&fixture, "f", "t", "0 * * * * *");
    trigger.qualifier = prod();
    if let TriggerConfig::Timer(config) = &mut trigger.config {
        config.payload = "who".to_owned();
    }
    fixture.engine.create_trigger(&fixture.target("f"), trigger).await.expect("created");
    fixture
}

/// What became of each tick, in their order: the version that ran, or how it ended.
async fn ticks(fixture: &Fixture) -> Vec<String> {
    let target = fixture.target("f");
    let query = TaskQuery {
        function: target.function().id,
        qualifier: Some(prod()),
        status: None,
        id_prefix: None,
        accepted_from: None,
        accepted_to: None,
        order: SortOrder::OldestFirst,
        limit: 100,
        after: None,
        payloads: false,
    };
    let mut ends = Vec::new();
    for task in fixture.engine.tasks(query).await.expect("readable").tasks {
        let id = task.invocation.task_id().expect("only tasks are listed").clone();
        let task = fixture.engine.task(&target, &id).await.expect("there");
        ends.push(match task.invocation.status() {
            Status::Succeeded => String::from_utf8(task.result.expect("kept").to_vec()).expect("text"),
            other => other.as_str().to_owned(),
        });
    }
    ends
}

#[tokio::test]
async fn a_tick_runs_the_version_that_the_alias_names_at_the_time() {
    let fixture = fixture().await;
    pass(&fixture, MINUTE).await;
    fixture.point("prod", 2).await;
    pass(&fixture, MINUTE).await;
    assert_eq!(ticks(&fixture).await, ["1 as prod", "2 as prod"]);
}

#[tokio::test]
async fn ticks_after_the_alias_was_deleted_are_invalid_until_it_is_there_again() {
    let fixture = fixture().await;
    pass(&fixture, MINUTE).await;
    fixture.engine.delete_alias(&fixture.account, "s", &prod(), None).await.expect("deleted");
    pass(&fixture, MINUTE).await;
    assert_eq!(ticks(&fixture).await, ["1 as prod", "Invalid"]);
    let records = fixture.records().await;
    assert_eq!(records.len(), 1, "its failure destination hears of it: {records:?}");
    let fixture = fixture.crash(2).await;
    pass(&fixture, MINUTE).await;
    fixture.create_alias("prod", 2, None).await;
    pass(&fixture, MINUTE).await;
    let ledger = fixture.engine.ledger(&fixture.target("f")).await.expect("readable");
    assert_eq!((ledger.get(Bucket::Invalid), ledger.get(Bucket::Succeeded), ledger.accepted), (2, 2, 4));
}
