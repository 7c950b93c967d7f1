//! Two replicas: who leads, what happens when the leader ends, dies or hangs, and that nothing is written twice.

use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::api::DeleteParams;
use sealwax_tests::{Controller, Identity, Mark, get, wait_for};

use crate::served::{SOON, Served};

/// A second replica, with the same rights under a name of its own, so that the audit log tells the two apart.
async fn second(served: &Served) -> (Controller, Identity) {
    let (namespace, keys) = (served.namespace.name(), served.keys.name());
    let bindings = [(namespace, "sealwax-controller"), (keys, "sealwax-keys"), (keys, "sealwax-recipients-writer")];
    let rbac = bindings.map(|(namespace, role)| {
        format!(
            "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\n\
             metadata: {{name: {role}-second, namespace: {namespace}}}\n\
             roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: {role}}}\n\
             subjects: [{{kind: ServiceAccount, name: second, namespace: {keys}}}]\n"
        )
    });
    let identity = Identity::create(served.plane, keys, "second", &rbac.join("---\n")).await;
    let flags =
        ["--namespace", namespace, "--key-namespace", keys, "--listen", "127.0.0.1:0", "--lease-duration", "2s"];
    let controller = Controller::start(&identity, &flags);
    controller.wait_for_log(SOON, "waiting to lead").await;
    (controller, identity)
}

/// What this identity wrote since then, the lease aside.
fn writes(served: &Served, identity: &Identity, mark: Mark) -> Vec<String> {
    let requests = served.plane.audit().since(mark);
    let own = requests.iter().filter(|request| request.user == identity.username() && request.is_write());
    let own = own.filter(|request| request.resource != "leases" && request.resource != "events");
    own.map(|request| format!("{} {} {}", request.verb, request.resource, request.name)).collect()
}

async fn holder(served: &Served) -> String {
    let leases: Api<Lease> = served.keys.api(&served.plane.client().await);
    let lease = leases.get("sealwax-controller").await.unwrap();
    lease.spec.and_then(|spec| spec.holder_identity).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_is_ready_and_does_nothing() {
    let served = Served::start("standby").await;
    served.recipient().await;
    let (mut standby, identity) = second(&served).await;
    let address = standby.metrics_url().await;
    assert_eq!(get(&address, "/readyz").await.unwrap().0, 200);
    assert_eq!(get(&address, "/healthz").await.unwrap().0, 200);
    assert!(sealwax_tests::scrape(&address).await.unwrap().contains("sealwax_leader 0"));
    let leader = served.controller.metrics_url().await;
    assert!(sealwax_tests::scrape(&leader).await.unwrap().contains("sealwax_leader 1"));
    let mark = served.plane.audit().mark();
    served.apply(&served.seal(served.recipient().await, "db", &[("password", "x")])).await;
    served.ready("db", "True", "Synced").await;
    assert_eq!(writes(&served, &identity, mark), Vec::<String>::new());
    assert!(standby.terminate(Duration::from_secs(5)).success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clean_stop_hands_over_at_once() {
    let mut served = Served::start("stops").await;
    served.recipient().await;
    let (standby, _) = second(&served).await;
    let before = holder(&served).await;
    assert!(served.controller.terminate(Duration::from_secs(10)).success());
    let stopped = Instant::now();
    standby.wait_for_log(SOON, "leading").await;
    // The lease lasts two seconds; that nobody waited for it is what counts, on however busy a machine.
    assert!(stopped.elapsed() < Duration::from_millis(1800), "handed over after {:?}", stopped.elapsed());
    assert_ne!(holder(&served).await, before);
    served.apply(&served.seal(served.recipient().await, "db", &[("password", "x")])).await;
    served.ready("db", "True", "Synced").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_leader_is_replaced_within_its_lease() {
    let mut served = Served::start("dies").await;
    let reader = served.recipient().await;
    let (standby, identity) = second(&served).await;
    served.controller.kill_9();
    let died = Instant::now();
    let mark = served.plane.audit().mark();
    served.apply(&served.seal(reader, "db", &[("password", "x")])).await;
    standby.wait_for_log(SOON, "leading").await;
    let took = died.elapsed();
    assert!(took < Duration::from_secs(6), "the lease lasts two seconds, and it took {took:?}");
    served.ready("db", "True", "Synced").await;
    let written = writes(&served, &identity, mark);
    let secrets: Vec<_> = written.iter().filter(|write| write.contains(" secrets")).collect();
    assert_eq!(secrets.len(), 1, "{written:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_hung_writes_nothing_when_it_goes_on() {
    let mut served = Served::start("hung").await;
    let reader = served.recipient().await;
    served.apply(&served.seal(reader.clone(), "db", &[("password", "1")])).await;
    served.ready("db", "True", "Synced").await;
    let (standby, _) = second(&served).await;
    served.controller.pause();
    standby.wait_for_log(SOON, "leading").await;
    // Changed behind its back: what it kept in memory is old now.
    served.apply(&served.seal(reader, "db", &[("password", "2")])).await;
    served.ready("db", "True", "Synced").await;
    let mark = served.plane.audit().mark();
    served.controller.resume();
    wait_for(SOON, "the former leader to end", async || (!served.controller.is_running()).then_some(())).await;
    assert!(served.controller.log().contains("does not lead any more"));
    assert_eq!(writes(&served, &served.identity, mark), Vec::<String>::new());
    served.holds("db", &[("password", "2")]).await;
    // Started again, it waits for its turn.
    served.controller.restart();
    served.controller.wait_for_log(SOON, "waiting to lead").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_lease_makes_no_second_leader() {
    let mut served = Served::start("unleased").await;
    let reader = served.recipient().await;
    let (mut standby, identity) = second(&served).await;
    let leases: Api<Lease> = served.keys.api(&served.plane.client().await);
    let mark = served.plane.audit().mark();
    for round in 0..5 {
        leases.delete("sealwax-controller", &DeleteParams::default()).await.unwrap();
        let name = format!("db-{round}");
        served.apply(&served.seal(reader.clone(), &name, &[("password", "x")])).await;
        served.ready(&name, "True", "Synced").await;
        wait_for(SOON, "the lease to be there again", async || leases.get_opt("sealwax-controller").await.ok()?).await;
    }
    assert_eq!(writes(&served, &identity, mark), Vec::<String>::new(), "the standby never led");
    assert!(served.controller.is_running() && standby.is_running());
    served.controller.kill_9();
    standby.wait_for_log(SOON, "leading").await;
}
