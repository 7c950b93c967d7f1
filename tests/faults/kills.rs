//! The controller killed at every point of its work.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use kube::api::DeleteParams;
use sealwax_crds::READY;
use sealwax_tests::{ControlPlane, Fault, FaultProxy, wait_for};
use serde_json::json;

use crate::served::{SOON, Served, condition};
use crate::witness::Witness;

const KILLS: usize = 50;
/// Longer than the lease of a killed controller, and what comes after it.
const LATER: Duration = Duration::from_secs(40);

/// From now on, the n-th request that belongs to work kills the controller: before the API server gets it, or when it has
/// answered. Counted are single requests, not those of watches, lists and the election.
fn kill_at(proxy: &FaultProxy, nth: usize, before: bool) -> Arc<AtomicUsize> {
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    proxy.rule(move |passing| {
        let collection = passing.method == "GET" && passing.path.ends_with('s');
        if passing.is_lease() || passing.is_watch() || collection {
            return Fault::Pass;
        }
        match counter.fetch_add(1, Ordering::SeqCst) + 1 {
            number if number != nth => Fault::Pass,
            _ if before => Fault::KillBefore,
            _ => Fault::KillAfter,
        }
    });
    count
}

/// The changes that a sync is about, one after the other.
async fn change(served: &Served, round: usize, value: &str) {
    let items = [("password", value), ("user", value), ("host", value)];
    match round % 4 {
        // A new value.
        0 | 1 => served.apply(&served.seal(served.recipient().await, "db", &items)).await,
        // Drift: what Git says stays the same.
        2 => served.edit("db", json!({"stringData": {"password": "drifted"}})).await,
        // The Secret goes.
        _ => served.secrets.delete("db", &DeleteParams::default()).await.map(drop).unwrap(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_fifty_times_it_loses_nothing_and_finishes_every_sync() {
    let plane = ControlPlane::start_for_good().await;
    let (mut served, proxy) = Served::start_behind_proxy(plane, "killed", &[]).await;
    let witness = Witness::begin(served.secrets.clone());
    let content = |value: &str| [("password", value), ("user", value), ("host", value)].map(|(k, v)| (k, v.to_owned()));
    let mut value = "v0".to_owned();
    let allow = |value: &str| {
        let items = content(value);
        let items: Vec<(&str, &str)> = items.iter().map(|(item, value)| (*item, value.as_str())).collect();
        witness.allow(&items);
        // What the test itself makes of it.
        witness
            .allow(&items.iter().map(|(k, v)| (*k, if *k == "password" { "drifted" } else { *v })).collect::<Vec<_>>());
    };
    allow(&value);
    change(&served, 0, &value).await;
    served.ready("db", "True", "Synced").await;

    let mut killed = 0;
    for round in 0.. {
        assert!(round < 4 * KILLS, "only {killed} of {KILLS} kills in {round} syncs");
        if round % 4 < 2 {
            value = format!("v{round}");
            allow(&value);
        }
        // Every point of a sync of up to five requests, before and after each.
        kill_at(&proxy, 1 + (round / 4) % 5, round % 8 < 4);
        proxy.victim(served.controller.id());
        change(&served, round, &value).await;
        let died = wait_for(LATER, "the controller to be killed, or done", async || {
            if !served.controller.is_running() {
                return Some(true);
            }
            settled(&served, &value).await.then_some(false)
        })
        .await;
        proxy.pass();
        if died {
            killed += 1;
            served.controller.restart();
        }
        wait_for(LATER, &format!("round {round} to converge"), async || settled(&served, &value).await.then_some(()))
            .await;
        if killed == KILLS {
            break;
        }
    }
    let secret = served.secrets.get("db").await.unwrap();
    assert_eq!(secret.metadata.owner_references.unwrap().len(), 1);
    witness.testify();
}

/// Whether the Secret holds what it shall, and the object says so.
async fn settled(served: &Served, value: &str) -> bool {
    let Ok(Some(secret)) = served.secrets.get_opt("db").await else { return false };
    let right = secret.data.iter().flatten().filter(|(_, found)| found.0 == value.as_bytes()).count() == 3;
    let Ok(object) = served.objects.get("db").await else { return false };
    let status = object.status.clone().unwrap_or_default();
    let seen = status.observed_generation == object.metadata.generation
        && status.secret_resource_version == secret.metadata.resource_version;
    right && seen && condition(&object, READY).is_some_and(|ready| ready.0 == "True")
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_it_makes_the_first_key_it_makes_one_key() {
    let plane = ControlPlane::shared().await;
    for nth in 1..=4 {
        let (mut served, proxy) = Served::start_behind_proxy(plane, &format!("first-{nth}"), &[]).await;
        kill_at(&proxy, nth, nth % 2 == 0);
        proxy.victim(served.controller.id());
        wait_for(SOON, "the controller to be killed or ready", async || {
            let published = served.config_maps.get_opt("sealwax-recipients").await.ok()?;
            (!served.controller.is_running() || published.is_some()).then_some(())
        })
        .await;
        proxy.pass();
        served.controller.keep_running();
        served.recipient().await;
        let keys = served.key_secrets.list(&kube::api::ListParams::default().labels("sealwax.dev/cluster-key")).await;
        assert_eq!(keys.unwrap().items.len(), 1);
    }
}
