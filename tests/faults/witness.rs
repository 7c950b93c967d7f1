//! Watches Secrets for as long as a test lasts: what must never be seen, not even for a moment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use futures::StreamExt;
use k8s_openapi::api::core::v1::Secret;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, ResourceExt};
use tokio::task::JoinHandle;

/// The content of a Secret.
pub(crate) type Content = BTreeMap<String, String>;

/// Contents that a Secret may have. Whatever else it is seen with is half written.
pub(crate) struct Witness {
    allowed: Arc<Mutex<BTreeSet<Content>>>,
    seen: Arc<Mutex<Vec<String>>>,
    watching: JoinHandle<()>,
}

impl Witness {
    /// Begins to watch the Secrets that objects feed in this namespace.
    pub(crate) fn begin(secrets: Api<Secret>) -> Self {
        let (allowed, seen) = (Arc::new(Mutex::new(BTreeSet::new())), Arc::new(Mutex::new(Vec::new())));
        let (may, wrong) = (Arc::clone(&allowed), Arc::clone(&seen));
        let ours = watcher::Config::default().labels("sealwax.dev/managed-by");
        let watching = tokio::spawn(async move {
            let mut events = watcher(secrets, ours).default_backoff().boxed();
            while let Some(event) = events.next().await {
                if let Ok(watcher::Event::Apply(secret) | watcher::Event::InitApply(secret)) = event {
                    let content = content(&secret);
                    if !may.lock().unwrap().contains(&content) {
                        wrong.lock().unwrap().push(format!("{}: {content:?}", secret.name_any()));
                    }
                }
            }
        });
        Self { allowed, seen, watching }
    }

    /// From now on this content is right too.
    pub(crate) fn allow(&self, items: &[(&str, &str)]) {
        let items = items.iter().map(|(item, value)| ((*item).to_owned(), (*value).to_owned()));
        self.allowed.lock().unwrap().insert(items.collect());
    }

    /// Panics if anything was seen that was never right.
    pub(crate) fn testify(self) {
        self.watching.abort();
        let seen = self.seen.lock().unwrap();
        assert!(seen.is_empty(), "Secrets were seen with contents that nobody asked for: {seen:?}");
    }
}

fn content(secret: &Secret) -> Content {
    let items = secret.data.iter().flatten();
    items.map(|(item, value)| (item.clone(), String::from_utf8_lossy(&value.0).into_owned())).collect()
}
