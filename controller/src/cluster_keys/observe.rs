//! Reads the key Secrets, the published recipients, and whether there is anything that needs a key.

use std::collections::BTreeSet;

use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::{ConfigMap, ObjectReference, Secret};
use kube::api::ListParams;
use kube::runtime::reflector::Store;
use kube::runtime::{WatchStreamExt, reflector, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use sealwax_crds::EncryptedSecret;
use sealwax_format::keys::Keyring;

use super::payload::{ITEM, Payload, PayloadError};
use super::plan::{KeyFacts, Observed};
use super::{ACTIVE, CONFIG_MAP, ClusterKeys, KEY_LABEL, KEY_TYPE, RoundError};
use crate::telemetry::describe;

/// What the watches have delivered so far.
pub(super) struct Watched {
    secrets: Store<Secret>,
    config_maps: Store<ConfigMap>,
}

/// Starts the watches. An element of the stream says that something may have changed.
pub(super) fn watch(client: &Client, namespace: &str) -> (Watched, BoxStream<'static, ()>) {
    let (secrets, secret_writer) = reflector::store();
    let (config_maps, config_map_writer) = reflector::store();
    let secret_api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let config_map_api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let by_label = watcher::Config::default().labels(KEY_LABEL);
    let by_name = watcher::Config::default().fields(&format!("metadata.name={CONFIG_MAP}"));
    let changes = stream::select(
        changes(watcher(secret_api, by_label).default_backoff().reflect(secret_writer)),
        changes(watcher(config_map_api, by_name).default_backoff().reflect(config_map_writer)),
    );
    (Watched { secrets, config_maps }, changes.boxed())
}

fn changes<K: Send + 'static>(
    events: impl futures::Stream<Item = watcher::Result<watcher::Event<K>>> + Send + 'static,
) -> BoxStream<'static, ()> {
    let changes = events.map_err(|error| {
        tracing::warn!(error = crate::telemetry::describe_watch(&error), "keys: the watch failed and starts again");
    });
    let telling = |event: &watcher::Event<K>| !matches!(event, watcher::Event::Init | watcher::Event::InitApply(_));
    changes.filter_map(move |event| std::future::ready(event.ok().filter(telling).map(|_| ()))).boxed()
}

impl Watched {
    /// Whether both lists have arrived.
    pub(super) fn is_complete(&self) -> bool {
        let secrets = self.secrets.wait_until_ready().now_or_never();
        let config_maps = self.config_maps.wait_until_ready().now_or_never();
        matches!((secrets, config_maps), (Some(Ok(())), Some(Ok(()))))
    }

    /// The key Secrets, read.
    pub(super) fn keys(&self) -> Found {
        let mut found = Found::default();
        for secret in self.secrets.state() {
            found.versions.insert((secret.uid().unwrap_or_default(), secret.resource_version().unwrap_or_default()));
            match read(&secret) {
                Ok(payload) => {
                    let active = secret.labels().get(KEY_LABEL).is_some_and(|state| state == ACTIVE);
                    found.add(payload, active);
                }
                Err(error) => {
                    found.broken.push(Broken { name: secret.name_any(), reference: secret.object_ref(&()), error });
                }
            }
        }
        found
    }
}

fn read(secret: &Secret) -> Result<Payload, KeyError> {
    if secret.type_.as_deref() != Some(KEY_TYPE) {
        return Err(KeyError::Type);
    }
    let file = secret.data.as_ref().and_then(|data| data.get(ITEM)).ok_or(PayloadError::Missing)?;
    Ok(Payload::parse(&file.0)?)
}

/// Why a key Secret is not used.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeyError {
    #[error("its type is not {KEY_TYPE}")]
    Type,
    #[error(transparent)]
    Payload(#[from] PayloadError),
}

/// A key Secret that cannot be used.
pub(super) struct Broken {
    pub(super) name: String,
    pub(super) reference: ObjectReference,
    pub(super) error: KeyError,
}

/// The key Secrets, read.
#[derive(Default)]
pub(super) struct Found {
    keyring: Keyring,
    facts: Vec<KeyFacts>,
    versions: BTreeSet<(String, String)>,
    pub(super) broken: Vec<Broken>,
}

impl Found {
    fn add(&mut self, payload: Payload, active: bool) {
        self.facts.push(KeyFacts {
            recipient: payload.recipient,
            fingerprint: payload.fingerprint.clone(),
            created: payload.created,
            active,
        });
        self.keyring.add(payload.fingerprint, payload.identity);
    }

    pub(super) fn take_keyring(&mut self) -> Keyring {
        std::mem::take(&mut self.keyring)
    }

    pub(super) fn usable(&self) -> i64 {
        count(self.facts.len())
    }

    pub(super) fn active(&self) -> i64 {
        count(self.facts.iter().filter(|key| key.active).count())
    }

    pub(super) fn malformed(&self) -> i64 {
        count(self.broken.len())
    }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// What the last round saw, so that a round without a change tells nobody anything.
#[derive(Default)]
pub(super) struct Memory {
    versions: Option<BTreeSet<(String, String)>>,
    pub(super) waiting: Option<super::plan::Waiting>,
}

impl Memory {
    /// Whether the key Secrets are others than last time.
    pub(super) fn differs(&mut self, found: &Found) -> bool {
        let differs = self.versions.as_ref() != Some(&found.versions);
        self.versions = Some(found.versions.clone());
        differs
    }
}

/// Everything that the plan decides by.
pub(super) async fn observe(keys: &ClusterKeys, watched: &Watched, found: &Found) -> Result<Observed, RoundError> {
    let config_map = watched.config_maps.state().into_iter().next();
    let mut observed = Observed {
        malformed: found.broken.len(),
        published: config_map.map(|config_map| config_map.data.clone().unwrap_or_default()),
        encrypted_secrets: false,
        cluster_name: keys.cluster_name.clone(),
        keys: found.facts.clone(),
    };
    // Asked only where it decides something.
    if observed.keys.is_empty() {
        observed.encrypted_secrets = any_encrypted_secret(keys).await?;
    }
    Ok(observed)
}

async fn any_encrypted_secret(keys: &ClusterKeys) -> Result<bool, RoundError> {
    for scope in &keys.scopes {
        let api: Api<EncryptedSecret> = crate::reconcile::api(&keys.client, scope.as_deref());
        let list = api.list_metadata(&ListParams::default().limit(1)).await;
        let list = list.map_err(|error| RoundError::Observe(describe(&error)))?;
        if !list.items.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}
