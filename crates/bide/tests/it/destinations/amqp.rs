//! A RabbitMQ queue as target.

use std::path::PathBuf;
use std::process::Command;

use amqprs::channel::{BasicAckArguments, BasicGetArguments, QueueDeclareArguments};
use amqprs::connection::{Connection, OpenConnectionArguments};
use serde_json::Value;
use tempfile::TempDir;

use super::Receiver;
use super::component::{Process, certify, data, port, until_listens};

/// The program itself: the one on the path changes to a user of its own.
const SERVER: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";
pub(crate) const QUEUE: &str = "results";

pub(crate) struct RabbitMq {
    port: u16,
    tls_port: u16,
    /// Over which the server comes.
    tls: bool,
    distribution_port: u16,
    mapper_port: u16,
    data: TempDir,
    /// The broker, and the port mapper of its runtime.
    processes: Vec<Process>,
    /// What was taken from the queue.
    got: Vec<Value>,
}

impl RabbitMq {
    pub(crate) fn new(tls: bool) -> Self {
        let data = data();
        certify(data.path());
        std::fs::write(data.path().join("password"), "guest").expect("written");
        let [port, tls_port, distribution_port, mapper_port] = [port(), port(), port(), port()];
        Self {
            port,
            tls_port,
            tls,
            distribution_port,
            mapper_port,
            data,
            processes: Vec::new(),
            got: Vec::new(),
        }
    }

    pub(crate) async fn connect(&self) -> Connection {
        let arguments = OpenConnectionArguments::new("127.0.0.1", self.port, "guest", "guest");
        Connection::open(&arguments).await.expect("it answers")
    }
}

impl Receiver for RabbitMq {
    fn target(&self) -> String {
        let password = self.data.path().join("password");
        let port = if self.tls { self.tls_port } else { self.port };
        format!(
            "{{ kind = \"amqp\", host = \"localhost\", port = {port}, tls = {}, username = \"guest\", \
             password = {{ file = \"{}\" }} }}",
            self.tls,
            password.display()
        )
    }

    fn certificate(&self) -> Option<PathBuf> {
        self.tls.then(|| self.data.path().join("cert.pem"))
    }

    async fn start(&mut self) {
        let path = |name: &str| self.data.path().join(name);
        std::fs::write(path("plugins"), "[].").expect("written");
        let directory = self.data.path().display();
        let settings = format!(
            "listeners.ssl.default = 127.0.0.1:{}\nssl_options.certfile = {directory}/cert.pem\n\
             ssl_options.keyfile = {directory}/key.pem\nssl_options.verify = verify_none\n\
             ssl_options.fail_if_no_peer_cert = false\n",
            self.tls_port
        );
        std::fs::write(path("rabbitmq.conf"), settings).expect("written");
        let mut mapper = Command::new("epmd");
        mapper.args(["-address", "127.0.0.1", "-port", &self.mapper_port.to_string()]);
        self.processes.push(Process::start(&mut mapper, &path("epmd.log")));
        until_listens(self.mapper_port).await;
        let mut command = Command::new(SERVER);
        command
            .env("HOME", self.data.path())
            .env("ERL_EPMD_PORT", self.mapper_port.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODENAME", "bide@localhost")
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", self.port.to_string())
            .env("RABBITMQ_DIST_PORT", self.distribution_port.to_string())
            .env("RABBITMQ_MNESIA_BASE", path("mnesia"))
            .env("RABBITMQ_LOG_BASE", path("log"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", path("plugins"))
            .env("RABBITMQ_CONF_ENV_FILE", path("none"))
            .env("RABBITMQ_CONFIG_FILE", path("rabbitmq.conf"));
        self.processes.push(Process::start(&mut command, &path("out.log")));
        until_listens(self.port).await;
        until_listens(self.tls_port).await;
        let connection = self.connect().await;
        let channel = connection.open_channel(None).await.expect("a channel");
        channel.queue_declare(QueueDeclareArguments::durable_client_named(QUEUE)).await.expect("a queue");
    }

    async fn stop(&mut self) {
        self.processes.clear();
    }

    async fn records(&mut self) -> Vec<Value> {
        let connection = self.connect().await;
        let channel = connection.open_channel(None).await.expect("a channel");
        while let Some((got, _, body)) =
            channel.basic_get(BasicGetArguments::new(QUEUE)).await.expect("it answers")
        {
            self.got.push(serde_json::from_slice(&body).expect("JSON"));
            channel.basic_ack(BasicAckArguments::new(got.delivery_tag(), false)).await.expect("taken");
        }
        self.got.clone()
    }
}

#[tokio::test]
async fn a_rabbitmq_queue_gets_the_record_of_every_end() {
    super::every_end_leaves_its_record(RabbitMq::new(false)).await;
}

#[tokio::test]
async fn a_rabbitmq_queue_over_tls_loses_nothing_while_it_and_the_server_are_down() {
    super::nothing_is_lost_while_target_and_server_are_down(RabbitMq::new(true)).await;
}

#[tokio::test]
async fn a_rabbitmq_queue_gets_what_was_given_up_when_it_is_redriven() {
    super::what_was_given_up_is_delivered_when_it_is_redriven(RabbitMq::new(false)).await;
}

#[tokio::test]
async fn what_no_queue_of_rabbitmq_takes_becomes_a_dead_letter() {
    super::what_nobody_takes_becomes_a_dead_letter_that_says_why(
        RabbitMq::new(true),
        "no queue took the message: NO_ROUTE",
    )
    .await;
}
