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
}

impl Object {
    fn read(object: &EncryptedSecret) -> Self {
        let fingerprint = |label: &Label| label.fingerprint().to_string();
        let readers = object.spec.readers.keys().filter_map(|label| Some(fingerprint(&label.parse().ok()?)));
        let document: BTreeSet<String> = readers.collect();
        let own =
            object.spec.data.values().filter(|text| Token::names_readers(text)).filter_map(|text| match Token::parse(
                text,
            )
            .ok()?
            .key
            {
                TokenKey::Own { wraps, .. } => Some(wraps.iter().map(|(label, _)| fingerprint(label)).collect()),
                TokenKey::Document(_) => None,
            });
        let shown = format!("{}/{}", object.namespace().unwrap_or_default(), object.name_any());
        Self { shown, keys: [document].into_iter().chain(own).filter(|readers| !readers.is_empty()).collect() }
    }

    /// Whether it would not open without this key.
    pub(crate) fn needs(&self, key: &str, usable: &BTreeSet<String>) -> bool {
        let other = |readers: &BTreeSet<String>| readers.iter().any(|one| one != key && usable.contains(one));
        self.keys.iter().any(|readers| readers.contains(key) && !other(readers))
    }
}

impl Cluster {
    /// Every EncryptedSecret of these namespaces, or of all.
    pub(crate) fn objects(&self, namespaces: &[String]) -> Result<Vec<Object>, CommandError> {
        let all: Api<EncryptedSecret> = Api::all(self.client.clone());
        let some = namespaces.iter().map(|namespace| Api::namespaced(self.client.clone(), namespace));
        let apis: Vec<_> = if namespaces.is_empty() { vec![all] } else { some.collect() };
        let mut objects = Vec::new();
        for api in apis {
            let mut parameters = ListParams::default().limit(PAGE);
            loop {
                let page = self.runtime.block_on(api.list(&parameters));
                let page = page.map_err(|error| Self::cannot_list(&error))?;
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

    fn cannot_list(error: &kube::Error) -> CommandError {
        let refused = matches!(error, kube::Error::Api(status) if matches!(status.code, 401 | 403));
        let words = match error {
            kube::Error::Api(status) => status.message.clone(),
            error => crate::error::chain(error),
        };
        let error = CommandError::refused(format!("cannot list encryptedsecrets: {words}"));
        if refused { error.hint("With rights in some namespaces only, name them: --in NAMESPACE.") } else { error }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(keys: &[&[&str]]) -> Object {
        let set = |readers: &&[&str]| readers.iter().map(|one| (*one).to_owned()).collect();
        Object { shown: "prod/db".to_owned(), keys: keys.iter().map(set).collect() }
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
