//! The ground that all cluster tests stand on: the control plane is real, and it goes away.

use std::process::{Command, Stdio};
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Api;
use kube::api::{DeleteParams, ListParams, PostParams};
use sealwax_tests::{ControlPlane, Controller, Identity, Namespace, wait_for};
use serde_json::{from_value, json};

const SOON: Duration = Duration::from_secs(20);

fn config_map(name: &str) -> ConfigMap {
    from_value(json!({ "metadata": { "name": name }, "data": { "colour": "blue" } })).unwrap()
}

#[tokio::test]
async fn api_server_answers_with_the_pinned_version() {
    let plane = ControlPlane::shared().await;
    let version = plane.client().await.apiserver_version().await.unwrap();
    assert!(version.git_version.starts_with("v1."), "{version:?}");
    assert!(plane.kubectl().run(&["version"]).contains(&version.git_version));
}

#[tokio::test]
async fn an_unbound_identity_is_denied_and_a_bound_one_is_not() {
    let plane = ControlPlane::shared().await;
    let namespace = Namespace::create(plane, "rbac").await;
    let nobody = Identity::create(plane, namespace.name(), "nobody", "").await;
    let secrets: Api<Secret> = namespace.api(&nobody.client().await);
    let error = secrets.list(&ListParams::default()).await.unwrap_err();
    assert!(matches!(&error, kube::Error::Api(status) if status.code == 403), "{error}");

    let rbac = format!(
        "apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{ name: reader, namespace: {0} }}
roleRef: {{ apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: admin }}
subjects: [{{ kind: ServiceAccount, name: reader, namespace: {0} }}]
",
        namespace.name()
    );
    let reader = Identity::create(plane, namespace.name(), "reader", &rbac).await;
    let secrets: Api<Secret> = namespace.api(&reader.client().await);
    // The API server's own view of RBAC follows within moments.
    wait_for(SOON, "the binding", async || secrets.list(&ListParams::default()).await.ok()).await;
}

#[tokio::test]
async fn a_secret_goes_with_its_owner() {
    let plane = ControlPlane::shared().await;
    let namespace = Namespace::create(plane, "garbage").await;
    let client = plane.client().await;
    let owners: Api<ConfigMap> = namespace.api(&client);
    let secrets: Api<Secret> = namespace.api(&client);
    let owner = owners.create(&PostParams::default(), &config_map("owner")).await.unwrap();
    let dependent: Secret = from_value(json!({ "metadata": { "name": "owned", "ownerReferences": [{
        "apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner.metadata.uid,
    }] } }))
    .unwrap();
    secrets.create(&PostParams::default(), &dependent).await.unwrap();
    owners.delete("owner", &DeleteParams::default()).await.unwrap();
    wait_for(SOON, "the secret to be collected", async || {
        matches!(secrets.get_opt("owned").await, Ok(None)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_audit_log_counts_writes_of_one_user_in_one_namespace() {
    let plane = ControlPlane::shared().await;
    let namespace = Namespace::create(plane, "audit").await;
    let client = plane.client().await;
    let maps: Api<ConfigMap> = namespace.api(&client);
    let audit = plane.audit();
    let mark = audit.mark();
    for name in ["one", "two", "three"] {
        maps.create(&PostParams::default(), &config_map(name)).await.unwrap();
    }
    maps.get("two").await.unwrap();
    maps.create(&PostParams::default(), &config_map("two")).await.unwrap_err();
    let ours = |code: u16| {
        audit.count(mark, |request| {
            request.is_write()
                && request.resource == "configmaps"
                && request.namespace == namespace.name()
                && request.user == "sealwax-test-admin"
                && request.code == code
        })
    };
    assert_eq!((ours(201), ours(409)), (3, 1), "{:#?}", audit.tally(mark));
    assert_eq!(audit.count(audit.mark(), |request| request.namespace == namespace.name()), 0);
}

#[tokio::test]
async fn a_description_holds_no_secret_data() {
    let plane = ControlPlane::shared().await;
    let namespace = Namespace::create(plane, "describe").await;
    plane.kubectl().run(&[
        "--namespace",
        namespace.name(),
        "create",
        "secret",
        "generic",
        "visible-name",
        "--from-literal=key=hunter2",
        "--save-config",
    ]);
    let text = namespace.describe();
    assert!(text.contains("visible-name"), "{text}");
    // Base64 of the value, and the value in kubectl's annotation.
    assert!(!text.contains("aHVudGVyMg") && !text.contains("hunter2"), "{text}");
}

#[tokio::test]
async fn a_controller_process_restarts_and_dies_with_its_handle() {
    let plane = ControlPlane::shared().await;
    let namespace = Namespace::create(plane, "process").await;
    let identity = Identity::create(plane, namespace.name(), "controller", "").await;
    let script = "echo started $KUBECONFIG; trap 'echo asked to end; exit 7' TERM; while :; do sleep 0.05; done";
    let mut process = Controller::start_program("sh".into(), &identity, &["-c", script], &[]);
    process.wait_for_log(SOON, &identity.kubeconfig().display().to_string()).await;
    let first = process.id();
    process.kill_9();
    assert!(!process.is_running() && !exists(first));
    process.restart();
    wait_for(SOON, "a second start", async || (process.log().matches("started").count() == 2).then_some(())).await;
    assert_eq!(process.terminate(SOON).code(), Some(7));
    process.restart();
    let last = process.id();
    drop(process);
    assert!(!exists(last));
}

/// The process that is killed here is this very test program, running only [`holds_a_control_plane_of_its_own`].
#[tokio::test]
async fn killing_the_test_process_ends_its_servers() {
    let directory = tempfile::tempdir().unwrap();
    let told = directory.path().join("told");
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "control_plane::holds_a_control_plane_of_its_own"])
        .env("SEALWAX_TEST_TELL", &told)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let ids = wait_for(Duration::from_mins(1), "the other test process", async || {
        let text = std::fs::read_to_string(&told).ok()?;
        text.ends_with('\n').then(|| text.split_whitespace().map(|id| id.parse().unwrap()).collect::<Vec<i32>>())
    })
    .await;
    assert_eq!(ids.len(), 4, "three servers and their supervisor");
    assert!(ids.iter().all(|id| exists(*id)));
    victim.kill().unwrap();
    victim.wait().unwrap();
    wait_for(SOON, "the servers to end", async || ids.iter().all(|id| !exists(*id)).then_some(())).await;
}

#[tokio::test]
async fn killing_the_supervisor_ends_its_servers() {
    let plane = ControlPlane::start().await;
    let ids = plane.server_ids();
    assert!(ids.iter().all(|id| exists(*id)));
    let supervisor = plane.supervisor_id().unwrap().to_string();
    assert!(Command::new("kill").args(["-KILL", &supervisor]).status().unwrap().success());
    wait_for(SOON, "the servers to end", async || ids.iter().all(|id| !exists(*id)).then_some(())).await;
    // No supervisor is left that could.
    std::fs::remove_dir_all(plane.directory()).unwrap();
}

/// No test: what [`killing_the_test_process_ends_its_servers`] starts and kills.
#[tokio::test]
#[ignore = "started by another test"]
async fn holds_a_control_plane_of_its_own() {
    let Some(tell) = std::env::var_os("SEALWAX_TEST_TELL") else { return };
    let plane = ControlPlane::start().await;
    let ids = plane.server_ids().into_iter().chain(plane.supervisor_id().map(u32::cast_signed));
    let text: Vec<String> = ids.map(|id| id.to_string()).collect();
    let mut file = std::fs::File::create(tell).unwrap();
    std::io::Write::write_all(&mut file, format!("{}\n", text.join(" ")).as_bytes()).unwrap();
    tokio::time::sleep(Duration::from_mins(2)).await;
}

/// Whether the process is there and alive; one that waits for its parent to take notice is not.
fn exists(id: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{id}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with(['Z', 'X'])))
}
