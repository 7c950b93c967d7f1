//! `sealwax import`, of stores that need no server: what becomes of a manifest, and what is refused.

use insta::assert_snapshot;

use crate::common::{Person, Sandbox};

const STORE: &str = r#"
apiVersion: external-secrets.io/v1
kind: SecretStore
metadata: {name: trial, namespace: prod}
spec:
  provider:
    fake:
      data:
      - {key: prod/db, value: '{"user": "s3cr3t-user", "pass": "s3cr3t-pass", "port": 31337}'}
      - {key: prod/tls.key, value: "s3cr3t-key\n"}
      - {key: prod/bytes, value: AGFzM2NyM3T/}
      - {key: prod/empty, value: ""}
"#;

const EXTERNAL: &str = r#"
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata:
  name: db
  namespace: prod
  labels: {app: shop, "on": "yes"}
  annotations: {force-sync: "1", argocd.argoproj.io/sync-wave: "2"}
spec:
  secretStoreRef: {name: trial}
  refreshInterval: 15m
  syncWindows: [{kind: deny}]
  target:
    name: db-login
    creationPolicy: Orphan
    template:
      type: example.com/login
      mergePolicy: Merge
      metadata: {labels: {team: a}, annotations: {note: "two: words"}}
      data:
        url: |
          db://{{ .user }}@db
          # {{ .port }}
  dataFrom:
  - extract: {key: prod/db}
    rewrite: [{regexp: {source: "^pass$", target: password}}]
  data:
  - {secretKey: bytes, remoteRef: {key: prod/bytes, decodingStrategy: Base64}}
  - {secretKey: name, remoteRef: {key: prod/db, property: user}}
  - {secretKey: empty, remoteRef: {key: prod/empty}}
  - {secretKey: later, remoteRef: {key: prod/later}, optional: true}
"#;

/// With a policy for alice, and manifests in files of their own.
fn prepared(external: &str) -> (Sandbox, Person) {
    let (sandbox, alice) = Sandbox::with_policy();
    sandbox.write("store.yaml", STORE);
    sandbox.write("external.yaml", external);
    (sandbox, alice)
}

const IMPORT: [&str; 5] = ["import", "external.yaml", "store.yaml", "-o", "db.yaml"];

/// An `ExternalSecret` that says this.
fn external(spec: &str) -> String {
    format!(
        "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {{name: db, namespace: prod}}\n\
         spec: {{secretStoreRef: {{name: trial}}, {spec}}}\n"
    )
}

#[test]
fn becomes_what_makes_the_same_secret() {
    let (sandbox, alice) = prepared(EXTERNAL);
    assert_snapshot!(sandbox.sealwax(IMPORT).run(), @"
    exit 0
    err: db.yaml: sealed 6 for EncryptedSecret prod/db, readers: alice
    err: warning: left out, as there is nothing: later (key prod/later)
    ");
    assert_snapshot!(sandbox.show("db.yaml"), @r#"
    apiVersion: sealwax.dev/v1alpha1
    kind: EncryptedSecret
    metadata:
      annotations:
        argocd.argoproj.io/sync-wave: "2"
      labels:
        app: shop
        "on": "yes"
      name: db
      namespace: prod
    spec:
      target:
        name: db-login
        onDelete: Retain
        template:
          data:
            url: |
              db://{{ .user }}@db
              # {{ .port }}
          mergePolicy: Merge
          metadata:
            annotations:
              note: "two: words"
            labels:
              team: a
          type: example.com/login
      data:
        bytes: >-
          ENC[wax1,SHORT,BASE64]
        empty: >-
          ENC[wax1,SHORT,BASE64]
        name: >-
          ENC[wax1,SHORT,BASE64]
        password: >-
          ENC[wax1,SHORT,BASE64]
        port: >-
          ENC[wax1,SHORT,BASE64]
        user: >-
          ENC[wax1,SHORT,BASE64]
      sealedFor: {namespace: prod, name: db}
      key: KEYID
      readers:
        alice@FINGERPRINT: >-
          SHORT:BASE64
    "#);
    assert_snapshot!(sandbox.sealwax(["render", "db.yaml"]).by(&alice).run(), @r#"
    exit 0
    out: apiVersion: v1
    out: kind: Secret
    out: metadata:
    out:   namespace: "prod"
    out:   name: "db-login"
    out:   labels:
    out:     "team": "a"
    out:   annotations:
    out:     "note": "two: words"
    out: type: "example.com/login"
    out: data:
    out:   "bytes": "AGFzM2NyM3T/"
    out:   "empty": ""
    out:   "name": "czNjcjN0LXVzZXI="
    out:   "password": "czNjcjN0LXBhc3M="
    out:   "port": "MzEzMzc="
    out:   "url": "BASE64"
    out:   "user": "czNjcjN0LXVzZXI="
    "#);
    sandbox.assert_clean();
}

#[test]
fn a_dry_run_tells_names_and_writes_nothing() {
    let (sandbox, _) = prepared(EXTERNAL);
    assert_snapshot!(sandbox.sealwax(IMPORT).args(&["--dry-run"]).run(), @"
    exit 0
    out: EncryptedSecret prod/db, readers: alice
    out:   Secret: db-login
    out:   items: bytes, empty, name, password, port, user
    out:   empty: empty
    out:   left out, as there is nothing: later (key prod/later)
    out:   in the Secret, by its templates: bytes, empty, name, password, port, url, user
    err: nothing was written
    ");
    assert!(!sandbox.path("db.yaml").exists());
    sandbox.assert_clean();
}

#[test]
fn a_list_of_a_cluster_becomes_several_documents() {
    let (sandbox, alice) = Sandbox::with_policy();
    let list = r#"{"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "external-secrets.io/v1beta1", "kind": "ClusterSecretStore", "metadata": {"name": "all"},
         "spec": {"provider": {"fake": {"data": [{"key": "a/x", "value": "s3cr3t-x"}, {"key": "b", "value": "s3cr3t-b"}]}}}},
        {"apiVersion": "external-secrets.io/v1beta1", "kind": "ExternalSecret", "status": {"binding": {"name": "one"}},
         "metadata": {"name": "one", "namespace": "prod", "uid": "1", "finalizers": ["x"]},
         "spec": {"secretStoreRef": {"kind": "ClusterSecretStore", "name": "all"}, "target": {"creationPolicy": "Owner"},
                  "dataFrom": [{"find": {"name": {"regexp": ".*"}, "conversionStrategy": "Default"}}]}},
        {"apiVersion": "sealwax.dev/v1alpha1", "kind": "ExternalSecret", "metadata": {"name": "two", "namespace": "prod"},
         "spec": {"secretStoreRef": {"kind": "ClusterSecretStore", "name": "all"},
                  "data": [{"secretKey": "b", "remoteRef": {"key": "b"}}]}},
        {"apiVersion": "external-secrets.io/v1alpha1", "kind": "PushSecret", "metadata": {"name": "push"}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "other"}}]}"#;
    assert_snapshot!(sandbox.sealwax(["import", "-", "-o", "all.yaml"]).input(list).run(), @"
    exit 0
    err: warning: standard input: PushSecret push: objects of this kind are not imported
    err: all.yaml: sealed 2 for EncryptedSecret prod/one, readers: alice
    err: all.yaml: sealed 1 for EncryptedSecret prod/two, readers: alice
    ");
    let item = |document: &str, item: &str| {
        sandbox.sealwax(["get", "all.yaml", item, "--doc", document]).by(&alice).run().ok()
    };
    assert_eq!(item("EncryptedSecret/one", "a_x"), "s3cr3t-x");
    assert_eq!(item("EncryptedSecret/one", "b"), "s3cr3t-b");
    assert_eq!(item("EncryptedSecret/two", "b"), "s3cr3t-b");
    sandbox.sealwax(["verify", "all.yaml"]).by(&alice).run().ok();
}

#[test]
fn namespace_and_name_may_be_given() {
    let (sandbox, alice) = prepared(EXTERNAL);
    assert_snapshot!(sandbox.sealwax(IMPORT).args(&["--namespace", "staging", "--name", "db-login"]).run(), @"
    exit 0
    err: db.yaml: sealed 6 for EncryptedSecret staging/db-login, readers: alice
    err: warning: left out, as there is nothing: later (key prod/later)
    ");
    let secret = sandbox.sealwax(["render", "db.yaml"]).by(&alice).run().ok();
    assert!(secret.contains("namespace: \"staging\"\n  name: \"db-login\"\n"), "{secret}");
    assert!(!sandbox.read("db.yaml").contains("    name: db-login\n    onDelete"), "the object's own name is enough");
}

#[test]
fn goes_to_standard_output_for_named_readers() {
    let sandbox = Sandbox::new();
    let alice = sandbox.person("alice");
    sandbox.write("all.yaml", format!("{EXTERNAL}---{STORE}"));
    let outcome = sandbox.sealwax(["import", "all.yaml", "--to", &alice.to()]).run();
    assert!(outcome.stderr.contains("imported: sealed 6 for EncryptedSecret prod/db, readers: alice"));
    sandbox.write("db.yaml", outcome.ok());
    assert_eq!(sandbox.sealwax(["get", "db.yaml", "password"]).by(&alice).run().ok(), "s3cr3t-pass");
}

#[test]
fn what_is_missing_is_named_and_nothing_is_written() {
    let spec = "data: [{secretKey: a, remoteRef: {key: prod/nothing}}, {secretKey: b, remoteRef: {key: prod/db, \
                property: no}}, {secretKey: c, remoteRef: {key: prod/db}}], \
                dataFrom: [{find: {name: {regexp: none}}}], target: {deletionPolicy: Delete}";
    let (sandbox, _) = prepared(&external(spec));
    assert_snapshot!(sandbox.sealwax(IMPORT).run(), @"
    exit 1
    err: error: external.yaml: ExternalSecret prod/db: its source has nothing for dataFrom[0], a (key prod/nothing), b (key prod/db, property no)
    err: hint: Put it there, take it out of the manifest, or mark the entry as `optional: true`.
    err: nothing was written
    ");
    assert_snapshot!(sandbox.sealwax(IMPORT).args(&["--dry-run"]).run(), @"
    exit 1
    err: error: external.yaml: ExternalSecret prod/db: its source has nothing for dataFrom[0], a (key prod/nothing), b (key prod/db, property no)
    err: hint: Put it there, take it out of the manifest, or mark the entry as `optional: true`.
    err: nothing was written
    ");
    assert!(!sandbox.path("db.yaml").exists());
    sandbox.assert_clean();
}

#[test]
fn one_that_fails_keeps_the_others_from_being_written() {
    let bad = external("data: [{secretKey: a, remoteRef: {key: prod/nothing}}]").replace("name: db,", "name: bad,");
    let (sandbox, _) = prepared(&format!("{EXTERNAL}---\n{bad}"));
    assert_snapshot!(sandbox.sealwax(IMPORT).args(&["--dry-run"]).run(), @"
    exit 1
    out: EncryptedSecret prod/db, readers: alice
    out:   Secret: db-login
    out:   items: bytes, empty, name, password, port, user
    out:   empty: empty
    out:   left out, as there is nothing: later (key prod/later)
    out:   in the Secret, by its templates: bytes, empty, name, password, port, url, user
    err: error: external.yaml: ExternalSecret prod/bad: its source has nothing for a (key prod/nothing)
    err: hint: Put it there, take it out of the manifest, or mark the entry as `optional: true`.
    err: nothing was written
    ");
    assert_eq!(sandbox.sealwax(IMPORT).run().code, Some(1));
    assert!(!sandbox.path("db.yaml").exists());
}

#[test]
fn an_existing_file_stays_unless_it_may_be_replaced() {
    let (sandbox, alice) = prepared(EXTERNAL);
    sandbox.write("db.yaml", "mine: true\n");
    assert_snapshot!(sandbox.sealwax(IMPORT).run(), @"
    exit 1
    err: error: db.yaml: exists already
    err: hint: Choose another name, or replace it with --force.
    ");
    assert_eq!(sandbox.read("db.yaml"), "mine: true\n");
    sandbox.sealwax(IMPORT).args(&["--force"]).run().ok();
    assert_eq!(sandbox.sealwax(["get", "db.yaml", "spec.data.name"]).by(&alice).run().ok(), "s3cr3t-user");
    let into_itself = sandbox.sealwax(["import", "external.yaml", "store.yaml", "-o", "store.yaml", "--force"]).run();
    assert_snapshot!(into_itself, @"
    exit 2
    err: error: store.yaml: is read as well; what else it holds would be lost
    ");
}

#[test]
fn what_cannot_be_imported_is_refused() {
    let entry = "data: [{secretKey: a, remoteRef: {key: prod/tls.key}}]";
    for (spec, message) in [
        ("data: []", "one of spec.data and spec.dataFrom has to name something to read"),
        ("dataFrom: [{sourceRef: {generatorRef: {kind: Password, name: p}}}]", "generatorRef cannot be imported"),
        ("data: [{secretKey: a}]", "missing field `remoteRef`"),
        ("data: [{secretKey: 31337, remoteRef: {key: a}}]", "a field has a type that it cannot have"),
        ("dataFrom: [{extract: {key: prod/db}, rewrite: [{merge: {into: x}}]}]", "missing field `regexp`"),
        (&format!("{entry}, target: {{creationPolicy: None}}"), "makes no Secret to import"),
        (&format!("{entry}, target: {{template: {{templateFrom: [{{literal: x}}]}}}}"), "templateFrom is not imported"),
        (
            &format!("{entry}, target: {{template: {{data: {{x: '{{{{ .b }}}}'}}}}}}"),
            "item x: it asks for an item or key that is not there",
        ),
        (
            &format!("{entry}, target: {{template: {{type: kubernetes.io/service-account-token}}}}"),
            "which no EncryptedSecret may make",
        ),
        (&format!("{entry}, target: {{manifest: {{kind: ConfigMap}}}}"), "spec.target.manifest cannot be imported"),
        ("dataFrom: [{extract: {key: prod/tls.key}}]", "dataFrom[0]: the value is not JSON"),
    ] {
        let (sandbox, _) = prepared(&external(spec));
        let outcome = sandbox.sealwax(IMPORT).run();
        assert_ne!(outcome.code, Some(0), "{spec}: {outcome}");
        assert!(outcome.stderr.contains(message), "{spec}: {outcome}");
        assert!(!sandbox.path("db.yaml").exists());
    }
}

#[test]
fn a_store_has_to_be_there_and_readable() {
    let (sandbox, _) = prepared(EXTERNAL);
    assert_snapshot!(sandbox.sealwax(["import", "external.yaml", "-o", "db.yaml"]).run(), @"
    exit 2
    err: error: external.yaml: ExternalSecret prod/db: its SecretStore trial is not among the manifests
    err: hint: Name the file that holds it, too.
    ");
    let mut told = String::new();
    for provider in
        ["kubernetes: {auth: {serviceAccount: {name: x}}}", "gcpsm: {projectID: p}", "vault: {path: secret}"]
    {
        let start = STORE.find("    fake:").unwrap();
        sandbox.write("store.yaml", format!("{}    {provider}\n", &STORE[..start]));
        told += &sandbox.sealwax(IMPORT).run().to_string();
    }
    assert_snapshot!(told, @"
    exit 1
    err: error: store trial: stores of Kubernetes are not read
    err: hint: Seal those Secrets themselves: kubectl get secret NAME -o yaml | sealwax seal
    exit 1
    err: error: SecretStore trial: cannot be read: its provider is gcpsm
    err: hint: Stores of vault, aws and fake can be read, of one of them each.
    exit 2
    err: error: store trial: VAULT_ADDR does not say which server may be sent your token
    err: hint: Set VAULT_ADDR to the server's address.
    ");
    sandbox.write("store.yaml", STORE.replace("namespace: prod", "namespace: dev"));
    assert_eq!(sandbox.sealwax(IMPORT).run().code, Some(2));
    sandbox.write("twice.yaml", format!("{STORE}---{STORE}"));
    assert_snapshot!(sandbox.sealwax(["import", "external.yaml", "twice.yaml"]).run(), @"
    exit 2
    err: error: twice.yaml: SecretStore prod/trial: stands there twice
    ");
}

#[test]
fn a_policy_that_does_not_cover_the_output_is_told_before_anything_is_read() {
    let sandbox = Sandbox::new();
    sandbox.write("external.yaml", external("data: [{secretKey: a, remoteRef: {key: prod/nothing}}]"));
    sandbox.write("store.yaml", STORE);
    assert_snapshot!(sandbox.sealwax(IMPORT).run(), @"
    exit 2
    err: error: external.yaml: ExternalSecret prod/db: no policy governs this file, and there is no --to
    err: hint: Write a .sealwax.toml at the root of the repository, or pass --to RECIPIENT; no rule of a .sops.yaml matches it either.
    ");
    let no_namespace = EXTERNAL.replace("namespace: prod", "uid: x");
    let (sandbox, _) = prepared(&no_namespace);
    assert_snapshot!(sandbox.sealwax(IMPORT).run(), @"
    exit 2
    err: error: external.yaml: ExternalSecret db: no namespace is known; write metadata.namespace, or pass --namespace or --scope cluster
    ");
}

#[test]
fn a_token_goes_to_one_server_only_and_never_to_one_that_a_manifest_names() {
    let store = |name: &str, server: &str| {
        format!(
            "apiVersion: external-secrets.io/v1\nkind: SecretStore\nmetadata: {{name: {name}}}\n\
             spec: {{provider: {{vault: {{server: '{server}', path: secret}}}}}}\n---\n"
        )
    };
    let entry = |store: &str| {
        format!("{{secretKey: {store}, remoteRef: {{key: a}}, sourceRef: {{storeRef: {{name: {store}}}}}}}")
    };
    let (sandbox, _) = prepared(&external(&format!("data: [{}, {}]", entry("a"), entry("b"))));
    sandbox.write("store.yaml", store("a", "https://a.example") + &store("b", "https://b.example"));
    assert_snapshot!(sandbox.sealwax(IMPORT).env("VAULT_TOKEN", "s3cr3t-token").run(), @"
    exit 2
    err: error: store b: is at another server than the stores before it
    err: hint: Your token is one server's. Import what reads from each server by a run of its own.
    ");
    let with_address = sandbox.sealwax(IMPORT).env("VAULT_TOKEN", "s3cr3t-token").env("VAULT_ADDR", "http://a").run();
    assert_eq!(with_address.code, Some(2), "the address is one server's: {with_address}");
    sandbox.write("store.yaml", store("a", "https://a.example") + &store("b", "https://a.example/"));
    assert_snapshot!(sandbox.sealwax(IMPORT).env("VAULT_TOKEN", "s3cr3t-token").run(), @"
    exit 2
    err: error: store a: VAULT_ADDR does not say which server may be sent your token
    err: hint: The store names this one. If you trust it: export VAULT_ADDR=https://a.example
    ");
    sandbox.write("store.yaml", store("a", "https://a.example/$(id)") + &store("b", ""));
    assert_snapshot!(sandbox.sealwax(IMPORT).env("VAULT_TOKEN", "s3cr3t-token").run(), @"
    exit 2
    err: error: store a: VAULT_ADDR does not say which server may be sent your token
    err: hint: Set VAULT_ADDR to the server's address.
    ");
    sandbox.write("store.yaml", store("a", "https://a.example") + &store("b", "https://a.example"));
    assert_snapshot!(sandbox.sealwax(IMPORT).env("VAULT_ADDR", "https://a.example").run(), @"
    exit 2
    err: error: store a: there is no token for Vault
    err: hint: Log in with `vault login`, or set VAULT_TOKEN.
    ");
}

#[test]
fn what_the_command_line_says_is_checked() {
    let (sandbox, _) = Sandbox::with_policy();
    let mut told = String::new();
    for arguments in [
        &["import"][..],
        &["import", "--from", "vault:secret/db", "-o", "db.yaml"],
        &["import", "--from", "vault:secret/db", "--name", "db", "-o", "db.yaml"],
        &["import", "--from", "gcp:x", "--name", "db", "--namespace", "prod"],
        &["import", "--from", "a=vault:x/y", "--from", "a=vault:x/z", "--name", "db", "--namespace", "prod"],
        &["import", "--from", "vault:secret/db", "--name", "db", "--namespace", "prod", "-o", "db.json"],
        &["import", "--from", "a=aws-parameter:/db", "--name", "db", "--namespace", "prod", "-o", "db.yaml"],
    ] {
        let outcome = sandbox.sealwax(arguments.iter().copied()).env("AWS_EC2_METADATA_DISABLED", "true").run();
        told += &outcome.to_string();
    }
    assert_snapshot!(told, @"
    exit 2
    err: error: the following required arguments were not provided:
    err:   <FILE>...
    err: 
    err: Usage: sealwax import <FILE>...
    err: 
    err: For more information, try '--help'.
    exit 2
    err: error: --from needs --name, the name of the EncryptedSecret
    exit 2
    err: error: --from: no namespace is known; write metadata.namespace, or pass --namespace or --scope cluster
    exit 2
    err: error: --from gcp:x: write [ITEM=]SOURCE:KEY[#PROPERTY]
    err: hint: SOURCE is vault, vault-v1 (a KV engine of version 1), aws-secret or aws-parameter: --from vault:secret/prod/db
    exit 2
    err: error: --from gives the item a twice
    exit 2
    err: error: db.json: EncryptedSecrets are written as YAML
    exit 1
    err: error: store aws-parameter: ParameterStore connect: no region is given, and the surroundings say none
    err: hint: Set AWS_REGION.
    ");
}
