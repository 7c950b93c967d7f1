//! Carries out a plan: the first key's Secret, the ConfigMap, and the word that a key is missing.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ObjectReference, Secret};
use kube::core::ObjectMeta;
use serde_json::json;
use zeroize::Zeroize;

use super::observe::Memory;
use super::payload::{ITEM, Payload};
use super::plan::{Plan, Waiting};
use super::{ACTIVE, CONFIG_MAP, ClusterKeys, FIRST_KEY, KEY_LABEL, KEY_TYPE, LOOK_AGAIN, RoundError};
use crate::writer::{MANAGER, WriteError};

/// Carries it out. Returns after how long to look again though nothing changed.
pub(super) async fn apply(keys: &ClusterKeys, memory: &mut Memory, plan: Plan) -> Result<Option<Duration>, RoundError> {
    let waiting = if let Plan::Wait(waiting) = plan { Some(waiting) } else { None };
    keys.metrics.key_missing.set(i64::from(waiting.is_some()));
    let before = std::mem::replace(&mut memory.waiting, waiting);
    match plan {
        Plan::Nothing => Ok(None),
        Plan::Publish(data) => publish(keys, &data).await.map(|()| None),
        // Should the watch not bring it in, it is not labelled as it should be; then this comes back.
        Plan::Create => create(keys).await.map(|()| Some(LOOK_AGAIN)),
        Plan::Wait(waiting) => {
            if before != Some(waiting) {
                warn(keys, waiting).await;
            }
            Ok(Some(LOOK_AGAIN))
        }
    }
}

async fn publish(keys: &ClusterKeys, data: &BTreeMap<String, String>) -> Result<(), RoundError> {
    let body = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": CONFIG_MAP, "namespace": keys.namespace},
        "data": data,
    });
    keys.writer.apply_config_map(&keys.namespace, CONFIG_MAP, &body).await.map_err(RoundError::Publish)?;
    tracing::info!(config_map = CONFIG_MAP, "keys: recipients published");
    Ok(())
}

/// Makes the first key. The watch then brings it in like any other, and it is published in that round.
async fn create(keys: &ClusterKeys) -> Result<(), RoundError> {
    let (file, _) = Payload::generate(Timestamp::now());
    let mut secret = Secret {
        metadata: ObjectMeta {
            name: Some(FIRST_KEY.to_owned()),
            labels: Some([(KEY_LABEL.to_owned(), ACTIVE.to_owned())].into()),
            ..ObjectMeta::default()
        },
        type_: Some(KEY_TYPE.to_owned()),
        // Nothing but a deletion can lose it; its label can still change.
        immutable: Some(true),
        data: Some([(ITEM.to_owned(), ByteString(file.expose().to_vec()))].into()),
        ..Secret::default()
    };
    let body = serde_json::to_vec(&secret);
    secret.data.iter_mut().flat_map(BTreeMap::values_mut).for_each(|value| value.0.zeroize());
    let body = body.map_err(|_| RoundError::CreateKey(WriteError::Api("cannot write it as JSON".to_owned())))?;
    match keys.writer.create_secret(&keys.namespace, MANAGER, body).await {
        // Another controller was faster: its key comes in by the watch.
        Ok(_) | Err(WriteError::Exists) => {
            tracing::info!(secret = FIRST_KEY, "keys: the first key was made");
            Ok(())
        }
        Err(error) => Err(RoundError::CreateKey(error)),
    }
}

async fn warn(keys: &ClusterKeys, waiting: Waiting) {
    let message = waiting.message(&keys.namespace);
    tracing::error!(message, "keys: there is no key to seal with");
    let config_map = ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("ConfigMap".to_owned()),
        name: Some(CONFIG_MAP.to_owned()),
        namespace: Some(keys.namespace.clone()),
        ..ObjectReference::default()
    };
    keys.events.warn(&config_map, "NoKey", &message).await;
}
