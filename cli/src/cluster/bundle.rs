//! Key Secrets as a Kubernetes manifest: what `keys create` and `keys backup` write and `keys restore` reads.
//!
//! `kubectl create -f -` takes it as it is (`apply` would note the private keys in an annotation). The controller's own key comes first, so that it is there before a cluster
//! key is seen that belongs to it.

use std::collections::BTreeMap;

use sealwax_format::keys::cluster::{
    CONTROLLER_KEY, CONTROLLER_KEY_NAME, CONTROLLER_KEY_STATE, ControllerKey, ESCROW, FINGERPRINT, IDENTITY, KEY,
    ROTATE, SIGNING, SYMMETRIC, State,
};
use sealwax_format::keys::{Fingerprint, IdentityFile, IdentityFileError};
use sealwax_format::{SecretBytes, base64};
use serde::Deserialize;
use zeroize::Zeroizing;

/// A cluster key with its private half.
#[derive(Debug)]
pub(crate) struct KeySecret {
    pub(crate) name: String,
    pub(crate) state: State,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) created: Option<String>,
    pub(crate) recipient: String,
    /// The request that it was made for.
    pub(crate) request: Option<String>,
    pub(crate) file: SecretBytes,
}

/// The state in which a key comes back: one that was about to seal does not take over by being restored.
pub(crate) fn kept(state: State) -> State {
    if state == State::Made { State::Waiting } else { state }
}

impl KeySecret {
    /// From an identity file.
    pub(crate) fn new(name: String, state: State, file: SecretBytes) -> Result<Self, IdentityFileError> {
        let IdentityFile { recipient, fingerprint, created, .. } = IdentityFile::parse(file.expose())?;
        Ok(Self { name, state, fingerprint, created, recipient, request: None, file })
    }
}

/// The keys of a cluster.
#[derive(Debug, Default)]
pub(crate) struct Bundle {
    pub(crate) controller: Option<ControllerKey>,
    pub(crate) keys: Vec<KeySecret>,
    /// Escrow copies of the first key, by item.
    pub(crate) escrow: BTreeMap<String, String>,
}

/// Why a text is no manifest of keys. Quotes nothing: the text is full of keys.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BundleError {
    #[error("not UTF-8 text")]
    Text,
    #[error("neither a list of key Secrets nor an identity file")]
    Layout,
    #[error("the key {0} cannot be used")]
    Key(String, #[source] IdentityFileError),
    #[error("the key {0} has no item {IDENTITY}")]
    NoIdentity(String),
    #[error("the controller's own key is not whole")]
    Controller,
}

#[derive(Deserialize)]
struct List {
    items: Vec<Document>,
}

#[derive(Deserialize)]
struct Document {
    metadata: Metadata,
    #[serde(rename = "type")]
    type_: Option<String>,
    #[serde(default)]
    data: BTreeMap<String, Zeroizing<String>>,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

impl Bundle {
    /// Reads a manifest that [`Bundle::manifest`] wrote, or kubectl.
    pub(crate) fn parse(text: &SecretBytes) -> Result<Self, BundleError> {
        let text = text.expose_str().ok_or(BundleError::Text)?;
        let list: List = serde_yaml::from_str(text).map_err(|_| BundleError::Layout)?;
        let mut bundle = Self::default();
        for document in list.items {
            let item = |name: &str| base64::decode(document.data.get(name)?).map(Zeroizing::new);
            let Metadata { name, labels, mut annotations } = document.metadata;
            match document.type_.as_deref() {
                Some(CONTROLLER_KEY) => {
                    let (signing, symmetric) = (item(SIGNING), item(SYMMETRIC));
                    let (signing, symmetric) = (signing.as_deref(), symmetric.as_deref());
                    let key = ControllerKey::read(signing.map(Vec::as_slice), symmetric.map(Vec::as_slice));
                    bundle.controller = Some(key.ok_or(BundleError::Controller)?);
                }
                Some(KEY) => {
                    let file = item(IDENTITY).ok_or_else(|| BundleError::NoIdentity(name.clone()))?;
                    let state = labels.get(KEY).and_then(|label| label.parse().ok()).map_or(State::Waiting, kept);
                    let key = KeySecret::new(name.clone(), state, file.into());
                    let mut key = key.map_err(|error| BundleError::Key(name, error))?;
                    key.request = annotations.remove(ROTATE);
                    bundle.keys.push(key);
                }
                _ => {}
            }
        }
        Ok(bundle)
    }

    /// The manifest.
    pub(crate) fn manifest(&self, namespace: &str) -> Zeroizing<String> {
        let mut items = Vec::new();
        if let Some(key) = &self.controller {
            let data = [(SIGNING, Zeroizing::new(base64::encode(&*key.signing)))];
            let data = data.into_iter().chain([(SYMMETRIC, Zeroizing::new(base64::encode(&*key.symmetric)))]);
            let label = (CONTROLLER_KEY, CONTROLLER_KEY_STATE);
            items.push(secret(namespace, CONTROLLER_KEY_NAME, label, &[], true, data));
        }
        for key in &self.keys {
            let mut annotations = vec![(FINGERPRINT, key.fingerprint.as_str())];
            annotations.extend(key.request.as_deref().map(|request| (ROTATE, request)));
            let data = [(IDENTITY, Zeroizing::new(base64::encode(key.file.expose())))];
            items.push(secret(namespace, &key.name, (KEY, kept(key.state).as_str()), &annotations, true, data));
        }
        if let (Some(key), false) = (self.keys.first(), self.escrow.is_empty()) {
            let data = self.escrow.iter();
            let data = data.map(|(item, copy)| (item.as_str(), Zeroizing::new(base64::encode(copy.as_bytes()))));
            let annotations = [(FINGERPRINT, key.fingerprint.as_str())];
            let name = format!("{}-escrow", key.name);
            items.push(secret(namespace, &name, (ESCROW, &key.name), &annotations, false, data));
        }
        // As large as it will get: a text that grows leaves copies of its contents behind.
        let length = items.iter().map(|item| item.len()).sum::<usize>() + 64;
        let mut manifest = Zeroizing::new(String::with_capacity(length));
        manifest.push_str("apiVersion: v1\nkind: List\nitems:\n");
        for item in &items {
            manifest.push_str(item);
        }
        manifest
    }
}

/// One item; the label's name is the type too.
fn secret<'d>(
    namespace: &str,
    name: &str,
    (type_, label): (&str, &str),
    annotations: &[(&str, &str)],
    immutable: bool,
    data: impl IntoIterator<Item = (&'d str, Zeroizing<String>)>,
) -> Zeroizing<String> {
    let quote = |text: &str| serde_json::Value::from(text).to_string();
    let annotations: Vec<_> = annotations.iter().map(|(name, text)| format!("{name}: {}", quote(text))).collect();
    let mut text = Zeroizing::new(String::with_capacity(16 * 1024));
    text.push_str(&format!(
        "- apiVersion: v1\n  kind: Secret\n  metadata:\n    name: {}\n    namespace: {}\n    labels: {{{type_}: {}}}\n    \
         annotations: {{{}}}\n  type: {type_}\n  immutable: {immutable}\n  data:\n",
        quote(name),
        quote(namespace),
        quote(label),
        annotations.join(", "),
    ));
    for (item, value) in data {
        text.push_str("    ");
        text.push_str(item);
        text.push_str(": ");
        text.push_str(&value);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use sealwax_format::OsRandom;

    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let (file, recipient) = IdentityFile::generate("2026-11-21T06:00:00Z");
        let mut key = KeySecret::new("key-1".to_owned(), State::Old, file).unwrap();
        key.request = Some("a \"text\"".to_owned());
        let controller = ControllerKey::generate(&mut OsRandom).unwrap();
        let public = controller.signing_key().public();
        let bundle = Bundle { controller: Some(controller), keys: vec![key], ..Bundle::default() };
        let manifest = bundle.manifest("keys");
        let read = Bundle::parse(&SecretBytes::from(manifest.to_string())).unwrap();
        assert_eq!(read.controller.unwrap().signing_key().public(), public);
        let key = &read.keys[0];
        assert_eq!((key.name.as_str(), key.state, key.recipient.as_str()), ("key-1", State::Old, recipient.as_str()));
        assert_eq!(key.request.as_deref(), Some("a \"text\""));
        assert_eq!(key.file, bundle.keys[0].file);
    }

    #[test]
    fn a_key_that_was_about_to_seal_waits_in_a_backup() {
        let key = |state| KeySecret::new("key".to_owned(), state, IdentityFile::generate("now").0).unwrap();
        let bundle = Bundle { keys: State::ALL.map(key).into(), ..Bundle::default() };
        let manifest = bundle.manifest("keys");
        assert!(!manifest.contains("\"made\""));
        // One that an older version wrote.
        let older = manifest.replace("\"waiting\"", "\"made\"");
        for text in [manifest.to_string(), older] {
            let read = Bundle::parse(&SecretBytes::from(text)).unwrap();
            let states: Vec<_> = read.keys.iter().map(|key| key.state).collect();
            assert_eq!(states, [State::Active, State::Waiting, State::Waiting, State::Old, State::Retired]);
        }
    }

    #[test]
    fn quotes_nothing_of_what_it_cannot_read() {
        for text in ["hunter2", "items: hunter2", "items: [{type: hunter2}]"] {
            let error = Bundle::parse(&SecretBytes::from(text.to_owned())).unwrap_err();
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
