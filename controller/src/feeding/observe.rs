//! Reads what a plan needs: from the watches as a rule, from the API server when they cannot know.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::core::{ObjectMeta, PartialObjectMeta};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Api, Client};
use sealwax_crds::SecretStatus;
use tokio::sync::watch;

use super::Feeds;
use super::plan::Former;
use crate::ownership;
use crate::store::is_later;
use crate::writer::Written;

/// For how long an answer is waited for.
const LONGEST: Duration = Duration::from_secs(15);

/// What the watches of one scope have brought.
#[derive(Clone)]
pub struct Watched<K: Feeds> {
    /// The objects, stripped.
    pub objects: Store<K>,
    /// The Secrets that carry our label, stripped.
    pub secrets: Store<PartialObjectMeta<Secret>>,
    /// Turns true when both have been listed: before that, what is not there may well exist.
    pub complete: watch::Receiver<bool>,
}

impl<K: Feeds> Watched<K> {
    /// An object of this scope.
    pub fn object(&self, namespace: &str, name: &str) -> Option<Arc<K>> {
        self.objects.get(&ObjectRef::<K>::new(name).within(namespace))
    }

    /// The metadata of a Secret that carries our label.
    pub fn secret(&self, namespace: &str, name: &str) -> Option<Arc<PartialObjectMeta<Secret>>> {
        self.secrets.get(&ObjectRef::<PartialObjectMeta<Secret>>::new(name).within(namespace))
    }
}

/// The Secret that the object fed before its target's name changed, from the API server: the watch may not have brought
/// it yet, and what is forgotten here stays for ever. What shall stay is not given up.
pub(super) async fn former<K: Feeds>(
    client: &Client,
    object: &K,
    status: &SecretStatus,
) -> Result<Option<Former>, kube::Error> {
    let name = status.secret_name.as_deref().filter(|name| *name != object.target_name());
    let (Some(name), Some(namespace)) = (name, object.meta().namespace.as_deref()) else { return Ok(None) };
    let Some(secret) = live_secret(client, namespace, name).await? else { return Ok(None) };
    let fed = ownership::feeder(&secret, object.origin()).is_some_and(|feeder| !feeder.retained);
    let sole = ownership::is_sole(&secret, object.origin());
    Ok(fed.then(|| Former { name: name.to_owned(), seen: Written::from(&secret), sole }))
}

/// The whole metadata of a Secret, whoever made it, from the API server.
pub async fn live_secret(client: &Client, namespace: &str, name: &str) -> Result<Option<ObjectMeta>, kube::Error> {
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    Ok(in_time(api.get_metadata_opt(name)).await?.map(|found| found.metadata))
}

/// Waits for an answer no longer than a request takes: an API server that hangs must not hold up others' objects.
pub async fn in_time<T>(request: impl Future<Output = Result<T, kube::Error>>) -> Result<T, kube::Error> {
    let answer = tokio::time::timeout(LONGEST, request).await;
    answer.unwrap_or_else(|_| Err(kube::Error::Service("the API server did not answer in time".into())))
}

/// The object's metadata, from the API server.
pub(super) async fn live_meta<K: Feeds>(client: &Client, meta: &ObjectMeta) -> Result<Option<ObjectMeta>, kube::Error> {
    let api: Api<K> = Api::namespaced(client.clone(), meta.namespace.as_deref().unwrap_or_default());
    let found = in_time(api.get_metadata_opt(meta.name.as_deref().unwrap_or_default())).await?;
    Ok(found.map(|found| found.metadata))
}

/// The whole object, from the API server.
pub async fn live_object<K: Feeds>(client: &Client, meta: &ObjectMeta) -> Result<Option<K>, kube::Error> {
    let namespace = meta.namespace.as_deref().unwrap_or_default();
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    let found = in_time(api.get_opt(meta.name.as_deref().unwrap_or_default())).await?;
    Ok(found.filter(|found| found.meta().uid == meta.uid))
}

/// The statuses that were written and that the watch has not brought back yet.
#[derive(Debug)]
pub struct Unseen<K: Feeds>(Mutex<HashMap<String, (String, K::Status)>>);

impl<K: Feeds> Default for Unseen<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Feeds> Unseen<K> {
    /// Remembers a status by the object's uid, with the object's resourceVersion since then.
    pub fn wrote(&self, uid: &str, resource_version: String, status: K::Status) {
        self.lock().insert(uid.to_owned(), (resource_version, status));
    }

    /// The watch has brought this object: what was written before is in it.
    pub fn saw(&self, meta: &ObjectMeta) {
        let uid = meta.uid.as_deref().unwrap_or_default();
        let seen = meta.resource_version.as_deref().unwrap_or_default();
        let mut unseen = self.lock();
        if unseen.get(uid).is_some_and(|(written, _)| !is_later(written, seen)) {
            unseen.remove(uid);
        }
    }

    /// The status as it is, whatever the watch has brought so far.
    pub fn status_of(&self, object: &K) -> K::Status {
        self.saw(object.meta());
        let uid = object.meta().uid.as_deref().unwrap_or_default();
        let unseen = self.lock().get(uid).map(|(_, status)| status.clone());
        unseen.or_else(|| object.status().cloned()).unwrap_or_default()
    }

    /// The object's resourceVersion as far as anybody knows.
    pub fn version_of(&self, object: &K) -> String {
        let uid = object.meta().uid.as_deref().unwrap_or_default();
        let unseen = self.lock().get(uid).map(|(version, _)| version.clone());
        unseen.or_else(|| object.meta().resource_version.clone()).unwrap_or_default()
    }

    /// Forgets an object that is gone.
    pub fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }

    /// Forgets all objects but these.
    pub fn retain(&self, keep: impl Fn(&str) -> bool) {
        self.lock().retain(|uid, _| keep(uid));
    }

    /// A panic while it was held leaves statuses behind that are still statuses.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, (String, K::Status)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use sealwax_crds::EncryptedSecret;

    use super::*;

    #[test]
    fn a_status_counts_until_the_watch_brings_it() {
        let unseen = Unseen::<EncryptedSecret>::default();
        let written = SecretStatus { observed_generation: Some(2), ..SecretStatus::default() };
        unseen.wrote("u1", "10".into(), written.clone());
        let mut object = EncryptedSecret::new("db", sealwax_crds::EncryptedSecretSpec::default());
        object.metadata.uid = Some("u1".into());
        object.metadata.resource_version = Some("9".into());
        assert_eq!(unseen.status_of(&object), written);
        object.metadata.resource_version = Some("10".into());
        assert_eq!(unseen.status_of(&object), SecretStatus::default());
    }
}
