//! Looks at the stores themselves: whether one can log in, told in their status.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::core::ObjectMeta;
use kube::runtime::controller::Action;
use sealwax_crds::{Capabilities, ClusterSecretStore, READY, SecretStore, Store, StoreStatus};
use sealwax_render::external::parse_duration;

use super::{AnyStore, StoreError, Stores, User};
use crate::metrics::Metrics;
use crate::queue::Backoff;
use crate::writer::{WriteError, Writer};

/// How often a store is looked at if it does not say.
const EVERY: Duration = Duration::from_mins(5);
/// And at most.
const AT_MOST: Duration = Duration::from_secs(10);

/// A kind of store, as this room handles it.
pub trait Checked: Store + Send + Sync + Sized + 'static {
    /// It, as one of either kind.
    fn any(store: &Arc<Self>) -> AnyStore;
    /// It, as something that depends on others.
    fn user(meta: &ObjectMeta) -> User;
    /// Its kind, as metrics call it.
    const NAME: &'static str;
}

impl Checked for SecretStore {
    const NAME: &'static str = "SecretStore";

    fn any(store: &Arc<Self>) -> AnyStore {
        AnyStore::Local(Arc::clone(store))
    }

    fn user(meta: &ObjectMeta) -> User {
        User::Store(meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default())
    }
}

impl Checked for ClusterSecretStore {
    const NAME: &'static str = "ClusterSecretStore";

    fn any(store: &Arc<Self>) -> AnyStore {
        AnyStore::Cluster(Arc::clone(store))
    }

    fn user(meta: &ObjectMeta) -> User {
        User::ClusterStore(meta.name.clone().unwrap_or_default())
    }
}

/// What looking at stores shares.
pub struct CheckContext {
    /// The stores.
    pub stores: Arc<Stores>,
    /// Writes.
    pub writer: Writer,
    /// Counts.
    pub metrics: Metrics,
    /// When to look again, by uid.
    pub backoff: Backoff<String>,
}

/// A status that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the status")]
pub struct CheckError(#[from] WriteError);

/// Looks at one store.
pub async fn check<S: Checked>(store: Arc<S>, context: Arc<CheckContext>) -> Result<Action, CheckError> {
    let (any, meta) = (S::any(&store), store.meta());
    if meta.deletion_timestamp.is_some() || !context.stores.serves(store.spec()) {
        return Ok(Action::await_change());
    }
    // As large as what it calls together: out of the way of others.
    let outcome = look(&any, &context.stores).boxed().await;
    context.metrics.reconciled(S::NAME, outcome.as_ref().err().map_or("Synced", StoreError::reason));
    let before = store.status().cloned().unwrap_or_default();
    let after = status(&before, meta.generation, outcome.as_ref().err(), Timestamp::now());
    if after != before {
        let body = serde_json::to_value(&after).unwrap_or_default();
        let seen = meta.resource_version.as_deref().unwrap_or_default();
        match context.writer.write_status::<S>(meta, seen, &body).await {
            // The watch brings what it is now.
            Ok(_) | Err(WriteError::Changed) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let uid = meta.uid.clone().unwrap_or_default();
    match outcome {
        Ok(()) => {
            context.backoff.succeeded(&uid);
            Ok(Action::requeue(interval(store.spec().refresh_interval.as_ref())))
        }
        Err(error) => {
            tracing::warn!(namespace = meta.namespace, name = meta.name, reason = error.reason(), %error, "store");
            Ok(Action::requeue(context.backoff.failed(&uid, meta.generation)))
        }
    }
}

/// After how long to try again.
#[expect(clippy::needless_pass_by_value, reason = "the signature that kube's controller calls")]
pub fn check_policy<S: Checked>(store: Arc<S>, error: &CheckError, context: Arc<CheckContext>) -> Action {
    let meta = store.meta();
    tracing::warn!(namespace = meta.namespace, name = meta.name, error = crate::telemetry::chain(error), "store");
    context.metrics.reconciled(S::NAME, "StatusFailed");
    Action::requeue(context.backoff.failed(&meta.uid.clone().unwrap_or_default(), meta.generation))
}

/// Whether one can log in. A store whose credentials are those of each namespace says nothing for itself.
async fn look(store: &AnyStore, stores: &Stores) -> Result<(), StoreError> {
    let user = match store {
        AnyStore::Local(local) => local.metadata.namespace.as_deref(),
        AnyStore::Cluster(_) => None,
    };
    let references = store.home(user).references(store.spec());
    if let Ok(references) = &references {
        stores.references.set(&store.user(), references.clone());
    }
    stores.look_around(store).await;
    match references {
        Err(StoreError::Referent) => return Ok(()),
        references => references?,
    };
    match stores.reader(store, user).await {
        Err(StoreError::Referent) => Ok(()),
        reader => Ok(reader?.check().await?),
    }
}

/// The status after a look. Equal to `before` when nothing changed, so that nothing is written.
fn status(before: &StoreStatus, generation: Option<i64>, error: Option<&StoreError>, now: Timestamp) -> StoreStatus {
    let (state, reason, message) = match error {
        None => ("True", "Valid", "values can be read through this store".to_owned()),
        Some(error) => ("False", error.reason(), error.to_string()),
    };
    let same = before.conditions.iter().find(|was| was.type_ == READY && was.status == state);
    let since = same.map(|was| was.last_transition_time.clone());
    let ready = Condition {
        type_: READY.to_owned(),
        status: state.to_owned(),
        reason: reason.to_owned(),
        message,
        observed_generation: generation,
        last_transition_time: since.unwrap_or_else(|| Time(Timestamp::from_second(now.as_second()).unwrap_or(now))),
    };
    StoreStatus { observed_generation: generation, conditions: vec![ready], capabilities: Some(Capabilities::ReadOnly) }
}

/// Seconds, or a duration.
fn interval(stated: Option<&IntOrString>) -> Duration {
    let stated = match stated {
        Some(IntOrString::Int(seconds)) => u64::try_from(*seconds).ok().map(Duration::from_secs),
        Some(IntOrString::String(text)) => parse_duration(text).ok(),
        None => None,
    };
    stated.filter(|stated| !stated.is_zero()).unwrap_or(EVERY).max(AT_MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_what_is_wrong_and_since_when() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let good = status(&StoreStatus::default(), Some(1), None, at(1));
        assert_eq!(status(&good, Some(1), None, at(9)), good, "nothing is written");
        let bad = status(&good, Some(1), Some(&StoreError::Ambient), at(9));
        let ready = &bad.conditions[0];
        assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("False", "CredentialsRefused"));
        assert_eq!(ready.last_transition_time.0, at(9));
    }

    #[test]
    fn intervals_are_seconds_or_durations() {
        let text = |text: &str| IntOrString::String(text.to_owned());
        assert_eq!(interval(None), EVERY);
        assert_eq!(interval(Some(&IntOrString::Int(90))), Duration::from_secs(90));
        assert_eq!(interval(Some(&text("15m"))), Duration::from_mins(15));
        assert_eq!(interval(Some(&text("1s"))), AT_MOST);
        assert_eq!(interval(Some(&text("nonsense"))), EVERY);
    }
}
