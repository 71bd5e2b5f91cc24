//! A queue of an AMQP 0.9.1 broker such as RabbitMQ, with acknowledgement by the consumer.
//!
//! Owns one connection with one channel, and declares nothing. The identity of a message is its queue and its `message-id`;
//! one without an id becomes another task when it is delivered again.

use std::sync::Arc;

use amqprs::callbacks::ChannelCallback;
use amqprs::channel::{
    BasicAckArguments, BasicConsumeArguments, BasicNackArguments, BasicQosArguments, Channel, ConsumerMessage,
};
use amqprs::{Ack, BasicProperties, Cancel, CloseChannel, Nack, Return};
use async_trait::async_trait;
use bide_destinations::AmqpBroker;
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::intake::{Intake, Verdict};

pub(crate) struct Amqp {
    pub(crate) broker: AmqpBroker,
    pub(crate) queue: String,
    pub(crate) concurrency: usize,
}

impl Amqp {
    /// Takes messages until the end or a failure.
    pub(crate) async fn run(&self, intake: &Arc<Intake>) -> Result<(), String> {
        let connection = tokio::select! {
            () = intake.stopped() => return Ok(()),
            connection = self.broker.connect() => connection.map_err(|error| format!("cannot connect: {error}"))?,
        };
        let channel = connection.open_channel(None).await.map_err(|error| format!("no channel: {error}"))?;
        let ended = self.consume(&connection, &channel, intake).await;
        // What was not acknowledged goes back to the queue, also if this fails.
        let _ = channel.close().await;
        let _ = connection.close().await;
        ended
    }

    async fn consume(
        &self,
        connection: &amqprs::connection::Connection,
        channel: &Channel,
        intake: &Arc<Intake>,
    ) -> Result<(), String> {
        let failed = |error: amqprs::error::Error| format!("queue '{}': {error}", self.queue);
        let (sender, mut ended) = mpsc::channel(1);
        channel.register_callback(Ended(sender)).await.map_err(failed)?;
        // The broker hands out no more than this before one is acknowledged, so the receiver is bounded, too.
        let prefetch = u16::try_from(self.concurrency).unwrap_or(u16::MAX);
        channel.basic_qos(BasicQosArguments::new(0, prefetch, false)).await.map_err(failed)?;
        let arguments = BasicConsumeArguments::new(&self.queue, "bide").manual_ack(true).finish();
        let (_, mut messages) = channel.basic_consume_rx(arguments).await.map_err(failed)?;
        tracing::info!(source = %intake.name, queue = self.queue, "an event source is connected");
        let mut lost = std::pin::pin!(connection.listen_network_io_failure());
        let mut under_way = JoinSet::new();
        loop {
            tokio::select! {
                () = intake.stopped() => break,
                _ = &mut lost => return Err("the connection is gone".to_owned()),
                reason = ended.recv() => return Err(reason.unwrap_or_else(|| "the channel is gone".to_owned())),
                Some(done) = under_way.join_next() => {
                    done.map_err(|error| format!("a message broke off: {error}"))??;
                }
                message = messages.recv() => {
                    let message = message.ok_or("the consumer is gone")?;
                    under_way.spawn(handle(Arc::clone(intake), channel.clone(), self.queue.clone(), message));
                }
            }
        }
        while let Some(done) = under_way.join_next().await {
            done.map_err(|error| format!("a message broke off: {error}"))??;
        }
        Ok(())
    }
}

async fn handle(
    intake: Arc<Intake>,
    channel: Channel,
    queue: String,
    message: ConsumerMessage,
) -> Result<(), String> {
    let tag = message.deliver.ok_or("a delivery without a tag")?.delivery_tag();
    let properties = message.basic_properties.unwrap_or_default();
    let id = match properties.message_id() {
        Some(id) if !id.is_empty() => intake.task_of(Some(&[queue.as_bytes(), id.as_bytes()])),
        _ => intake.task_of(None),
    };
    let told = match intake.take(id, Bytes::from(message.content.unwrap_or_default())).await {
        Verdict::Durable => channel.basic_ack(BasicAckArguments::new(tag, false)).await,
        Verdict::Hopeless => channel.basic_nack(BasicNackArguments::new(tag, false, false)).await,
        Verdict::Undecided => return Ok(()),
    };
    told.map_err(|error| format!("cannot acknowledge: {error}"))
}

/// Tells when the broker ends the channel or the consumer.
struct Ended(mpsc::Sender<String>);

impl Ended {
    fn tell(&self, reason: String) {
        let _ = self.0.try_send(reason); // the first reason is enough
    }
}

#[async_trait]
impl ChannelCallback for Ended {
    async fn close(&mut self, _channel: &Channel, close: CloseChannel) -> Result<(), amqprs::error::Error> {
        self.tell(format!("the broker closed the channel: {}", close.reply_text()));
        Ok(())
    }

    async fn cancel(&mut self, _channel: &Channel, _cancel: Cancel) -> Result<(), amqprs::error::Error> {
        self.tell("the broker ended the consumer: the queue may be gone".to_owned());
        Ok(())
    }

    async fn flow(&mut self, _channel: &Channel, active: bool) -> Result<bool, amqprs::error::Error> {
        Ok(active)
    }

    async fn publish_ack(&mut self, _channel: &Channel, _ack: Ack) {}

    async fn publish_nack(&mut self, _channel: &Channel, _nack: Nack) {}

    async fn publish_return(
        &mut self,
        _channel: &Channel,
        _return: Return,
        _properties: BasicProperties,
        _content: Vec<u8>,
    ) {
    }
}
