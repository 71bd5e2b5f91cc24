//! What is read at each look: names, meanings, and where it comes from.
//!
//! Owns the published figures of the queue, which the store's ledgers hold, so they go on where they were after a
//! restart. A counter of [`super::OTHER`] falls when one of its functions is deleted, which Prometheus takes for a
//! restart.

use bide_engine::{Bucket, Figures, FunctionFigures, Ledger};
use bide_types::resource::Function;
use prometheus::proto::MetricFamily;
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use super::families::{VALID, register};
use super::labels::{FUNCTION_LABELS, Labels};

type Count = fn(&Ledger) -> u64;
type Level = fn(&FunctionFigures) -> u64;

const COUNTERS: [(&str, &str, Count); 3] = [
    ("bide_function_enqueue_total", "Asynchronous invocations accepted, ever.", |ledger| ledger.accepted),
    ("bide_function_dequeue_total", "Asynchronous invocations that came to their end, ever.", |ledger| {
        ledger.accepted - ledger.open()
    }),
    (
        "bide_function_async_event_expired_dropped_total",
        "Asynchronous invocations dropped because they waited too long, ever.",
        |ledger| ledger.get(Bucket::Expired),
    ),
];

const LEVELS: [(&str, &str, Level); 8] = [
    (
        "bide_function_async_messages_backlog",
        "Asynchronous invocations that wait: for their delay, in line, or for another attempt.",
        |figures| waiting(&figures.ledger),
    ),
    (
        "bide_function_async_messages_deferred",
        "Those of the backlog that were submitted with a delay and were not taken up yet.",
        |figures| figures.ledger.get(Bucket::Deferred),
    ),
    ("bide_function_async_messages_in_process", "Asynchronous invocations that run.", |figures| {
        figures.ledger.get(Bucket::Running)
    }),
    ("bide_function_on_demand_active_instances", "Instances beside the provisioned ones.", |figures| {
        count(figures.instances.total.saturating_sub(figures.instances.provisioned))
    }),
    ("bide_function_provisioned_current_instances", "Provisioned instances that are ready.", |figures| {
        count(figures.instances.provisioned)
    }),
    ("bide_function_provisioned_target_instances", "Instances that are to be kept ready.", |figures| {
        u64::from(figures.instances.provisioned_target)
    }),
    ("bide_function_busy_instances", "Instances that run something.", |figures| {
        count(figures.instances.busy)
    }),
    (
        "bide_function_max_concurrent_requests",
        "Requests that one instance of the function may run at once.",
        |figures| u64::from(figures.function.instance_concurrency),
    ),
];

/// Everything that is read off `figures`.
pub(super) fn gather(
    figures: &Figures,
    version: &str,
    labels: impl Fn(&Function) -> Labels,
) -> prometheus::Result<Vec<MetricFamily>> {
    let registry = Registry::new();
    let functions: Vec<(Labels, &FunctionFigures)> =
        figures.functions.iter().map(|function| (labels(&function.function), function)).collect();
    for (name, help, count) in COUNTERS {
        let family = counters(&registry, name, help, &FUNCTION_LABELS);
        for (labels, function) in &functions {
            family.with_label_values(labels).inc_by(count(&function.ledger));
        }
    }
    for (name, help, level) in LEVELS {
        let family = gauges(&registry, name, help, &FUNCTION_LABELS);
        for (labels, function) in &functions {
            family.with_label_values(labels).add(signed(level(function)));
        }
    }
    settled(&registry, &functions);
    quota(&registry, &functions);
    server(&registry, figures, version);
    Ok(registry.gather())
}

/// By outcome, so that the ways to end can be told apart.
fn settled(registry: &Registry, functions: &[(Labels, &FunctionFigures)]) {
    let labels = [FUNCTION_LABELS.as_slice(), &["outcome"]].concat();
    let help = "Asynchronous invocations that came to their end, by outcome, ever.";
    let family = counters(registry, "bide_function_async_settled_total", help, &labels);
    for ([account, service, name], function) in functions {
        for bucket in Bucket::ALL.into_iter().filter(|bucket| bucket.is_settled()) {
            let values = [account.as_str(), service, name, bucket.name()];
            family.with_label_values(&values).inc_by(function.ledger.get(bucket));
        }
    }
}

/// Only of functions that have one.
fn quota(registry: &Registry, functions: &[(Labels, &FunctionFigures)]) {
    let help = "Instances that the on-demand configurations of the function's versions allow.";
    let family = gauges(registry, "bide_function_on_demand_instance_quota", help, &FUNCTION_LABELS);
    for (labels, function) in functions {
        if let Some(quota) = function.instances.on_demand_quota {
            family.with_label_values(labels).add(signed(quota));
        }
    }
}

fn server(registry: &Registry, figures: &Figures, version: &str) {
    let Figures { is_ready, store, instances, dead_letters, functions } = figures;
    gauges(registry, "bide_build_info", "Always 1; the version is a label.", &["version"])
        .with_label_values(&[version])
        .set(1);
    let levels: [(&str, &str, u64); 8] = [
        ("bide_ready", "1 when the server accepts work, else 0.", u64::from(*is_ready)),
        ("bide_functions", "Functions that exist.", count(functions.len())),
        ("bide_dead_letters", "Destination records that were given up and are kept.", count(*dead_letters)),
        ("bide_instances", "Instances that exist, those starting included.", count(instances.instances)),
        ("bide_instances_starting", "Instances that are starting.", count(instances.starting)),
        (
            "bide_requests_busy",
            "Requests that run or wait for their instance to start.",
            count(instances.busy),
        ),
        ("bide_requests_waiting", "Synchronous calls that wait for a slot.", count(instances.waiting)),
        (
            "bide_standbys_waiting",
            "Interpreters that stand ready for cold starts.",
            count(instances.standbys.waiting),
        ),
    ];
    for (name, help, value) in levels {
        register(registry, IntGauge::new(name, help).expect(VALID)).set(signed(value));
    }
    let counts: [(&str, &str, u64); 6] = [
        ("bide_store_operations_total", "Operations stored.", store.operations),
        ("bide_store_batches_total", "Batches stored.", store.batches),
        ("bide_store_groups_total", "Groups of batches written together.", store.groups),
        ("bide_store_flushes_total", "Flushes of the disk.", store.flushes),
        (
            "bide_instances_unwell_total",
            "Instances replaced because their health check failed.",
            instances.unwell,
        ),
        (
            "bide_standbys_used_total",
            "Cold starts that a waiting interpreter served.",
            instances.standbys.used,
        ),
    ];
    for (name, help, value) in counts {
        register(registry, IntCounter::new(name, help).expect(VALID)).inc_by(value);
    }
}

fn waiting(ledger: &Ledger) -> u64 {
    ledger.get(Bucket::Deferred) + ledger.get(Bucket::Queued) + ledger.get(Bucket::Retrying)
}

fn counters(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    register(registry, IntCounterVec::new(Opts::new(name, help), labels).expect(VALID))
}

fn gauges(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
    register(registry, IntGaugeVec::new(Opts::new(name, help), labels).expect(VALID))
}

fn count(value: usize) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
