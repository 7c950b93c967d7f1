//! The rules that the API server checks before it stores an object, written in CEL.
//!
//! All of them hang on `spec` as a whole: the API server then answers `spec: Invalid value: "object"` and the message
//! below. A `pattern`, or a rule on the value itself, would print the value, which is the plaintext that somebody
//! forgot to encrypt, into terminals, CI logs and the status of GitOps tools.

mod external_secret;
mod store;

use serde_json::{Value, json};

pub(crate) use external_secret::external_secret;
pub(crate) use store::{cluster_secret_store, secret_store};

/// Prefix of the labels and annotations that only the controller sets.
pub const OWN_PREFIX: &str = "sealwax.dev/";

/// Secret types that a manifest must not make: the API server's own controllers fill them with credentials.
pub const FORBIDDEN_TYPES: [&str; 2] = ["kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token"];

/// Most items of one object, and most labels or annotations of its template. CEL needs a bound to estimate its cost.
pub(crate) const MAX_ITEMS: usize = 1024;

/// The longest token: 1 MiB of value, padded and in base64, is 1.4 MiB; etcd takes requests up to 1.5 MiB.
pub(crate) const MAX_TOKEN: usize = 1_572_864;

/// Most readers, as the format has it.
pub(crate) const MAX_READERS: usize = 64;

/// The longest wrap: 8 KiB in base64 with the key's id before it.
pub(crate) const MAX_WRAP: usize = 12_288;

/// The longest template of one item.
pub(crate) const MAX_TEMPLATE: usize = 65_536;

/// What holds for `spec`.
pub(crate) fn spec() -> Value {
    let own = json!([
        {
            "rule": "self.data.all(k, type(self.data[k]) == string && \
                     self.data[k].startsWith('ENC[wax1,') && self.data[k].endsWith(']'))",
            "message": "a value in spec.data is not encrypted (sealwax tokens look like ENC[wax1,...]): run \
                        'sealwax encrypt' on the file before it is applied, and replace the value at its origin if it \
                        has been committed or sent anywhere",
        },
        {
            "rule": "self.data.all(k, k.matches('^[-._a-zA-Z0-9]{1,253}$'))",
            "message": "an item's name in spec.data is 1 to 253 characters of a-z, A-Z, 0-9, '-', '_' and '.'",
        },
    ]);
    joined([own, template()])
}

/// What holds for `spec.target.template`, of whichever kind.
fn template() -> Value {
    let types = FORBIDDEN_TYPES.map(|name| format!("'{name}'")).join(", ");
    let metadata = "!has(self.target) || !has(self.target.template) || !has(self.target.template.metadata)";
    let not_ours = |field: &str| {
        format!(
            "{metadata} || !has(self.target.template.metadata.{field}) || \
             self.target.template.metadata.{field}.all(k, !k.startsWith('{OWN_PREFIX}'))"
        )
    };
    json!([
        {
            "rule": format!(
                "!has(self.target) || !has(self.target.template) || !has(self.target.template.type) || \
                 !(self.target.template.type in [{types}])"
            ),
            "message": "spec.target.template.type: Kubernetes fills Secrets of this type with credentials; choose another",
        },
        {
            "rule": "!has(self.target) || !has(self.target.template) || !has(self.target.template.data) || \
                     self.target.template.data.all(k, k.matches('^[-._a-zA-Z0-9]{1,253}$'))",
            "message": "an item's name in spec.target.template.data is 1 to 253 characters of a-z, A-Z, 0-9, '-', '_' and '.'",
        },
        {
            "rule": not_ours("labels"),
            "message": "spec.target.template.metadata.labels: labels under sealwax.dev/ are the controller's own",
        },
        {
            "rule": not_ours("annotations"),
            "message": "spec.target.template.metadata.annotations: annotations under sealwax.dev/ are not set by templates",
        },
    ])
}

/// Lists of rules as one list.
fn joined<const N: usize>(lists: [Value; N]) -> Value {
    lists.into_iter().flat_map(|list| if let Value::Array(rules) = list { rules } else { Vec::new() }).collect()
}
