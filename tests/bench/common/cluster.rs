//! What measurements of the controller share: watches, and what the kernel says of a process.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Instant;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::{Api, ListParams, WatchEvent, WatchParams};
use kube::core::PartialObjectMeta;
use sealwax_tests::Controller;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

/// The controller's memory, in MiB: `VmRSS`, or `VmHWM` for the most that it ever was.
pub(crate) fn memory(controller: &Controller, field: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", controller.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.trim().trim_start_matches(':').trim().trim_end_matches(" kB").trim().parse::<f64>().unwrap() / 1024.0
}

/// The processor time that the controller has used, in clock ticks of 10 ms.
pub(crate) fn ticks(controller: &Controller) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", controller.id())).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// What a watch of Secrets shows: the name, whether it is new, and when.
pub(crate) type Shown = (String, bool, Instant);

/// Watches the Secrets of the namespace from now on.
pub(crate) async fn watch_secrets(secrets: Api<Secret>) -> mpsc::UnboundedReceiver<Shown> {
    let list = secrets.list_metadata(&ListParams::default().limit(1)).await.unwrap();
    let version = list.metadata.resource_version.unwrap();
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let events = secrets.watch_metadata(&WatchParams::default().timeout(290), &version).await.unwrap();
        let mut events = std::pin::pin!(events);
        while let Some(Ok(event)) = events.next().await {
            let at = Instant::now();
            let (secret, new): (PartialObjectMeta<Secret>, bool) = match event {
                WatchEvent::Added(secret) => (secret, true),
                WatchEvent::Modified(secret) => (secret, false),
                _ => continue,
            };
            let _ = sender.send((secret.name_any(), new, at));
        }
    });
    receiver
}

/// When the watch showed this Secret.
pub(crate) async fn shown(events: &mut mpsc::UnboundedReceiver<Shown>, name: &str) -> Instant {
    loop {
        let (found, _, at) = events.recv().await.expect("the watch goes on");
        if found == name {
            return at;
        }
    }
}

/// Follows the objects until so many of them are Ready.
pub(crate) async fn until_ready<K>(objects: &Api<K>, wanted: usize, is_ready: impl Fn(&K) -> bool) -> Instant
where
    K: Clone + DeserializeOwned + Debug + ResourceExt,
{
    let mut states: BTreeMap<String, bool> = BTreeMap::new();
    loop {
        let list = objects.list(&ListParams::default()).await.unwrap();
        states.extend(list.items.iter().map(|object| (object.name_any(), is_ready(object))));
        let version = list.metadata.resource_version.unwrap();
        let parameters = WatchParams::default().timeout(60);
        let mut events = std::pin::pin!(objects.watch(&parameters, &version).await.expect("a watch starts"));
        let mut missing = wanted.saturating_sub(states.values().filter(|ready| **ready).count());
        while missing > 0 {
            // At its end the watch begins anew.
            let Some(event) = events.next().await else { break };
            let Ok(WatchEvent::Added(object) | WatchEvent::Modified(object)) = event else { continue };
            let now = is_ready(&object);
            let before = states.insert(object.name_any(), now).unwrap_or_default();
            if now && !before {
                missing -= 1;
            }
        }
        if missing == 0 {
            return Instant::now();
        }
    }
}
