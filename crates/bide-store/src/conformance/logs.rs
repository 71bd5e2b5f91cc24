//! The logs of a task's attempts: which are kept, and how long.

use bide_core::{Command, Failure, Run};
use bide_types::InvocationId;
use bytes::Bytes;

use super::Subject;
use super::driver::{Driver, FUNCTION, at, fail, plain, start, succeed, task, task_id, with_destinations};
use crate::attempt_log::{AttemptEnd, AttemptLog, LogText};
use crate::batch::{Batch, Transition};

/// Long enough for a store to keep it apart.
const LONG: usize = 10_000;

fn text(text: &str) -> Option<LogText> {
    Some(LogText { text: Bytes::from(text.to_owned()), dropped_bytes: 0 })
}

async fn end<S: Subject>(
    driver: &Driver<S>,
    now: u64,
    invocation: InvocationId,
    command: Command,
    log: Option<LogText>,
) {
    let transitions = vec![Transition { invocation, command, result: None, log }];
    driver.commit(Batch { now: at(now), transitions, ..Batch::default() }).await;
}

async fn logs<S: Subject>(driver: &Driver<S>, task: &str) -> Vec<AttemptLog> {
    driver.store().task_logs(FUNCTION, task_id(task)).await.expect("a read").expect("a task").logs
}

pub async fn each_attempt_of_a_task_keeps_its_log(subject: impl Subject) {
    let driver = Driver::new(subject);
    let id = driver.submit(at(0), task("job")).await;
    let (_, epoch) = driver.start_one(at(1)).await;
    end(&driver, 2, id, fail(epoch), text("first")).await;
    let driver = driver.reopen().await;
    let (_, epoch) = driver.start_one(at(5000)).await;
    assert_eq!(logs(&driver, "job").await.len(), 1, "the second still runs");
    let long = LogText { text: Bytes::from(vec![b'x'; LONG]), dropped_bytes: 7 };
    end(&driver, 5010, id, succeed(epoch), Some(long.clone())).await;
    let driver = driver.reopen().await;
    let [first, second] = <[AttemptLog; 2]>::try_from(logs(&driver, "job").await).expect("two");
    assert_eq!((first.attempt, first.ended_at, &first.log.text[..]), (1, at(2), &b"first"[..]));
    assert!(matches!(first.end, AttemptEnd::Failed(_)), "{:?}", first.end);
    assert_eq!(first.instance.as_ref().map(|instance| instance.as_str()), Some("c-1"));
    assert_eq!((second.attempt, second.end, &second.log), (2, AttemptEnd::Succeeded, &long));
    assert_eq!(second.duration.as_millis(), 5);
    assert_eq!(driver.store().task_logs(FUNCTION, task_id("other")).await.expect("a read"), None);
}

pub async fn what_wrote_nothing_or_is_no_task_keeps_no_log(subject: impl Subject) {
    let mut driver = Driver::new(subject);
    driver.use_policy(with_destinations());
    for (now, log) in [(0, None), (10, text(""))] {
        let id = driver.submit(at(now), task(&format!("silent-{now}"))).await;
        let (_, epoch) = driver.start_one(at(now)).await;
        end(&driver, now, id, succeed(epoch), log).await;
        assert_eq!(logs(&driver, &format!("silent-{now}")).await, []);
    }
    // It stays for its destination, but nobody can ask for its log.
    let id = driver.submit(at(20), plain()).await;
    let (_, epoch) = driver.start_one(at(20)).await;
    end(&driver, 20, id, succeed(epoch), text("a line")).await;
    assert_eq!(driver.pending_deliveries().await.len(), 3);
}

pub async fn a_refused_end_leaves_no_log(subject: impl Subject) {
    let driver = Driver::new(subject);
    let id = driver.submit(at(0), task("job")).await;
    let (_, epoch) = driver.start_one(at(0)).await;
    end(&driver, 1, id, fail(epoch), text("first")).await;
    let (_, later) = driver.start_one(at(5000)).await;
    end(&driver, 5001, id, succeed(epoch), text("late")).await;
    end(&driver, 5002, id, succeed(later), text("second")).await;
    end(&driver, 5003, id, succeed(later), text("again")).await;
    let texts: Vec<_> = logs(&driver, "job").await.into_iter().map(|log| log.log.text).collect();
    assert_eq!(texts, [&b"first"[..], b"second"]);
}

pub async fn an_attempt_whose_server_is_gone_says_so(subject: impl Subject) {
    let driver = Driver::new(subject);
    let id = driver.submit(at(0), task("job")).await;
    let (_, epoch) = driver.start_one(at(0)).await;
    end(&driver, 1, id, Command::Lapse { epoch }, None).await;
    let (_, epoch) = driver.start_one(at(5000)).await;
    end(&driver, 5001, id, Command::Lapse { epoch }, text("interrupted")).await;
    // Ended in order, and silent.
    let (_, epoch) = driver.start_one(at(50_000)).await;
    end(&driver, 50_001, id, Command::Lapse { epoch }, text("")).await;
    // Taken from the queue, but its code was not started.
    let claimed = driver.claim_one(at(500_000)).await.invocation;
    end(&driver, 500_001, id, Command::Lapse { epoch: claimed.epoch }, None).await;
    let ends: Vec<_> = logs(&driver, "job").await.into_iter().map(|log| (log.attempt, log.end)).collect();
    assert_eq!(ends, [(1, AttemptEnd::Lost), (2, AttemptEnd::Interrupted)]);
}

pub async fn code_that_cannot_be_loaded_keeps_its_log(subject: impl Subject) {
    let driver = Driver::new(subject);
    let id = driver.submit(at(0), task("job")).await;
    let refused = driver.claim_one(at(0)).await.invocation.epoch;
    let command = Command::Fail { epoch: refused, failure: Failure::System, run: Run::default() };
    end(&driver, 1, id, command, text("no attempt of the function")).await;
    let epoch = driver.claim_one(at(50_000)).await.invocation.epoch;
    end(&driver, 50_001, id, fail(epoch), text("ImportError")).await;
    let kept = logs(&driver, "job").await;
    assert_eq!(kept.len(), 1);
    assert_eq!((kept[0].attempt, &kept[0].log.text[..]), (1, &b"ImportError"[..]));
}

pub async fn of_many_attempts_the_first_and_the_last_keep_their_logs(subject: impl Subject) {
    let driver = Driver::new(subject);
    let id = driver.submit(at(0), task("job")).await;
    let mut now = 0;
    for attempt in 1..=30 {
        now += 400_000;
        let epoch = driver.claim_one(at(now)).await.invocation.epoch;
        let transitions = vec![
            Transition { invocation: id, command: start(epoch), result: None, log: None },
            Transition {
                invocation: id,
                command: Command::Lapse { epoch },
                result: None,
                log: text(&format!("of attempt {attempt}")),
            },
        ];
        driver.commit(Batch { now: at(now), transitions, ..Batch::default() }).await;
    }
    let driver = driver.reopen().await;
    let kept = logs(&driver, "job").await;
    let attempts: Vec<u32> = kept.iter().map(|log| log.attempt).collect();
    assert_eq!(attempts, [1, 2, 3, 4, 23, 24, 25, 26, 27, 28, 29, 30]);
    assert!(kept.iter().all(|log| log.log.text == format!("of attempt {}", log.attempt)));
}

pub async fn logs_go_with_their_task(subject: impl Subject) {
    let driver = Driver::new(subject);
    let id = driver.submit(at(0), task("job")).await;
    let (_, epoch) = driver.start_one(at(0)).await;
    end(&driver, 1, id, fail(epoch), text("first")).await;
    let (_, epoch) = driver.start_one(at(5000)).await;
    end(&driver, 5001, id, succeed(epoch), text("second")).await;
    assert_eq!(driver.purge(at(10_000), at(10_000), 10).await, 1);
    assert_eq!(driver.store().task_logs(FUNCTION, task_id("job")).await.expect("a read"), None);
    let driver = driver.reopen().await;
    driver.submit(at(20_000), task("job")).await;
    assert_eq!(logs(&driver, "job").await, [], "nothing is left of the first");
}
