//! Alerts and the dashboard: they are well formed, fire when they shall, and speak of metrics that exist.

use std::collections::BTreeSet;

use sealwax_tests::{ControlPlane, Namespace};
use serde_json::Value;

use crate::common::{documents, find, promtool, render, succeeded, text};
use crate::installed::Installed;
use crate::life::Life;

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

/// The metrics of a running controller as its `/metrics` declares them, by the names of what people ask for.
async fn served() -> BTreeSet<String> {
    let plane = ControlPlane::shared().await;
    let served = Namespace::create(plane, "metrics").await;
    let own = Namespace::create(plane, "metrics-keys").await;
    let scope = format!("scope.namespaces={{{}}}", served.name());
    let installed = Installed::new(plane, own, &[&scope, "external.enabled=true"], &[]).await;
    let object = |kind: &str, spec: serde_json::Value| {
        let metadata = serde_json::json!({"name": "demo", "namespace": served.name()});
        serde_json::json!({"apiVersion": "sealwax.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec})
    };
    let values = serde_json::json!([{"key": "db", "value": "hunter2"}]);
    let store = object("SecretStore", serde_json::json!({"provider": {"fake": {"data": values}}}));
    let data = serde_json::json!([{"secretKey": "password", "remoteRef": {"key": "db"}}]);
    let read = object("ExternalSecret", serde_json::json!({"secretStoreRef": {"name": "demo"}, "data": data}));
    for manifest in [store, read] {
        plane.kubectl().apply(&manifest.to_string());
    }
    let metrics = Life::begin(plane, served, installed).await.gets_into_trouble().await;
    let declared: Vec<&str> = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    // A metric that nothing was counted by is not served; then there is more to get into.
    let registered = text("controller/src/metrics.rs").matches("registry.register(").count();
    assert_eq!(declared.len(), registered, "not every metric was seen:\n{metrics}");
    let mut names = BTreeSet::new();
    for line in declared {
        let (name, kind) = line.split_once(' ').unwrap();
        assert!(name.starts_with("sealwax_"), "{name} is not named as ours are");
        let suffix = match kind {
            "counter" => "_total",
            "info" => "_info",
            "gauge" | "histogram" => "",
            other => panic!("{name} is a {other}"),
        };
        names.insert(format!("{name}{suffix}"));
        if kind == "histogram" {
            names.insert(format!("{name}_bucket"));
        }
    }
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_dashboard_and_documentation_speak_of_metrics_that_exist() {
    let served = served().await;
    let operations = text("docs/operations.md");
    for (file, text) in [
        (RULES, text(RULES)),
        ("the dashboard", text("deploy/dashboards/sealwax.json")),
        ("the documentation", operations.clone()),
    ] {
        let unknown: Vec<String> = metrics_in(&text).difference(&served).cloned().collect();
        assert!(unknown.is_empty(), "{file} names metrics that do not exist: {unknown:?}");
    }
    let rows: Vec<&str> = operations.lines().filter(|line| line.starts_with("| `sealwax_")).collect();
    let explained = metrics_in(&rows.join("\n"));
    let missing: Vec<_> = served.difference(&explained).filter(|metric| !metric.ends_with("_bucket")).collect();
    assert!(missing.is_empty(), "the table in docs/operations.md does not explain {missing:?}");
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
