//! A Kafka topic as target: one broker, which lets users with a password in only.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use rskafka::client::partition::UnknownTopicHandling;
use rskafka::client::{Client, ClientBuilder, Credentials, SaslConfig};
use serde_json::Value;
use tempfile::TempDir;

use super::Receiver;
use super::component::{Process, certify, data, installed, port, until_listens};

struct Kafka {
    port: u16,
    tls_port: u16,
    /// Over which the server comes.
    tls: bool,
    controller_port: u16,
    data: TempDir,
    process: Option<Process>,
    mechanism: &'static str,
}

const TOPIC: &str = "results";
const PARTITIONS: i32 = 3;
const PASSWORD: &str = "correct horse";
/// Longest record that is read back.
const RECORD_BYTES_MAX: i32 = 1 << 20;

impl Kafka {
    fn new(mechanism: &'static str, tls: bool) -> Self {
        let data = data();
        certify(data.path());
        std::fs::write(data.path().join("password"), PASSWORD).expect("written");
        Self { port: port(), tls_port: port(), tls, controller_port: port(), data, process: None, mechanism }
    }

    /// A Java program of the broker, with its settings.
    fn java(&self, class: &str) -> Command {
        let mut command = Command::new("java");
        let log = format!("-Dlog4j2.level=WARN -Dkafka.logs.dir={}", self.data.path().display());
        command.args(["-Xmx256m", "-Xshare:auto", "-XX:TieredStopAtLevel=1"]).args(log.split(' '));
        command.arg("-cp").arg(format!("{}/*", installed("../kafka").display())).arg(class);
        command
    }

    /// Writes the settings and makes the directory, as an operator does once.
    fn format(&self) {
        let (port, tls_port, controller) = (self.port, self.tls_port, self.controller_port);
        let data = self.data.path().join("logs");
        let file = self.data.path().join("server.properties");
        let read = |name: &str| std::fs::read_to_string(self.data.path().join(name)).expect("text");
        std::fs::write(self.data.path().join("both.pem"), read("key.pem") + &read("cert.pem"))
            .expect("written");
        let plain = "org.apache.kafka.common.security.plain.PlainLoginModule required";
        let scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
        let logins = ["sasl_plaintext", "sasl_ssl"].map(|listener| {
            format!(
                "listener.name.{listener}.plain.sasl.jaas.config={plain} username=\"bide\" \
                 password=\"{PASSWORD}\" user_bide=\"{PASSWORD}\";\n\
                 listener.name.{listener}.scram-sha-256.sasl.jaas.config={scram}\n\
                 listener.name.{listener}.scram-sha-512.sasl.jaas.config={scram}\n"
            )
        });
        let logins = logins.concat();
        let settings = format!(
            "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:{controller}\n\
             listeners=SASL_PLAINTEXT://127.0.0.1:{port},SASL_SSL://127.0.0.1:{tls_port},CONTROLLER://127.0.0.1:{controller}\n\
             advertised.listeners=SASL_PLAINTEXT://127.0.0.1:{port},SASL_SSL://localhost:{tls_port}\n\
             listener.security.protocol.map=SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT\n\
             controller.listener.names=CONTROLLER\ninter.broker.listener.name=SASL_PLAINTEXT\n\
             sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512\n\
             sasl.mechanism.inter.broker.protocol=PLAIN\n\
             {logins}ssl.keystore.type=PEM\nssl.keystore.location={}\n\
             log.dirs={}\nauto.create.topics.enable=false\noffsets.topic.replication.factor=1\n",
            self.data.path().join("both.pem").display(),
            data.display()
        );
        std::fs::write(&file, settings).expect("written");
        let mut format = self.java("kafka.tools.StorageTool");
        format.args(["format", "--cluster-id", "MkU3OEVBNTcwNTJENDM2Qg", "--config"]).arg(&file);
        for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
            format.args(["--add-scram", &format!("{mechanism}=[name=bide,password={PASSWORD}]")]);
        }
        let done = format.stdin(Stdio::null()).output().expect("java runs");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    async fn client(&self) -> Client {
        let credentials = Credentials::new("bide".to_owned(), PASSWORD.to_owned());
        let builder = ClientBuilder::new(vec![format!("127.0.0.1:{}", self.port)]);
        builder.sasl_config(SaslConfig::Plain(credentials)).build().await.expect("it answers")
    }
}

impl Receiver for Kafka {
    fn target(&self) -> String {
        let port = if self.tls { self.tls_port } else { self.port };
        format!(
            "{{ kind = \"kafka\", brokers = [\"localhost:{port}\"], tls = {}, username = \"bide\", \
             password = {{ file = \"{}\" }}, mechanism = \"{}\" }}",
            self.tls,
            self.data.path().join("password").display(),
            self.mechanism
        )
    }

    fn resource(&self) -> (&'static str, &'static str) {
        ("acs:mns:::/topics/results/messages", "acs:mns:*:*:/topics/*/messages")
    }

    fn certificate(&self) -> Option<PathBuf> {
        self.tls.then(|| self.data.path().join("cert.pem"))
    }

    async fn start(&mut self) {
        let first = !self.data.path().join("logs").exists();
        if first {
            self.format();
        }
        let mut command = self.java("kafka.Kafka");
        command.arg(self.data.path().join("server.properties"));
        self.process = Some(Process::start(&mut command, &self.data.path().join("out")));
        until_listens(self.port).await;
        if first {
            let controller = self.client().await.controller_client().expect("a controller");
            let wait = i32::try_from(Duration::from_secs(30).as_millis()).expect("it fits");
            controller.create_topic(TOPIC, PARTITIONS, 1, wait).await.expect("a topic");
        }
    }

    async fn stop(&mut self) {
        self.process = None;
    }

    async fn records(&mut self) -> Vec<Value> {
        let client = self.client().await;
        let mut records = Vec::new();
        for number in 0..PARTITIONS {
            let partition = client.partition_client(TOPIC, number, UnknownTopicHandling::Retry).await;
            let partition = partition.expect("a partition");
            let mut offset = 0;
            loop {
                let (read, end) =
                    partition.fetch_records(offset, 0..RECORD_BYTES_MAX, 0).await.expect("it answers");
                for record in &read {
                    records.push(
                        serde_json::from_slice(record.record.value.as_ref().expect("a value")).expect("JSON"),
                    );
                    offset = record.offset + 1;
                }
                if offset >= end {
                    break;
                }
            }
        }
        records
    }
}

#[tokio::test]
async fn a_kafka_topic_gets_the_record_of_every_end() {
    super::every_end_leaves_its_record(Kafka::new("scram-sha-512", false)).await;
}

#[tokio::test]
async fn a_kafka_topic_over_tls_loses_nothing_while_it_and_the_server_are_down() {
    super::nothing_is_lost_while_target_and_server_are_down(Kafka::new("plain", true)).await;
}

#[tokio::test]
async fn a_kafka_topic_gets_what_was_given_up_when_it_is_redriven() {
    super::what_was_given_up_is_delivered_when_it_is_redriven(Kafka::new("scram-sha-256", false)).await;
}

#[tokio::test]
async fn what_no_topic_of_kafka_takes_becomes_a_dead_letter() {
    super::what_nobody_takes_becomes_a_dead_letter_that_says_why(
        Kafka::new("plain", true),
        "there is no topic nowhere",
    )
    .await;
}
