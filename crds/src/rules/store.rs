//! What holds for the `spec` of a store.

use serde_json::{Value, json};

use super::joined;

/// Where a store may name a namespace, as far as it is for all namespaces.
pub(crate) const NAMESPACES: [&str; 19] = [
    "vault.caProvider",
    "vault.tls.certSecretRef",
    "vault.tls.keySecretRef",
    "vault.auth.tokenSecretRef",
    "vault.auth.appRole.roleRef",
    "vault.auth.appRole.secretRef",
    "vault.auth.kubernetes.serviceAccountRef",
    "vault.auth.kubernetes.secretRef",
    "vault.auth.jwt.secretRef",
    "vault.auth.jwt.kubernetesServiceAccountToken.serviceAccountRef",
    "aws.auth.secretRef.accessKeyIDSecretRef",
    "aws.auth.secretRef.secretAccessKeySecretRef",
    "aws.auth.secretRef.sessionTokenSecretRef",
    "aws.auth.jwt.serviceAccountRef",
    "kubernetes.server.caProvider",
    "kubernetes.auth.token.bearerToken",
    "kubernetes.auth.serviceAccount",
    "kubernetes.auth.cert.clientCert",
    "kubernetes.auth.cert.clientKey",
];

/// What holds for the `spec` of a `SecretStore`.
pub(crate) fn secret_store() -> Value {
    let named: Vec<String> =
        NAMESPACES.iter().map(|place| format!("!({})", given(&format!("{place}.namespace")))).collect();
    let own = json!([
        {
            "rule": named.join(" && "),
            "message": "a SecretStore reads Secrets, ConfigMaps and service accounts of its own namespace: leave the namespace out, \
                        or use a ClusterSecretStore",
        },
        {
            "rule": "!has(self.conditions) || size(self.conditions) == 0",
            "message": "spec.conditions says which namespaces use a ClusterSecretStore; a SecretStore is for its own",
        },
    ]);
    joined([own, cluster_secret_store()])
}

/// What holds for the `spec` of a `ClusterSecretStore`, and of the other one too.
pub(crate) fn cluster_secret_store() -> Value {
    joined([choices(), details()])
}

/// Where one of several is chosen.
fn choices() -> Value {
    let app_role = "vault.auth.appRole";
    let jwt = "vault.auth.jwt";
    json!([
        {
            "rule": format!("{} == 1", count("", &["vault", "aws", "kubernetes", "fake"])),
            "message": "spec.provider has exactly one of vault, aws, kubernetes and fake",
        },
        {
            "rule": where_given("vault", &format!(
                "{} == 1", count("vault.auth.", &["tokenSecretRef", "appRole", "kubernetes", "jwt"])
            )),
            "message": "spec.provider.vault.auth has exactly one of tokenSecretRef, appRole, kubernetes and jwt",
        },
        {
            "rule": where_given(app_role, &format!("{} == 1", count(&format!("{app_role}."), &["roleId", "roleRef"]))),
            "message": "spec.provider.vault.auth.appRole has exactly one of roleId and roleRef",
        },
        {
            "rule": where_given("vault.auth.kubernetes", &format!(
                "{} <= 1", count("vault.auth.kubernetes.", &["serviceAccountRef", "secretRef"])
            )),
            "message": "spec.provider.vault.auth.kubernetes has at most one of serviceAccountRef and secretRef",
        },
        {
            "rule": where_given(jwt, &format!(
                "{} == 1", count(&format!("{jwt}."), &["secretRef", "kubernetesServiceAccountToken"])
            )),
            "message": "spec.provider.vault.auth.jwt has exactly one of secretRef and kubernetesServiceAccountToken",
        },
        {
            "rule": where_given("aws.auth", &format!("{} <= 1", count("aws.auth.", &["secretRef", "jwt"]))),
            "message": "spec.provider.aws.auth has at most one of secretRef and jwt",
        },
        {
            "rule": where_given("kubernetes", &format!(
                "{} == 1", count("kubernetes.auth.", &["token", "serviceAccount", "cert"])
            )),
            "message": "spec.provider.kubernetes.auth has exactly one of token, serviceAccount and cert",
        },
    ])
}

/// Where one thing needs another.
fn details() -> Value {
    let both = |provider: &str| {
        where_given(provider, &format!("{} <= 1", count(&format!("{provider}."), &["caBundle", "caProvider"])))
    };
    json!([
        {
            "rule": both("vault"),
            "message": "spec.provider.vault has at most one of caBundle and caProvider",
        },
        {
            "rule": both("kubernetes.server"),
            "message": "spec.provider.kubernetes.server has at most one of caBundle and caProvider",
        },
        {
            "rule": where_given("vault.tls", &format!(
                "{} != 1", count("vault.tls.", &["certSecretRef", "keySecretRef"])
            )),
            "message": "spec.provider.vault.tls needs both certSecretRef and keySecretRef",
        },
        {
            "rule": where_given("aws", "has(self.provider.aws.role) || has(self.provider.aws.additionalRoles) || \
                     (!has(self.provider.aws.sessionTags) && (!has(self.provider.aws.sessionTagsPolicy) || \
                     self.provider.aws.sessionTagsPolicy == 'None'))"),
            "message": "spec.provider.aws: session tags need a role to assume",
        },
        {
            "rule": where_given("aws.customSessionTags",
                "has(self.provider.aws.sessionTagsPolicy) && self.provider.aws.sessionTagsPolicy == 'Custom'"),
            "message": "spec.provider.aws.customSessionTags needs sessionTagsPolicy Custom",
        },
        {
            "rule": "!has(self.conditions) || self.conditions.all(c, \
                     has(c.namespaceSelector) || has(c.namespaces) || has(c.namespaceRegexes))",
            "message": "an entry of spec.conditions matches by namespaceSelector, namespaces or namespaceRegexes",
        },
    ])
}

/// Whether a field below `spec.provider` and all above it are given.
fn given(path: &str) -> String {
    let names: Vec<&str> = path.split('.').collect();
    let reached = (1..=names.len()).map(|depth| format!("has(self.provider.{})", names[..depth].join(".")));
    reached.collect::<Vec<_>>().join(" && ")
}

/// A rule that only matters if the field is given.
fn where_given(path: &str, rule: &str) -> String {
    format!("!({}) || ({rule})", given(path))
}

/// How many of the fields are given, where everything above them is.
fn count(above: &str, fields: &[&str]) -> String {
    let one = |field: &&str| format!("(has(self.provider.{above}{field}) ? 1 : 0)");
    fields.iter().map(one).collect::<Vec<_>>().join(" + ")
}
