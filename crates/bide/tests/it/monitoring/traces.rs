//! Traces, as a receiver of OTLP gets them: one per invocation, whatever crashes between its attempts.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use serde_json::json;
use tokio::net::TcpListener;

use super::{PAGE, figures, value};
use crate::support::{Api, Function, Launch, World, until};

const CALLER_TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER_SPAN: &str = "b7ad6b7169203331";
const SECRET: &str = "a-secret-for-the-receiver";

/// Hangs the first time, and says what it was told of its trace.
const CODE: &str = r#"
import os, time

def handler(event, context):
    marker = os.environ["MARKER"]
    with open(f"{marker}.{time.time_ns()}", "w") as told:
        told.write(context.tracing.span_context)
    if event == b"hang" and not os.path.exists(marker):
        open(marker, "w").close()
        time.sleep(600)
    return event
"#;

/// A receiver, and what it was sent.
struct Receiver {
    endpoint: String,
    spans: Arc<Mutex<Vec<Span>>>,
}

impl Receiver {
    async fn start() -> Self {
        let spans: Arc<Mutex<Vec<Span>>> = Arc::default();
        let seen = Arc::clone(&spans);
        let take = move |headers: HeaderMap, body: Bytes| async move {
            assert_eq!(headers["content-type"], "application/x-protobuf");
            assert_eq!(headers["x-key"], SECRET);
            let request = ExportTraceServiceRequest::decode(body).expect("protobuf");
            let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
            seen.lock().unwrap().extend(scopes.flat_map(|scope| scope.spans));
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route("/v1/traces", post(take));
        tokio::spawn(async move { axum::serve(listener, router).await }); // ends with the test
        Self { endpoint, spans }
    }

    /// The first span of this name, once it is there.
    async fn span(&self, name: &str) -> Span {
        until(name, async || self.spans().into_iter().find(|span| span.name == name)).await
    }

    fn spans(&self) -> Vec<Span> {
        self.spans.lock().unwrap().clone()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invocation_is_one_trace_from_acceptance_to_delivery_over_a_crash() {
    let receiver = Receiver::start().await;
    let headers = format!("x-key={SECRET}");
    let settings =
        [PAGE, ("BIDE_OTLP_ENDPOINT", receiver.endpoint.as_str()), ("BIDE_OTLP_HEADERS", &headers)];
    let mut world = World::start_with(&settings).await;
    let marker = world.shared("marker");
    let code = Function::python(CODE).env("MARKER", marker.to_str().unwrap());
    world.api.deploy("work", code).await;
    world.collect("work", json!({ "statefulInvocation": true })).await;
    let task = ("x-fc-stateful-async-invocation-id", "a".to_owned());
    let caller = ("traceparent", format!("00-{CALLER_TRACE}-{CALLER_SPAN}-01"));
    world.api.submit("work", "hang", &[task, caller]).await.expect("accepted");
    until("the first attempt runs", async || marker.exists().then_some(())).await;
    let queue = receiver.span("queue it/work").await;

    world.server.kill().await;
    let launch = Launch::new(&world.dir.path().join("data"));
    let launch = settings.iter().fold(launch, |launch, (name, value)| launch.env(name, *value));
    world.server = launch.ready().await;
    world.api = Api::of(&world.server);
    world.api.delivered("work", "a").await;

    let attempt = receiver.span("invoke it/work").await;
    let delivery = receiver.span("deliver it/work").await;
    for span in [&attempt, &delivery] {
        assert_eq!(hex(&span.trace_id), hex(&queue.trace_id), "{}", span.name);
        assert_eq!(hex(&span.parent_span_id), hex(&queue.span_id), "{}", span.name);
        assert!(span.start_time_unix_nano >= queue.start_time_unix_nano);
        assert!(span.end_time_unix_nano >= span.start_time_unix_nano);
    }
    assert_eq!((hex(&queue.trace_id), hex(&queue.parent_span_id)), (CALLER_TRACE.into(), CALLER_SPAN.into()));
    // So is the function that the record went to.
    let next = receiver.span("queue it/collector").await;
    assert_eq!((&next.trace_id, &next.parent_span_id), (&delivery.trace_id, &delivery.span_id));
    // Both attempts were told the trace that they are part of; the second is the one that was recorded.
    let files = std::fs::read_dir(marker.parent().unwrap()).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<_> = files.filter(|file| file.extension().is_some()).collect();
    files.sort();
    let told: Vec<_> = files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
    let (trace, parent) = (hex(&queue.trace_id), hex(&queue.span_id));
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].starts_with(&trace) && told[0] != told[1], "{told:?}");
    assert_eq!(told[1], format!("{trace}:{}:{parent}:1", hex(&attempt.span_id)));
    let text = figures(&world.server).await;
    assert!(value(&text, "bide_trace_spans_sent_total", &[]) >= Some(2.0), "{text}");
    assert_eq!(value(&text, "bide_trace_spans_dropped_total", &[]), Some(0.0));
    world.server.stop().await;
    let log = world.server.log();
    assert!(!log.contains(SECRET) && !log.contains("spans were not sent"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_part_of_the_trace_of_its_caller_who_decides_whether_it_is_recorded() {
    let receiver = Receiver::start().await;
    let headers = format!("x-key={SECRET}");
    let settings = [("BIDE_OTLP_ENDPOINT", receiver.endpoint.as_str()), ("BIDE_OTLP_HEADERS", &headers)];
    let world = World::start_with(&settings).await;
    world.api.deploy("work", Function::python("def handler(event, context):\n    return event\n")).await;
    let unsampled = "00-11111111111111111111111111111111-b7ad6b7169203331-00";
    let sampled = format!("00-{CALLER_TRACE}-{CALLER_SPAN}-01");
    for parent in [unsampled, &sampled] {
        let header = [("traceparent", parent.to_owned())];
        world.api.try_invoke("work", "x", &header).await.expect("ran");
        world.api.submit("work", "x", &header).await.expect("accepted");
    }
    let span = receiver.span("invoke it/work").await;
    assert_eq!((hex(&span.trace_id), hex(&span.parent_span_id)), (CALLER_TRACE.into(), CALLER_SPAN.into()));
    receiver.span("queue it/work").await;
    let spans = until("a call, a queue and its attempt", async || {
        Some(receiver.spans()).filter(|spans| spans.len() >= 3)
    })
    .await;
    assert!(spans.iter().all(|span| hex(&span.trace_id) == CALLER_TRACE), "{spans:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_down_costs_spans_and_nothing_else() {
    // Nobody listens on a port that was just given back.
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let endpoint = format!("http://127.0.0.1:{port}");
    let world = World::start_with(&[PAGE, ("BIDE_OTLP_ENDPOINT", &endpoint)]).await;
    world.api.deploy("work", Function::python("def handler(event, context):\n    return event\n")).await;
    world.api.invoke("work", "x").await;
    until("the span is counted as dropped", async || {
        let text = figures(&world.server).await;
        (value(&text, "bide_trace_spans_dropped_total", &[]) == Some(1.0)).then_some(())
    })
    .await;
    world.api.invoke("work", "x").await;
}
