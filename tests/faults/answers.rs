//! An API server that answers with errors, late, not at all, or falls silent in the middle.

use std::time::Duration;

use sealwax_tests::{ControlPlane, Fault, Passing, wait_for};
use serde_json::json;

use crate::served::Served;
use crate::witness::Witness;

const LONG: Duration = Duration::from_secs(90);

fn is_work(passing: &Passing) -> bool {
    !passing.is_lease() && !passing.is_watch()
}

/// Applies a value while a fault lasts, sees that the last good Secret stays, ends the fault and waits for the new value.
async fn weathers(test: &str, mut fault: impl FnMut(&Passing) -> Fault + Send + 'static, lasts: Duration) {
    let plane = ControlPlane::shared().await;
    let (mut served, proxy) = Served::start_behind_proxy(plane, test, &[]).await;
    let witness = Witness::begin(served.secrets.clone());
    for value in ["good", "better"] {
        witness.allow(&[("password", value)]);
    }
    served.apply(&served.seal(served.recipient().await, "db", &[("password", "good")])).await;
    served.ready("db", "True", "Synced").await;
    let reader = served.recipient().await;
    proxy.rule(move |passing| fault(passing));
    served.apply(&served.seal(reader, "db", &[("password", "better")])).await;
    tokio::time::sleep(lasts).await;
    assert!(served.secrets.get_opt("db").await.unwrap().is_some());
    proxy.pass();
    wait_for(LONG, "the new value after the fault", async || {
        served.controller.keep_running();
        let data = served.secrets.get_opt("db").await.ok()??.data?;
        (data.get("password")?.0 == b"better").then_some(())
    })
    .await;
    wait_for(LONG, "the object to be ready after the fault", async || {
        let object = served.objects.get("db").await.ok()?;
        let ready = crate::served::condition(&object, "Ready")?;
        let clean = ["Reconciling", "Fresh"].iter().all(|type_| crate::served::condition(&object, type_).is_none());
        (ready.0 == "True" && clean && object.status?.observed_generation == object.metadata.generation).then_some(())
    })
    .await;
    witness.testify();
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_requests() {
    weathers("a429", |passing| if is_work(passing) { Fault::Answer(429) } else { Fault::Pass }, Duration::from_secs(3))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn internal_errors_on_everything() {
    weathers("a500", |_| Fault::Answer(500), Duration::from_secs(4)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_lost() {
    let mut lost = 0;
    let lose = move |passing: &Passing| {
        if !is_work(passing) || passing.method == "GET" || lost >= 3 {
            return Fault::Pass;
        }
        lost += 1;
        Fault::LoseAnswer
    };
    weathers("lost", lose, Duration::from_secs(3)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_never_answered() {
    let mut hung = 0;
    let hang = move |passing: &Passing| {
        if !is_work(passing) || passing.method == "GET" || hung >= 1 {
            return Fault::Pass;
        }
        hung += 1;
        Fault::Hang
    };
    weathers("hangs", hang, Duration::from_secs(3)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_hanging_object_does_not_hold_up_the_others() {
    let plane = ControlPlane::shared().await;
    let (served, proxy) = Served::start_behind_proxy(plane, "slow", &["--concurrency", "4"]).await;
    let reader = served.recipient().await;
    proxy.rule(|passing| if passing.path.contains("/stuck-") { Fault::Hang } else { Fault::Pass });
    // As many as there are places: their status writes hang, and their retries may take half of the places at most.
    for number in 0..4 {
        served.apply(&served.seal(reader.clone(), &format!("stuck-{number}"), &[("password", "x")])).await;
    }
    tokio::time::sleep(Duration::from_secs(16)).await;
    let started = std::time::Instant::now();
    served.apply(&served.seal(reader, "fresh", &[("password", "x")])).await;
    served.ready("fresh", "True", "Synced").await;
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    assert!(served.controller.log().contains("did not answer in time"));
}

#[tokio::test(flavor = "multi_thread")]
async fn watches_that_fall_silent_are_given_up() {
    let plane = ControlPlane::shared().await;
    let (served, proxy) = Served::start_behind_proxy(plane, "silent", &[]).await;
    let reader = served.recipient().await;
    served.apply(&served.seal(reader.clone(), "db", &[("password", "good")])).await;
    served.ready("db", "True", "Synced").await;
    let mut served = served;
    proxy.rule(|passing| if passing.is_watch() && !passing.is_lease() { Fault::FallSilent } else { Fault::Pass });
    served.controller.restart();
    tokio::time::sleep(Duration::from_secs(5)).await;
    proxy.pass();
    // Nobody tells of this edit: the watch is open, and silent, until its silence is too long.
    served.edit("db", json!({"stringData": {"password": "evil"}})).await;
    served.apply(&served.seal(reader, "other", &[("password", "new")])).await;
    wait_for(Duration::from_mins(4), "both to be as they shall", async || {
        let value = async |name: &str| Some(served.secrets.get_opt(name).await.ok()??.data?.get("password")?.0.clone());
        (value("db").await? == b"good" && value("other").await? == b"new").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_deleted_while_nobody_watched_comes_back() {
    let plane = ControlPlane::shared().await;
    let (served, proxy) = Served::start_behind_proxy(plane, "gap", &[]).await;
    served.apply(&served.seal(served.recipient().await, "db", &[("password", "good")])).await;
    served.ready("db", "True", "Synced").await;
    // The watch ends, and what it could go on from is forgotten; until it may list again, the Secret is deleted.
    proxy.rule(|passing| match passing.path.ends_with("/secrets") {
        true if passing.is_watch() => Fault::Answer(410),
        true if passing.method == "GET" => Fault::Answer(500),
        _ => Fault::Pass,
    });
    proxy.cut();
    served.controller.wait_for_log(LONG, "the watch of Secrets starts again").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    served.secrets.delete("db", &kube::api::DeleteParams::default()).await.unwrap();
    proxy.pass();
    wait_for(LONG, "the Secret to come back", async || {
        let data = served.secrets.get_opt("db").await.ok()??.data?;
        (data.get("password")?.0 == b"good").then_some(())
    })
    .await;
}
