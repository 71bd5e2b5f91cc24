//! An HTTP endpoint as target.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use bytes::Bytes;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

use super::Receiver;
use crate::support::until;

/// An endpoint of this process; what it got outlives a stop.
#[derive(Default)]
struct Endpoint {
    address: Option<SocketAddr>,
    /// Of its own, so that its end closes every connection.
    runtime: Option<Runtime>,
    got: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
    cloud_events: bool,
}

type Got = State<Arc<Mutex<Vec<(HeaderMap, Bytes)>>>>;

async fn take(State(got): Got, headers: HeaderMap, body: Bytes) {
    got.lock().unwrap().push((headers, body));
}

impl Receiver for Endpoint {
    fn target(&self) -> String {
        let format = if self.cloud_events { "cloudevents" } else { "record" };
        let address = self.address.expect("it was started");
        format!(
            "{{ kind = \"http\", url = \"http://{address}/queues/{{name}}\", allow_private = true, format = \"{format}\" }}"
        )
    }

    async fn start(&mut self) {
        let address = self.address.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0)));
        let listener =
            until("the port is free", async || TcpListener::bind(address).await.ok()?.into_std().ok()).await;
        self.address = Some(listener.local_addr().expect("an address"));
        let router = Router::new().route("/queues/results", post(take)).with_state(Arc::clone(&self.got));
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).expect("a listener");
            axum::serve(listener, router).await.expect("it serves");
        });
        self.runtime = Some(runtime);
    }

    async fn stop(&mut self) {
        self.runtime.take().expect("it runs").shutdown_background();
    }

    async fn records(&mut self) -> Vec<Value> {
        let got = self.got.lock().unwrap();
        let body = |(_, body): &(HeaderMap, Bytes)| serde_json::from_slice::<Value>(body).expect("JSON");
        got.iter().map(body).map(|body| if self.cloud_events { body["data"].clone() } else { body }).collect()
    }
}

#[tokio::test]
async fn an_endpoint_gets_the_record_of_every_end() {
    super::every_end_leaves_its_record(Endpoint::default()).await;
}

#[tokio::test]
async fn an_endpoint_gets_every_end_as_a_cloud_event() {
    super::every_end_leaves_its_record(Endpoint { cloud_events: true, ..Endpoint::default() }).await;
}

#[tokio::test]
async fn an_endpoint_loses_nothing_while_it_and_the_server_are_down() {
    super::nothing_is_lost_while_target_and_server_are_down(Endpoint::default()).await;
}
