//! kustomize: the base builds, and references to the Secret of an EncryptedSecret that is renamed follow.

use crate::common::{documents, find, kustomize, succeeded, text};

#[test]
fn the_base_is_what_is_installed() {
    let sorted = |yaml: &str| {
        // kustomize writes whole numbers such as `0.0` as `0`.
        let mut texts: Vec<String> = documents(yaml)
            .iter()
            .map(|document| document.to_string().replace(".0,", ",").replace(".0}", "}"))
            .collect();
        texts.sort_unstable();
        texts
    };
    let built = sorted(&succeeded(&kustomize(&["build", "deploy"])));
    assert!(built.len() > 10);
    assert_eq!(built, sorted(&text("deploy/install.yaml")));
}

#[test]
fn the_image_of_the_base_can_be_replaced() {
    let built = documents(&succeeded(&kustomize(&["build", "tests/manifests/kustomize/image"])));
    let containers = &find(&built, "Deployment", "sealwax-controller")["spec"]["template"]["spec"]["containers"];
    assert_eq!(containers[0]["image"], format!("registry.internal/mirror@sha256:{}", "0".repeat(64)));
}

#[test]
fn references_follow_a_renamed_encrypted_secret() {
    let built = documents(&succeeded(&kustomize(&["build", "tests/manifests/kustomize/overlay"])));
    find(&built, "EncryptedSecret", "blue-db");
    let expected = [
        ("Deployment", "/spec/template/spec/containers/0/env/0/valueFrom/secretKeyRef/name"),
        ("Deployment", "/spec/template/spec/containers/0/envFrom/0/secretRef/name"),
        ("Deployment", "/spec/template/spec/initContainers/0/env/0/valueFrom/secretKeyRef/name"),
        ("Deployment", "/spec/template/spec/initContainers/0/envFrom/0/secretRef/name"),
        ("Deployment", "/spec/template/spec/volumes/0/secret/secretName"),
        ("Deployment", "/spec/template/spec/volumes/1/projected/sources/0/secret/name"),
        ("Deployment", "/spec/template/spec/imagePullSecrets/0/name"),
        ("StatefulSet", "/spec/template/spec/containers/0/envFrom/0/secretRef/name"),
        ("DaemonSet", "/spec/template/spec/volumes/0/secret/secretName"),
        ("Job", "/spec/template/spec/containers/0/env/0/valueFrom/secretKeyRef/name"),
        ("CronJob", "/spec/jobTemplate/spec/template/spec/containers/0/env/0/valueFrom/secretKeyRef/name"),
        ("Pod", "/spec/containers/0/env/0/valueFrom/secretKeyRef/name"),
        ("ServiceAccount", "/imagePullSecrets/0/name"),
        ("Ingress", "/spec/tls/0/secretName"),
    ];
    for (kind, pointer) in expected {
        let document = built.iter().find(|document| document["kind"] == kind).unwrap_or_else(|| panic!("no {kind}"));
        let found = document.pointer(pointer).unwrap_or_else(|| panic!("{kind} has no {pointer}"));
        assert_eq!(found, "blue-db", "{kind} {pointer}");
    }
}

#[test]
fn without_the_configuration_they_do_not() {
    let built = documents(&succeeded(&kustomize(&["build", "tests/manifests/kustomize/plain"])));
    let ingress = find(&built, "Ingress", "blue-app");
    assert_eq!(ingress["spec"]["tls"][0]["secretName"], "db", "kustomize has learnt it: drop the configuration");
}
