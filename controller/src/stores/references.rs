//! What objects and stores depend on: so that a change of it is noticed, and wakes those that it matters to.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::channel::mpsc as channel;
use kube::runtime::reflector::ObjectRef;
use sealwax_crds::{ClusterSecretStore, ExternalSecret, SecretStore, StoreKind};

/// What kind of thing is depended on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ReferenceKind {
    /// Credentials, certificates, templates, a target or a copy.
    Secret,
    /// Certificates or templates.
    ConfigMap,
    /// A store of one namespace.
    SecretStore,
    /// A store of the cluster.
    ClusterSecretStore,
}

impl From<StoreKind> for ReferenceKind {
    fn from(kind: StoreKind) -> Self {
        match kind {
            StoreKind::SecretStore => Self::SecretStore,
            StoreKind::ClusterSecretStore => Self::ClusterSecretStore,
        }
    }
}

/// Something that is depended on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    /// What kind of thing.
    pub kind: ReferenceKind,
    /// Its namespace; empty where there is none.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// Who depends on something.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum User {
    /// An `ExternalSecret` of this namespace and name.
    Object(String, String),
    /// A `SecretStore` of this namespace and name.
    Store(String, String),
    /// A `ClusterSecretStore` of this name.
    ClusterStore(String),
}

/// Wakes objects of one kind in one scope.
type Bell<K> = channel::UnboundedSender<ObjectRef<K>>;

/// Who depends on what, and what has been seen of it.
#[derive(Default)]
pub struct References(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    users: HashMap<Reference, HashSet<User>>,
    uses: HashMap<User, Vec<Reference>>,
    /// As the watches have brought them: resourceVersions, which say whether something is as it was.
    versions: HashMap<Reference, String>,
    objects: HashMap<Option<String>, Bell<ExternalSecret>>,
    stores: HashMap<Option<String>, Bell<SecretStore>>,
    cluster_stores: Option<Bell<ClusterSecretStore>>,
}

impl References {
    /// From now on `user` depends on these, and on nothing else.
    pub fn set(&self, user: &User, references: Vec<Reference>) {
        let mut inner = self.lock();
        if inner.uses.get(user) == Some(&references) {
            return;
        }
        inner.forget(user);
        for reference in &references {
            inner.users.entry(reference.clone()).or_default().insert(user.clone());
        }
        inner.uses.insert(user.clone(), references);
    }

    /// `user` is gone.
    pub fn forget(&self, user: &User) {
        self.lock().forget(user);
    }

    /// The version that was last seen; `-` where nothing is known to be.
    pub fn version(&self, reference: &Reference) -> String {
        self.lock().versions.get(reference).cloned().unwrap_or_else(|| "-".to_owned())
    }

    /// Whether something is known to be.
    pub fn is_known(&self, reference: &Reference) -> bool {
        self.lock().versions.contains_key(reference)
    }

    /// What a store and those who read through it depend on, and no watch tells of.
    pub fn unwatched(&self, store: &Reference, itself: &User) -> BTreeSet<Reference> {
        let inner = self.lock();
        let users = inner.users.get(store).into_iter().flatten().chain([itself]);
        let references = users.filter_map(|user| inner.uses.get(user)).flatten();
        let held = |kind| matches!(kind, ReferenceKind::Secret | ReferenceKind::ConfigMap);
        references.filter(|one| held(one.kind) && !inner.is_watched(&one.namespace)).cloned().collect()
    }

    /// The watch has brought this. `None`: it is gone. Wakes who depends on it, if it is another one than before.
    pub fn saw(&self, reference: &Reference, version: Option<&str>) {
        let mut inner = self.lock();
        let before = match version {
            Some(version) => inner.versions.insert(reference.clone(), version.to_owned()),
            None => inner.versions.remove(reference),
        };
        if before.as_deref() != version {
            inner.wake(reference);
        }
    }

    /// Somebody has looked before any watch has brought it: what a watch has brought meanwhile stands.
    pub fn saw_first(&self, reference: &Reference, version: &str) {
        let mut inner = self.lock();
        if !inner.versions.contains_key(reference) {
            inner.versions.insert(reference.clone(), version.to_owned());
            inner.wake(reference);
        }
    }

    /// Wakes the objects of one namespace that depend on this.
    pub fn wake(&self, reference: &Reference, namespace: &str) {
        let inner = self.lock();
        inner.objects_of(reference, namespace).for_each(|user| inner.ring(user));
    }

    /// Whether any do.
    pub fn is_used(&self, reference: &Reference, namespace: &str) -> bool {
        self.lock().objects_of(reference, namespace).next().is_some()
    }

    /// A list has been read from its beginning: what of this kind and namespace is not in it is gone. What that is.
    pub fn listed(&self, kind: ReferenceKind, namespace: Option<&str>, listed: &HashSet<Reference>) -> Vec<Reference> {
        let gone: Vec<_> = {
            let inner = self.lock();
            let here = |known: &&Reference| {
                known.kind == kind && namespace.is_none_or(|namespace| known.namespace == namespace)
            };
            inner.versions.keys().filter(here).filter(|known| !listed.contains(*known)).cloned().collect()
        };
        for reference in &gone {
            self.saw(reference, None);
        }
        gone
    }

    /// The bell of the objects of one scope.
    pub fn ring_objects(&self, scope: Option<String>, bell: Bell<ExternalSecret>) {
        self.lock().objects.insert(scope, bell);
    }

    /// The bell of the stores of one scope.
    pub fn ring_stores(&self, scope: Option<String>, bell: Bell<SecretStore>) {
        self.lock().stores.insert(scope, bell);
    }

    /// The bell of the cluster's stores.
    pub fn ring_cluster_stores(&self, bell: Bell<ClusterSecretStore>) {
        self.lock().cluster_stores = Some(bell);
    }

    /// No code of others runs while it is held; a panic leaves an index behind that is still one.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn forget(&mut self, user: &User) {
        for reference in self.uses.remove(user).into_iter().flatten() {
            if let Some(users) = self.users.get_mut(&reference) {
                users.remove(user);
                if users.is_empty() {
                    self.users.remove(&reference);
                }
            }
        }
    }

    /// Whoever does not hear a bell any more has ended, and so have the watches of that scope.
    fn is_watched(&self, namespace: &str) -> bool {
        let open = |scope| self.objects.get(&scope).is_some_and(|bell| !bell.is_closed());
        open(None) || open(Some(namespace.to_owned()))
    }

    fn wake(&self, reference: &Reference) {
        self.users.get(reference).into_iter().flatten().for_each(|user| self.ring(user));
    }

    fn objects_of(&self, reference: &Reference, namespace: &str) -> impl Iterator<Item = &User> {
        let here = move |user: &&User| matches!(user, User::Object(of, _) if of == namespace);
        self.users.get(reference).into_iter().flatten().filter(here)
    }

    fn ring(&self, user: &User) {
        // Whoever does not hear it has ended.
        match user {
            User::Object(namespace, name) => {
                let bell = self.objects.get(&Some(namespace.clone())).or_else(|| self.objects.get(&None));
                let _ = bell.map(|bell| bell.unbounded_send(ObjectRef::new(name).within(namespace)));
            }
            User::Store(namespace, name) => {
                let bell = self.stores.get(&Some(namespace.clone())).or_else(|| self.stores.get(&None));
                let _ = bell.map(|bell| bell.unbounded_send(ObjectRef::new(name).within(namespace)));
            }
            User::ClusterStore(name) => {
                let bell = self.cluster_stores.as_ref();
                let _ = bell.map(|bell| bell.unbounded_send(ObjectRef::new(name)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(name: &str) -> Reference {
        Reference { kind: ReferenceKind::Secret, namespace: "prod".into(), name: name.into() }
    }

    #[test]
    fn wakes_who_depends_on_what_changed() {
        let references = References::default();
        let (bell, mut rung) = channel::unbounded();
        references.ring_objects(None, bell);
        let user = User::Object("prod".into(), "db".into());
        references.set(&user, vec![secret("token")]);
        let mut times = || std::iter::from_fn(|| rung.try_recv().ok()).count();
        references.saw(&secret("token"), Some("1"));
        assert_eq!(times(), 1);
        references.saw(&secret("token"), Some("1"));
        references.saw(&secret("other"), Some("1"));
        assert_eq!(times(), 0, "the same again, and something else");
        references.listed(ReferenceKind::Secret, Some("prod"), &[secret("other")].into());
        assert_eq!((times(), references.version(&secret("token")).as_str()), (1, "-"), "it went while nobody watched");
        references.saw_first(&secret("token"), "2");
        references.saw_first(&secret("token"), "1");
        references.saw(&secret("token"), Some("2"));
        assert_eq!((times(), references.version(&secret("token")).as_str()), (1, "2"), "looked at before the watch");
        references.set(&user, vec![secret("other")]);
        references.saw(&secret("token"), Some("3"));
        assert_eq!(times(), 0, "it is not depended on any more");
        references.forget(&user);
        references.saw(&secret("other"), Some("3"));
        assert_eq!(times(), 0);
    }

    #[test]
    fn knows_what_no_watch_tells_of() {
        let references = References::default();
        let (bell, rung) = channel::unbounded();
        references.ring_objects(Some("prod".into()), bell);
        let elsewhere = Reference { namespace: "platform".into(), ..secret("token") };
        let store =
            Reference { kind: ReferenceKind::ClusterSecretStore, namespace: String::new(), name: "vault".into() };
        let itself = User::ClusterStore("vault".into());
        references.set(&itself, vec![elsewhere.clone()]);
        references.set(&User::Object("prod".into(), "db".into()), vec![secret("own"), store.clone()]);
        references.set(&User::Object("prod".into(), "other".into()), vec![secret("other")]);
        assert_eq!(references.unwatched(&store, &itself), [elsewhere.clone()].into());
        drop(rung);
        assert_eq!(references.unwatched(&store, &itself), [elsewhere, secret("own")].into(), "the scope has ended");
    }
}
