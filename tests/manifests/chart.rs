//! The chart: what it renders, what it refuses, and that everything generated from it is up to date.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use xtask::generated;

use crate::common::{documents, find, helm, names, path, refused, render, succeeded, text};

/// Value sets and the golden files of what they render.
const CASES: [(&str, &[&str]); 3] = [
    ("defaults", &[]),
    ("scoped", &["--values", "tests/manifests/values/scoped.yaml"]),
    ("selector", &["--values", "tests/manifests/values/selector.yaml"]),
];

#[test]
fn generated_files_are_up_to_date() {
    let mut files = generated::copies().unwrap();
    files.extend(generated::manifests(&|_| ()).unwrap());
    assert!(files.len() >= 5, "the list of generated files has shrunk");
    for file in files {
        assert!(file.is_current(), "{} is not up to date: run `cargo xtask manifests`", file.path.display());
    }
}

#[test]
fn the_chart_carries_every_custom_resource_definition_and_no_other() {
    let mut definitions = names("crds");
    definitions.retain(|name| Path::new(name).extension().is_some_and(|extension| extension == "yaml"));
    assert_eq!(names("deploy/chart/files/crds"), definitions);
    let rendered = documents(&render(&[]));
    for name in definitions {
        let source = text(&format!("crds/{name}"));
        let mut expected: Value = serde_yaml::from_str(&source).unwrap();
        let found = find(&rendered, "CustomResourceDefinition", expected["metadata"]["name"].as_str().unwrap());
        assert_eq!(found["metadata"]["annotations"]["helm.sh/resource-policy"], "keep");
        expected["metadata"]["annotations"]["helm.sh/resource-policy"] = "keep".into();
        assert_eq!(*found, expected);
    }
}

#[test]
fn lint_finds_nothing() {
    for (_, arguments) in CASES {
        let report = succeeded(&helm(&[&["lint", "--strict", "deploy/chart"], arguments].concat()));
        assert!(!report.contains("[WARNING]") && !report.contains("[ERROR]"), "{report}");
    }
}

#[test]
fn renders_what_is_recorded() {
    for (name, arguments) in CASES {
        // The definitions have a test of their own, and are long.
        let rendered = render(&[arguments, &["--set", "crds.enabled=false"]].concat());
        let golden = path(&format!("tests/manifests/goldens/{name}.yaml"));
        if std::env::var_os("UPDATE_GOLDENS").is_some() {
            #[expect(clippy::disallowed_methods, reason = "a generated file of the repository, not a secret")]
            std::fs::write(&golden, &rendered).unwrap();
        }
        let recorded = std::fs::read_to_string(&golden).unwrap_or_default();
        assert!(
            recorded == rendered,
            "goldens/{name}.yaml differs from what is rendered; if that is meant: \
             UPDATE_GOLDENS=1 cargo test -p sealwax-tests --test manifests\n{}",
            first_difference(&recorded, &rendered)
        );
    }
}

fn first_difference(recorded: &str, rendered: &str) -> String {
    let mut lines = recorded.lines().zip(rendered.lines()).enumerate();
    lines.find(|(_, (old, new))| old != new).map_or_else(
        || "one is longer than the other".to_owned(),
        |(number, (old, new))| format!("line {}:\n- {old}\n+ {new}", number + 1),
    )
}

#[test]
fn every_value_is_documented_and_in_the_schema() {
    let values: Value = serde_yaml::from_str(&text("deploy/chart/values.yaml")).unwrap();
    let schema: Value = serde_json::from_str(&text("deploy/chart/values.schema.json")).unwrap();
    let mut known: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
    // Helm's own: what a chart that contains this one shares with it.
    known.retain(|name| *name != "global");
    let mut named: Vec<&String> = values.as_object().unwrap().keys().collect();
    named.sort_unstable();
    known.sort_unstable();
    assert_eq!(named, known);
    for (name, schema) in schema["properties"].as_object().unwrap() {
        let (Some(properties), Some(values)) = (schema["properties"].as_object(), values[name].as_object()) else {
            continue;
        };
        assert_eq!(schema["additionalProperties"], false, "{name} takes anything");
        let properties: BTreeMap<_, _> = properties.iter().collect();
        assert_eq!(
            properties.keys().collect::<Vec<_>>(),
            values.iter().collect::<BTreeMap<_, _>>().keys().collect::<Vec<_>>(),
            "{name}"
        );
    }
}

#[test]
fn wrong_values_are_refused() {
    // The setting, and what the answer has to name.
    for (setting, named) in [
        ("replicaCount=2", "replicaCount"),
        ("replicas=two", "replicas"),
        ("image.digest=sha256:abc", "digest"),
        ("image.pullPolicy=Sometimes", "pullPolicy"),
        ("scope.namespace=payments", "scope"),
        ("scope.namespaces={Payments}", "scope.namespaces"),
        ("scope.namespaces={payments},scope.namespaceSelector=a=b", "scope"),
        ("scope.namespaces={sealwax-system}", "nothing is served there"),
        ("rbac.perNamespaceRoles={payments}", "scope"),
        ("scope.namespaceSelector=a,rbac.perNamespaceRoles={sealwax-system}", "nothing is served there"),
        ("keys.rotateEvery=quarterly", "rotateEvery"),
        ("escrow.recipients={AGE-SECRET-KEY-1}", "escrow.recipients"),
        ("escrow.configMap=true", "escrow"),
        ("lease.duration=1s", "lease.duration"),
        ("concurrency=0", "concurrency"),
        ("logFormat=xml", "logFormat"),
        ("networkPolicy.apiServer.ports={}", "networkPolicy.apiServer.ports"),
        ("service.enabled=false,serviceMonitor.enabled=true", "service"),
        ("podDisruptionBudget.maxUnavailable=0", "maxUnavailable"),
        ("key.existingSecret=Not_A_Name", "existingSecret"),
    ] {
        let arguments = ["template", "sealwax", "deploy/chart", "--namespace", "sealwax-system", "--set", setting];
        let error = refused(&helm(&arguments)).replace('/', ".");
        assert!(error.contains(named), "{setting}: the answer does not name {named}:\n{error}");
    }
}

#[test]
fn every_value_has_a_comment() {
    let values = text("deploy/chart/values.yaml");
    let mut above = "";
    let mut inside = String::new();
    for line in values.lines() {
        let depth = line.len() - line.trim_start().len();
        let name = line.trim_start().split(':').next().unwrap_or_default();
        let value = !line.trim().is_empty() && !line.trim_start().starts_with(['#', '-']) && depth <= 2;
        // A mapping of values is explained by them; what a value itself consists of, by the value.
        let mapping = depth == 0 && line.ends_with(':') && !above.trim_start().starts_with('#');
        let explained = above.trim_start().starts_with('#') || mapping || (depth > 0 && inside == "explained");
        assert!(!value || explained, "values.yaml: {name} has no comment");
        if depth == 0 && value {
            inside = if mapping { "mapping" } else { "explained" }.to_owned();
        }
        above = line;
    }
}

#[test]
fn plain_manifests_have_a_reason_for_each_rule() {
    for file in ["deploy/install.yaml", "deploy/scoped.yaml"] {
        let manifest = text(file);
        let mut rules = 0;
        let mut above = "";
        for line in manifest.lines() {
            if line.starts_with("- apiGroups: [") {
                rules += 1;
                // The second of two rules that belong together stands below the first.
                assert!(above.starts_with('#') || above.starts_with("  verbs:"), "{file}: a rule without a reason");
            }
            above = line;
        }
        assert!(rules >= 9, "{file} has only {rules} rules");
        assert!(manifest.contains("Kubernetes cannot restrict"));
    }
}
