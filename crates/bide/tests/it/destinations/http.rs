//! An HTTP endpoint as target.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

use super::Receiver;
use super::component::{Process, certify, port, until_listens};
use crate::support::{Api, Function, Launch, directory, until};

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

#[tokio::test]
async fn an_endpoint_gets_what_was_given_up_when_it_is_redriven() {
    super::what_was_given_up_is_delivered_when_it_is_redriven(Endpoint::default()).await;
}

/// An endpoint of a name's own certificate, which the server is told to trust.
#[tokio::test]
async fn an_endpoint_over_tls_is_trusted_by_its_certificate_only() {
    let dir = directory();
    let path = |name: &str| dir.path().join(name);
    certify(dir.path());
    std::fs::write(path("serve.py"), TLS_SERVER).expect("written");
    let port = port();
    let mut serve = std::process::Command::new("python3");
    serve.arg(path("serve.py")).args([port.to_string(), dir.path().display().to_string()]);
    let _serving = Process::start(&mut serve, &path("log"));
    until_listens(port).await;
    let settings = format!(
        "[[destinations]]\narn = \"acs:mns:*:*:/queues/*/messages\"\n\
         target = {{ kind = \"http\", url = \"https://localhost:{port}/\", allow_private = true }}\n"
    );
    std::fs::write(path("bide.toml"), settings).expect("written");
    let launch = Launch::new(&path("data")).env("BIDE_CONFIG", path("bide.toml"));
    let mut server = launch.env("SSL_CERT_FILE", path("cert.pem")).ready().await;
    let api = Api::of(&server);
    api.deploy("works", Function::python("def handler(event, context):\n    return 'done'\n")).await;
    let target = json!({ "destination": "acs:mns:::/queues/results/messages" });
    api.configure("works", json!({ "destinationConfig": { "onSuccess": target } })).await;
    api.submit_task("works", "trusted", "order 1").await;
    api.delivered("works", "trusted").await;
    let got = std::fs::read_to_string(path("got")).expect("something was posted");
    assert!(got.contains("order 1"), "{got}");
    server.stop().await;

    // Another certificate of the same name is not trusted.
    std::fs::rename(path("cert.pem"), path("old.pem")).expect("moved");
    let other = "/etc/ssl/certs/ca-certificates.crt";
    let launch = Launch::new(&path("data")).env("BIDE_CONFIG", path("bide.toml"));
    let server = launch.env("SSL_CERT_FILE", other).env("BIDE_LOG_FILTER", "bide_engine=debug").ready().await;
    let api = Api::of(&server);
    api.submit_task("works", "distrusted", "order 2").await;
    until("TLS is refused", async || server.log().contains("no TLS with localhost").then_some(())).await;
    assert_eq!(api.task("works", "distrusted").await["destinationStatus"], "Pending");
    assert!(!std::fs::read_to_string(path("got")).expect("text").contains("order 2"));
}

/// Appends what is posted to a file.
const TLS_SERVER: &str = "
import http.server, ssl, sys

port, directory = int(sys.argv[1]), sys.argv[2]

class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers['content-length']))
        with open(directory + '/got', 'ab') as file:
            file.write(body)
        self.send_response(204)
        self.end_headers()

server = http.server.ThreadingHTTPServer(('127.0.0.1', port), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(directory + '/cert.pem', directory + '/key.pem')
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
";
