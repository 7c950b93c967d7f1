//! What people ask of the controller besides values: a look now, silence, restarts, another controller.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use sealwax_tests::{ControlPlane, Namespace, wait_for};
use serde_json::{Value, json};

use crate::served::{SOON, Served, install};

#[tokio::test]
async fn a_look_is_made_on_request_and_echoed() {
    let served = Served::start("asked").await;
    served.apply(&served.seal(served.recipient().await, "db", &[("password", "x")])).await;
    served.ready("db", "True", "Synced").await;
    for (key, value) in [
        ("sealwax.dev/reconcile-at", "2026-01-01T00:00:00Z"),
        ("reconcile.fluxcd.io/requestedAt", "2026-02-01T00:00:00Z"),
    ] {
        let patch = json!({"metadata": {"annotations": {key: value}}});
        served.objects.patch("db", &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
        wait_for(SOON, "the request to be echoed", async || {
            let status = served.objects.get("db").await.ok()?.status?;
            let echoed = if key.contains("flux") { status.last_handled_reconcile_at } else { status.last_reconcile_at };
            (echoed.as_deref() == Some(value)).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn drift_is_told_with_the_name_of_who_did_it() {
    let served = Served::start("drift").await;
    served.apply(&served.seal(served.recipient().await, "db", &[("password", "hunter2"), ("user", "u")])).await;
    served.ready("db", "True", "Synced").await;
    let by = |manager: &str| PatchParams { field_manager: Some(manager.into()), ..PatchParams::default() };
    let events: Api<Event> = served.namespace.api(&served.plane.client().await);
    let told = async |text: &str| {
        wait_for(SOON, &format!("an event with `{text}`"), async || {
            let events = events.list(&ListParams::default()).await.ok()?.items;
            let notes: Vec<String> = events.into_iter().filter_map(|event| event.note).collect();
            assert!(!notes.iter().any(|note| note.contains("hunter") || note.contains("evil")), "{notes:?}");
            notes.iter().any(|note| note.contains(text)).then_some(())
        })
        .await;
    };
    let edit = json!({"stringData": {"password": "evil"}});
    served.secrets.patch("db", &by("mallory"), &Patch::Merge(edit)).await.unwrap();
    told("password changed by mallory").await;
    // Who only removes leaves no field behind by which to know him.
    let removal = json!({"data": {"user": null}});
    served.secrets.patch("db", &by("trudy"), &Patch::Merge(removal)).await.unwrap();
    told("user removed by somebody").await;
    served.holds("db", &[("password", "hunter2"), ("user", "u")]).await;
}

#[tokio::test]
async fn a_suspended_object_keeps_its_secret_as_it_is() {
    let served = Served::start("suspends").await;
    let mut object = served.seal(served.recipient().await, "db", &[("password", "1")]);
    served.apply(&object).await;
    served.ready("db", "True", "Synced").await;
    let mut next = served.seal(served.recipient().await, "db", &[("password", "2")]);
    next.spec.suspend = Some(true);
    served.apply(&next).await;
    served.ready("db", "True", "Suspended").await;
    served.edit("db", json!({"stringData": {"password": "edited"}})).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    served.holds("db", &[("password", "edited")]).await;
    object.spec.suspend = None;
    served.apply(&object).await;
    served.holds("db", &[("password", "1")]).await;
}

fn deployment(name: &str, restart_on: Option<&str>) -> Deployment {
    let mut deployment: Value = json!({
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "c", "image": "example.com/x"}]},
            },
        },
    });
    if let Some(secrets) = restart_on {
        deployment["metadata"]["annotations"] = json!({"sealwax.dev/restart-on": secrets});
    }
    serde_json::from_value(deployment).unwrap()
}

/// The rights that the chart adds with `restarts.enabled`.
pub(crate) fn restart_rights(served: &Served) -> String {
    let (namespace, keys) = (served.namespace.name(), served.keys.name());
    format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {{name: restarts, namespace: {namespace}}}\n\
         rules: [{{apiGroups: [apps], resources: [deployments, statefulsets, daemonsets], verbs: [list, patch]}}]\n---\n\
         apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {{name: restarts, namespace: {namespace}}}\n\
         roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: restarts}}\n\
         subjects: [{{kind: ServiceAccount, name: sealwax-controller, namespace: {keys}}}]\n"
    )
}

#[tokio::test]
async fn workloads_restart_once_when_the_content_changed_and_never_else() {
    let plane = ControlPlane::shared().await;
    install(plane);
    let namespace = Namespace::create(plane, "restarts").await;
    let keys = Namespace::create(plane, "restarts-keys").await;
    let mut served = Served::start_with(plane, namespace, keys, &["--restarts"]).await;
    plane.kubectl().apply(&restart_rights(&served));
    let deployments: Api<Deployment> = served.namespace.api(&plane.client().await);
    for deployment in [deployment("asks", Some("tls, db")), deployment("does-not", None)] {
        deployments.create(&PostParams::default(), &deployment).await.unwrap();
    }
    let generation = async |name: &str| deployments.get(name).await.unwrap().metadata.generation.unwrap();
    let settled = async |served: &Served| {
        served.ready("db", "True", "Synced").await;
        wait_for(SOON, "no pending restarts", async || {
            let status = served.objects.get("db").await.ok()?.status?;
            (status.restarts_pending.is_none() && status.content_hash.is_some()).then_some(())
        })
        .await;
    };

    served.apply(&served.seal(served.recipient().await, "db", &[("password", "1")])).await;
    settled(&served).await;
    // A repair, a restart of the controller, and the same value sealed anew: no change.
    served.edit("db", json!({"stringData": {"password": "x"}})).await;
    served.holds("db", &[("password", "1")]).await;
    served.controller.restart();
    served.apply(&served.seal(served.recipient().await, "db", &[("password", "1")])).await;
    settled(&served).await;
    assert_eq!(generation("asks").await, 1);

    let mark = plane.audit().mark();
    served.apply(&served.seal(served.recipient().await, "db", &[("password", "2")])).await;
    wait_for(SOON, "the restart", async || (generation("asks").await == 2).then_some(())).await;
    settled(&served).await;
    let pods = deployments.get("asks").await.unwrap().spec.unwrap().template.metadata.unwrap().annotations.unwrap();
    assert!(pods.contains_key("restart.sealwax.dev/db"));
    assert_eq!(generation("does-not").await, 1);
    let patches = plane.audit().count(mark, |request| {
        request.user == served.identity.username() && request.resource == "deployments" && request.verb == "patch"
    });
    assert_eq!(patches, 1, "one patch a change");
}

#[tokio::test]
async fn controllers_share_a_cluster_by_class_and_labels() {
    let plane = ControlPlane::shared().await;
    install(plane);
    let namespace = Namespace::create(plane, "classes").await;
    let keys = Namespace::create(plane, "classes-keys").await;
    let flags = ["--class", "blue", "--selector", "tier in (gold)"];
    let served = Served::start_with(plane, namespace, keys, &flags).await;
    let reader = served.recipient().await;
    let object = |name: &str, class: Option<&str>, tier: &str| {
        let mut object = served.seal(reader.clone(), name, &[("password", name)]);
        object.spec.class = class.map(str::to_owned);
        object.metadata.labels = Some([("tier".to_owned(), tier.to_owned())].into());
        object
    };
    for other in
        [object("none", None, "gold"), object("green", Some("green"), "gold"), object("tin", Some("blue"), "tin")]
    {
        served.apply(&other).await;
    }
    served.apply(&object("ours", Some("blue"), "gold")).await;
    served.ready("ours", "True", "Synced").await;
    let secrets = served.secrets.list(&ListParams::default()).await.unwrap().items;
    let names: Vec<_> = secrets.iter().filter_map(|secret| secret.metadata.name.as_deref()).collect();
    assert_eq!(names, ["ours"]);
}
