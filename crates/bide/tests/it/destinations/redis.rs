//! A Redis stream as target.

use std::path::PathBuf;
use std::process::Command;

use ::redis::AsyncCommands as _;
use ::redis::streams::StreamRangeReply;
use serde_json::Value;
use tempfile::TempDir;

use super::Receiver;
use super::component::{Process, certify, data, port, until_listens};
use crate::support::until;

struct Redis {
    port: u16,
    tls_port: u16,
    /// Over which the server comes.
    tls: bool,
    data: TempDir,
    process: Option<Process>,
}

impl Redis {
    fn new(tls: bool) -> Self {
        let data = data();
        certify(data.path());
        Self { port: port(), tls_port: port(), tls, data, process: None }
    }
}

impl Receiver for Redis {
    fn target(&self) -> String {
        let port = if self.tls { self.tls_port } else { self.port };
        format!(
            "{{ kind = \"redis\", host = \"localhost\", port = {port}, tls = {}, stream = \"fc:{{name}}\" }}",
            self.tls
        )
    }

    fn resource(&self) -> (&'static str, &'static str) {
        ("acs:mq:::/instances/MQ_INST_1/topics/results", "acs:mq:*:*:/instances/*/topics/*")
    }

    fn certificate(&self) -> Option<PathBuf> {
        self.tls.then(|| self.data.path().join("cert.pem"))
    }

    async fn start(&mut self) {
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &self.port.to_string(), "--save", ""]);
        command.args(["--appendonly", "yes", "--appendfsync", "always"]).arg("--dir").arg(self.data.path());
        command.args(["--tls-port", &self.tls_port.to_string(), "--tls-auth-clients", "no"]);
        command.arg("--tls-cert-file").arg(self.data.path().join("cert.pem"));
        command.arg("--tls-key-file").arg(self.data.path().join("key.pem"));
        self.process = Some(Process::start(&mut command, &self.data.path().join("log")));
        until_listens(self.port).await;
        let client = ::redis::Client::open(("127.0.0.1", self.port)).expect("an address");
        let mut connection = client.get_multiplexed_async_connection().await.expect("it answers");
        // No stream, and never one. Redis refuses it while it still reads what it kept.
        until("a string is there", async || connection.set::<_, _, ()>("fc:nowhere", "a string").await.ok())
            .await;
    }

    async fn stop(&mut self) {
        self.process = None;
    }

    async fn records(&mut self) -> Vec<Value> {
        let client = ::redis::Client::open(("127.0.0.1", self.port)).expect("an address");
        let mut connection = client.get_multiplexed_async_connection().await.expect("it answers");
        let reply: StreamRangeReply = connection.xrange_all("fc:results").await.expect("a stream");
        let record = |entry: &::redis::streams::StreamId| {
            let text: String = entry.get("record").expect("a record");
            serde_json::from_str(&text).expect("JSON")
        };
        reply.ids.iter().map(record).collect()
    }
}

#[tokio::test]
async fn a_redis_stream_gets_the_record_of_every_end() {
    super::every_end_leaves_its_record(Redis::new(false)).await;
}

#[tokio::test]
async fn a_redis_stream_over_tls_loses_nothing_while_it_and_the_server_are_down() {
    super::nothing_is_lost_while_target_and_server_are_down(Redis::new(true)).await;
}

#[tokio::test]
async fn a_redis_stream_gets_what_was_given_up_when_it_is_redriven() {
    super::what_was_given_up_is_delivered_when_it_is_redriven(Redis::new(false)).await;
}

#[tokio::test]
async fn what_no_stream_of_redis_takes_becomes_a_dead_letter() {
    super::what_nobody_takes_becomes_a_dead_letter_that_says_why(Redis::new(true), "WRONGTYPE").await;
}
