//! The rights in each kind of installation: a table for people, which `rights.rs` holds against the API server.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::common::{documents, render};

/// API group, resource, verbs.
type Rule = (&'static str, &'static str, &'static str);

/// Wherever the controller serves.
const SERVED: [Rule; 4] = [
    ("sealwax.dev", "encryptedsecrets", "get list watch"),
    ("sealwax.dev", "encryptedsecrets/status", "patch"),
    ("", "secrets", "get list watch create patch delete"),
    ("events.k8s.io", "events", "create patch"),
];

/// Besides, where it restarts workloads.
const RESTARTS: [Rule; 3] = [
    ("apps", "deployments", "list patch"),
    ("apps", "statefulsets", "list patch"),
    ("apps", "daemonsets", "list patch"),
];

/// Besides, where namespaces are selected by labels.
const NAMESPACES: [Rule; 1] = [("", "namespaces", "list watch")];

/// In its own namespace; what stands behind a slash is the one name that the rule holds for.
const OWN: [Rule; 6] = [
    ("", "secrets", "list watch create patch"),
    ("events.k8s.io", "events", "create patch"),
    ("coordination.k8s.io", "leases", "create"),
    ("coordination.k8s.io", "leases = sealwax-controller", "get list watch update"),
    ("", "configmaps", "create"),
    ("", "configmaps = sealwax-recipients", "list watch patch"),
];

/// Group, resource with names, verb.
type Right = (String, String, String);

fn table(rules: &[&[Rule]]) -> BTreeSet<Right> {
    let rights = rules.iter().copied().flatten().flat_map(|(group, resource, verbs)| {
        verbs.split(' ').map(|verb| ((*group).to_owned(), (*resource).to_owned(), verb.to_owned()))
    });
    rights.collect()
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(|item| item.as_str().unwrap().to_owned()).collect()
}

/// What the roles of this kind in this namespace give the controller.
fn rendered(arguments: &[&str], kind: &str, namespace: Option<&str>) -> BTreeSet<Right> {
    let documents = documents(&render(arguments));
    let namespace = namespace.map_or(Value::Null, Value::from);
    let roles = documents.iter().filter(|role| role["kind"] == kind && role["metadata"]["namespace"] == namespace);
    let mut rights = BTreeSet::new();
    for role in roles.filter(|role| role["metadata"]["name"] != "sealwax-recipients-reader") {
        for rule in role["rules"].as_array().unwrap() {
            let names = strings(&rule["resourceNames"]);
            let suffix = if names.is_empty() { String::new() } else { format!(" = {}", names.join(",")) };
            for group in strings(&rule["apiGroups"]) {
                for resource in strings(&rule["resources"]) {
                    let verbs = strings(&rule["verbs"]).into_iter();
                    rights.extend(verbs.map(|verb| (group.clone(), format!("{resource}{suffix}"), verb)));
                }
            }
        }
    }
    rights
}

const SYSTEM: Option<&str> = Some("sealwax-system");

#[test]
fn the_whole_cluster() {
    assert_eq!(rendered(&[], "ClusterRole", None), table(&[&SERVED]));
    assert_eq!(rendered(&[], "Role", SYSTEM), table(&[&OWN]));
    let restarts = ["--set", "restarts.enabled=true"];
    assert_eq!(rendered(&restarts, "ClusterRole", None), table(&[&SERVED, &RESTARTS]));
    let selector = ["--set", "scope.namespaceSelector=served"];
    assert_eq!(rendered(&selector, "ClusterRole", None), table(&[&SERVED, &NAMESPACES]));
}

#[test]
fn named_namespaces_and_no_cluster_role() {
    let scoped = ["--set", "scope.namespaces={payments,billing}"];
    for namespace in ["payments", "billing"] {
        assert_eq!(rendered(&scoped, "Role", Some(namespace)), table(&[&SERVED]));
    }
    assert_eq!(rendered(&scoped, "Role", SYSTEM), table(&[&OWN]));
    for document in documents(&render(&scoped)) {
        let kind = document["kind"].as_str().unwrap();
        assert!(!kind.starts_with("ClusterRole"), "{kind} in a scoped installation");
    }
}

#[test]
fn a_selector_with_roles_leaves_the_cluster_role_nothing_but_namespaces() {
    let selected = ["--set", "scope.namespaceSelector=served,rbac.perNamespaceRoles={payments}"];
    assert_eq!(rendered(&selected, "ClusterRole", None), table(&[&NAMESPACES]));
    assert_eq!(rendered(&selected, "Role", Some("payments")), table(&[&SERVED]));
}

#[test]
fn escrow_copies_are_published_by_name() {
    let escrow = ["--set", "escrow.configMap=true,escrow.recipients={age1x}"];
    let published = (String::new(), "configmaps = sealwax-recipients,sealwax-escrow".to_owned(), "patch".to_owned());
    assert!(rendered(&escrow, "Role", SYSTEM).contains(&published));
}

#[test]
fn nothing_is_given_where_somebody_else_gives_it() {
    let none = ["--set", "rbac.create=false"];
    assert_eq!(rendered(&none, "Role", SYSTEM), BTreeSet::new());
    assert_eq!(rendered(&none, "ClusterRole", None), BTreeSet::new());
}

#[test]
fn every_binding_is_to_the_controllers_account_and_a_role_that_is_there() {
    for arguments in
        [&[][..], &["--set", "scope.namespaces={payments}"], &["--values", "tests/manifests/values/selector.yaml"]]
    {
        let documents = documents(&render(arguments));
        let account = documents.iter().find(|document| document["kind"] == "ServiceAccount").unwrap();
        let bindings = documents.iter().filter(|document| document["kind"].as_str().unwrap().ends_with("RoleBinding"));
        let mut count = 0;
        for binding in bindings {
            count += 1;
            let role = &binding["roleRef"];
            let there = documents.iter().any(|document| {
                document["kind"] == role["kind"]
                    && document["metadata"]["name"] == role["name"]
                    && document["metadata"]["namespace"] == binding["metadata"]["namespace"]
            });
            assert!(there, "{role} is bound and not there");
            let people = binding["metadata"]["name"] == "sealwax-recipients-reader";
            assert!(people || binding["subjects"][0]["name"] == account["metadata"]["name"], "{binding}");
        }
        assert!(count >= 3, "{count} bindings");
    }
}
