//! Alerts and the dashboard: they are well formed, fire when they shall, and speak of metrics that exist.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::common::{documents, find, promtool, render, succeeded, text};

/// Every metric of the controller, as Prometheus names it; a histogram has its own series besides. Once all of them are
/// registered in controller/src/metrics.rs, a running controller's `/metrics` should be the source of this list.
const METRICS: [&str; 19] = [
    "sealwax_build_info",
    "sealwax_cluster_key_missing",
    "sealwax_cluster_keys",
    "sealwax_drift_healed_total",
    "sealwax_escrow_missing",
    "sealwax_leader",
    "sealwax_objects",
    "sealwax_objects_stalled",
    "sealwax_oldest_unready_seconds",
    "sealwax_queue_depth",
    "sealwax_reconcile_duration_seconds_bucket",
    "sealwax_reconcile_failures_total",
    "sealwax_reconciles_total",
    "sealwax_restarts_pending",
    "sealwax_restarts_total",
    "sealwax_sealing_key_created_timestamp_seconds",
    "sealwax_sealing_key_rotation_due_timestamp_seconds",
    "sealwax_watch_errors_total",
    "sealwax_reconcile_duration_seconds",
];

const RULES: &str = "deploy/alerts/sealwax.rules.yaml";

fn rules() -> Vec<Value> {
    let file: Value = serde_yaml::from_str(&text(RULES)).unwrap();
    file["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}

/// The names in a text that begin as ours do.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|character: char| !(character.is_ascii_alphanumeric() || character == '_'));
    words.filter(|word| word.starts_with("sealwax_")).map(str::to_owned).collect()
}

#[test]
fn promtool_accepts_the_rules() {
    let report = succeeded(&promtool(&["check", "rules", "--lint=all", "--lint-fatal", RULES]));
    assert!(report.contains(&format!("{} rules found", rules().len())), "{report}");
}

#[test]
fn every_alert_fires_when_it_shall_and_not_before() {
    let tests = text("deploy/alerts/sealwax.tests.yaml");
    let tested: Value = serde_yaml::from_str(&tests).unwrap();
    for rule in rules() {
        let name = rule["alert"].as_str().unwrap();
        let all =
            tested["tests"].as_array().unwrap().iter().flat_map(|test| test["alert_rule_test"].as_array().unwrap());
        let (fires, rests): (Vec<_>, Vec<_>) =
            all.filter(|test| test["alertname"] == name).partition(|test| test["exp_alerts"][0].is_object());
        assert!(!fires.is_empty() && !rests.is_empty(), "{name} needs a test in which it fires and one in which not");
    }
    succeeded(&promtool(&["test", "rules", "deploy/alerts/sealwax.tests.yaml"]));
}

#[test]
fn every_alert_has_a_section_that_says_what_to_do() {
    let operations = text("docs/operations.md");
    for rule in rules() {
        let name = rule["alert"].as_str().unwrap();
        assert!(operations.contains(&format!("#### {name}\n")), "docs/operations.md has no section {name}");
        let runbook = rule["annotations"]["runbook_url"].as_str().unwrap();
        assert!(runbook.ends_with(&format!("/docs/operations.md#{}", name.to_lowercase())), "{runbook}");
        assert!(["critical", "warning"].contains(&rule["labels"]["severity"].as_str().unwrap()), "{name}");
    }
}

#[test]
fn alerts_dashboard_and_documentation_speak_of_metrics_that_exist() {
    let known: BTreeSet<String> = METRICS.iter().map(|metric| (*metric).to_owned()).collect();
    let dashboard = text("deploy/dashboards/sealwax.json");
    for (file, text) in [(RULES, text(RULES)), ("dashboard", dashboard.clone())] {
        let unknown: Vec<String> = metrics_in(&text).difference(&known).cloned().collect();
        assert!(unknown.is_empty(), "{file} names metrics that do not exist: {unknown:?}");
    }
    let operations = metrics_in(&text("docs/operations.md"));
    let missing: Vec<_> = known
        .iter()
        .filter(|metric| !metric.ends_with("_bucket"))
        .filter(|metric| !operations.contains(*metric))
        .collect();
    assert!(missing.is_empty(), "docs/operations.md does not explain {missing:?}");
}

#[test]
fn the_dashboard_is_whole() {
    let dashboard: Value = serde_json::from_str(&text("deploy/dashboards/sealwax.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(panels.len() > 10);
    let mut ids = BTreeSet::new();
    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "two panels with one id");
        let title = panel["title"].as_str().unwrap();
        assert!(!panel["description"].as_str().unwrap().is_empty(), "{title} is not explained");
        for target in panel["targets"].as_array().unwrap() {
            let expression = target["expr"].as_str().unwrap();
            assert!(!metrics_in(expression).is_empty(), "{title} shows nothing of ours");
            // Grafana fills these in.
            let expression = expression.replace("$__rate_interval", "5m").replace("$namespace", ".*");
            succeeded(&promtool(&["promql", "--experimental", "format", &expression]));
        }
    }
}

#[test]
fn the_chart_carries_both() {
    let rendered = documents(&render(&["--set", "prometheusRule.enabled=true,dashboard.enabled=true"]));
    let rule = find(&rendered, "PrometheusRule", "sealwax-controller");
    let file: Value = serde_yaml::from_str(&text(RULES)).unwrap();
    assert_eq!(rule["spec"], file);
    let dashboard = find(&rendered, "ConfigMap", "sealwax-controller-dashboard");
    assert_eq!(dashboard["data"]["sealwax.json"].as_str().unwrap(), text("deploy/dashboards/sealwax.json"));
}
