//! What is counted as it happens: names, meanings, and the series of one function.

use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry, core::Collector,
};

use super::ERROR_TYPES;
use super::labels::{FUNCTION_LABELS, Labels};
use crate::traces::Counts;

/// Upper bounds of run times, in seconds. The longest timeout is a day (fc-behaviour 8).
const DURATION_BUCKETS: [f64; 13] =
    [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 600.0, 3600.0, 86_400.0];
/// Of waiting times in the queue, in seconds.
const WAIT_BUCKETS: [f64; 11] = [0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 60.0, 600.0, 3600.0];
/// Of commits, in seconds; most of it is the flush of the disk.
const COMMIT_BUCKETS: [f64; 10] = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 5.0];
/// Of operations that share a commit.
const OPERATION_BUCKETS: [f64; 8] = [1.0, 2.0, 5.0, 20.0, 50.0, 200.0, 500.0, 2000.0];

/// Every family, registered.
pub(super) struct Families {
    pub(super) registry: Registry,
    invocations: IntCounterVec,
    pub(super) function_errors: IntCounterVec,
    http_responses: IntCounterVec,
    counters: Vec<IntCounterVec>,
    histograms: Vec<HistogramVec>,
    pub(super) commit_duration: Histogram,
    pub(super) commit_operations: Histogram,
    pub(super) commit_errors: IntCounter,
    pub(super) spans: Counts,
}

/// The series of one function, found once.
pub(super) struct Series {
    pub(super) labels: Labels,
    pub(super) invocations_sync: IntCounter,
    pub(super) invocations_async: IntCounter,
    pub(super) http_2xx: IntCounter,
    pub(super) http_3xx: IntCounter,
    pub(super) http_4xx: IntCounter,
    pub(super) http_5xx: IntCounter,
    pub(super) server_errors: IntCounter,
    pub(super) client_errors: IntCounter,
    pub(super) concurrency_throttles: IntCounter,
    pub(super) resource_throttles: IntCounter,
    pub(super) cold_starts: IntCounter,
    pub(super) destination_succeeded: IntCounter,
    pub(super) destination_errors: IntCounter,
    pub(super) destination_given_up: IntCounter,
    pub(super) duration: Histogram,
    pub(super) latency: Histogram,
    pub(super) message_latency: Histogram,
}

/// Counters with the labels of a function and no other; the order is that of their use in [`Families::series`].
const COUNTERS: [(&str, &str); 8] = [
    (
        "bide_function_server_errors_total",
        "Synchronous calls that the server failed to run, and asynchronous attempts that it did.",
    ),
    (
        "bide_function_client_errors_total",
        "Calls that were refused for a fault of the caller, throttled ones included.",
    ),
    (
        "bide_function_concurrency_throttles_total",
        "Synchronous calls refused because the function had all the instances or waiting calls it may have.",
    ),
    (
        "bide_function_resource_throttles_total",
        "Synchronous calls refused because the account had all the instances it may have.",
    ),
    ("bide_function_cold_starts_total", "Attempts that waited for their instance to start."),
    ("bide_function_destination_succeeded_total", "Destination records delivered."),
    ("bide_function_destination_errors_total", "Attempts to deliver a destination record that failed."),
    ("bide_function_destination_given_up_total", "Destination records given up, which became dead letters."),
];

const HISTOGRAMS: [(&str, &str, &[f64]); 3] = [
    ("bide_function_duration_seconds", "Time that the code ran, for each attempt.", &DURATION_BUCKETS),
    (
        "bide_function_latency_seconds",
        "Time from asking for an instance to the end of the attempt, for each attempt.",
        &DURATION_BUCKETS,
    ),
    (
        "bide_function_async_message_latency_seconds",
        "Time that an asynchronous invocation waited in the queue beyond its delay, until its first attempt began.",
        &WAIT_BUCKETS,
    ),
];

const HTTP_CLASSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];
const INVOCATION_TYPES: [&str; 2] = ["Sync", "Async"];

impl Families {
    pub(super) fn new() -> Self {
        let registry = Registry::new();
        let with = |label: &'static str| [FUNCTION_LABELS.as_slice(), &[label]].concat();
        let invocations = counter(
            &registry,
            "bide_function_invocations_total",
            "Attempts to run the function that came to their end.",
            &with("invocation_type"),
        );
        let function_errors = counter(
            &registry,
            "bide_function_function_errors_total",
            "Attempts that the function's code failed.",
            &with("error_type"),
        );
        let http_responses = counter(
            &registry,
            "bide_function_http_responses_total",
            "Answers to calls that named the function, by the class of their HTTP status.",
            &with("class"),
        );
        let counters = COUNTERS.map(|(name, help)| counter(&registry, name, help, &FUNCTION_LABELS)).into();
        let histograms = HISTOGRAMS.map(|(name, help, buckets)| {
            let opts = HistogramOpts::new(name, help).buckets(buckets.to_vec());
            register(&registry, HistogramVec::new(opts, &FUNCTION_LABELS).expect(VALID))
        });
        let plain = |name: &str, help: &str, buckets: &[f64]| {
            let opts = HistogramOpts::new(name, help).buckets(buckets.to_vec());
            register(&registry, Histogram::with_opts(opts).expect(VALID))
        };
        let single = |name: &str, help: &str| register(&registry, IntCounter::new(name, help).expect(VALID));
        Self {
            invocations,
            function_errors,
            http_responses,
            counters,
            histograms: histograms.into(),
            commit_duration: plain(
                "bide_store_commit_duration_seconds",
                "Time that the store took to make a batch durable.",
                &COMMIT_BUCKETS,
            ),
            commit_operations: plain(
                "bide_store_commit_operations",
                "Operations in a batch.",
                &OPERATION_BUCKETS,
            ),
            commit_errors: single("bide_store_commit_errors_total", "Batches that could not be stored."),
            spans: Counts {
                sent: single("bide_trace_spans_sent_total", "Spans that the receiver took."),
                dropped: single(
                    "bide_trace_spans_dropped_total",
                    "Spans that found the queue full or that the receiver did not take.",
                ),
            },
            registry,
        }
    }

    /// The series with these labels; they exist from then on.
    pub(super) fn series(&self, labels: Labels) -> Series {
        let values = labels.each_ref().map(String::as_str);
        let with = |family: &IntCounterVec, value: &str| {
            family.with_label_values(&[values[0], values[1], values[2], value])
        };
        // From nothing to one is a rise that Prometheus sees only if nothing was there to be seen.
        ERROR_TYPES.iter().for_each(|error_type| drop(with(&self.function_errors, error_type)));
        let counter = |index: usize| self.counters[index].with_label_values(&values);
        let histogram = |index: usize| self.histograms[index].with_label_values(&values);
        Series {
            invocations_sync: with(&self.invocations, INVOCATION_TYPES[0]),
            invocations_async: with(&self.invocations, INVOCATION_TYPES[1]),
            http_2xx: with(&self.http_responses, HTTP_CLASSES[0]),
            http_3xx: with(&self.http_responses, HTTP_CLASSES[1]),
            http_4xx: with(&self.http_responses, HTTP_CLASSES[2]),
            http_5xx: with(&self.http_responses, HTTP_CLASSES[3]),
            server_errors: counter(0),
            client_errors: counter(1),
            concurrency_throttles: counter(2),
            resource_throttles: counter(3),
            cold_starts: counter(4),
            destination_succeeded: counter(5),
            destination_errors: counter(6),
            destination_given_up: counter(7),
            duration: histogram(0),
            latency: histogram(1),
            message_latency: histogram(2),
            labels,
        }
    }

    /// Drops the series with these labels.
    pub(super) fn remove(&self, labels: &Labels) {
        let values = labels.each_ref().map(String::as_str);
        // A series that is not there is removed already.
        for (family, last) in [
            (&self.invocations, INVOCATION_TYPES.as_slice()),
            (&self.function_errors, &ERROR_TYPES),
            (&self.http_responses, &HTTP_CLASSES),
        ] {
            for value in last {
                let _ = family.remove_label_values(&[values[0], values[1], values[2], value]);
            }
        }
        for family in &self.counters {
            let _ = family.remove_label_values(&values);
        }
        for family in &self.histograms {
            let _ = family.remove_label_values(&values);
        }
    }
}

pub(super) const VALID: &str = "names and labels are fixed and valid";

fn counter(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    register(registry, IntCounterVec::new(Opts::new(name, help), labels).expect(VALID))
}

pub(super) fn register<C: Collector + Clone + 'static>(registry: &Registry, collector: C) -> C {
    registry.register(Box::new(collector.clone())).expect("each name is registered once");
    collector
}
