//! Pages of tasks beyond what the suite does: bounded work, and clocks that step back.

use bide_core::Status;
use bide_store::{SortOrder, Store, TaskQuery};
use bide_store_local::LocalStore;
use bide_types::Qualifier;

use crate::support::{FUNCTION, at, directory, open, submit, task, task_id};

fn all() -> TaskQuery {
    TaskQuery {
        function: FUNCTION,
        qualifier: None,
        status: None,
        id_prefix: None,
        accepted_from: None,
        accepted_to: None,
        order: SortOrder::OldestFirst,
        limit: 100,
        after: None,
        payloads: false,
    }
}

/// Follows the pages to the end: the tasks' numbers and the number of pages.
async fn pages(store: &LocalStore, mut query: TaskQuery) -> (Vec<String>, usize) {
    let (mut found, mut count) = (Vec::new(), 0);
    loop {
        let page = store.tasks(query.clone()).await.expect("a page");
        count += 1;
        let names = page.tasks.iter().filter_map(|task| task.invocation.task_id());
        found.extend(names.map(|name| name.as_str().to_owned()));
        match page.next {
            None => return (found, count),
            next => query.after = next,
        }
    }
}

#[tokio::test]
async fn the_work_for_a_page_is_bounded_and_the_next_page_goes_on() {
    let directory = directory();
    let store = open(directory.path());
    for chunk in 0..25 {
        let tasks = (chunk * 1000..(chunk + 1) * 1000).map(|number| {
            let mut submission = task(number);
            if number == 24_500 {
                submission.enqueue.qualifier = Qualifier::new("prod").expect("a valid qualifier");
            }
            submission
        });
        submit(&store, at(chunk), tasks.collect()).await.expect("a commit");
    }
    let query = TaskQuery { qualifier: Qualifier::new("prod").ok(), ..all() };
    let (found, count) = pages(&store, query.clone()).await;
    assert_eq!(found, ["task-24500"]);
    assert_eq!(count, 3, "25000 records at 10000 for a page");
    let (found, count) = pages(&store, TaskQuery { status: Some(Status::Enqueued), ..query.clone() }).await;
    assert_eq!((found.len(), count), (1, 3));
    let (found, count) = pages(&store, TaskQuery { order: SortOrder::NewestFirst, ..query }).await;
    assert_eq!((found.len(), count), (1, 3));

    let few = TaskQuery { id_prefix: Some("task-2450".to_owned()), limit: 4, ..all() };
    let (found, _) = pages(&store, few).await;
    assert_eq!(found.len(), 11, "task-2450 and task-24500 to task-24509");
    let many = TaskQuery { id_prefix: Some("task-2".to_owned()), order: SortOrder::NewestFirst, ..all() };
    let (found, _) = pages(&store, many).await;
    assert_eq!(found.len(), 6111, "too many to collect, found through the order of acceptance");
    assert_eq!(found[0], "task-24999");
}

#[tokio::test]
async fn a_range_of_time_is_exact_when_the_clock_steps_back() {
    let directory = directory();
    let store = open(directory.path());
    for (number, millis) in [10_000, 20_000, 5_000, 5_001, 30_000].into_iter().enumerate() {
        submit(&store, at(millis), vec![task(number as u64)]).await.expect("a commit");
    }
    let range =
        |from: u64, to: u64| TaskQuery { accepted_from: Some(at(from)), accepted_to: Some(at(to)), ..all() };
    for order in [SortOrder::OldestFirst, SortOrder::NewestFirst] {
        let found = |from, to| pages(&store, TaskQuery { order, ..range(from, to) });
        assert_eq!(found(5_000, 5_000).await.0, ["task-2"]);
        assert_eq!(found(0, 9_999).await.0.len(), 2);
        assert_eq!(found(20_000, 20_000).await.0, ["task-1"]);
        assert_eq!(found(0, 40_000).await.0.len(), 5);
    }
    let endless = TaskQuery { accepted_to: Some(bide_types::Timestamp::MAX), ..all() };
    assert_eq!(pages(&store, endless).await.0.len(), 5);

    drop(store);
    let store = open(directory.path());
    assert_eq!(pages(&store, range(0, 9_999)).await.0.len(), 2, "how far ids are ahead outlives a restart");
    assert!(store.task(FUNCTION, task_id(3)).await.expect("a read").is_some());
}
