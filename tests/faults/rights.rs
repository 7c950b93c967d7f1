//! A right that is missing: the failure names it, nothing good is lost, and all goes on when it is granted.

use std::time::Duration;

use k8s_openapi::api::rbac::v1::Role;
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use sealwax_tests::{ControlPlane, Namespace, wait_for};
use serde_json::json;

use crate::served::{Served, install};

const LONG: Duration = Duration::from_mins(1);

/// Every right on one namespace that a sync needs, and a change that cannot do without it.
const RIGHTS: [(&str, &str); 9] = [
    ("encryptedsecrets", "get"),
    ("encryptedsecrets", "list"),
    ("encryptedsecrets", "watch"),
    ("encryptedsecrets/status", "patch"),
    ("secrets", "get"),
    ("secrets", "list"),
    ("secrets", "watch"),
    ("secrets", "create"),
    ("secrets", "patch"),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_missing_right_is_named_and_everything_goes_on_when_it_is_granted() {
    let plane = ControlPlane::shared().await;
    install(plane);
    let namespace = Namespace::create(plane, "rights").await;
    let keys = Namespace::create(plane, "rights-keys").await;
    let mut served = Served::start_in(plane, namespace, keys).await;
    let reader = served.recipient().await;
    let roles: Api<Role> = served.namespace.api(&plane.client().await);
    let whole = roles.get("sealwax-controller").await.unwrap();

    for (round, (resource, verb)) in RIGHTS.into_iter().enumerate() {
        served.apply(&served.seal(reader.clone(), "db", &[("password", "good")])).await;
        served.holds("db", &[("password", "good")]).await;
        served.ready("db", "True", "Synced").await;

        let mut lacking = whole.clone();
        lacking.metadata.resource_version = None;
        for rule in lacking.rules.iter_mut().flatten() {
            if rule.resources.iter().flatten().any(|listed| listed == resource) {
                rule.verbs.retain(|granted| granted != verb);
            }
        }
        // A rule without verbs is none.
        lacking.rules.iter_mut().for_each(|rules| rules.retain(|rule| !rule.verbs.is_empty()));
        roles.replace("sealwax-controller", &PostParams::default(), &lacking).await.unwrap();
        let said = served.controller.log().len();
        // Each of these needs every right: a fresh start, a repair, and a new object.
        served.controller.restart();
        let name = format!("new-{round}");
        served.edit("db", json!({"stringData": {"password": "drifted"}})).await;
        served.apply(&served.seal(reader.clone(), &name, &[("password", "new")])).await;
        let bare = resource.split('/').next().unwrap();
        wait_for(LONG, &format!("a word about the missing right to {verb} {resource}"), async || {
            let told = format!("{}{}", &served.controller.log()[said..], statuses(&served).await);
            told.contains(&format!("cannot {verb} resource \\\"{bare}")).then_some(())?;
            Some(())
        })
        .await;
        assert!(served.secrets.get_opt("db").await.unwrap().is_some(), "{verb} {resource}");

        roles.replace("sealwax-controller", &PostParams::default(), &granted(&whole)).await.unwrap();
        wait_for(LONG, &format!("{verb} {resource} to be missed no more"), async || {
            served.controller.keep_running();
            let value =
                async |name: &str| Some(served.secrets.get_opt(name).await.ok()??.data?.get("password")?.0.clone());
            (value("db").await? == b"good" && value(&name).await? == b"new").then_some(())
        })
        .await;
        served.objects.delete(&name, &DeleteParams::default()).await.unwrap();
    }
}

fn granted(role: &Role) -> Role {
    let mut role = role.clone();
    role.metadata.resource_version = None;
    role
}

/// The messages of all conditions, escaped as in the log.
async fn statuses(served: &Served) -> String {
    let list = served.objects.list(&kube::api::ListParams::default()).await.unwrap();
    serde_json::to_string(&list.items.iter().map(|object| &object.status).collect::<Vec<_>>()).unwrap()
}
