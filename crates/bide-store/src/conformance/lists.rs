//! Lists of tasks: filters, orders, pages.

use std::time::Duration;

use bide_core::Status;
use bide_types::{InvocationId, Qualifier};

use super::Subject;
use super::driver::{
    Driver, OTHER_FUNCTION, all_tasks, at, deferred, every_page, fail, of, plain, task, throttle,
    with_qualifier,
};
use crate::query::{SortOrder, TaskQuery, TaskView};

fn names(tasks: &[TaskView]) -> Vec<&str> {
    tasks.iter().map(|view| view.invocation.task_id().expect("a task").as_str()).collect()
}

async fn check<S: Subject>(driver: &Driver<S>, query: TaskQuery, expected: &[&str]) {
    for limit in [1, 2, 100] {
        let query = TaskQuery { limit, ..query.clone() };
        assert_eq!(names(&every_page(driver.store(), query.clone()).await), expected, "{query:?}");
        let query = TaskQuery { order: SortOrder::NewestFirst, ..query };
        let expected: Vec<_> = expected.iter().rev().copied().collect();
        assert_eq!(names(&every_page(driver.store(), query.clone()).await), expected, "{query:?}");
    }
}

pub async fn tasks_are_listed_in_both_orders_of_acceptance(subject: impl Subject) {
    let driver = Driver::new(subject);
    for (now, name) in [(0, "b"), (1, "a"), (1, "c"), (2, "d")] {
        driver.submit(at(now), task(name)).await;
    }
    driver.submit_all(at(3), vec![plain(), of(task("other"), OTHER_FUNCTION)]).await;
    check(&driver, all_tasks(), &["b", "a", "c", "d"]).await;
    let driver = driver.reopen().await;
    check(&driver, all_tasks(), &["b", "a", "c", "d"]).await;
    check(&driver, TaskQuery { function: OTHER_FUNCTION, ..all_tasks() }, &["other"]).await;
}

pub async fn tasks_are_filtered_by_status(subject: impl Subject) {
    let driver = Driver::new(subject);
    driver.settle(at(0), task("succeeded")).await;
    driver.submit(at(1), task("retrying")).await;
    let (id, epoch) = driver.start_one(at(1)).await;
    driver.apply(at(1), id, fail(epoch), None).await;
    driver.submit(at(2), task("refused")).await;
    let claimed = driver.claim_one(at(2)).await.invocation;
    driver.apply(at(2), claimed.id, throttle(claimed.epoch), None).await;
    driver.submit(at(3), task("running")).await;
    driver.start_one(at(3)).await;
    driver.submit(at(4), task("dequeued")).await;
    driver.claim_one(at(4)).await;
    driver.submit(at(5), task("stopping")).await;
    driver.start_one(at(5)).await;
    driver.stop(at(5), "stopping").await;
    driver.submit(at(6), task("stopped")).await;
    driver.stop(at(6), "stopped").await;
    driver.submit(at(7), with_qualifier(task("invalid"), "prod")).await;
    driver.claim_of("prod", at(7), 1).await;
    driver.submit(at(8), deferred(task("enqueued"), Duration::from_secs(60))).await;

    let driver = driver.reopen().await;
    for (status, expected) in [
        (Status::Succeeded, &["succeeded"][..]),
        (Status::Retrying, &["retrying"]),
        (Status::Running, &["running"]),
        (Status::Dequeued, &["refused", "dequeued"]),
        (Status::Stopping, &["stopping"]),
        (Status::Stopped, &["stopped"]),
        (Status::Invalid, &["invalid"]),
        (Status::Enqueued, &["enqueued"]),
        (Status::Failed, &[]),
        (Status::Expired, &[]),
    ] {
        check(&driver, TaskQuery { status: Some(status), ..all_tasks() }, expected).await;
    }
}

pub async fn tasks_are_filtered_by_prefix_qualifier_and_time(subject: impl Subject) {
    let driver = Driver::new(subject);
    for (now, name) in [(10, "a-1"), (20, "b-1"), (30, "a-2"), (40, "a"), (50, "ab")] {
        driver.submit(at(now), task(name)).await;
    }
    driver.submit(at(60), with_qualifier(task("a-prod"), "prod")).await;
    let prefix = |text: &str| TaskQuery { id_prefix: Some(text.to_owned()), ..all_tasks() };
    check(&driver, prefix("a-"), &["a-1", "a-2", "a-prod"]).await;
    check(&driver, prefix("a"), &["a-1", "a-2", "a", "ab", "a-prod"]).await;
    check(&driver, prefix("c"), &[]).await;
    check(&driver, prefix(""), &["a-1", "b-1", "a-2", "a", "ab", "a-prod"]).await;

    let between =
        |from, to| TaskQuery { accepted_from: Some(at(from)), accepted_to: Some(at(to)), ..all_tasks() };
    check(&driver, between(20, 40), &["b-1", "a-2", "a"]).await;
    check(&driver, between(21, 29), &[]).await;
    check(&driver, TaskQuery { accepted_from: Some(at(50)), ..all_tasks() }, &["ab", "a-prod"]).await;
    check(&driver, TaskQuery { accepted_to: Some(at(20)), ..all_tasks() }, &["a-1", "b-1"]).await;

    let prod = Some(Qualifier::new("prod").expect("a valid qualifier"));
    check(&driver, TaskQuery { qualifier: prod.clone(), ..all_tasks() }, &["a-prod"]).await;
    let all_at_once =
        TaskQuery { qualifier: Some(Qualifier::latest()), status: Some(Status::Enqueued), ..prefix("a-") };
    check(&driver, TaskQuery { accepted_to: Some(at(30)), ..all_at_once }, &["a-1", "a-2"]).await;
    check(&driver, TaskQuery { qualifier: prod, ..prefix("b") }, &[]).await;
}

/// What is accepted after the clock stepped back has a later id than its time says.
pub async fn the_time_filter_holds_when_the_clock_steps_back(subject: impl Subject) {
    let driver = Driver::new(subject);
    for (now, name) in [(5000, "late"), (1000, "early"), (6000, "latest")] {
        driver.submit(at(now), task(name)).await;
    }
    check(&driver, TaskQuery { accepted_to: Some(at(2000)), ..all_tasks() }, &["early"]).await;
    check(&driver, TaskQuery { accepted_from: Some(at(2000)), ..all_tasks() }, &["late", "latest"]).await;
}

pub async fn events_come_with_a_list_only_if_asked_for_and_results_never(subject: impl Subject) {
    let driver = Driver::new(subject);
    driver.settle(at(0), task("job")).await;
    for payloads in [false, true] {
        let tasks = every_page(driver.store(), TaskQuery { payloads, ..all_tasks() }).await;
        let expected = payloads.then_some(&b"event of job"[..]);
        assert_eq!((tasks[0].payload.as_deref(), &tasks[0].result), (expected, &None));
    }
}

/// Between the pages tasks are added, changed and removed; what is there all the time is seen exactly once.
pub async fn pages_visit_every_task_once_while_others_come_and_go(subject: impl Subject) {
    let driver = Driver::new(subject);
    for order in [SortOrder::OldestFirst, SortOrder::NewestFirst] {
        let round = if order == SortOrder::OldestFirst { "old" } else { "new" };
        driver.settle(at(0), task(&format!("{round}-purged"))).await;
        let mut steady = Vec::new();
        for index in 0..23 {
            steady.push(driver.submit(at(index), task(&format!("{round}-{index}"))).await);
        }
        let prefix = format!("{round}-");
        let query = TaskQuery { order, limit: 4, id_prefix: Some(prefix), ..all_tasks() };
        let seen = visit_while_changing(&driver, query, round).await;
        let seen: Vec<_> = seen.into_iter().filter(|id| steady.contains(id)).collect();
        if order == SortOrder::NewestFirst {
            steady.reverse();
        }
        assert_eq!(seen, steady, "{order:?}");
    }
}

async fn visit_while_changing<S: Subject>(
    driver: &Driver<S>,
    mut query: TaskQuery,
    round: &str,
) -> Vec<InvocationId> {
    let mut seen = Vec::new();
    for page_number in 0..1000 {
        let page = driver.store().tasks(query.clone()).await.expect("a page");
        seen.extend(page.tasks.iter().map(|view| view.invocation.id));
        query.after = page.next;
        if page.next.is_none() {
            return seen;
        }
        if page_number < 10 {
            driver.submit(at(100), task(&format!("{round}-added-{page_number}"))).await;
        }
        driver.claim(at(100), 1).await;
        driver.purge(at(100), at(1), 1).await;
    }
    panic!("the pages do not end");
}

/// A filter that few tasks pass makes a store look at many for one page; it may stop early, but not lose any.
pub async fn a_rare_task_is_found_among_many(subject: impl Subject) {
    let driver = Driver::new(subject);
    for group in 0..6 {
        let names = (0..250).map(|index| format!("job-{group}-{index}"));
        driver.submit_all(at(group), names.map(|name| task(&name)).collect()).await;
    }
    driver.stop(at(10), "job-1-7").await;
    driver.stop(at(10), "job-4-200").await;
    let stopped = TaskQuery { status: Some(Status::Stopped), ..all_tasks() };
    check(&driver, stopped.clone(), &["job-1-7", "job-4-200"]).await;
    check(&driver, TaskQuery { id_prefix: Some("job-5-249".to_owned()), ..all_tasks() }, &["job-5-249"])
        .await;
    let driver = driver.reopen().await;
    check(&driver, stopped, &["job-1-7", "job-4-200"]).await;
}
