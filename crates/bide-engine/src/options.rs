//! What an operator can set about the engine, and its internal bounds.

use std::time::Duration;

use bide_core::MissedTicks;
use bide_types::limits::{
    ASYNC_DELAY_MAX, ASYNC_PAYLOAD_BYTES_MAX, RETURN_PAYLOAD_BYTES_MAX, SYSTEM_RETRY_WINDOW,
    TASK_RETENTION_DEFAULT,
};

use crate::trace::Sampling;

/// Settings of the engine.
#[derive(Clone, Debug)]
pub struct Options {
    /// Region in resource names and function contexts.
    pub region: String,
    /// How long settled tasks are kept.
    pub task_retention: Duration,
    /// How long a shutdown waits for running attempts before it interrupts them.
    pub drain_timeout: Duration,
    /// What becomes of ticks of time triggers that were missed.
    pub missed_ticks: MissedTicks,
    /// How long destination records that were given up are kept.
    pub dead_letter_retention: Duration,
    /// Most of them; beyond, the oldest go.
    pub dead_letters_max: usize,
    /// Which traces are recorded; `None`: nobody records any, and functions are told the context of the caller.
    pub sampling: Option<Sampling>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            region: "local".to_owned(),
            task_retention: TASK_RETENTION_DEFAULT,
            drain_timeout: Duration::from_secs(30),
            missed_ticks: MissedTicks::default(),
            dead_letter_retention: DEAD_LETTER_RETENTION_DEFAULT,
            dead_letters_max: DEAD_LETTERS_MAX_DEFAULT,
            sampling: None,
        }
    }
}

/// Operations that may wait for the batcher; beyond, senders wait.
pub(crate) const BATCHER_QUEUE_MAX: usize = 8192;
/// Operations in one batch.
pub(crate) const BATCH_OPERATIONS_MAX: usize = 2048;
/// Bytes of events that may wait to become durable; beyond, submissions are refused with 429.
pub(crate) const UNSTORED_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Most slots that one function takes in one turn before others of its account get theirs.
pub(crate) const DISPATCH_QUANTUM: usize = 16;
/// How often a function without capacity has its line checked for events that are too old.
pub(crate) const EXPIRY_SWEEP: Duration = Duration::from_millis(500);
/// A lease outlives the longest run that it can cover by this much.
pub(crate) const LEASE_MARGIN: Duration = Duration::from_secs(300);
/// How often retention and lapsed leases are looked at.
pub(crate) const MAINTENANCE_PERIOD: Duration = Duration::from_secs(60);
/// A store is asked to give the space of removed tasks back at most so often, and only after a [`MAINTENANCE_PERIOD`] with so
/// few operations: one that is written to does it by itself.
pub(crate) const RECLAIM_PERIOD: Duration = Duration::from_secs(3600);
pub(crate) const QUIET_OPERATIONS_MAX: u64 = 10_000;
/// Records of one maintenance batch.
pub(crate) const MAINTENANCE_BATCH: usize = 512;
/// Destination records taken up at once, each with its event, its return value and the text made of both.
pub(crate) const DELIVERIES_AT_ONCE: usize = 16;
/// Destination records that are taken up from the outbox in one look.
pub(crate) const OUTBOX_PAGE: usize = 256;
/// Records that wait in memory for one target. More of them are put off by [`LANE_PUT_OFF`], unless it takes
/// [`LANE_FAST_MIN`] in [`LANE_PACE_WINDOW`]: then they are left where they are, since there is room before long.
pub(crate) const LANE_WAITING_MAX: usize = 1024;
pub(crate) const LANE_PUT_OFF: Duration = Duration::from_secs(15);
pub(crate) const LANE_FAST_MIN: usize = 64;
pub(crate) const LANE_PACE_WINDOW: Duration = Duration::from_secs(1);
/// Failures in a row after which a target is left alone.
pub(crate) const LANE_FAILURES_MAX: u32 = 5;
/// How long it is left alone at first; doubles up to [`LANE_WAIT_MAX`].
pub(crate) const LANE_WAIT_FIRST: Duration = Duration::from_secs(1);
pub(crate) const LANE_WAIT_MAX: Duration = Duration::from_secs(60);
/// Attempts to deliver a destination record before it is given up, about an hour after the first.
pub(crate) const DELIVERY_ATTEMPTS_MAX: u32 = 20;
/// First wait after a failed delivery; doubles up to [`DELIVERY_WAIT_MAX`].
pub(crate) const DELIVERY_WAIT_FIRST: Duration = Duration::from_secs(1);
pub(crate) const DELIVERY_WAIT_MAX: Duration = Duration::from_secs(300);
/// How long destination records that were given up are kept, and how many, unless the options say otherwise. The list
/// may be longer for [`MAINTENANCE_PERIOD`].
pub(crate) const DEAD_LETTER_RETENTION_DEFAULT: Duration = Duration::from_secs(7 * 86_400);
pub(crate) const DEAD_LETTERS_MAX_DEFAULT: usize = 100_000;
/// Of the reason that is kept with a dead letter.
pub(crate) const DEAD_LETTER_REASON_CHARS_MAX: usize = 512;
/// How long the name and the destinations of a deleted function are known at least, beyond the retention of dead letters.
/// Longer than all waits between [`DELIVERY_ATTEMPTS_MAX`] attempts together.
pub(crate) const RETIRED_KEPT: Duration = Duration::from_secs(2 * 3600);
/// How long the configuration of a qualifier that is gone is known: what waits for the qualifier becomes invalid when it
/// is due, after the longest delay or within the window of refused attempts.
pub(crate) const FORMER_CONFIGS_KEPT: Duration =
    Duration::from_secs(2 * (ASYNC_DELAY_MAX.as_secs() + SYSTEM_RETRY_WINDOW.as_secs()));
/// How long an uploaded package may wait for the function that names it.
pub(crate) const UPLOAD_SPARED: Duration = Duration::from_secs(600);
/// Destinations that may follow on one another, so that a cycle ends. Each record holds the one before it, escaped once
/// more, so its size about doubles with every hop.
pub(crate) const DESTINATION_HOPS_MAX: u8 = 8;
/// Largest destination record that a function is sent: an event and a return value at their limits, with escapes.
pub(crate) const DESTINATION_RECORD_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Ticks of time triggers submitted at once, each with its event; the rest follows.
pub(crate) const TICKS_AT_ONCE: usize = 64;
/// Invocations that one call for events submits at once, each with its event; the rest follows.
pub(crate) const PUBLISHED_AT_ONCE: usize = 64;
/// How late a tick may be without counting as missed. No schedule has two ticks within this time, so a restart that takes
/// less loses none, and makes none up in a heap.
pub(crate) const TICK_GRACE: Duration = Duration::from_secs(60);
/// Longest wait before ticks that could not be stored are tried again; the first is [`STORE_RETRY_WAIT`].
pub(crate) const TICK_RETRY_WAIT_MAX: Duration = Duration::from_secs(30);
/// Wait before a background task tries again after the store failed to read.
pub(crate) const STORE_RETRY_WAIT: Duration = Duration::from_secs(1);

const _: () = assert!(ASYNC_PAYLOAD_BYTES_MAX < UNSTORED_BYTES_MAX);
const _: () = assert!(TICKS_AT_ONCE * ASYNC_PAYLOAD_BYTES_MAX <= UNSTORED_BYTES_MAX);
const _: () = assert!(PUBLISHED_AT_ONCE * ASYNC_PAYLOAD_BYTES_MAX <= UNSTORED_BYTES_MAX);
const _: () = assert!(DELIVERIES_AT_ONCE * DESTINATION_RECORD_BYTES_MAX <= UNSTORED_BYTES_MAX);
const _: () = assert!(ASYNC_PAYLOAD_BYTES_MAX + RETURN_PAYLOAD_BYTES_MAX < DESTINATION_RECORD_BYTES_MAX / 2);
const _: () = assert!(LANE_WAIT_MAX.as_secs() <= DELIVERY_WAIT_MAX.as_secs());
const _: () = assert!(DELIVERY_WAIT_MAX.as_secs() * (DELIVERY_ATTEMPTS_MAX as u64) < RETIRED_KEPT.as_secs());
