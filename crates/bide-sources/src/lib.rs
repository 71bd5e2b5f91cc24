//! Messages of brokers as asynchronous invocations: one task of one function for each message.
//!
//! Owns the connections, and one module per kind of broker. A message is acknowledged once its task is durable, never
//! before; so after a crash the broker sends again what was not acknowledged, and the task's id, derived from the message,
//! makes that the same task. A source that is down, or a function that is missing, holds up nothing but that source.

mod amqp;
mod config;
mod intake;
mod nats;

use std::sync::Arc;
use std::time::Duration;

use bide_engine::Engine;
use bide_env::{Clock, Entropy};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use config::{ConfigError, Entry, Source};

use config::Broker;
use intake::Intake;

/// Most tables `[[event_sources]]`.
pub const SOURCES_MAX: usize = 64;
/// Messages of one source under way at once: default and most.
pub const CONCURRENCY_DEFAULT: usize = 16;
pub const CONCURRENCY_MAX: usize = 256;
/// First wait after a failure; doubles up to [`WAIT_MAX`].
const WAIT_FIRST: Duration = Duration::from_secs(1);
const WAIT_MAX: Duration = Duration::from_secs(60);

/// The sources that run.
pub struct Sources {
    stopping: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Sources {
    /// Begins to take messages; returns at once, whether the brokers are up or not.
    pub fn start(
        sources: Vec<Source>,
        engine: &Engine,
        clock: &Arc<dyn Clock>,
        entropy: &Arc<dyn Entropy>,
    ) -> Self {
        let stopping = watch::Sender::new(false);
        let tasks = sources.into_iter().map(|source| {
            let Source { name, function, broker } = source;
            let intake = Intake {
                name,
                function,
                engine: engine.clone(),
                clock: Arc::clone(clock),
                entropy: Arc::clone(entropy),
                stopping: stopping.subscribe(),
                taken: Default::default(),
            };
            tokio::spawn(keep(broker, Arc::new(intake)))
        });
        Self { tasks: tasks.collect(), stopping }
    }

    /// Takes no more; resolves when what is under way is acknowledged or left to the brokers.
    pub async fn stop(self) {
        let _ = self.stopping.send(true); // nobody listens where nothing runs
        for task in self.tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "an event source did not end cleanly");
            }
        }
    }
}

/// Takes messages of one broker until the end, whatever becomes of the connection meanwhile.
async fn keep(broker: Broker, intake: Arc<Intake>) {
    let mut failures = 0;
    loop {
        let before = intake.taken();
        let ended = match &broker {
            Broker::Nats(nats) => nats.run(&intake).await,
            Broker::Amqp(amqp) => amqp.run(&intake).await,
        };
        if intake.is_stopping() {
            return;
        }
        failures = if intake.taken() > before { 1 } else { failures + 1 };
        let wait = wait_after(failures);
        let reason = ended.err().unwrap_or_else(|| "the broker ended it".to_owned());
        tracing::warn!(source = %intake.name, reason, wait_s = wait.as_secs(), "an event source is interrupted");
        if intake.stops_within(wait).await {
            return;
        }
    }
}

/// Wait after that many failures in a row.
fn wait_after(failures: u32) -> Duration {
    (WAIT_FIRST * 2_u32.pow(failures.saturating_sub(1).min(16))).min(WAIT_MAX)
}
