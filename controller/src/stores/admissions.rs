//! Which keys a namespace may read through a store, and whether that has changed since somebody asked.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use k8s_openapi::api::core::v1::Namespace;
use kube::Api;

use super::admission::{KeyRules, NamespaceFacts, Refusal, admit, needs_labels};
use super::spelling::Spelling;
use super::{AnyStore, Reference, StoreError, Stores};
use crate::feeding::in_time;
use crate::telemetry::describe;

/// What was said last, by the name of a store of the cluster and a namespace, where it depends on the namespace's labels.
/// Nobody watches those.
#[derive(Default)]
pub(super) struct Admissions(Mutex<HashMap<(String, String), Result<KeyRules, Refusal>>>);

impl Admissions {
    /// No code of others runs while it is held.
    fn lock(&self) -> MutexGuard<'_, HashMap<(String, String), Result<KeyRules, Refusal>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The store is gone.
    pub(super) fn forget(&self, store: &Reference) {
        self.lock().retain(|(name, _), _| *name != store.name);
    }
}

impl Stores {
    /// Which keys a namespace may read through a store.
    pub async fn admit(&self, store: &AnyStore, namespace: &str) -> Result<KeyRules, StoreError> {
        let AnyStore::Cluster(_) = store else { return Ok(KeyRules::Any) };
        let conditions = &store.spec().conditions;
        let by_label = needs_labels(conditions);
        let mut facts = NamespaceFacts { name: namespace.to_owned(), ..NamespaceFacts::default() };
        if by_label {
            let api: Api<Namespace> = Api::all(self.client.clone());
            let found = in_time(api.get_metadata(namespace)).await;
            let found = found.map_err(|error| StoreError::Namespace(describe(&error)))?;
            facts.labels = found.metadata.labels.unwrap_or_default();
        }
        let admitted = admit(conditions, Spelling::of(store.spec()), &facts);
        let name = store.reference().name;
        if by_label {
            self.admissions.lock().insert((name.clone(), namespace.to_owned()), admitted.clone());
        }
        admitted.map_err(|refusal| StoreError::Refused { name, refusal })
    }

    /// Asks again for every namespace that has asked, and wakes those who hear something else now.
    pub(super) async fn admit_again(&self, store: &AnyStore) {
        if !matches!(store, AnyStore::Cluster(_)) || !needs_labels(&store.spec().conditions) {
            return;
        }
        let reference = store.reference();
        let said: Vec<_> = {
            let admissions = self.admissions.lock();
            let of = admissions.iter().filter(|((name, _), _)| *name == reference.name);
            of.map(|((_, namespace), said)| (namespace.clone(), said.clone())).collect()
        };
        for (namespace, before) in said {
            let now = match self.admit(store, &namespace).await {
                Ok(rules) => Ok(rules),
                Err(StoreError::Refused { refusal, .. }) => Err(refusal),
                // The next time, if there is anybody still.
                Err(_) => {
                    if !self.references.is_used(&reference, &namespace) {
                        self.admissions.lock().remove(&(reference.name.clone(), namespace));
                    }
                    continue;
                }
            };
            if now != before {
                self.references.wake(&reference, &namespace);
            }
        }
    }
}
