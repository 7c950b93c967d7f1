//! A real API server takes what the chart renders, Pod Security included, and Helm installs and removes it.

use sealwax_tests::{ControlPlane, Kubectl};
use serde_json::{Value, json};

use crate::common::{documents, find, helm, refused, render, succeeded, text};

/// Kinds of the Prometheus operator, which is not there.
const FOREIGN: &str = "monitoring.coreos.com/v1";

fn restricted(kubectl: &Kubectl, namespace: &str) {
    kubectl.run(&["create", "namespace", namespace]);
    kubectl.run(&["label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted"]);
}

fn dry_run(kubectl: &Kubectl, yaml: &str) -> usize {
    let documents: Vec<Value> =
        documents(yaml).into_iter().filter(|document| document["apiVersion"] != FOREIGN).collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": documents}).to_string();
    let arguments = ["apply", "--server-side", "--validate=strict", "--dry-run=server", "-f", "-"];
    let output = kubectl.output(&arguments, &list);
    let answer = succeeded(&output);
    assert!(output.stderr.is_empty(), "warnings: {}", String::from_utf8_lossy(&output.stderr));
    answer.lines().count()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_takes_everything_that_is_rendered() {
    // Of its own: the manifests use the names that everyone uses.
    let plane = ControlPlane::start().await;
    let kubectl = plane.kubectl();
    restricted(&kubectl, "sealwax-system");
    for namespace in ["payments", "billing"] {
        kubectl.run(&["create", "namespace", namespace]);
    }
    for file in ["deploy/install.yaml", "deploy/install-external.yaml", "deploy/scoped.yaml"] {
        assert!(dry_run(&kubectl, &text(file)) > 10, "{file}");
    }
    for values in ["scoped", "selector"] {
        let values = format!("tests/manifests/values/{values}.yaml");
        assert!(dry_run(&kubectl, &render(&["--values", &values])) > 5, "{values}");
    }
    pods_are_admitted(&kubectl);
    helm_installs_checks_and_removes(&plane);
}

/// The Pod of a Deployment, alone.
fn pod(rendered: &[Value], name: &str) -> Value {
    let template = &find(rendered, "Deployment", name)["spec"]["template"];
    let mut pod =
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": template["metadata"], "spec": template["spec"]});
    pod["metadata"]["name"] = name.into();
    pod["metadata"]["namespace"] = "sealwax-system".into();
    pod
}

fn pods_are_admitted(kubectl: &Kubectl) {
    for (name, arguments) in [
        ("sealwax-controller", vec![]),
        ("team-sealwax-controller", vec!["--values", "tests/manifests/values/selector.yaml"]),
    ] {
        let rendered = documents(&render(&arguments));
        let mut pod = pod(&rendered, name);
        let account = pod["spec"]["serviceAccountName"].as_str().unwrap().to_owned();
        kubectl.run(&["create", "serviceaccount", &account, "--namespace=sealwax-system"]);
        let create = ["create", "--dry-run=server", "-f", "-"];
        succeeded(&kubectl.output(&create, &pod.to_string()));
        // The namespace does refuse others.
        pod["spec"]["containers"][0]["securityContext"] = Value::Null;
        let error = refused(&kubectl.output(&create, &pod.to_string()));
        assert!(error.contains("violates PodSecurity"), "{error}");
        kubectl.run(&["delete", "serviceaccount", &account, "--namespace=sealwax-system"]);
    }
}

fn helm_installs_checks_and_removes(plane: &ControlPlane) {
    let kubectl = plane.kubectl();
    let kubeconfig = plane.kubeconfig();
    let run = |arguments: &[&str]| {
        let common = ["--kubeconfig", kubeconfig.to_str().unwrap(), "--namespace", "sealwax-system"];
        helm(&[arguments, &common].concat())
    };
    // Every control plane of the harness begins with these; the chart brings its own.
    let kinds = ["encryptedsecrets", "externalsecrets", "secretstores", "clustersecretstores"];
    for kind in kinds {
        kubectl.run(&["delete", "crd", &format!("{kind}.sealwax.dev")]);
    }
    let install = ["install", "sealwax", "deploy/chart", "--set", "key.existingSecret=mine"];

    let error = refused(&run(&install));
    assert!(error.contains("there is no Secret mine in sealwax-system"), "{error}");
    kubectl.run(&["create", "secret", "generic", "mine", "--namespace=sealwax-system", "--from-literal=identity=x"]);
    let error = refused(&run(&install));
    assert!(error.contains("needs the label sealwax.dev/cluster-key: active"), "{error}");
    let label = "sealwax.dev/cluster-key=active";
    kubectl.run(&["label", "secret", "mine", "--namespace=sealwax-system", label]);
    assert!(succeeded(&run(&install)).contains("Secret mine in sealwax-system, which is there."));

    // An upgrade to other rights, and back to nothing: what was not ours stays, and so do the definitions.
    // The key that was active then is another one after a rotation.
    let rotated = "sealwax.dev/cluster-key=old";
    kubectl.run(&["label", "--overwrite", "secret", "mine", "--namespace=sealwax-system", rotated]);
    let values = "scope.namespaces={payments},key.existingSecret=mine";
    let scoped = ["upgrade", "sealwax", "deploy/chart", "--set", values];
    assert!(succeeded(&run(&scoped)).contains("serves payments."));
    assert_eq!(
        kubectl.run(&[
            "get",
            "clusterroles,clusterrolebindings",
            "-l",
            "app.kubernetes.io/part-of=sealwax",
            "-o",
            "name"
        ]),
        ""
    );
    succeeded(&run(&["uninstall", "sealwax"]));
    for kind in kinds {
        kubectl.run(&["get", "crd", &format!("{kind}.sealwax.dev")]);
    }
    kubectl.run(&["get", "secret", "mine", "--namespace=sealwax-system"]);
    let left = kubectl.run(&[
        "get",
        "all,roles,rolebindings,pdb",
        "-A",
        "-l",
        "app.kubernetes.io/part-of=sealwax",
        "-o",
        "name",
    ]);
    assert_eq!(left, "", "something was left over");
}
