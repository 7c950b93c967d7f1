//! What holds for the `spec` of an ExternalSecret.

use serde_json::{Value, json};

use super::{joined, template};

/// A duration as Go writes it, or `0`.
const DURATION: &str = r"^(0|([0-9]+([.][0-9]+)?(ns|us|µs|ms|s|m|h))+)$";

/// What holds for `spec`.
pub(crate) fn external_secret() -> Value {
    joined([entries(), target(), template(), templates()])
}

/// What is read.
fn entries() -> Value {
    json!([
        {
            "rule": "(has(self.data) && size(self.data) > 0) || (has(self.dataFrom) && size(self.dataFrom) > 0)",
            "message": "one of spec.data and spec.dataFrom has to name something to read",
        },
        {
            "rule": format!("!has(self.refreshInterval) || self.refreshInterval.matches('{DURATION}')"),
            "message": "spec.refreshInterval is a duration like 1h, 15m or 1h30m, or 0",
        },
        {
            "rule": "!has(self.data) || self.data.all(d, d.secretKey.matches('^[-._a-zA-Z0-9]{1,253}$'))",
            "message": "spec.data[].secretKey is 1 to 253 characters of a-z, A-Z, 0-9, '-', '_' and '.'",
        },
        {
            "rule": "!has(self.data) || self.data.all(d, self.data.exists_one(e, e.secretKey == d.secretKey))",
            "message": "two entries of spec.data have the same secretKey",
        },
        {
            "rule": "has(self.secretStoreRef) || ((!has(self.data) || \
                     self.data.all(d, has(d.sourceRef) && has(d.sourceRef.storeRef))) && (!has(self.dataFrom) || \
                     self.dataFrom.all(d, has(d.sourceRef) && has(d.sourceRef.storeRef))))",
            "message": "name the store in spec.secretStoreRef, or in sourceRef.storeRef of every entry",
        },
        {
            "rule": "!has(self.dataFrom) || self.dataFrom.all(d, has(d.extract) != has(d.find))",
            "message": "an entry of spec.dataFrom has exactly one of extract and find",
        },
        {
            "rule": "!has(self.dataFrom) || self.dataFrom.all(d, !has(d.find) || \
                     has(d.find.path) || has(d.find.name) || has(d.find.tags))",
            "message": "spec.dataFrom[].find names a path, a name or tags",
        },
    ])
}

/// Whose the Secret is, and what becomes of it.
fn target() -> Value {
    let created = "has(self.target) && has(self.target.creationPolicy)";
    let deleted = |policy: &str| {
        format!("!has(self.target) || !has(self.target.deletionPolicy) || self.target.deletionPolicy != '{policy}'")
    };
    let owner = format!("!({created}) || self.target.creationPolicy == 'Owner'");
    json!([
        {
            "rule": format!("{} || {owner}", deleted("Delete")),
            "message": "spec.target.deletionPolicy Delete needs creationPolicy Owner: nobody else's Secret is deleted",
        },
        {
            "rule": format!("{} || !({created}) || self.target.creationPolicy != 'None'", deleted("Merge")),
            "message": "spec.target.deletionPolicy Merge needs a Secret, and creationPolicy None makes none",
        },
        {
            "rule": format!(
                "!has(self.target) || !has(self.target.recreate) || !self.target.recreate || {owner}"
            ),
            "message": "spec.target.recreate needs creationPolicy Owner: nobody else's Secret is deleted",
        },
        {
            "rule": format!(
                "!has(self.target) || !has(self.target.immutable) || !self.target.immutable || \
                 !({created}) || self.target.creationPolicy in ['Owner', 'Orphan']"
            ),
            "message": "spec.target.immutable needs creationPolicy Owner or Orphan: the items of others could not change any more",
        },
    ])
}

/// Templates that stand elsewhere.
fn templates() -> Value {
    let none = "!has(self.target) || !has(self.target.template) || !has(self.target.template.templateFrom)";
    json!([
        {
            "rule": format!(
                "{none} || self.target.template.templateFrom.all(t, \
                 (has(t.configMap) ? 1 : 0) + (has(t.secret) ? 1 : 0) + (has(t.literal) ? 1 : 0) == 1)"
            ),
            "message": "an entry of spec.target.template.templateFrom has exactly one of configMap, secret and literal",
        },
        {
            "rule": format!(
                "{none} || self.target.template.templateFrom.all(t, !has(t.target) || t.target == 'Data')"
            ),
            "message": "spec.target.template.templateFrom[].target is Data: labels and annotations are literal, in template.metadata",
        },
    ])
}
