//! Reads what is ours in the key namespace, and whether there is anything that needs a key.

use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt, TryStreamExt};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, ObjectReference, Secret};
use kube::api::ListParams;
use kube::runtime::reflector::Store;
use kube::runtime::{WatchStreamExt, reflector, watcher};
use kube::{Api, Client, ResourceExt};
use sealwax_crds::EncryptedSecret;
use sealwax_format::SecretBytes;
use sealwax_format::keys::Keyring;
use sealwax_format::keys::cluster::{
    CONTROLLER_KEY, CONTROLLER_KEY_NAME, ESCROW, ESCROW_MAP, IDENTITY, KEY, RECIPIENTS_MAP, ROTATE, ROTATED, State,
};

use super::escrow::EscrowFacts;
use super::facts::{Listed, Observed, OwnKey};
use super::read;
use super::{ClusterKeys, RoundError};
use crate::telemetry::{describe, describe_watch};

/// What the watches have delivered so far.
pub(super) struct Watched {
    keys: Store<Secret>,
    own: Store<Secret>,
    escrow: Store<Secret>,
    recipients: Store<ConfigMap>,
    escrow_map: Option<Store<ConfigMap>>,
}

/// Starts the watches. An element of the stream says that something may have changed.
pub(super) fn watch(client: &Client, namespace: &str, escrow_map: bool) -> (Watched, BoxStream<'static, ()>) {
    // By type, which never changes: a key whose label somebody removed is still a key.
    let secrets = |type_: &str| {
        let (store, writer) = reflector::store();
        let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
        let events = watcher(api, crate::clients::watching().fields(&format!("type={type_}"))).default_backoff();
        (store, events, writer)
    };
    let config_maps = |name: &str| {
        let (store, writer) = reflector::store();
        let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
        let by_name = crate::clients::watching().fields(&format!("metadata.name={name}"));
        (store, changes(watcher(api, by_name).default_backoff().reflect(writer)))
    };
    let (keys, key_events, key_writer) = secrets(KEY);
    let (own, own_events, own_writer) = secrets(CONTROLLER_KEY);
    let (escrow, escrow_events, escrow_writer) = secrets(ESCROW);
    let (recipients, recipient_changes) = config_maps(RECIPIENTS_MAP);
    let (escrow_map, escrow_map_changes) = escrow_map.then(|| config_maps(ESCROW_MAP)).unzip();
    let all = [
        changes(key_events.reflect(key_writer)),
        changes(own_events.reflect(own_writer)),
        // Which copies there are is known by their names and by how they begin.
        changes(escrow_events.modify(strip).reflect(escrow_writer)),
        recipient_changes,
    ];
    let changes = stream::select_all(all.into_iter().chain(escrow_map_changes)).boxed();
    (Watched { keys, own, escrow, recipients, escrow_map }, changes)
}

fn strip(secret: &mut Secret) {
    secret.metadata.managed_fields = None;
    secret.data.iter_mut().flat_map(|data| data.values_mut()).for_each(|item| item.0 = read::beginning(&item.0));
}

fn changes<K: Send + 'static>(
    events: impl futures::Stream<Item = watcher::Result<watcher::Event<K>>> + Send + 'static,
) -> BoxStream<'static, ()> {
    let changes = events.map_err(|error| {
        tracing::warn!(error = describe_watch(&error), "keys: the watch failed and starts again");
    });
    let telling = |event: &watcher::Event<K>| !matches!(event, watcher::Event::Init | watcher::Event::InitApply(_));
    changes.filter_map(move |event| std::future::ready(event.ok().filter(telling).map(|_| ()))).boxed()
}

impl Watched {
    /// Whether the lists have arrived that say what opens, and what is published.
    pub(super) fn is_complete(&self) -> bool {
        has_arrived(&self.keys) && has_arrived(&self.own) && has_arrived(&self.recipients)
    }

    /// Whether those have arrived that say which escrow copies there are.
    pub(super) fn knows_escrow(&self) -> bool {
        has_arrived(&self.escrow) && self.escrow_map.as_ref().is_none_or(has_arrived)
    }

    /// Whether the watches have brought in a Secret of this name.
    pub(super) fn has_secret(&self, name: &str) -> bool {
        [&self.keys, &self.own, &self.escrow].iter().any(|store| store.find(|one| one.name_any() == name).is_some())
    }

    /// The resourceVersion of a key Secret.
    pub(super) fn key_version(&self, name: &str) -> Option<String> {
        self.keys.find(|secret| secret.name_any() == name)?.resource_version()
    }

    /// A Secret with keys, for events.
    pub(super) fn about_key(&self, namespace: &str, name: &str) -> ObjectReference {
        let found = [&self.keys, &self.own].into_iter().find_map(|store| store.find(|one| one.name_any() == name));
        ObjectReference { uid: found.and_then(|secret| secret.uid()), ..reference(namespace, "Secret", name) }
    }

    /// The ConfigMap with the recipients, for events.
    pub(super) fn about_recipients(&self, namespace: &str) -> ObjectReference {
        let uid = self.recipients.state().first().and_then(|config_map| config_map.uid());
        ObjectReference { uid, ..reference(namespace, "ConfigMap", RECIPIENTS_MAP) }
    }

    /// The identity file of a key Secret.
    pub(super) fn identity_file(&self, name: &str) -> Option<SecretBytes> {
        let secret = self.keys.find(|secret| secret.name_any() == name)?;
        Some(SecretBytes::from(secret.data.as_ref()?.get(IDENTITY)?.0.clone()))
    }

    /// The resourceVersion of a Secret with escrow copies.
    pub(super) fn escrow_version(&self, name: &str) -> Option<String> {
        self.escrow.find(|secret| secret.name_any() == name)?.resource_version()
    }

    /// Whether the ConfigMap with escrow copies exists.
    pub(super) fn has_escrow_map(&self) -> bool {
        self.escrow_map.as_ref().is_some_and(|store| !store.is_empty())
    }

    fn listed(&self) -> Option<Listed> {
        let config_map = self.recipients.state().into_iter().next()?;
        let annotation = |name: &str| config_map.annotations().get(name).cloned();
        Some(Listed {
            items: config_map.data.clone().unwrap_or_default(),
            request: annotation(ROTATE),
            answered: annotation(ROTATED),
        })
    }

    fn own_key(&self) -> OwnKey {
        let secrets = self.own.state();
        match secrets.iter().find(|secret| secret.name_any() == CONTROLLER_KEY_NAME) {
            Some(secret) => read::controller_key(secret).map_or(OwnKey::Malformed, OwnKey::Found),
            None => OwnKey::Missing,
        }
    }

    fn escrow(&self, mut facts: EscrowFacts) -> EscrowFacts {
        facts.copies = self.escrow.state().iter().map(|secret| read::copies(secret)).collect();
        facts.published = self.escrow_map.as_ref().map(|store| {
            let items = store.state().into_iter().flat_map(|map| map.data.clone().unwrap_or_default());
            items.filter_map(read::published_item).collect()
        });
        facts
    }
}

fn has_arrived<K>(store: &Store<K>) -> bool
where
    K: reflector::Lookup + Clone + 'static,
    K::DynamicType: Eq + std::hash::Hash + Clone,
{
    matches!(store.wait_until_ready().now_or_never(), Some(Ok(())))
}

/// An object of the key namespace.
pub(super) fn reference(namespace: &str, kind: &str, name: &str) -> ObjectReference {
    ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some(kind.to_owned()),
        name: Some(name.to_owned()),
        namespace: Some(namespace.to_owned()),
        ..ObjectReference::default()
    }
}

/// What the plan decides by, and what opens.
pub(super) fn read(keys: &ClusterKeys, watched: &Watched) -> (Observed, Keyring) {
    let mut observed = Observed {
        listed: watched.listed(),
        controller_key: watched.own_key(),
        escrow: watched.escrow(keys.escrow.facts()),
        cluster_name: keys.cluster_name.clone(),
        rotate_every: keys.rotate_every,
        now: Timestamp::now(),
        ..Observed::default()
    };
    let mut keyring = Keyring::default();
    for secret in watched.keys.state() {
        match read::key(&secret) {
            Ok((facts, file)) => {
                if facts.state != State::Retired {
                    keyring.add(file.fingerprint, file.identity);
                }
                observed.keys.push(facts);
            }
            Err(error) => observed.malformed.push(read::malformed(&secret, &error)),
        }
    }
    (observed, keyring)
}

/// The namespaces served now; `None` stands for all.
async fn scopes(keys: &ClusterKeys) -> Result<Vec<Option<String>>, RoundError> {
    let Some(selector) = &keys.namespace_selector else {
        return Ok(keys.scopes.clone());
    };
    let api: Api<Namespace> = Api::all(keys.client.clone());
    let list = api.list_metadata(&ListParams::default().labels(selector)).await;
    let list = list.map_err(|error| RoundError::Observe(describe(&error)))?;
    Ok(list.items.into_iter().map(|namespace| namespace.metadata.name).collect())
}

/// Whether there is any object that needs a key.
pub(super) async fn any_encrypted_secret(keys: &ClusterKeys) -> Result<bool, RoundError> {
    for scope in scopes(keys).await? {
        let api: Api<EncryptedSecret> = crate::clients::api(&keys.client, scope.as_deref());
        let list = api.list_metadata(&ListParams::default().limit(1)).await;
        let list = list.map_err(|error| RoundError::Observe(describe(&error)))?;
        if !list.items.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}
