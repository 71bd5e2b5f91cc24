//! A JetStream stream, by a durable pull consumer with explicit acknowledgement.
//!
//! Owns the consumer, which is made if it is not there, and one connection, which the client repairs by itself. The
//! identity of a message is its stream, its sequence number and when it was published, since a stream that is made anew
//! counts from 1 again.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::{self, AckKind, Message};
use bide_destinations::NatsBroker;
use futures_util::StreamExt as _;
use tokio::task::JoinSet;

use crate::intake::{Intake, Verdict};

/// After this without a word about a message the server hands it out again.
const ACK_WAIT: Duration = Duration::from_secs(30);
/// How often it is told that a message is still being worked on.
const PROGRESS_PERIOD: Duration = Duration::from_secs(10);

pub(crate) struct Nats {
    pub(crate) broker: NatsBroker,
    pub(crate) stream: String,
    pub(crate) subject: Option<String>,
    pub(crate) consumer: String,
    pub(crate) concurrency: usize,
}

impl Nats {
    /// Takes messages until the end or a failure.
    pub(crate) async fn run(&self, intake: &Arc<Intake>) -> Result<(), String> {
        let consumer = tokio::select! {
            () = intake.stopped() => return Ok(()),
            consumer = self.consumer() => consumer?,
        };
        let messages = consumer.stream().max_messages_per_batch(self.concurrency).messages().await;
        let mut messages = messages.map_err(|error| format!("cannot ask for messages: {error}"))?;
        tracing::info!(source = %intake.name, stream = self.stream, "an event source is connected");
        let mut under_way = JoinSet::new();
        loop {
            tokio::select! {
                () = intake.stopped() => break,
                Some(done) = under_way.join_next() => {
                    done.map_err(|error| format!("a message broke off: {error}"))??;
                }
                next = messages.next(), if under_way.len() < self.concurrency => {
                    let message = next.ok_or("the consumer is gone")?;
                    let message = message.map_err(|error| format!("no more messages: {error}"))?;
                    under_way.spawn(handle(Arc::clone(intake), message));
                }
            }
        }
        while let Some(done) = under_way.join_next().await {
            done.map_err(|error| format!("a message broke off: {error}"))??;
        }
        Ok(())
    }

    async fn consumer(&self) -> Result<jetstream::consumer::PullConsumer, String> {
        let client = self.broker.connect().await.map_err(|error| format!("cannot connect: {error}"))?;
        let stream = jetstream::new(client).get_stream(&self.stream).await;
        let stream = stream.map_err(|error| format!("stream '{}': {error}", self.stream))?;
        let config = pull::Config {
            durable_name: Some(self.consumer.clone()),
            filter_subject: self.subject.clone().unwrap_or_default(),
            ack_policy: AckPolicy::Explicit,
            ack_wait: ACK_WAIT,
            max_ack_pending: i64::try_from(self.concurrency).unwrap_or(i64::MAX),
            ..pull::Config::default()
        };
        let consumer = stream.get_or_create_consumer(&self.consumer, config).await;
        consumer.map_err(|error| format!("consumer '{}': {error}", self.consumer))
    }
}

async fn handle(intake: Arc<Intake>, message: Message) -> Result<(), String> {
    let id = {
        let info = message.info().map_err(|error| format!("not from a stream: {error}"))?;
        let (sequence, published) = (info.stream_sequence, info.published.unix_timestamp_nanos());
        intake.task_of(Some(&[info.stream.as_bytes(), &sequence.to_be_bytes(), &published.to_be_bytes()]))
    };
    let mut taking = std::pin::pin!(intake.take(id, message.payload.clone()));
    let verdict = loop {
        tokio::select! {
            verdict = &mut taking => break verdict,
            () = intake.clock.sleep(PROGRESS_PERIOD) => {
                message.ack_with(AckKind::Progress).await.map_err(|error| format!("cannot report: {error}"))?;
            }
        }
    };
    let told = match verdict {
        Verdict::Durable => message.ack().await,
        Verdict::Hopeless => message.ack_with(AckKind::Term).await,
        Verdict::Undecided => return Ok(()),
    };
    told.map_err(|error| format!("cannot acknowledge: {error}"))
}
