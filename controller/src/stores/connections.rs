//! One logged-in client for each identity, for as long as what it was made of stays as it was.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sealwax_crds::StoreKind;
use sealwax_sources::{Budget, Reader};
use tokio::sync::Mutex as AsyncMutex;

use super::connect::Connector;
use super::guard::Guard;
use super::home::depends_on_user;
use super::tokens::{Account, Marks};
use super::{AnyStore, Reference, ReferenceKind, StoreError, Stores};

/// A client that nobody has used for so long is let go, and logs in again should somebody come back.
const UNUSED: Duration = Duration::from_hours(2);
/// A client that is refused is made anew for whoever asks next, since its credentials may be others by now; but not before
/// this.
const REFUSED_FOR: Duration = Duration::from_secs(30);

/// Every client, and what those of one store may use up together.
#[derive(Default)]
pub(super) struct Connections {
    slots: Mutex<HashMap<Identity, Arc<Slot>>>,
    budgets: Mutex<HashMap<Reference, Budget>>,
}

/// As whom something is read: never shared with another one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Identity {
    kind: StoreKind,
    /// The store's namespace.
    namespace: Option<String>,
    name: String,
    /// The namespace that it is used for, where that makes a difference.
    user: Option<String>,
}

/// The client of one identity, made by one task at a time.
#[derive(Default)]
struct Slot(AsyncMutex<Option<Connection>>);

struct Connection {
    reader: Arc<Reader>,
    /// The store and its credentials, as they were.
    version: String,
    /// The service accounts that it logs in as, as they were.
    accounts: Vec<(Account, Option<Marks>)>,
    made: Instant,
    used: Instant,
    /// Whether the source refuses the identity.
    refused: Arc<AtomicBool>,
}

impl Connection {
    /// Whether it is still what one would make now.
    fn is_good(&self, version: &str) -> bool {
        let refused = self.refused.load(Ordering::Relaxed) && self.made.elapsed() >= REFUSED_FOR;
        self.version == version && !refused
    }
}

impl Connections {
    /// No code of others runs while it is held; a panic leaves clients behind that are still clients.
    fn lock(&self) -> MutexGuard<'_, HashMap<Identity, Arc<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn budgets(&self) -> MutexGuard<'_, HashMap<Reference, Budget>> {
        self.budgets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stores {
    /// The logged-in client of a store for a user's namespace; without one, for the store itself.
    pub async fn reader(&self, store: &AnyStore, user: Option<&str>) -> Result<Arc<Reader>, StoreError> {
        let (home, spec) = (store.home(user), store.spec());
        let references = home.references(spec)?;
        self.learn(&references).await;
        // Of the store as it is at hand, whatever the watch has brought since: the client is made of that.
        let version = format!("{} {}", store.version(), self.versions(references.iter()));
        let identity = Identity {
            kind: home.kind,
            namespace: home.namespace.map(str::to_owned),
            name: home.store.to_owned(),
            user: depends_on_user(home.kind, spec).then(|| user.map(str::to_owned)).flatten(),
        };
        let slot = Arc::clone(self.connections.lock().entry(identity).or_default());
        let mut slot = slot.0.lock().await;
        if let Some(connection) = slot.as_mut().filter(|connection| connection.is_good(&version)) {
            connection.used = Instant::now();
            return Ok(Arc::clone(&connection.reader));
        }
        let accounts = self.marks(home.accounts(spec)?, home.store).await;
        let connector = Connector { client: &self.client, home, ambient: self.settings.ambient };
        let refused = Arc::default();
        let ruled = spec.conditions.iter().any(|condition| !condition.key_prefixes.is_empty());
        let source = Guard::new(connector.connect(spec).await?, Arc::clone(&refused), ruled);
        let mut budgets = self.connections.budgets();
        let budget = budgets.entry(store.reference()).or_insert_with(|| Budget::new(&self.settings.limits)).clone();
        drop(budgets);
        let reader = Reader::observed(Box::new(source), budget, Arc::clone(&self.observer));
        let (made, used) = (Instant::now(), Instant::now());
        *slot = Some(Connection { reader: Arc::clone(&reader), version, accounts, made, used, refused });
        Ok(reader)
    }

    /// Accounts as they are before a login: what changes later is then seen to have changed.
    async fn marks(&self, accounts: Vec<Account>, store: &str) -> Vec<(Account, Option<Marks>)> {
        let mut marked = Vec::with_capacity(accounts.len());
        for account in accounts {
            // One that cannot be read now is another one when it can be.
            let marks = account.marks(&self.client, store).await.ok().flatten();
            marked.push((account, marks));
        }
        marked
    }

    /// Lets go the clients of a store whose service account is not what it was: it has taken back its leave, stands for
    /// another role, or is gone. Nobody watches those.
    pub(super) async fn drop_changed(&self, store: &AnyStore) {
        let reference = store.reference();
        let slots: Vec<_> = {
            let all = self.connections.lock();
            all.iter().filter(|(identity, _)| identity.is_of(&reference)).map(|(_, slot)| Arc::clone(slot)).collect()
        };
        // Many identities may share one account. `None`: it cannot be read now.
        let mut seen: HashMap<Account, Option<Option<Marks>>> = HashMap::new();
        for slot in slots {
            let held = slot.0.lock().await.as_ref().map(|connection| (connection.made, connection.accounts.clone()));
            let Some((made, accounts)) = held else { continue };
            for (account, before) in accounts {
                if !seen.contains_key(&account) {
                    let marks = account.marks(&self.client, &reference.name).await.ok();
                    seen.insert(account.clone(), marks);
                }
                let changed = seen.get(&account).and_then(Option::as_ref).is_some_and(|now| *now != before);
                let mut connection = slot.0.lock().await;
                if changed && connection.as_ref().is_some_and(|connection| connection.made == made) {
                    *connection = None;
                }
            }
        }
    }

    /// Lets go what has not been used for long, and what readers keep beyond its time.
    pub fn tidy(&self) {
        self.connections.lock().retain(|_, slot| {
            let Ok(connection) = slot.0.try_lock() else { return true };
            let kept = connection.as_ref().filter(|connection| connection.used.elapsed() < UNUSED);
            kept.inspect(|connection| connection.reader.expire()).is_some()
        });
    }

    /// Forgets every client of a store that is gone: what it had logged in to is logged out of.
    pub fn drop_store(&self, store: &Reference) {
        self.connections.lock().retain(|identity, _| !identity.is_of(store));
        self.connections.budgets().remove(store);
        if store.kind == ReferenceKind::ClusterSecretStore {
            self.admissions.forget(store);
        }
    }
}

impl Identity {
    fn is_of(&self, store: &Reference) -> bool {
        ReferenceKind::from(self.kind) == store.kind
            && self.namespace.as_deref().unwrap_or_default() == store.namespace
            && self.name == store.name
    }
}

#[cfg(test)]
pub(super) mod tests {
    use kube::Client;
    use sealwax_crds::SecretStore;
    use sealwax_sources::{Address, Fake, Limits, Observer};
    use serde_json::json;

    use super::super::StoreSettings;
    use super::*;

    /// Nobody.
    struct Unobserved;

    impl Observer for Unobserved {
        fn called(&self, _: &'static str, _: &'static str, _: &'static str) {}
    }

    /// Of an API server that is not there.
    pub(in super::super) fn stores() -> Stores {
        let client = Client::try_from(kube::Config::new("http://127.0.0.1:1".parse().unwrap())).unwrap();
        let settings = StoreSettings { class: None, ambient: false, cluster: true, limits: Limits::default() };
        Stores::new(client, settings, Arc::new(Unobserved))
    }

    /// A store that holds one value itself.
    pub(in super::super) fn fake(generation: i64, value: &str) -> AnyStore {
        let store = json!({
            "apiVersion": "sealwax.dev/v1alpha1", "kind": "SecretStore",
            "metadata": {"name": "fake", "namespace": "prod", "uid": "u", "generation": generation},
            "spec": {"provider": {"fake": {"data": [{"key": "a", "value": value}]}}},
        });
        AnyStore::Local(Arc::new(serde_json::from_value::<SecretStore>(store).unwrap()))
    }

    #[tokio::test]
    async fn a_client_is_of_the_store_that_it_was_made_of() {
        let stores = stores();
        let (old, new) = (fake(1, "one"), fake(2, "two"));
        // The watch is ahead of somebody who looked the store up before.
        stores.references.saw(&new.reference(), Some(&new.version()));
        for (store, expected) in [(&old, "one"), (&new, "two")] {
            let reader = stores.reader(store, Some("prod")).await.unwrap();
            let reading = reader.get(Address::new("a"), None).await.unwrap().unwrap();
            let sealwax_sources::Content::Text(text) = &reading.payload.content else { panic!() };
            assert_eq!(text.expose(), expected.as_bytes());
        }
    }

    #[test]
    fn a_client_that_is_refused_is_made_anew_but_not_all_the_time() {
        let connection = |age, refused| {
            let made = Instant::now().checked_sub(Duration::from_secs(age)).unwrap();
            let reader = Reader::new(Box::new(Fake::new(Vec::new())), Limits::default());
            let refused = Arc::new(AtomicBool::new(refused));
            Connection { reader, version: "1".to_owned(), accounts: Vec::new(), made, used: made, refused }
        };
        for (age, refused, version, good) in
            [(40, false, "1", true), (40, false, "2", false), (40, true, "1", false), (20, true, "1", true)]
        {
            assert_eq!(connection(age, refused).is_good(version), good, "{age} {refused} {version}");
        }
    }
}
