//! The dashboard and the alert rules name only figures that exist, in expressions that Prometheus can read.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{PAGE, figures, promtool, said};
use crate::support::{Api, Function, World};

fn monitoring(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/monitoring").join(name)
}

/// Every expression of the dashboard, with what Grafana puts in filled in.
fn expressions() -> Vec<String> {
    let text = std::fs::read_to_string(monitoring("grafana-dashboard.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.filter_map(|panel| panel["targets"].as_array()).flatten();
    let mut expressions: Vec<String> =
        targets.map(|target| target["expr"].as_str().unwrap().to_owned()).collect();
    let variables = dashboard["templating"]["list"].as_array().unwrap().iter();
    let queries = variables.filter_map(|variable| variable["definition"].as_str());
    // `label_values(FAMILY, LABEL)` is Grafana's own; the family is an expression.
    expressions.extend(queries.map(|query| {
        let inner = query.trim_start_matches("label_values(").split(',').next();
        inner.expect("a family").to_owned()
    }));
    expressions.into_iter().map(|expression| expression.replace("$__rate_interval", "5m")).collect()
}

/// Names of families in an expression or a file of rules.
fn families(text: &str) -> BTreeSet<&str> {
    let words = text.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
    words.filter(|word| word.starts_with("bide_")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dashboard_and_the_rules_name_only_figures_that_exist() {
    let world = World::start_with(&[PAGE]).await;
    world.api.deploy("work", Function::python("def handler(event, context):\n    return event\n")).await;
    // The quota is shown only of functions that have one.
    let path = format!("{}/on-demand-config", Api::path("work").replace("/it/", "/it.LATEST/"));
    let quota = serde_json::json!({ "maximumInstanceCount": 5 });
    world.api.client().json(http::Method::PUT, &path, Some(&quota)).await.expect("put");
    let text = figures(&world.server).await;
    let known: BTreeSet<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let exists = |name: &str| known.contains(name.trim_end_matches("_bucket"));
    let expressions = expressions();
    assert!(expressions.len() > 40, "the dashboard has lost its panels");
    for expression in &expressions {
        let families = families(expression);
        assert!(!families.is_empty(), "{expression}");
        families.iter().for_each(|name| assert!(exists(name), "{name} in {expression} does not exist"));
    }
    let rules = std::fs::read_to_string(monitoring("alerts.yml")).unwrap();
    families(&rules).iter().for_each(|name| assert!(exists(name), "{name} of the rules does not exist"));
    // What nobody looks at is not worth counting.
    let shown = expressions.iter().flat_map(|expression| families(expression));
    let shown: BTreeSet<&str> = shown.map(|name| name.trim_end_matches("_bucket")).collect();
    let unseen: Vec<_> = known.difference(&shown).collect();
    let aside = [
        "bide_trace_spans_sent_total",
        "bide_trace_spans_dropped_total",
        "bide_build_info",
        "bide_functions",
        "bide_function_max_concurrent_requests",
        "bide_standbys_waiting",
        "bide_store_batches_total",
        "bide_store_groups_total",
        "bide_store_commit_operations",
    ];
    assert!(unseen.iter().all(|name| aside.contains(name)), "not on the dashboard: {unseen:?}");
}

#[test]
fn prometheus_reads_every_expression() {
    let rules: Vec<Value> = expressions()
        .iter()
        .enumerate()
        .map(|(index, expression)| serde_json::json!({ "record": format!("r{index}"), "expr": expression }))
        .collect();
    // JSON is YAML.
    let file = serde_json::json!({ "groups": [{ "name": "dashboard", "rules": rules }] }).to_string();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dashboard.yml");
    std::fs::write(&path, file).unwrap();
    for path in [path, monitoring("alerts.yml")] {
        let check = promtool(&["check", "rules", path.to_str().unwrap()], "");
        assert!(check.status.success(), "{}: {}", path.display(), said(&check));
    }
}
