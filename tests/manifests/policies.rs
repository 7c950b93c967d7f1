//! The admission policies, tried on a real API server: what they let pass, what they refuse, and in which words.

use std::time::Duration;

use sealwax_tests::{ControlPlane, Kubectl, wait_for};

use crate::common::{kustomize, succeeded};

const SOON: Duration = Duration::from_mins(1);
/// What must not appear in any answer, as it is and in base64.
const VALUE: &str = "hunter2hunter2";
const VALUE_IN_BASE64: &str = "aHVudGVyMmh1bnRlcjI";

/// A cluster with all policies, and namespaces `prod` and `watched`.
struct Guarded {
    plane: ControlPlane,
    kubectl: Kubectl,
}

impl Guarded {
    async fn start() -> Self {
        // A control plane of its own: policies hold for the whole cluster.
        let plane = ControlPlane::start().await;
        let kubectl = plane.kubectl();
        for namespace in ["prod", "watched", "sealwax-system"] {
            kubectl.run(&["create", "namespace", namespace]);
        }
        kubectl.run(&["label", "namespace", "watched", "sealwax.dev/secrets-from-git=true"]);
        kubectl.apply(&succeeded(&kustomize(&["build", "deploy/policies"])));
        let guarded = Self { plane, kubectl };
        // A policy is in force some moments after it was written.
        wait_for(SOON, "the policies to be in force", async || {
            let forbidden = [secret("probe", "data", "RU5DW3dheDEs"), object("probe", "*", "probe")];
            forbidden.iter().all(|manifest| guarded.answer(manifest).is_err()).then_some(())
        })
        .await;
        guarded
    }

    /// What the API server says to the manifest: its message, if it refuses.
    fn answer(&self, manifest: &str) -> Result<(), String> {
        let output = self.kubectl.output(&["create", "--namespace=prod", "--dry-run=server", "-f", "-"], manifest);
        if output.status.success() {
            return Ok(());
        }
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }

    fn allows(&self, manifest: &str) {
        assert_eq!(self.answer(manifest), Ok(()), "{manifest}");
    }

    fn refuses(&self, manifest: &str, because: &str) {
        let message = self.answer(manifest).expect_err(manifest);
        assert!(message.contains(because), "{manifest}\n{message}");
        assert!(
            !message.contains(VALUE) && !message.contains(VALUE_IN_BASE64),
            "the answer echoes the value: {message}"
        );
    }
}

fn secret(name: &str, field: &str, value: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\n{field}: {{first: c2FmZQ==, item: \"{value}\"}}\n"
    )
}

fn object(name: &str, namespace_pattern: &str, name_pattern: &str) -> String {
    format!(
        "apiVersion: sealwax.dev/v1alpha1\nkind: EncryptedSecret\nmetadata: {{name: {name}}}\nspec:\n  \
         sealedFor: {{namespace: \"{namespace_pattern}\", name: \"{name_pattern}\"}}\n  \
         data: {{password: \"ENC[wax1,{VALUE}]\"}}\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_refuse_what_they_say_and_nothing_else() {
    let guarded = Guarded::start().await;

    // Ciphertext in a Secret, in either spelling of its values.
    let sealwax = "a token of sealwax that nobody opened";
    let sops = "a value that SOPS encrypted";
    guarded.refuses(&secret("a", "stringData", &format!("ENC[wax1,{VALUE}]")), sealwax);
    // `ENC[wax1,` followed by the value, in base64.
    guarded.refuses(&secret("a", "data", &format!("RU5DW3dheDEs{VALUE_IN_BASE64}=")), sealwax);
    guarded.refuses(&secret("a", "stringData", &format!("ENC[AES256_GCM,data:{VALUE},type:str]")), sops);
    guarded.refuses(&secret("a", "data", &format!("RU5DW0FFUzI1Nl9HQ00s{VALUE_IN_BASE64}=")), sops);
    guarded.allows(&secret("a", "stringData", VALUE));
    guarded.allows(&secret("a", "stringData", "ENC[something else]"));
    guarded.allows(&secret("a", "stringData", "how to write ENC[wax1,...]"));
    guarded.allows("apiVersion: v1\nkind: Secret\nmetadata: {name: empty}\n");

    // How wide an EncryptedSecret may be.
    guarded.allows(&object("db", "prod", "db"));
    guarded.allows(&object("db", "prod", "*"));
    guarded.refuses(&object("db", "*", "db"), "spec.sealedFor.namespace is a pattern");
    guarded.refuses(&object("db", "pr*", "*"), "spec.sealedFor.namespace is a pattern");

    updates_are_refused_too(&guarded);
    parameters_change_what_is_allowed(&guarded).await;
    writers_are_told_of_in_the_audit_log(&guarded);
}

fn updates_are_refused_too(guarded: &Guarded) {
    guarded.kubectl.run(&["create", "secret", "generic", "held", "--namespace=prod", "--from-literal=item=safe"]);
    let patch = format!("{{\"stringData\":{{\"item\":\"ENC[wax1,{VALUE}]\"}}}}");
    let arguments = ["patch", "secret", "held", "--namespace=prod", "--type=merge", "--patch", &patch];
    let output = guarded.kubectl.output(&arguments, "");
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && message.contains("a token of sealwax"), "{message}");
    assert!(!message.contains(VALUE_IN_BASE64), "{message}");
}

async fn parameters_change_what_is_allowed(guarded: &Guarded) {
    let patch = "{\"data\":{\"namespacePatterns\":\"true\",\"namePatterns\":\"false\"}}";
    let config = ["configmap", "sealwax-allowed-scopes", "--namespace=sealwax-system"];
    guarded.kubectl.run(&[&["patch"], &config[..], &["--patch", patch]].concat());
    wait_for(SOON, "the new parameters", async || guarded.answer(&object("db", "*", "db")).is_ok().then_some(())).await;
    guarded.refuses(&object("db", "prod", "*"), "spec.sealedFor.name is a pattern");

    guarded.kubectl.run(&[&["delete"], &config[..]].concat());
    wait_for(SOON, "everything to be refused", async || {
        let refusal = guarded.answer(&object("db", "prod", "db")).err()?;
        refusal.contains("sealwax-allowed-scopes").then_some(())
    })
    .await;
}

fn writers_are_told_of_in_the_audit_log(guarded: &Guarded) {
    for (namespace, name) in [("watched", "by-hand"), ("prod", "elsewhere")] {
        let namespace = format!("--namespace={namespace}");
        guarded.kubectl.run(&["create", "secret", "generic", name, &namespace, &format!("--from-literal=a={VALUE}")]);
    }
    let log = std::fs::read_to_string(guarded.plane.directory().join("audit.log")).unwrap();
    let told: Vec<&str> = log.lines().filter(|line| line.contains("Secrets here come from Git; ")).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("/namespaces/watched/secrets") && !told[0].contains(VALUE), "{}", told[0]);
}
