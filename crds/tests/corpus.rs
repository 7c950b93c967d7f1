//! Manifests as people have them fit the types and pass the rules, and mistakes are refused in the rule's words.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test")]

use cel::{Context, Program, Value as Answer};
use sealwax_crds::{ClusterSecretStore, ExternalSecret, SecretStore};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const EXTERNAL: &str = include_str!("corpus/external.yaml");
const STORES: &str = include_str!("corpus/stores.yaml");

fn documents(yaml: &str) -> Vec<Value> {
    serde_yaml::Deserializer::from_str(yaml).map(|document| Value::deserialize(document).unwrap()).collect()
}

fn named(name: &str) -> Value {
    let found =
        documents(EXTERNAL).into_iter().chain(documents(STORES)).find(|object| object["metadata"]["name"] == name);
    found.unwrap()
}

/// The messages of the rules that the object breaks.
fn broken(object: &Value) -> Vec<String> {
    let crds = sealwax_crds::all();
    let (_, crd) = crds.iter().find(|(_, crd)| crd.spec.names.kind == object["kind"]).unwrap();
    let crd = serde_json::to_value(crd).unwrap();
    let spec = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    let rules = spec["x-kubernetes-validations"].as_array().unwrap();
    let mut context = Context::default();
    context.add_variable("self", &object["spec"]).unwrap();
    let holds = |rule: &str| match Program::compile(rule).unwrap().execute(&context) {
        Ok(Answer::Bool(holds)) => holds,
        other => panic!("`{rule}`: {other:?}"),
    };
    let failing = rules.iter().filter(|rule| !holds(rule["rule"].as_str().unwrap()));
    failing.map(|rule| rule["message"].as_str().unwrap().to_owned()).collect()
}

/// Nothing of the manifest is lost or added on the way through the type.
fn fits<T: DeserializeOwned + serde::Serialize>(object: &Value) {
    let read: T = serde_json::from_value(object.clone()).unwrap();
    assert_eq!(&serde_json::to_value(read).unwrap(), object);
}

#[test]
fn manifests_fit_and_pass() {
    for object in documents(EXTERNAL).into_iter().chain(documents(STORES)) {
        match object["kind"].as_str().unwrap() {
            "ExternalSecret" => fits::<ExternalSecret>(&object),
            "SecretStore" => fits::<SecretStore>(&object),
            _ => fits::<ClusterSecretStore>(&object),
        }
        assert_eq!(broken(&object), [] as [&str; 0], "{}", object["metadata"]["name"]);
    }
}

/// The object with a part of its spec put in place of what was there, or taken out if it is null.
fn with(name: &str, pointer: &str, part: Value) -> Value {
    let mut object = named(name);
    let (above, field) = pointer.rsplit_once('/').unwrap();
    let above = object["spec"].pointer_mut(above).unwrap().as_object_mut().unwrap();
    if part.is_null() {
        above.remove(field)
    } else {
        above.insert(field.to_owned(), part)
    };
    object
}

#[test]
fn mistakes_of_external_secrets_are_refused() {
    let entry = |key: &str| json!({"secretKey": key, "remoteRef": {"key": "k"}});
    let target = |part: Value| with("database", "/target", part);
    let template = |part: Value| with("database", "/target/template", part);
    let cases = [
        (with("database", "/data", Value::Null), "one of spec.data and spec.dataFrom"),
        (with("database", "/data", json!([])), "one of spec.data and spec.dataFrom"),
        (with("database", "/data", json!([entry("a"), entry("b"), entry("a")])), "the same secretKey"),
        (with("database", "/data", json!([entry("a b")])), "secretKey is 1 to 253"),
        (with("database", "/refreshInterval", json!("1 hour")), "spec.refreshInterval is a duration"),
        (with("database", "/refreshInterval", json!("-1h")), "spec.refreshInterval is a duration"),
        (with("database", "/refreshInterval", json!("60")), "spec.refreshInterval is a duration"),
        (with("database", "/secretStoreRef", Value::Null), "name the store"),
        (with("everything", "/secretStoreRef", Value::Null), "name the store"),
        (with("everything", "/dataFrom", json!([{}])), "exactly one of extract and find"),
        (
            with("everything", "/dataFrom", json!([{"extract": {"key": "k"}, "find": {"path": "p"}}])),
            "exactly one of extract and find",
        ),
        (with("everything", "/dataFrom", json!([{"find": {}}])), "names a path, a name or tags"),
        (target(json!({"deletionPolicy": "Delete", "creationPolicy": "Merge"})), "needs creationPolicy Owner"),
        (target(json!({"deletionPolicy": "Merge", "creationPolicy": "None"})), "makes none"),
        (target(json!({"recreate": true, "creationPolicy": "Orphan"})), "recreate needs creationPolicy Owner"),
        (target(json!({"immutable": true, "creationPolicy": "Merge"})), "immutable needs creationPolicy"),
        (template(json!({"type": "kubernetes.io/service-account-token"})), "choose another"),
        (template(json!({"metadata": {"labels": {"sealwax.dev/x": "y"}}})), "the controller's own"),
        (template(json!({"metadata": {"annotations": {"sealwax.dev/x": "y"}}})), "not set by templates"),
        (template(json!({"data": {"a/b": "y"}})), "template.data is 1 to 253"),
        (template(json!({"templateFrom": [{}]})), "exactly one of configMap"),
        (template(json!({"templateFrom": [{"literal": "a", "target": "Labels"}]})), "target is Data"),
    ];
    refuses(&cases);
}

#[test]
fn mistakes_of_stores_are_refused() {
    let auth = |part: Value| with("vault-backend", "/provider/vault/auth", part);
    let reference = json!({"name": "x", "key": "y"});
    let aws = |field: &str, part: Value| with("controller-credentials", &format!("/provider/aws/{field}"), part);
    let cases = [
        (with("fake", "/provider", json!({})), "exactly one of vault, aws"),
        (with("fake", "/provider/aws", json!({"service": "SecretsManager"})), "exactly one of vault, aws"),
        (auth(json!({})), "exactly one of tokenSecretRef"),
        (auth(json!({"tokenSecretRef": reference, "jwt": {"secretRef": reference}})), "exactly one of tokenSecretRef"),
        (auth(json!({"appRole": {"secretRef": reference}})), "exactly one of roleId and roleRef"),
        (auth(json!({"jwt": {"role": "r"}})), "exactly one of secretRef and kubernetesServiceAccountToken"),
        (
            auth(json!({"kubernetes": {"role": "r", "secretRef": reference, "serviceAccountRef": {"name": "x"}}})),
            "at most one of serviceAccountRef and secretRef",
        ),
        (with("vault-token", "/provider/vault/tls/keySecretRef", Value::Null), "needs both certSecretRef"),
        (with("vault-backend", "/provider/vault/caBundle", json!("LS0t")), "at most one of caBundle"),
        (with("other-namespace", "/provider/kubernetes/server/caBundle", json!("LS0t")), "at most one of caBundle"),
        (with("other-cluster", "/provider/kubernetes/auth", json!({})), "exactly one of token, serviceAccount"),
        (with("aws-parameters", "/provider/aws/auth/jwt", json!({"serviceAccountRef": {"name": "x"}})), "at most one"),
        (aws("sessionTags", json!([{"key": "a", "value": "b"}])), "session tags need a role"),
        (aws("sessionTagsPolicy", json!("Simple")), "session tags need a role"),
        (aws("customSessionTags", json!({"a": "b"})), "needs sessionTagsPolicy Custom"),
        (with("vault-approle", "/conditions", json!([{"keyPrefixes": ["a"]}])), "matches by"),
        (with("fake", "/conditions", json!([{"namespaces": ["a"]}])), "a SecretStore is for its own"),
    ];
    refuses(&cases);
}

fn refuses(cases: &[(Value, &str)]) {
    for (object, message) in cases {
        let broken = broken(object);
        assert!(broken.len() == 1 && broken[0].contains(message), "{message}: {broken:?}");
    }
}

/// Every place below `schema` that names a namespace of Kubernetes: an object with `namespace` and `name`.
fn places(path: &str, schema: &Value, found: &mut Vec<String>) {
    let Some(properties) = schema["properties"].as_object() else { return };
    if properties.contains_key("namespace") && properties.contains_key("name") {
        found.push(path.to_owned());
    }
    for (name, field) in properties {
        places(&format!("{path}/{name}"), field, found);
    }
}

#[test]
fn a_store_of_one_namespace_names_no_other() {
    let crds = sealwax_crds::all();
    let (_, crd) = crds.iter().find(|(_, crd)| crd.spec.names.kind == "SecretStore").unwrap();
    let crd = serde_json::to_value(crd).unwrap();
    let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    let mut found = Vec::new();
    places("", schema, &mut found);
    assert_eq!(found.len(), 19, "{found:?}");
    for place in found {
        // Built from the inside out, so that everything above the place is there.
        let value = place.rsplit('/').filter(|name| !name.is_empty());
        let spec = value.fold(json!({"name": "x", "namespace": "y"}), |inner, name| json!({ name: inner }));
        for (kind, refused) in [("SecretStore", true), ("ClusterSecretStore", false)] {
            // Rules of choices may fail too: only this one is looked for.
            let mut spec = spec.clone();
            complete(&mut spec);
            let object = json!({"kind": kind, "spec": spec});
            let named = broken(&object).iter().any(|message| message.contains("leave the namespace out"));
            assert_eq!(named, refused, "{kind} {place}");
        }
    }
}

/// Adds the parts that the schema requires and rules therefore rely on.
fn complete(spec: &mut Value) {
    let provider = &mut spec["provider"];
    for name in ["vault", "kubernetes"] {
        if provider[name].is_object() && provider[name]["auth"].is_null() {
            provider[name]["auth"] = json!({});
        }
    }
    provider.as_object_mut().unwrap().retain(|_, value| !value.is_null());
}

#[test]
fn a_fake_value_is_not_shown() {
    let store: SecretStore = serde_json::from_value(named("fake")).unwrap();
    assert!(!format!("{store:?}").contains("HELLO"));
}
