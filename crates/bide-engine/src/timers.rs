//! Time triggers: each tick of the schedule becomes one asynchronous invocation.
//!
//! Owns the wait for the next tick, what a tick hands over, and what counts as missed. A tick and the note that it is
//! done with are one commit, so a crash before it leaves the tick owed and a crash after it leaves nothing to do. When
//! it cannot be stored it is tried again. Nothing is looked at while no timer is due and no trigger changes.

use std::sync::Arc;
use std::time::Duration;

use bide_core::{Owed, Schedule};
use bide_env::derived_request_id;
use bide_store::Submission;
use bide_types::limits::ASYNC_PAYLOAD_BYTES_MAX;
use bide_types::resource::{Function, TimerTrigger, Trigger, TriggerConfig};
use bide_types::{AccountId, RequestId, Timestamp, TriggerName};
use bytes::Bytes;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use crate::catalog::{DueTimer, TimerStep};
use crate::error::Error;
use crate::invoke::{internal_submission, submission_to_nobody};
use crate::options::{STORE_RETRY_WAIT, TICK_GRACE, TICK_RETRY_WAIT_MAX, TICKS_AT_ONCE};
use crate::start::{Engine, Shared};

/// A time trigger and its moments.
#[derive(Clone, Debug)]
pub struct TimerStatus {
    pub function: Arc<Function>,
    pub trigger: Arc<Trigger>,
    pub config: TimerTrigger,
    /// `None` while it is not enabled, or if its schedule names no moment within nine years.
    pub next_tick: Option<Timestamp>,
    /// The last that fired or was passed over.
    pub last_tick: Option<Timestamp>,
}

impl Engine {
    /// The time triggers of an account, by service, function and name.
    pub fn timers(&self, account: &AccountId) -> Vec<TimerStatus> {
        let entries = self.shared.catalog.functions_of(account);
        let timers = entries.iter().flat_map(|entry| {
            entry.triggers.values().filter_map(|trigger| {
                let TriggerConfig::Timer(config) = &trigger.value.config else { return None };
                let (next_tick, last_tick) = self.shared.catalog.timer_moments(&trigger.value);
                Some(TimerStatus {
                    function: Arc::clone(&entry.function.value),
                    trigger: Arc::clone(&trigger.value),
                    config: config.clone(),
                    next_tick,
                    last_tick,
                })
            })
        });
        timers.collect()
    }
}

/// # Errors
/// [`Error::InvalidArgument`] for a schedule that is none, or an event that no asynchronous call could carry.
pub(crate) fn check(trigger: &Trigger, config: &TimerTrigger) -> Result<(), Error> {
    Schedule::parse(&config.cron_expression)
        .map_err(|error| Error::InvalidArgument(format!("field 'triggerConfig.cronExpression': {error}")))?;
    let bytes = event(&trigger.name, config, Timestamp::ZERO).len();
    if bytes > ASYNC_PAYLOAD_BYTES_MAX {
        return Err(Error::InvalidArgument(format!(
            "field 'triggerConfig.payload': the event would have {bytes} bytes, and at most {ASYNC_PAYLOAD_BYTES_MAX} \
             are allowed"
        )));
    }
    Ok(())
}

/// What a tick hands over (FC "Time triggers").
fn event(name: &TriggerName, config: &TimerTrigger, tick: Timestamp) -> Bytes {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Event<'a> {
        trigger_time: String,
        trigger_name: &'a str,
        payload: &'a str,
    }
    let event =
        Event { trigger_time: tick.to_rfc3339(), trigger_name: name.as_str(), payload: &config.payload };
    Bytes::from(serde_json::to_vec(&event).expect("texts are JSON"))
}

/// The same for the same tick of the same trigger, and for no other: a trigger that is made anew has another id.
fn tick_request_id(trigger: &Trigger, tick: Timestamp) -> RequestId {
    let digest = Sha256::new()
        .chain_update("bide timer tick\0")
        .chain_update(tick.as_secs().to_be_bytes())
        .chain_update(&trigger.id)
        .finalize();
    derived_request_id(*digest.first_chunk().expect("a digest has 32 bytes"))
}

/// Fires what is due until `stopping` says so.
pub(crate) async fn run(shared: Arc<Shared>, mut stopping: watch::Receiver<bool>) {
    // Ticks that were due before somebody watched have been missed.
    let mut watched_since = shared.clock.now();
    let mut failures = 0;
    loop {
        let wake = match pass(&shared, watched_since.minus(TICK_GRACE)).await {
            Ok(next) => {
                failures = 0;
                next
            }
            Err(error) => {
                tracing::error!(%error, "ticks of time triggers could not be stored; they are tried again");
                failures += 1;
                Some(shared.clock.now().plus(retry_wait(failures)))
            }
        };
        tokio::select! {
            _ = stopping.wait_for(|stopping| *stopping) => return,
            () = shared.signals.timers.notified() => {}
            () = sleep_until(&shared, wake) => {}
        }
        let now = shared.clock.now();
        if wake.is_some_and(|wake| now > wake.plus(TICK_GRACE)) {
            watched_since = now; // the machine slept, or its clock was put forward
        }
    }
}

async fn sleep_until(shared: &Shared, wake: Option<Timestamp>) {
    match wake {
        Some(wake) => shared.clock.sleep_until(wake).await,
        None => std::future::pending().await,
    }
}

/// Wait after that many failures in a row.
fn retry_wait(failures: u32) -> Duration {
    (STORE_RETRY_WAIT * 2_u32.pow(failures.saturating_sub(1).min(16))).min(TICK_RETRY_WAIT_MAX)
}

/// Fires what is due; returns when the next tick is.
async fn pass(shared: &Shared, missed_until: Timestamp) -> Result<Option<Timestamp>, Error> {
    while !shared.is_stopping() {
        // Triggers must not change between the look and the commit: a tick fires by the schedule that was in force.
        let changing = shared.catalog.begin().await;
        let now = shared.clock.now();
        let mut room = TICKS_AT_ONCE;
        let mut steps = Vec::new();
        for due in shared.catalog.due_timers(&changing, now, TICKS_AT_ONCE) {
            if room == 0 {
                break;
            }
            let rule = shared.options.missed_ticks;
            let owed = due.timer.owed(due.progress.value.through, missed_until, now, rule, room);
            room -= owed.ticks.len();
            steps.push(step(shared, due, owed));
        }
        if steps.is_empty() {
            break;
        }
        if steps.iter().any(|step| !step.submissions.is_empty()) {
            shared.store.check_space()?; // new work, as a call is
        }
        let late = shared.catalog.step_timers(changing, steps).await?;
        if late > 0 {
            // Only a second writer to the same store could do that.
            return Err(Error::Conflict);
        }
    }
    Ok(shared.catalog.next_tick())
}

/// The invocations that a timer owes, or none if its function is gone.
fn step(shared: &Shared, due: DueTimer, owed: Owed) -> TimerStep {
    let DueTimer { trigger, config, progress, .. } = due;
    if let Some(skipped) = owed.skipped {
        tracing::warn!(
            trigger = %trigger.name, function = %trigger.function, until = skipped.to_rfc3339(),
            "ticks were missed while no server ran, and are passed over"
        );
    }
    let target = shared.catalog.of_trigger(&trigger);
    if let Err(error) = &target {
        tracing::warn!(
            trigger = %trigger.name, function = %trigger.function, %error, ticks = owed.ticks.len(),
            "a time trigger fires at nothing"
        );
    }
    let was_stateful = shared.catalog.was_stateful(&trigger);
    let submission = |tick: &Timestamp| -> Option<Submission> {
        let (id, event) = (tick_request_id(&trigger, *tick), event(&trigger.name, &config, *tick));
        match &target {
            Ok(target) => Some(internal_submission(target, id, 0, event)),
            // As what waited when its qualifier went: invalid, counted, and its failure destination hears of it.
            Err(_) => {
                let (function, qualifier) = (trigger.function, trigger.qualifier.clone());
                Some(submission_to_nobody(function, qualifier, was_stateful?, id, event))
            }
        }
    };
    let submissions = owed.ticks.iter().filter_map(submission).collect();
    TimerStep { progress, through: owed.through, submissions }
}
