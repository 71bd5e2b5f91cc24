use std::sync::atomic::{AtomicUsize, Ordering};

use bide_types::resource::{Code, Function, Runtime};
use bide_types::{AccountId, FunctionName, Qualifier, ServiceName, Timestamp};

use super::*;
use crate::executor::Scale;
use crate::executor::Tracing;

fn spec() -> Arc<FunctionSpec> {
    let function = Function {
        id: FunctionId::new(1),
        memory_mb: 128,
        code: Code { digest: "00".to_owned(), crc64: 0, size_bytes: 0 },
        revision: 1,
        ..Function::new(
            AccountId::new("1").unwrap(),
            ServiceName::new("s").unwrap(),
            FunctionName::new("f").unwrap(),
            Runtime::parse("python3").unwrap(),
            "a.b".to_owned(),
            Timestamp::ZERO,
        )
    };
    Arc::new(FunctionSpec {
        function: Arc::new(function),
        qualifier: Qualifier::latest(),
        version_id: String::new(),
        region: String::new(),
        internet_access: false,
        role_arn: String::new(),
        scale: Scale::default(),
    })
}

fn request(id: &str) -> InvokeRequest {
    InvokeRequest {
        request_id: RequestId::new(id).unwrap(),
        payload: Bytes::from_static(b"event"),
        retry_count: 0,
        task_id: None,
        alias: None,
        tracing: Tracing::default(),
        http: None,
        responder: None,
    }
}

#[tokio::test]
async fn the_script_decides_and_the_slot_comes_back() {
    let fake =
        FakeExecutor::new(1, |_, request| FakeRun::Finish(AttemptResult::Returned(request.payload.clone())));
    let freed = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&freed);
    fake.on_capacity(Arc::new(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
    }));
    let spec = spec();
    let slot = fake.try_reserve(&spec).unwrap();
    assert!(fake.try_reserve(&spec).is_none());
    let outcome = slot.invoke(request("a"), Cancel::new(), Box::new(|_| {})).await;
    assert_eq!(outcome.result, AttemptResult::Returned(Bytes::from_static(b"event")));
    assert_eq!(freed.load(Ordering::Relaxed), 1);
    assert_eq!(fake.started(), [(RequestId::new("a").unwrap(), 0)]);
}

#[tokio::test]
async fn a_held_attempt_ends_by_release_or_by_cancelling() {
    let fake = FakeExecutor::new(2, |_, _| FakeRun::Hold);
    let spec = spec();
    let cancel = Cancel::new();
    let run = |id: &str, cancel: &Cancel| {
        let slot = fake.try_reserve(&spec).unwrap();
        tokio::spawn(slot.invoke(request(id), cancel.clone(), Box::new(|_| {})))
    };
    let (one, two) = (run("a", &Cancel::new()), run("b", &cancel));
    fake.until(|fake| fake.held().len() == 2).await;
    let done = AttemptResult::Returned(Bytes::new());
    assert!(fake.release(&RequestId::new("a").unwrap(), done.clone()));
    cancel.cancel();
    assert_eq!(one.await.unwrap().result, done);
    assert_eq!(two.await.unwrap().result, AttemptResult::Stopped);
    assert!(!fake.release(&RequestId::new("a").unwrap(), done));
}

#[tokio::test]
async fn shutdown_turns_away_those_who_wait() {
    let fake = FakeExecutor::new(1, |_, _| FakeRun::Hold);
    let spec = spec();
    let _slot = fake.try_reserve(&spec).unwrap();
    let (waiting, ()) = tokio::join!(fake.reserve(&spec), fake.shutdown());
    assert!(waiting.is_err());
}
