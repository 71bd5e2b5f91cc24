//! A NATS JetStream as target.

use std::path::PathBuf;
use std::process::Command;

use async_nats::jetstream;
use serde_json::Value;
use tempfile::TempDir;

use super::Receiver;
use super::component::{Process, certify, data, installed, port, until_listens};

pub(crate) struct Nats {
    pub(crate) port: u16,
    /// Whether the server comes over TLS; the test does not.
    tls: bool,
    data: TempDir,
    process: Option<Process>,
}

pub(crate) const TOKEN: &str = "correct-horse";
pub(crate) const STREAM: &str = "RESULTS";

impl Nats {
    pub(crate) fn new(tls: bool) -> Self {
        let data = data();
        certify(data.path());
        Self { port: port(), tls, data, process: None }
    }

    pub(crate) async fn stream(&self) -> jetstream::stream::Stream {
        let options = async_nats::ConnectOptions::new().token(TOKEN.to_owned());
        let client = options.connect(format!("127.0.0.1:{}", self.port)).await.expect("it answers");
        let config = jetstream::stream::Config {
            name: STREAM.to_owned(),
            subjects: vec!["fc.results".to_owned()],
            ..Default::default()
        };
        jetstream::new(client).get_or_create_stream(config).await.expect("a stream")
    }
}

impl Receiver for Nats {
    fn target(&self) -> String {
        let scheme = if self.tls { "tls" } else { "nats" };
        format!(
            "{{ kind = \"nats\", url = \"{scheme}://localhost:{}\", subject = \"fc.{{name}}\", \
             password = {{ file = \"{}\" }} }}",
            self.port,
            self.data.path().join("token").display()
        )
    }

    fn resource(&self) -> (&'static str, &'static str) {
        ("acs:eventbridge:::eventbus/results", "acs:eventbridge:*:*:eventbus/*")
    }

    fn certificate(&self) -> Option<PathBuf> {
        self.tls.then(|| self.data.path().join("cert.pem"))
    }

    async fn start(&mut self) {
        let path = self.data.path().display();
        let settings = format!(
            "listen: \"127.0.0.1:{}\"\nauthorization {{ token: \"{TOKEN}\" }}\nallow_non_tls: true\n\
             tls {{ cert_file: \"{path}/cert.pem\", key_file: \"{path}/key.pem\" }}\n\
             jetstream {{ store_dir: \"{path}\", sync_interval: always }}\n",
            self.port
        );
        std::fs::write(self.data.path().join("token"), TOKEN).expect("written");
        let file = self.data.path().join("nats.conf");
        std::fs::write(&file, settings).expect("written");
        let mut command = Command::new(installed("nats-server"));
        command.arg("-c").arg(file);
        self.process = Some(Process::start(&mut command, &self.data.path().join("log")));
        until_listens(self.port).await;
        self.stream().await;
    }

    async fn stop(&mut self) {
        self.process = None;
    }

    async fn records(&mut self) -> Vec<Value> {
        let mut stream = self.stream().await;
        let last = stream.info().await.expect("it answers").state.last_sequence;
        let mut records = Vec::new();
        for sequence in 1..=last {
            let message = stream.get_raw_message(sequence).await.expect("a message");
            assert_eq!(message.subject.as_str(), "fc.results");
            records.push(serde_json::from_slice(&message.payload).expect("JSON"));
        }
        records
    }
}

#[tokio::test]
async fn a_jetstream_gets_the_record_of_every_end() {
    super::every_end_leaves_its_record(Nats::new(false)).await;
}

#[tokio::test]
async fn a_jetstream_over_tls_loses_nothing_while_it_and_the_server_are_down() {
    super::nothing_is_lost_while_target_and_server_are_down(Nats::new(true)).await;
}

#[tokio::test]
async fn a_jetstream_gets_what_was_given_up_when_it_is_redriven() {
    super::what_was_given_up_is_delivered_when_it_is_redriven(Nats::new(false)).await;
}

#[tokio::test]
async fn what_no_stream_of_nats_takes_becomes_a_dead_letter() {
    super::what_nobody_takes_becomes_a_dead_letter_that_says_why(Nats::new(true), "not kept").await;
}
