//! What is accepted and what is refused.

use bide_engine::{AttemptResult, SyncCall, Tracing};
use bide_types::{ErrorCode, RequestId};
use bytes::Bytes;

use crate::fixture::Fixture;

#[tokio::test]
async fn the_same_task_id_is_accepted_once() {
    let fixture = Fixture::new(4).await;
    fixture.submit("t", "x", 0).await.expect("accepted");
    let error = fixture.submit("t", "x", 0).await.expect_err("taken");
    assert_eq!(error.code(), ErrorCode::StatefulAsyncInvocationAlreadyExists);
    fixture.submit_to("g", "t", "x", 0).await.expect("ids are per function");
}

#[tokio::test]
async fn a_delay_that_the_age_would_overtake_is_refused() {
    let fixture = Fixture::new(4).await;
    let target = fixture.target("f");
    fixture
        .engine
        .put_async_config(&target, |config| config.event_age_max_seconds = Some(60))
        .await
        .expect("put");
    fixture.submit("a", "x", 59).await.expect("accepted");
    let error = fixture.submit("b", "x", 60).await.expect_err("refused");
    assert_eq!(error.code(), ErrorCode::InvalidArgument);
}

#[tokio::test]
async fn a_synchronous_call_returns_what_the_function_returns() {
    let fixture = Fixture::new(1).await;
    let call = SyncCall {
        request_id: RequestId::new("r").expect("valid"),
        payload: Bytes::from_static(b"hello"),
        tracing: Tracing::default(),
        parent: None,
    };
    let outcome = fixture.engine.invoke(&fixture.target("f"), call).await.expect("ran");
    assert_eq!(outcome.result, AttemptResult::Returned(Bytes::from_static(b"hello")));
}

#[tokio::test]
async fn a_synchronous_call_at_the_cap_is_refused_with_429() {
    let fixture = Fixture::new(0).await;
    let call = SyncCall {
        request_id: RequestId::new("r").expect("valid"),
        payload: Bytes::new(),
        tracing: Tracing::default(),
        parent: None,
    };
    let error = fixture.engine.invoke(&fixture.target("f"), call).await.expect_err("refused");
    assert_eq!(error.code(), ErrorCode::ResourceExhausted);
}
