//! Result callback with targets of other systems.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bide_engine::{
    BoxFuture, DestinationStatus, DestinationTarget, Destinations, Mapping, Message, NotDelivered, Options,
    Status,
};
use bide_types::ErrorCode;
use bide_types::resource::AsyncInvokeConfig;
use tokio::sync::Semaphore;

use crate::fixture::{Fixture, task_id};

const STEP: Duration = Duration::from_millis(100);
const TIMEOUT: Duration = Duration::from_secs(10);

/// Queues whose names say how they take messages: `good` and `other` do, `down` does not, `silent` says nothing,
/// `slow` waits for permits. Others do not exist.
#[derive(Clone)]
struct Queues {
    got: Arc<Mutex<Vec<Arc<Message>>>>,
    /// Messages sent to `down`.
    refused: Arc<Mutex<usize>>,
    /// Whether `down` is down.
    down: Arc<Mutex<bool>>,
    permits: Arc<Semaphore>,
}

struct Queue {
    name: &'static str,
    queues: Queues,
}

impl Queues {
    fn new() -> Self {
        Self {
            got: Arc::default(),
            refused: Arc::default(),
            down: Arc::new(Mutex::new(true)),
            permits: Arc::new(Semaphore::new(0)),
        }
    }

    fn got(&self) -> Vec<Arc<Message>> {
        self.got.lock().expect("nobody panics").clone()
    }
}

impl Destinations for Queues {
    fn find(&self, resource: &str) -> Option<Mapping> {
        let name = ["good", "other", "down", "silent", "slow"]
            .into_iter()
            .find(|name| resource == format!("acs:mns:local:10001:/queues/{name}/messages"))?;
        let target = Arc::new(Queue { name, queues: self.clone() });
        Some(Mapping {
            name: name.into(),
            target,
            concurrency: 2,
            timeout: TIMEOUT,
            attempts: Mapping::ATTEMPTS_MAX,
        })
    }
}

impl DestinationTarget for Queue {
    fn send(&self, message: Arc<Message>) -> BoxFuture<'_, Result<(), NotDelivered>> {
        Box::pin(async move {
            if self.name == "slow" {
                self.queues.permits.acquire().await.expect("never closed").forget();
            }
            if self.name == "silent" {
                std::future::pending::<()>().await;
            }
            if self.name == "down" && *self.queues.down.lock().expect("nobody panics") {
                *self.queues.refused.lock().expect("nobody panics") += 1;
                return Err(NotDelivered("it is down".to_owned()));
            }
            self.queues.got.lock().expect("nobody panics").push(message);
            Ok(())
        })
    }
}

fn queue(name: &str) -> String {
    format!("acs:mns:::/queues/{name}/messages")
}

async fn fixture(queues: &Queues) -> Fixture {
    Fixture::with_destinations(50, Options::default(), Arc::new(queues.clone())).await.0
}

/// Lets the ends of `function` go to a queue.
async fn configure(fixture: &Fixture, function: &str, destination: String) -> Result<(), bide_engine::Error> {
    let change = |config: &mut AsyncInvokeConfig| {
        config.stateful = Some(true);
        config.on_success = Some(destination.clone());
        config.on_failure = Some(destination);
    };
    fixture.engine.put_async_config(&fixture.target(function), change).await.map(|_| ())
}

/// Moves the clock until so many messages have arrived.
async fn until_got(fixture: &Fixture, queues: &Queues, count: usize) {
    for _ in 0..2000 {
        fixture.settle().await;
        if queues.got().len() >= count {
            return;
        }
        fixture.clock.advance(STEP);
    }
    panic!("{} messages of {count}", queues.got().len());
}

#[tokio::test]
async fn each_end_reaches_the_queue_with_its_record() {
    let queues = Queues::new();
    let fixture = fixture(&queues).await;
    configure(&fixture, "f", queue("good")).await.expect("put");
    fixture.submit("ok", "hello", 0).await.expect("accepted");
    fixture.submit("bad", "fail", 0).await.expect("accepted");
    fixture.submit("stopped", "x", 60).await.expect("accepted");
    fixture.engine.stop_task(&fixture.target("f"), &task_id("stopped")).await.expect("stopped");
    until_got(&fixture, &queues, 3).await;
    let mut conditions: Vec<String> = queues.got().iter().map(|message| message.condition.clone()).collect();
    conditions.sort_unstable();
    assert_eq!(conditions, ["", "InvocationStopped", "UnhandledInvocationError"]);
    for message in queues.got() {
        let record: serde_json::Value = serde_json::from_slice(&message.record).expect("JSON");
        assert_eq!(record["requestContext"]["condition"], message.condition.as_str());
        assert_eq!(record["requestContext"]["functionArn"], message.function_arn.as_str());
        assert_eq!(message.resource, "acs:mns:local:10001:/queues/good/messages");
    }
    fixture.settle().await;
    assert_eq!(fixture.task("ok").await.invocation.destination, DestinationStatus::Delivered);
}

#[tokio::test]
async fn a_queue_that_nothing_stands_for_is_refused_with_advice() {
    let fixture = fixture(&Queues::new()).await;
    let refused = configure(&fixture, "f", queue("nowhere")).await.expect_err("refused");
    assert_eq!(refused.code(), ErrorCode::InvalidArgument);
    let text = refused.to_string();
    assert!(
        text.contains("[[destinations]]") && text.contains("acs:mns:local:10001:/queues/nowhere/messages"),
        "{text}"
    );
    let other = configure(&fixture, "f", "acs:mns::20002:/queues/good/messages".to_owned()).await;
    assert!(other.expect_err("refused").to_string().contains("another account"));
}

#[tokio::test]
async fn what_is_slow_silent_or_down_holds_up_nothing_else() {
    let queues = Queues::new();
    let fixture = fixture(&queues).await;
    for name in ["slow", "silent", "down"] {
        configure(&fixture, "f", queue(name)).await.expect("put");
        for number in 0..20 {
            fixture.submit(&format!("{name}-{number}"), "x", 0).await.expect("accepted");
        }
        fixture.until_status(&format!("{name}-19"), Status::Succeeded, STEP).await;
    }
    configure(&fixture, "g", queue("good")).await.expect("put");
    fixture.submit_to("g", "t", "x", 0).await.expect("accepted");
    until_got(&fixture, &queues, 1).await;
    assert_eq!(queues.got()[0].name, "good");
    // And what is slow gets all in the end.
    queues.permits.add_permits(20);
    until_got(&fixture, &queues, 21).await;
    let slow = queues.got().iter().filter(|message| message.name == "slow").count();
    assert_eq!(slow, 20, "each once");
}

#[tokio::test]
async fn a_fast_target_that_falls_silent_holds_up_nothing_else() {
    const FAST: usize = 100;
    let queues = Queues::new();
    let fixture = fixture(&queues).await;
    configure(&fixture, "f", queue("slow")).await.expect("put");
    configure(&fixture, "g", queue("good")).await.expect("put");
    queues.permits.add_permits(FAST);
    // More than its lane holds, since 1024 of them wait there.
    for number in 0..FAST + 1100 {
        fixture.submit(&format!("t-{number}"), "x", 0).await.expect("accepted");
    }
    fixture.submit_to("g", "t", "x", 0).await.expect("accepted");
    let good = |queues: &Queues| queues.got().iter().filter(|message| message.name == "good").count();
    for _ in 0..30 {
        fixture.settle().await;
        fixture.clock.advance(STEP);
    }
    assert_eq!((queues.got().len(), good(&queues)), (FAST + 1, 1), "within 3 s");
}

#[tokio::test]
async fn a_target_that_is_down_is_left_alone_and_gets_all_when_it_is_back() {
    let queues = Queues::new();
    let fixture = fixture(&queues).await;
    configure(&fixture, "f", queue("down")).await.expect("put");
    for number in 0..30 {
        fixture.submit(&format!("t-{number}"), "x", 0).await.expect("accepted");
    }
    for _ in 0..600 {
        fixture.settle().await;
        fixture.clock.advance(STEP);
    }
    let refused = *queues.refused.lock().expect("nobody panics");
    assert!((5..30).contains(&refused), "{refused} attempts in a minute for 30 records");
    *queues.down.lock().expect("nobody panics") = false;
    until_got(&fixture, &queues, 30).await;
    let mut ids: Vec<String> = queues.got().iter().map(|message| message.id.clone()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 30);
}

#[tokio::test]
async fn a_failed_record_is_sent_again_when_its_wait_is_over() {
    let queues = Queues::new();
    let fixture = fixture(&queues).await;
    configure(&fixture, "f", queue("down")).await.expect("put");
    fixture.submit("t", "x", 0).await.expect("accepted");
    fixture.until_status("t", Status::Succeeded, STEP).await;
    fixture.settle().await;
    let mut refused = vec![*queues.refused.lock().expect("nobody panics")];
    for wait in [1, 2] {
        fixture.clock.advance(Duration::from_secs(wait));
        fixture.settle().await;
        refused.push(*queues.refused.lock().expect("nobody panics"));
    }
    assert_eq!(refused, [1, 2, 3]);
}

#[tokio::test]
async fn a_target_that_says_nothing_has_failed_after_its_time() {
    let queues = Queues::new();
    let fixture = fixture(&queues).await;
    configure(&fixture, "f", queue("silent")).await.expect("put");
    fixture.submit("t", "x", 0).await.expect("accepted");
    fixture.until_status("t", Status::Succeeded, STEP).await;
    let mut attempts = 0;
    for _ in 0..150 {
        fixture.settle().await;
        fixture.clock.advance(STEP);
        let id = fixture.task("t").await.invocation.id;
        let pending = bide_store::Store::delivery(&fixture.store, id).await.expect("readable");
        attempts = pending.expect("it waits").attempts;
    }
    assert_eq!(attempts, 1);
}

#[tokio::test]
async fn what_was_not_confirmed_is_sent_again_after_a_crash() {
    let queues = Queues::new();
    let fixture = fixture(&queues).await;
    configure(&fixture, "f", queue("slow")).await.expect("put");
    fixture.submit("t", "x", 0).await.expect("accepted");
    fixture.until_status("t", Status::Succeeded, STEP).await;
    fixture.settle().await;
    let fixture = fixture.crash(2).await;
    queues.permits.add_permits(2);
    until_got(&fixture, &queues, 1).await;
    fixture.settle().await;
    let task = fixture.engine.task(&fixture.target("f"), &task_id("t")).await.expect("exists");
    assert_eq!(task.invocation.destination, DestinationStatus::Delivered);
}

#[tokio::test]
async fn a_shutdown_lets_a_delivery_finish_and_no_longer_than_the_drain_timeout() {
    for permits in [1, 0] {
        let queues = Queues::new();
        let fixture = fixture(&queues).await;
        configure(&fixture, "f", queue("slow")).await.expect("put");
        fixture.submit("t", "x", 0).await.expect("accepted");
        fixture.until_status("t", Status::Succeeded, STEP).await;
        fixture.settle().await;
        let engine = fixture.engine.clone();
        let drain = tokio::spawn(async move { engine.drain().await });
        fixture.settle().await;
        assert!(!drain.is_finished());
        queues.permits.add_permits(permits);
        fixture.settle().await;
        if permits == 0 {
            fixture.clock.advance(Options::default().drain_timeout);
        }
        drain.await.expect("no panic");
        assert_eq!(queues.got().len(), permits);
    }
}

/// Lets the clock pass all attempts to deliver.
async fn until_dead(fixture: &Fixture, count: usize) {
    for _ in 0..200 {
        fixture.settle().await;
        let letters = fixture.engine.dead_letters(&fixture.account, None, 100).await.expect("readable");
        if letters.letters.len() == count {
            return;
        }
        fixture.clock.advance(Duration::from_secs(60));
    }
    panic!("never {count} dead letters");
}

#[tokio::test]
async fn what_is_given_up_can_be_read_and_delivered_again() {
    let queues = Queues::new();
    let fixture = fixture(&queues).await;
    configure(&fixture, "f", queue("down")).await.expect("put");
    for number in 0..3 {
        fixture.submit(&format!("t-{number}"), "x", 0).await.expect("accepted");
    }
    until_dead(&fixture, 3).await;
    let fixture = fixture.crash(2).await;
    let (engine, account) = (fixture.engine.clone(), fixture.account.clone());
    let first = engine.dead_letters(&account, None, 2).await.expect("readable");
    let rest = engine.dead_letters(&account, first.next, 2).await.expect("readable");
    assert_eq!((first.letters.len(), rest.letters.len(), rest.next), (2, 1, None));
    let id = first.letters[0].letter.delivery.invocation;
    let (view, record) = engine.dead_letter(&account, id).await.expect("it is there");
    assert_eq!((view.condition(), view.letter.attempts), ("", 20));
    let record: serde_json::Value = serde_json::from_slice(&record).expect("JSON");
    assert_eq!(record["requestPayload"], "x");

    let stranger = bide_types::AccountId::new("20002").expect("valid");
    assert!(engine.dead_letters(&stranger, None, 10).await.expect("readable").letters.is_empty());
    for refused in [
        engine.dead_letter(&stranger, id).await.map(|_| ()),
        engine.change_dead_letter(&stranger, id, false).await,
        engine.change_dead_letters(&stranger, false).await.map(|changed| assert_eq!(changed, 0)),
    ] {
        assert!(refused.is_ok() || refused.is_err_and(|error| error.code() == ErrorCode::DeadLetterNotFound));
    }

    *queues.down.lock().expect("nobody panics") = false;
    engine.change_dead_letter(&account, id, true).await.expect("redriven");
    until_got(&fixture, &queues, 1).await;
    let again = engine.change_dead_letter(&account, id, true).await.expect_err("it is no dead letter");
    assert_eq!(again.code(), ErrorCode::DeadLetterNotFound);
    let last = rest.letters[0].letter.delivery.invocation;
    engine.change_dead_letter(&account, last, false).await.expect("dropped");
    assert_eq!(engine.change_dead_letters(&account, true).await.expect("redriven"), 1);
    until_got(&fixture, &queues, 2).await;
    fixture.settle().await;
    assert!(engine.dead_letters(&account, None, 10).await.expect("readable").letters.is_empty());
    let mut ends: Vec<_> = Vec::new();
    for number in 0..3 {
        let target = fixture.target("f");
        let task = engine.task(&target, &task_id(&format!("t-{number}"))).await.expect("exists");
        ends.push(task.invocation.destination);
    }
    ends.sort_by_key(|end| *end == DestinationStatus::Failed);
    assert_eq!(ends, [DestinationStatus::Delivered, DestinationStatus::Delivered, DestinationStatus::Failed]);
}

#[tokio::test]
async fn dead_letters_are_bounded_by_number_and_age() {
    let queues = Queues::new();
    let options = Options { dead_letters_max: 2, ..Options::default() };
    let fixture = Fixture::with_destinations(50, options.clone(), Arc::new(queues.clone())).await.0;
    configure(&fixture, "f", queue("down")).await.expect("put");
    for number in 0..5 {
        fixture.submit(&format!("t-{number}"), "x", 0).await.expect("accepted");
    }
    until_dead(&fixture, 2).await;
    for _ in 0..3 {
        fixture.clock.advance(options.dead_letter_retention);
        fixture.settle().await;
    }
    let letters = fixture.engine.dead_letters(&fixture.account, None, 10).await.expect("readable");
    assert!(letters.letters.is_empty(), "{letters:?}");
}
