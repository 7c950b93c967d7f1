//! Reads what a plan needs: from the watches as a rule, from the API server when they cannot know.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use k8s_openapi::api::core::v1::Secret;
use kube::core::{ObjectMeta, PartialObjectMeta};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Api, Client};
use sealwax_crds::{EncryptedSecret, EncryptedSecretStatus};

use super::plan::target_name;
use crate::store::{is_later, strip_secret};
use crate::writer::Written;

/// What the watches of one scope have brought.
#[derive(Clone)]
pub struct Watched {
    /// The objects, stripped.
    pub objects: Store<EncryptedSecret>,
    /// The Secrets that carry our label, stripped.
    pub secrets: Store<PartialObjectMeta<Secret>>,
}

impl Watched {
    /// The metadata of a Secret that carries our label.
    pub fn secret(&self, namespace: &str, name: &str) -> Option<Arc<PartialObjectMeta<Secret>>> {
        self.secrets.get(&ObjectRef::<PartialObjectMeta<Secret>>::new(name).within(namespace))
    }

    /// The Secret that the object made before its target's name changed.
    pub fn former(&self, object: &EncryptedSecret, status: &EncryptedSecretStatus) -> Option<(String, Written)> {
        let name = status.secret_name.as_deref().filter(|name| *name != target_name(object))?;
        let secret = self.secret(object.metadata.namespace.as_deref()?, name)?;
        let owners = || secret.metadata.owner_references.iter().flatten();
        let ours = owners().any(|owner| Some(&owner.uid) == object.metadata.uid.as_ref());
        ours.then(|| (name.to_owned(), Written::from(&secret.metadata)))
    }
}

/// The metadata of a Secret, whoever made it, from the API server.
pub(super) async fn live_secret(
    client: &Client,
    namespace: &str,
    name: &str,
) -> Result<Option<ObjectMeta>, kube::Error> {
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let Some(found) = api.get_metadata_opt(name).await? else {
        return Ok(None);
    };
    let mut secret = PartialObjectMeta { types: None, metadata: found.metadata, _phantom: std::marker::PhantomData };
    strip_secret(&mut secret);
    Ok(Some(secret.metadata))
}

/// The whole object, from the API server.
pub(super) async fn live_object(client: &Client, meta: &ObjectMeta) -> Result<Option<EncryptedSecret>, kube::Error> {
    let namespace = meta.namespace.as_deref().unwrap_or_default();
    let api: Api<EncryptedSecret> = Api::namespaced(client.clone(), namespace);
    let found = api.get_opt(meta.name.as_deref().unwrap_or_default()).await?;
    Ok(found.filter(|found| found.metadata.uid == meta.uid))
}

/// The statuses that were written and that the watch has not brought back yet.
#[derive(Debug, Default)]
pub struct Unseen(Mutex<HashMap<String, (String, EncryptedSecretStatus)>>);

impl Unseen {
    /// Remembers a status by the object's uid, with the object's resourceVersion since then.
    pub fn wrote(&self, uid: &str, resource_version: String, status: EncryptedSecretStatus) {
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
    pub fn status_of(&self, object: &EncryptedSecret) -> EncryptedSecretStatus {
        self.saw(&object.metadata);
        let uid = object.metadata.uid.as_deref().unwrap_or_default();
        let unseen = self.lock().get(uid).map(|(_, status)| status.clone());
        unseen.or_else(|| object.status.clone()).unwrap_or_default()
    }

    /// Forgets objects that are gone.
    pub fn retain(&self, keep: impl Fn(&str) -> bool) {
        self.lock().retain(|uid, _| keep(uid));
    }

    /// A panic while it was held leaves statuses behind that are still statuses.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, (String, EncryptedSecretStatus)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_counts_until_the_watch_brings_it() {
        let unseen = Unseen::default();
        let written = EncryptedSecretStatus { observed_generation: Some(2), ..EncryptedSecretStatus::default() };
        unseen.wrote("u1", "10".into(), written.clone());
        let mut object = EncryptedSecret::new("db", sealwax_crds::EncryptedSecretSpec::default());
        object.metadata.uid = Some("u1".into());
        object.metadata.resource_version = Some("9".into());
        assert_eq!(unseen.status_of(&object), written);
        object.metadata.resource_version = Some("10".into());
        assert_eq!(unseen.status_of(&object), EncryptedSecretStatus::default());
    }
}
