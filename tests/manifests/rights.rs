//! The rights that the chart gives, held against what the controller asks for: none is missing, none is there for nothing.

use std::collections::BTreeSet;

use sealwax_format::keys::IdentityFile;
use sealwax_tests::{ControlPlane, Mark, Namespace};
use serde_json::Value;

use crate::installed::Installed;
use crate::life::Life;

/// Where a right holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Where {
    Own,
    Served,
    /// What is in no namespace.
    Cluster,
}

/// Where, a resource, a verb, and the one name that it holds for, if it is restricted to one.
type Right = (Where, String, String, Option<String>);

fn in_no_namespace(resource: &str) -> bool {
    ["namespaces", "clustersecretstores", "clustersecretstores/status"].contains(&resource)
}

/// What the rendered roles give.
fn granted(rendered: &[Value], own: &str) -> BTreeSet<Right> {
    let list = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().map(|item| item.as_str().unwrap().to_owned()).collect()
    };
    let mut rights = BTreeSet::new();
    for role in rendered.iter().filter(|document| ["Role", "ClusterRole"].contains(&document["kind"].as_str().unwrap()))
    {
        // People's, not the controller's.
        if role["metadata"]["name"] == "sealwax-recipients-reader" {
            continue;
        }
        for rule in role["rules"].as_array().unwrap() {
            let names = list(&rule["resourceNames"]);
            let names = if names.is_empty() { vec![None] } else { names.into_iter().map(Some).collect() };
            for resource in list(&rule["resources"]) {
                let place = match role["metadata"]["namespace"].as_str() {
                    _ if in_no_namespace(&resource) => Where::Cluster,
                    Some(namespace) if namespace == own => Where::Own,
                    _ => Where::Served,
                };
                for verb in list(&rule["verbs"]) {
                    rights.extend(names.iter().map(|name| (place, resource.clone(), verb.clone(), name.clone())));
                }
            }
        }
    }
    rights
}

/// How much of the cluster a controller serves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// A namespace by its name, with Roles alone.
    Named,
    /// Namespaces by label, with a Role in each.
    Labelled,
    /// All namespaces, with a `ClusterRole`.
    Whole,
}

/// Runs a controller with exactly what the chart renders through all it does, and compares.
async fn no_right_is_missing_and_none_is_unused(plane: &'static ControlPlane, scope: Scope) {
    let served = Namespace::create(plane, "rights").await;
    let own = Namespace::create(plane, "rights-keys").await;
    let label = format!("rights={}", served.name());
    plane.kubectl().run(&["label", "namespace", served.name(), &label]);
    let scoped = match scope {
        Scope::Named => format!("scope.namespaces={{{}}}", served.name()),
        Scope::Labelled => {
            format!(
                "scope.namespaceSelector={},rbac.perNamespaceRoles={{{}}}",
                label.replace('=', "\\="),
                served.name()
            )
        }
        Scope::Whole => String::new(),
    };
    let (_, escrow) = IdentityFile::generate("2026-01-01T00:00:00Z");
    let settings = [
        "restarts.enabled=true",
        "keys.rotateEvery=90d",
        &format!("escrow.configMap=true,escrow.recipients={{{escrow}}}"),
        "external.enabled=true",
        &scoped,
    ];
    let own_name = own.name().to_owned();
    let mut effective = vec![
        vec!["list", "secrets", "--namespace", &own_name],
        vec!["create", "configmaps", "--namespace", &own_name],
        vec!["list", "secrets", "--namespace", served.name()],
    ];
    if scope == Scope::Labelled {
        effective.push(vec!["list", "namespaces"]);
    }
    let settings: Vec<&str> = settings.into_iter().filter(|setting| !setting.is_empty()).collect();
    let effective: Vec<&[&str]> = effective.iter().map(Vec::as_slice).collect();
    let installed = Installed::new(plane, own, &settings, &effective).await;
    let mark = plane.audit().mark();

    let mut life = Life::begin(plane, served, installed).await;
    life.run_through().await;
    // Stores of the cluster are served where there is a ClusterRole.
    life.syncs(scope != Scope::Named).await;
    if scope == Scope::Whole {
        life.meets_an_object_beside_its_keys().await;
    }
    let granted = granted(&life.installed.rendered, &own_name);
    let used = used(plane, mark, &life, scope, &granted);
    let missing: Vec<_> = used.difference(&granted).collect();
    assert!(missing.is_empty(), "used, and granted by no role of the chart: {missing:?}");
    let unused: Vec<_> = granted.difference(&used).collect();
    assert!(unused.is_empty(), "granted, and never used: {unused:?}");
}

/// What was asked for since then; panics if anything was refused.
fn used(plane: &ControlPlane, mark: Mark, life: &Life, scope: Scope, granted: &BTreeSet<Right>) -> BTreeSet<Right> {
    let user = life.installed.identity.username();
    let mut rights = BTreeSet::new();
    for request in plane.audit().since(mark).into_iter().filter(|request| request.user == user) {
        assert_ne!(request.code, 403, "a right is missing: {request:?}");
        let place =
            match request.namespace.as_str() {
                // Paths such as /version need no right of ours.
                "" if request.resource.is_empty() => continue,
                // The namespace of a namespace is itself.
                _ if in_no_namespace(&request.resource) => Where::Cluster,
                "" if scope == Scope::Whole => Where::Served,
                // Who serves all namespaces is told of objects in its own, too.
                namespace if namespace == life.installed.own.name() => {
                    if request.resource.starts_with("encryptedsecrets") { Where::Served } else { Where::Own }
                }
                namespace if namespace == life.served.name() => Where::Served,
                _ => panic!("it asks for what is in neither namespace: {request:?}"),
            };
        let by_name = (place, request.resource.clone(), request.verb.clone(), Some(request.name));
        let right = if granted.contains(&by_name) { by_name } else { (place, request.resource, request.verb, None) };
        rights.insert(right);
    }
    rights
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_in_named_namespaces() {
    no_right_is_missing_and_none_is_unused(ControlPlane::shared().await, Scope::Named).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_in_labelled_namespaces() {
    no_right_is_missing_and_none_is_unused(ControlPlane::shared().await, Scope::Labelled).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_in_the_whole_cluster() {
    // Of its own: it serves every namespace that there is.
    no_right_is_missing_and_none_is_unused(ControlPlane::start_for_good().await, Scope::Whole).await;
}
