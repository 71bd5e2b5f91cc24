//! What is removed gives its space back.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bide_engine::{Options, Status};

use crate::fixture::Fixture;

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn the_space_of_removed_tasks_is_given_back_at_most_once_an_hour() {
    let options = Options { task_retention: MINUTE, ..Options::default() };
    let (fixture, troubled) = Fixture::with(1, options).await;
    let reclaims = || troubled.reclaims.load(Ordering::Relaxed);
    let minutes = async |count: u32| {
        for _ in 0..count {
            fixture.clock.advance(MINUTE);
            fixture.settle().await;
        }
    };
    minutes(3).await;
    assert_eq!(reclaims(), 0, "nothing was removed");
    for (task, expected) in [("first", 1), ("second", 1)] {
        fixture.submit(task, "x", 0).await.expect("accepted");
        fixture.until_status(task, Status::Succeeded, Duration::ZERO).await;
        minutes(3).await;
        assert_eq!(reclaims(), expected, "after the {task} went");
    }
    minutes(60).await;
    assert_eq!(reclaims(), 2, "what was put off");
    minutes(120).await;
    assert_eq!(reclaims(), 2, "nothing was removed since");
}
