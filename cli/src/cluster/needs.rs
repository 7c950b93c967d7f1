//! Which objects need a cluster key: those with a data key that is wrapped for it and for no other usable one.

use std::collections::BTreeSet;

use kube::api::ListParams;
use kube::{Api, ResourceExt as _};
use sealwax_crds::EncryptedSecret;
use sealwax_format::keys::Label;
use sealwax_format::native::{Token, TokenKey};

use super::Cluster;
use crate::error::CommandError;

/// Objects asked for at a time.
const PAGE: u32 = 100;

/// An object, and whom each of its data keys is wrapped for.
#[derive(Debug)]
pub(crate) struct Object {
    /// `namespace/name`.
    pub(crate) shown: String,
    /// Fingerprints, for each data key.
    keys: Vec<BTreeSet<String>>,
    /// Whether there is something that names readers and cannot be read.
    pub(crate) unreadable: bool,
}

impl Object {
    fn read(object: &EncryptedSecret) -> Self {
        let shown = format!("{}/{}", object.namespace().unwrap_or_default(), object.name_any());
        let document = object.spec.readers.keys().map(|label| Some(fingerprint(&label.parse().ok()?)));
        let own = object.spec.data.values().filter(|text| Token::names_readers(text)).map(|text| own_readers(text));
        // What cannot be read may be wrapped for any key.
        let all: Option<Vec<_>> = [document.collect()].into_iter().chain(own).collect();
        let unreadable = all.is_none();
        let keys = all.unwrap_or_default().into_iter().filter(|readers: &BTreeSet<_>| !readers.is_empty()).collect();
        Self { shown, keys, unreadable }
    }

    /// Whether it would not open without this key, as far as can be told.
    pub(crate) fn needs(&self, key: &str, usable: &BTreeSet<String>) -> bool {
        let other = |readers: &BTreeSet<String>| readers.iter().any(|one| one != key && usable.contains(one));
        self.unreadable || self.keys.iter().any(|readers| readers.contains(key) && !other(readers))
    }
}

fn fingerprint(label: &Label) -> String {
    label.fingerprint().to_string()
}

/// Who a token's own key is wrapped for; `None` if that cannot be read.
fn own_readers(text: &str) -> Option<BTreeSet<String>> {
    match Token::parse(text).ok()?.key {
        TokenKey::Own { wraps, .. } => Some(wraps.iter().map(|(label, _)| fingerprint(label)).collect()),
        TokenKey::Document(_) => Some(BTreeSet::new()),
    }
}

/// Names the objects that count as needing every key because they cannot be read.
pub(crate) fn unreadable(objects: &[Object]) -> Option<String> {
    let named: Vec<_> = objects.iter().filter(|one| one.unreadable).map(|one| one.shown.as_str()).collect();
    let what = "malformed readers or tokens, which may need any key, and count as needing each";
    (!named.is_empty()).then(|| format!("{what}: {}", named.join(", ")))
}

/// What to do without the right to list objects, where a look at some namespaces is enough.
pub(crate) const SOME: &str = "With rights in some namespaces only, name them: --in NAMESPACE.";
/// The same, where it is not.
pub(crate) const EVERYWHERE: &str =
    "A key is needed or not for the whole cluster: ask for that right in all namespaces, or somebody who has it.";

impl Cluster {
    /// Every EncryptedSecret of these namespaces, or of all; the hint is for whoever may not list them.
    pub(crate) fn objects(&self, namespaces: &[String], hint: &str) -> Result<Vec<Object>, CommandError> {
        let all: Api<EncryptedSecret> = Api::all(self.client.clone());
        let some = namespaces.iter().map(|namespace| Api::namespaced(self.client.clone(), namespace));
        let apis: Vec<_> = if namespaces.is_empty() { vec![all] } else { some.collect() };
        let mut objects = Vec::new();
        for api in apis {
            let mut parameters = ListParams::default().limit(PAGE);
            loop {
                let page = self.runtime.block_on(api.list(&parameters));
                let page = page.map_err(|error| Self::cannot_list(&error, hint))?;
                objects.extend(page.items.iter().map(Object::read));
                match page.metadata.continue_.filter(|token| !token.is_empty()) {
                    Some(token) => parameters = parameters.continue_token(&token),
                    None => break,
                }
            }
        }
        objects.sort_by(|a, b| a.shown.cmp(&b.shown));
        Ok(objects)
    }

    fn cannot_list(error: &kube::Error, hint: &str) -> CommandError {
        let refused = matches!(error, kube::Error::Api(status) if matches!(status.code, 401 | 403));
        let words = match error {
            kube::Error::Api(status) => super::said(status),
            error => crate::error::chain(error),
        };
        let error = CommandError::refused(format!("cannot list encryptedsecrets: {words}"));
        if refused { error.hint(hint) } else { error }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(keys: &[&[&str]]) -> Object {
        let set = |readers: &&[&str]| readers.iter().map(|one| (*one).to_owned()).collect();
        Object { shown: "prod/db".to_owned(), keys: keys.iter().map(set).collect(), unreadable: false }
    }

    #[test]
    fn what_cannot_be_read_may_need_any_key() {
        let read = |data: &str, readers: serde_json::Value| {
            let spec =
                json!({"data": {"a": data}, "readers": readers, "sealedFor": {"namespace": "prod", "name": "db"}});
            let metadata = json!({"namespace": "prod", "name": "db"});
            let object = json!({"apiVersion": "sealwax.dev/v1alpha1", "kind": "EncryptedSecret", "metadata": metadata, "spec": spec});
            Object::read(&serde_json::from_value(object).unwrap())
        };
        let nothing = json!({});
        for object in [read("ENC[wax1,0123456789012345678901234567,?]", nothing.clone()), read("x", json!({"?": "x"}))]
        {
            assert!(object.needs("old", &BTreeSet::new()), "{object:?}");
            assert!(unreadable(&[object]).unwrap().ends_with(": prod/db"));
        }
        let readable = read("x", nothing);
        assert!(!readable.needs("old", &BTreeSet::new()) && unreadable(&[readable]).is_none());
    }

    #[test]
    fn a_key_is_needed_where_no_other_usable_one_reads() {
        let usable: BTreeSet<String> = ["old", "new"].iter().map(|&one| one.to_owned()).collect();
        let cases: &[(&[&[&str]], bool)] = &[
            (&[&["old"]], true),
            (&[&["old", "alice"]], true),
            (&[&["old", "new"]], false),
            (&[&["old", "new"], &["old"]], true),
            (&[&["old", "retired"]], true),
            (&[&["new"]], false),
            (&[&["alice"]], false),
            (&[], false),
        ];
        for (keys, needed) in cases {
            assert_eq!(object(keys).needs("old", &usable), *needed, "{keys:?}");
        }
    }
}
