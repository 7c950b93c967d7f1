//! The recovery drill of `docs/operations.md`: its commands as they stand, in order, in one shell.

use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use sealwax_tests::{ControlPlane, Controller, Identity};
use xtask::tools::{build_binary, control_plane, workspace_root};

const SYSTEM: &str = "sealwax-system";

/// What has to be there before: an object in Git and in the cluster.
const BEFORE: &str = "\
kubectl create namespace prod
mkdir keys && sealwax recipients fetch -o keys/prod.pub
kubectl create secret generic db -n prod --from-literal=password=hunter2 --dry-run=client -o yaml > secret.yaml
sealwax seal secret.yaml -o db.yaml --to \"prod=$(grep -m1 ^age1 keys/prod.pub)\"
kubectl apply -f db.yaml
kubectl wait -n prod encryptedsecret/db --for=condition=Ready --timeout=60s
";

/// The contents of the blocks that are marked `sh drill`.
fn script() -> String {
    let page = std::fs::read_to_string(workspace_root().join("docs/operations.md")).unwrap();
    let blocks = page.split("```sh drill\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default());
    blocks.collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_drill_of_the_documentation_works_as_it_stands() {
    let script = script();
    assert!(script.matches("sealwax keys ").count() >= 4, "the drill's commands are gone");

    // A control plane of its own: the page uses the names that everyone uses.
    let plane = ControlPlane::start().await;
    let (kubectl, root) = (plane.kubectl(), workspace_root());
    kubectl.run(&["apply", "--server-side", "-f", root.join("crds").to_str().unwrap()]);
    kubectl.run(&["apply", "--server-side", "-f", root.join("deploy/install.yaml").to_str().unwrap()]);
    let identity = Identity::create(&plane, SYSTEM, "sealwax-controller", "").await;
    let controller =
        Controller::start(&identity, &["--cluster-name", "prod", "--listen", "127.0.0.1:0", "--lease-duration", "2s"]);
    controller.wait_for_log(Duration::from_secs(30), "recipients published").await;

    let work = tempfile::tempdir().unwrap();
    let [programs, home, repository] = ["bin", "home", "repository"].map(|folder| work.path().join(folder));
    for folder in [&programs, &home, &repository] {
        std::fs::create_dir(folder).unwrap();
    }
    symlink(build_binary("SEALWAX_BIN", "sealwax", "sealwax").unwrap(), programs.join("sealwax")).unwrap();
    symlink(control_plane(&|_| ()).unwrap().kubectl, programs.join("kubectl")).unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new("bash")
        .args(["-euxo", "pipefail", "-c", &format!("{BEFORE}{script}")])
        .current_dir(&repository)
        .env_clear()
        .env("PATH", format!("{}:{path}", programs.display()))
        .env("HOME", &home)
        .env("KUBECONFIG", plane.kubeconfig())
        .output()
        .unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{stdout}\n{stderr}");

    let secrets: Api<Secret> = Api::namespaced(plane.client().await, "prod");
    let data = secrets.get("db").await.unwrap().data.unwrap();
    assert_eq!(data["password"].0, b"hunter2", "opened with the restored key");
}
