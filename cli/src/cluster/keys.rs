//! The keys of a cluster: their public facts, and, where a command is about nothing else, the private ones.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::core::ObjectMeta;
use kube::{Api, ResourceExt as _};
use sealwax_format::SecretBytes;
use sealwax_format::keys::cluster::{
    ACTIVATE, CONTROLLER_KEY, CONTROLLER_KEY_NAME, CONTROLLER_KEY_STATE, ControllerKey, ESCROW, FINGERPRINT, IDENTITY,
    KEY, RECIPIENTS_MAP, ROTATE, SIGNING, SYMMETRIC, State,
};
use serde_json::{Value, json};
use zeroize::Zeroize as _;

use super::Cluster;
use super::bundle::{Bundle, KeySecret};
use crate::error::{CommandError, chain};

/// Who writes, as the API server notes it.
const MANAGER: &str = "sealwax-cli";

/// What is public about a key Secret.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) name: String,
    /// The label; a text that names no state counts as waiting.
    pub(crate) label: String,
    /// From the annotation, which the controller writes.
    pub(crate) fingerprint: Option<String>,
    pub(crate) version: Option<String>,
}

impl Key {
    pub(crate) fn state(&self) -> State {
        self.label.parse().unwrap_or(State::Waiting)
    }

    /// The fingerprint, which is there once a controller has seen the key.
    pub(crate) fn known_fingerprint(&self) -> Result<&str, CommandError> {
        self.fingerprint.as_deref().ok_or_else(|| {
            CommandError::refused(format!("{}: its fingerprint is not known", self.name))
                .hint("The controller notes it when it reads the key. Is it running? Is the key malformed?")
        })
    }
}

impl Cluster {
    fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// The keys, without their contents.
    pub(crate) fn keys(&self) -> Result<Vec<Key>, CommandError> {
        let found = self.runtime.block_on(self.secrets().list_metadata(&ListParams::default().labels(KEY)));
        let found = found.map_err(|error| self.failed("list secrets", &error))?;
        let key = |secret: &kube::core::PartialObjectMeta<Secret>| Key {
            name: secret.name_any(),
            label: secret.labels().get(KEY).cloned().unwrap_or_default(),
            fingerprint: secret.annotations().get(FINGERPRINT).cloned(),
            version: secret.resource_version(),
        };
        let mut keys: Vec<Key> = found.items.iter().map(key).collect();
        keys.sort_by(|a, b| a.state().cmp(&b.state()).then_with(|| a.name.cmp(&b.name)));
        Ok(keys)
    }

    /// The key of this name or fingerprint.
    pub(crate) fn key(&self, wanted: &str) -> Result<Key, CommandError> {
        let keys = self.keys()?;
        let found = keys.into_iter().find(|key| key.name == wanted || key.fingerprint.as_deref() == Some(wanted));
        found.ok_or_else(|| {
            CommandError::refused(format!("no key in namespace {} is called {wanted}", self.namespace))
                .hint("`sealwax keys list` shows names and fingerprints.")
        })
    }

    /// How many escrow copies there are of each key, by the key's fingerprint. Copies are ciphertext.
    pub(crate) fn escrow_copies(&self) -> Result<BTreeMap<String, usize>, CommandError> {
        let found = self.runtime.block_on(self.secrets().list(&ListParams::default().labels(ESCROW)));
        let found = found.map_err(|error| self.failed("list secrets", &error))?;
        let mut copies = BTreeMap::new();
        for secret in &found.items {
            if let Some(of) = secret.annotations().get(FINGERPRINT) {
                let items =
                    secret.data.iter().flat_map(BTreeMap::keys).filter(|item| item.strip_suffix(".age").is_some());
                *copies.entry(of.clone()).or_default() += items.count();
            }
        }
        Ok(copies)
    }

    /// Changes the state of a key, if it is still the one that was looked at. `made` is the command to seal with it,
    /// and any other state takes that command back.
    pub(crate) fn relabel(&self, key: &Key, state: State) -> Result<(), CommandError> {
        let annotations = json!({ACTIVATE: (state == State::Made).then_some("true")});
        let labels = json!({KEY: state.as_str()});
        let metadata = json!({"resourceVersion": key.version, "labels": labels, "annotations": annotations});
        let body = json!({"metadata": metadata});
        let parameters = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let patched = self
            .runtime
            .block_on(async { self.secrets().patch_metadata(&key.name, &parameters, &Patch::Merge(body)).await });
        match patched {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 409 => {
                Err(CommandError::refused(format!("{}: changed by someone else meanwhile; run it again", key.name)))
            }
            Err(error) => Err(self.failed(&format!("patch secret {}", key.name), &error)),
        }
    }

    /// Asks for a new key; where no controller has published anything, only to begin anew.
    pub(crate) fn request_rotation(&self, text: &str, begin_anew: bool) -> Result<(), CommandError> {
        let config_maps: Api<ConfigMap> = Api::namespaced(self.client.clone(), &self.namespace);
        let annotations = json!({ROTATE: text});
        let patch = Patch::Merge(json!({"metadata": {"annotations": annotations}}));
        let parameters = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let sent = self.runtime.block_on(async {
            match config_maps.patch_metadata(RECIPIENTS_MAP, &parameters, &patch).await {
                // A cluster that never had a key, and waits for one.
                Err(kube::Error::Api(status)) if status.code == 404 && begin_anew => {
                    let made: Value = json!({"metadata": {"name": RECIPIENTS_MAP, "annotations": annotations}});
                    let made: ConfigMap = serde_json::from_value(made).map_err(kube::Error::SerdeError)?;
                    config_maps.create(&PostParams::default(), &made).await.map(|_| ())
                }
                other => other.map(|_| ()),
            }
        });
        sent.map_err(|error| match &error {
            kube::Error::Api(status) if status.code == 404 => nothing_published(&self.namespace),
            error => self.failed(&format!("patch configmap {RECIPIENTS_MAP}"), error),
        })
    }

    /// Waits a moment.
    pub(crate) fn pause(&self, time: std::time::Duration) {
        // Made inside the runtime, whose clock it needs.
        self.runtime.block_on(async { tokio::time::sleep(time).await });
    }

    /// All keys with their private halves. A malformed one is named, and not among them.
    pub(crate) fn private_keys(&self) -> Result<(Bundle, Vec<String>), CommandError> {
        let failed = |error| self.failed("list secrets", &error);
        let api = self.secrets();
        let list = |label: &str| self.runtime.block_on(api.list(&ListParams::default().labels(label)));
        let (mut bundle, mut broken) = (Bundle::default(), Vec::new());
        for mut secret in list(KEY).map_err(failed)?.items {
            let name = secret.name_any();
            let state = secret.labels().get(KEY).and_then(|label| label.parse().ok()).unwrap_or(State::Waiting);
            let request = secret.annotations().get(ROTATE).cloned();
            let file =
                secret.data.as_mut().and_then(|data| data.remove(IDENTITY)).map(|item| SecretBytes::from(item.0));
            match file.and_then(|file| KeySecret::new(name.clone(), state, file).ok()) {
                Some(key) => bundle.keys.push(KeySecret { request, ..key }),
                None => broken.push(name),
            }
            wipe(&mut secret);
        }
        for mut secret in list(CONTROLLER_KEY).map_err(failed)?.items {
            if secret.name_any() == CONTROLLER_KEY_NAME {
                let item = |name: &str| Some(secret.data.as_ref()?.get(name)?.0.as_slice());
                bundle.controller = ControllerKey::read(item(SIGNING), item(SYMMETRIC));
            }
            wipe(&mut secret);
        }
        Ok((bundle, broken))
    }

    /// Makes a key Secret under this name and in this state; `false` if the name is taken.
    pub(crate) fn create_key(&self, key: &KeySecret, name: &str, state: State) -> Result<bool, CommandError> {
        let request = key.request.clone().map(|text| (ROTATE.to_owned(), text));
        let noted = (FINGERPRINT.to_owned(), key.fingerprint.to_string());
        let metadata = ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some([(KEY.to_owned(), state.to_string())].into()),
            annotations: Some([noted].into_iter().chain(request).collect()),
            ..ObjectMeta::default()
        };
        self.create(metadata, KEY, [(IDENTITY, key.file.expose())].into())
    }

    /// Makes the Secret with the controller's own key; `false` if there is one.
    pub(crate) fn create_controller_key(&self, key: &ControllerKey) -> Result<bool, CommandError> {
        let metadata = ObjectMeta {
            name: Some(CONTROLLER_KEY_NAME.to_owned()),
            labels: Some([(CONTROLLER_KEY.to_owned(), CONTROLLER_KEY_STATE.to_owned())].into()),
            ..ObjectMeta::default()
        };
        self.create(metadata, CONTROLLER_KEY, [(SIGNING, &key.signing[..]), (SYMMETRIC, &key.symmetric[..])].into())
    }

    fn create(&self, metadata: ObjectMeta, type_: &str, items: BTreeMap<&str, &[u8]>) -> Result<bool, CommandError> {
        let items = items.into_iter().map(|(item, bytes)| (item.to_owned(), ByteString(bytes.to_vec())));
        let mut secret = Secret {
            metadata,
            type_: Some(type_.to_owned()),
            immutable: Some(true),
            data: Some(items.collect()),
            ..Secret::default()
        };
        let made = self.runtime.block_on(async {
            let parameters = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
            self.secrets().create(&parameters, &secret).await
        });
        wipe(&mut secret);
        match made {
            Ok(mut answer) => {
                wipe(&mut answer);
                Ok(true)
            }
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
            Err(error @ kube::Error::Api(_)) if is_about_rights(&error) => Err(self.failed("create secrets", &error)),
            // Any other answer may quote the object.
            Err(kube::Error::Api(status)) => Err(CommandError::refused(format!(
                "{}: the API server refuses the Secret ({} {})",
                secret.name_any(),
                status.code,
                status.reason
            ))),
            Err(error) => Err(CommandError::refused(format!("cannot create a Secret: {}", chain(&error)))),
        }
    }
}

fn is_about_rights(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if matches!(status.code, 401 | 403))
}

fn nothing_published(namespace: &str) -> CommandError {
    CommandError::refused(format!(
        "no controller has published anything in namespace {namespace}; nothing was asked for"
    ))
    .hint(
        "Is the controller there? Pass its namespace with --namespace. For a key that opens nothing of what is in \
             Git, where the old one is lost for good, pass --begin-anew.",
    )
}

fn wipe(secret: &mut Secret) {
    secret.data.iter_mut().flat_map(BTreeMap::values_mut).for_each(|item| item.0.zeroize());
}
