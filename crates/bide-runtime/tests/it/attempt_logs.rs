//! What an attempt logged, as it is kept with its task.

use bide_runtime::{AttemptLog, AttemptOutcome};

use crate::world::{World, log, spec};

const KEPT: usize = 16 * 1024;

fn kept(outcome: &AttemptOutcome) -> &str {
    std::str::from_utf8(&outcome.log.text).unwrap()
}

#[tokio::test]
async fn the_end_of_a_long_log_is_kept_and_what_went_before_is_counted() {
    let world = World::new().await;
    let spec =
        spec(world.python("def handler(event, context):\n    print('x' * 99_999)\n    print('the end')\n"));
    for _ in 0..2 {
        let outcome = world.call(&spec, "").await;
        assert_eq!((outcome.log.text.len(), outcome.log_tail.len()), (KEPT, 4096));
        assert!(kept(&outcome).contains("x\nthe end\nFC Invoke End RequestId: req-1"), "{}", log(&outcome));
        assert!(kept(&outcome).ends_with(log(&outcome)));
        let marks = "FC Invoke Start RequestId: req-1\nFC Invoke End RequestId: req-1\n".len() as u64;
        let all = KEPT as u64 + outcome.log.dropped_bytes;
        assert!(all >= 100_008 + marks, "{all} bytes are accounted for");
    }
}

#[tokio::test]
async fn an_attempt_that_prints_nothing_has_no_log() {
    let world = World::new().await;
    let spec =
        spec(world.python("def handler(event, context):\n    print(end=event.decode())\n    return 'x'\n"));
    assert!(kept(&world.call(&spec, "one").await).contains("\none"));
    let outcome = world.call(&spec, "").await;
    assert_eq!(outcome.log, AttemptLog::default(), "only marks");
    assert!(log(&outcome).contains("FC Invoke End"), "which the caller gets all the same");
}

#[tokio::test]
async fn code_that_cannot_be_loaded_tells_why_in_the_log() {
    let world = World::new().await;
    let mut function = world.python("print('loading')\nraise ValueError('at import')\n");
    for concurrency in [1, 2] {
        function.instance_concurrency = concurrency;
        let outcome = world.call(&spec(function.clone()), "").await;
        assert!(kept(&outcome).contains("loading"), "{outcome:?}");
        assert_eq!(outcome.log_tail.is_empty(), concurrency == 2);
    }
}
