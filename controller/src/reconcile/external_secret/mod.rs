//! Brings one `ExternalSecret` to its Secret: values that a source elsewhere holds, or, while that is away, what it last
//! held.

mod depends;
mod fetch;
mod plan;
mod refresh;
mod status;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::runtime::reflector::Store as Kept;
use sealwax_crds::{CreationPolicy, ExternalSecret, ExternalSecretStatus, LastGood, SecretStatus, SecretStore};

use crate::cluster_keys::{Keys, Loaded};
use crate::conditions::Outcome;
use crate::feeding::{self, Feeds, Look, Need, Observed, Plan, Planner, Write, in_time, live_secret};
use crate::last_good::{Bound, copy_name, write_copy};
use crate::ownership::Kind;
use crate::queue::random_share;
use crate::store::{Requests, strip_annotations};
use crate::stores::{Reference, Stores, User};
use crate::writer::{WriteError, Written};
use depends::{copy_of, depends};
use fetch::{Failure, Freshness, fetch};
use plan::{Facts, Stage};
use refresh::{Due, History, after_failure, due, interval};

/// What its reconciles share.
pub type Context = feeding::Context<ExternalSecret>;

/// Where values come from, for the objects of one scope.
pub struct Sources {
    /// The stores of the cluster, and every client.
    pub stores: Arc<Stores>,
    /// The stores of the scope's namespaces.
    pub local: Kept<SecretStore>,
    /// When what this process has read is due, by the object's uid.
    pub due: Mutex<HashMap<String, Timestamp>>,
}

impl Feeds for ExternalSecret {
    const KIND: Kind = Kind::ExternalSecret;
    type Status = ExternalSecretStatus;
    type Shared = Sources;

    fn status(&self) -> Option<&ExternalSecretStatus> {
        self.status.as_ref()
    }

    fn common(status: &ExternalSecretStatus) -> &SecretStatus {
        &status.common
    }

    fn common_mut(status: &mut ExternalSecretStatus) -> &mut SecretStatus {
        &mut status.common
    }

    fn target_name(&self) -> &str {
        let target = self.spec.target.as_ref().and_then(|target| target.name.as_deref());
        target.or(self.metadata.name.as_deref()).unwrap_or_default()
    }

    fn is_suspended(&self) -> bool {
        self.spec.suspend == Some(true)
    }

    fn is_retained(&self) -> bool {
        use CreationPolicy::{CreateOrMerge, Merge, Orphan};
        matches!(self.creation_policy(), Orphan | Merge | CreateOrMerge)
    }

    fn joins_only(&self) -> bool {
        self.creation_policy() == CreationPolicy::Merge
    }

    fn strip(&mut self, _: &Keys) {
        self.metadata.managed_fields = None;
        self.metadata.labels = None;
        strip_annotations(&mut self.metadata);
    }

    fn planner<'r>(object: &'r Self, keys: &'r Loaded, context: &'r Context) -> impl Planner<Self> + 'r {
        Gathering::begin(object, keys, context)
    }

    fn gone(&self, sources: &Sources) {
        sources.stores.references.forget(&user(self));
        let mut due = sources.due.lock().unwrap_or_else(PoisonError::into_inner);
        due.remove(self.metadata.uid.as_deref().unwrap_or_default());
    }
}

trait Creation {
    fn creation_policy(&self) -> CreationPolicy;
}

impl Creation for ExternalSecret {
    fn creation_policy(&self) -> CreationPolicy {
        self.spec.target.as_ref().and_then(|target| target.creation_policy).unwrap_or_default()
    }
}

fn user(object: &ExternalSecret) -> User {
    let meta = &object.metadata;
    User::Object(meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default())
}

/// Whether the watches have brought it.
fn is_there(sources: &Sources, reference: &Reference) -> bool {
    sources.stores.references.version(reference) != "-"
}

/// One reconcile: what was got so far, and why not more.
struct Gathering<'r> {
    object: &'r ExternalSecret,
    keys: &'r Loaded,
    context: &'r Context,
    before: ExternalSecretStatus,
    /// Whether another controller serves a store that the object names.
    foreign: bool,
    /// What the object is read through, as it is now.
    versions: String,
    due: Due,
    stage: Stage,
    failure: Option<Failure>,
    copy: Option<LastGood>,
    /// The hash of what the copy holds, if it is known to hold it.
    copied: Option<String>,
}

impl<'r> Gathering<'r> {
    fn begin(object: &'r ExternalSecret, keys: &'r Loaded, context: &'r Context) -> Self {
        let before = context.unseen.status_of(object);
        let (versions, foreign, failure) = depends(object, &context.shared);
        let uid = object.metadata.uid.as_deref().unwrap_or_default();
        let read = context.shared.due.lock().unwrap_or_else(PoisonError::into_inner).get(uid).copied();
        let forced = status::force(object);
        let history = History {
            status: &before,
            versions: &versions,
            due: read,
            asked: Requests::of(&object.metadata).are_new(&before.common)
                || forced.is_some() && forced != before.last_force_sync,
            now: Timestamp::now(),
        };
        // Written before the controller had its own key: there is no copy yet, and no hash to tell a change by.
        let unkept = before.common.secret_uid.is_some() && before.common.content_hash.is_none();
        let due = if unkept && keys.last_good.is_some() { Due::Now } else { due(object, history) };
        let (stage, copy) = (Stage::Begun, before.last_good.clone());
        let kept = copy.as_ref().is_some_and(|copy| is_there(&context.shared, &copy_of(object, copy)));
        let copied = before.common.content_hash.clone().filter(|_| kept);
        Self { object, keys, context, before, foreign, versions, due, stage, failure, copy, copied }
    }

    async fn read(&mut self) -> Stage {
        if self.failure.is_some() {
            return Stage::Failed;
        }
        let fresh = Freshness { interval: interval(self.object), anew: self.due == Due::Anew };
        match fetch(self.object, &self.context.shared, fresh).await {
            Ok(read) => Stage::Read(read),
            Err(failure) => {
                self.failure = Some(*failure);
                Stage::Failed
            }
        }
    }

    /// What the copy holds, if there is one that opens.
    async fn restore(&self) -> Result<Stage, kube::Error> {
        let (Some(copy), Some(key)) = (&self.before.last_good, &self.keys.last_good) else {
            return Ok(Stage::NothingToRestore);
        };
        let namespace = self.object.metadata.namespace.as_deref().unwrap_or_default();
        let api: Api<Secret> = Api::namespaced(self.context.client.clone(), namespace);
        let Some(found) = in_time(api.get_opt(&copy.name)).await? else { return Ok(Stage::NothingToRestore) };
        let bound = Bound { object: &self.object.metadata, generation: copy.generation };
        Ok(key.open_all(bound, &found).map_or(Stage::NothingToRestore, Stage::Restored))
    }
}

impl Planner<ExternalSecret> for Gathering<'_> {
    fn plan(&self, observed: &Observed<'_, ExternalSecret>) -> Plan {
        if self.foreign {
            return Plan::Nothing;
        }
        let has_copy = self.before.last_good.is_some() && self.keys.last_good.is_some();
        plan::plan(observed, Facts { due: self.due, stage: &self.stage, failure: self.failure.as_ref(), has_copy })
    }

    async fn provide(&mut self, need: Need) -> Option<Look> {
        self.stage = match need {
            Need::LastGood => match self.restore().await {
                Ok(stage) => {
                    if matches!(stage, Stage::NothingToRestore) {
                        self.copied = None;
                    }
                    stage
                }
                Err(error) => return Some(Look::retrying(&error)),
            },
            Need::Values | Need::Object => self.read().await,
        };
        None
    }

    /// Keeps a copy of what was read, where it is not what the copy holds already. Before the Secret: should it end here, no
    /// copy opens by the number that the status records, and an older one never takes the place of newer values.
    async fn writing(&mut self, write: &Write) -> Option<Look> {
        let Stage::Read(_) = self.stage else { return None };
        let key = self.keys.last_good.as_ref()?;
        let namespace = self.object.metadata.namespace.as_deref().unwrap_or_default();
        let hash = self.keys.content.as_ref().map(|key| key.hash(namespace, self.object.origin(), &write.secret.items));
        if hash.is_some() && hash == self.copied {
            return None;
        }
        let generation = self.copy.as_ref().map_or(0, |copy| copy.generation).saturating_add(1);
        let bound = Bound { object: &self.object.metadata, generation };
        let name = copy_name(self.object.origin().name);
        match write_copy(&self.context.writer, key, bound, &write.secret.items).await {
            Some(Ok(())) => {
                self.copy = Some(LastGood { name, generation });
                self.copied = hash;
            }
            // The Secret is good without it.
            None | Some(Err(WriteError::Invalid(_) | WriteError::Immutable(_) | WriteError::Forbidden(_))) => {
                tracing::warn!(
                    namespace,
                    name,
                    "no copy of the values can be kept: they will not come back without their source"
                );
                self.copy = None;
            }
            Some(Err(error)) => return Some(Look::failed(&error, &name)),
        }
        None
    }

    /// What the policy takes from the Secret is not kept elsewhere either.
    async fn removed(&mut self) -> Option<Look> {
        let copy = self.copy.take()?;
        let namespace = self.object.metadata.namespace.as_deref().unwrap_or_default();
        match live_secret(&self.context.client, namespace, &copy.name).await {
            Ok(None) => None,
            Ok(Some(found)) => {
                let deleted = self.context.writer.delete_secret(namespace, &copy.name, &Written::from(&found)).await;
                deleted.err().map(|error| Look::failed(&error, &copy.name))
            }
            Err(error) => Some(Look::retrying(&error)),
        }
    }

    fn tell(&self, outcome: &Outcome, after: &mut ExternalSecretStatus) {
        status::tell(self, outcome, after);
    }

    /// What was read has arrived: from now on it is not due before its time.
    fn told(&self, outcome: &Outcome) {
        let (Stage::Read(read), Outcome::Synced { .. } | Outcome::Settled { .. }) = (&self.stage, outcome) else {
            return;
        };
        let mut dues = self.context.shared.due.lock().unwrap_or_else(PoisonError::into_inner);
        let uid = self.object.metadata.uid.clone().unwrap_or_default();
        match read.due {
            Some(due) => dues.insert(uid, due),
            None => dues.remove(&uid),
        };
    }

    fn again(&self, _: &ExternalSecretStatus, outcome: Option<&Outcome>) -> Option<Duration> {
        let spread = |wait: Duration| wait.mul_f64(1.0 + random_share() / 10.0);
        let failed = self.failure.as_ref();
        let wait = |failure: &Failure| spread(after_failure(failure.is_final, failure.paused, interval(self.object)));
        match outcome {
            Some(Outcome::Retrying { .. }) => {
                failed.filter(|failure| failure.is_final || failure.paused.is_some()).map(wait)
            }
            Some(Outcome::Stalled { .. }) => failed.map(wait),
            // What is there is good, while the source has no more of it.
            Some(Outcome::Synced { .. }) if failed.is_some() => failed.map(wait),
            Some(Outcome::Suspended) => None,
            Some(Outcome::Synced { .. } | Outcome::Settled { .. }) | None => self.next(),
        }
    }
}

impl Gathering<'_> {
    /// When the values are due.
    fn next(&self) -> Option<Duration> {
        let read = match &self.stage {
            Stage::Read(read) => read.due,
            _ => None,
        };
        match (read, self.due) {
            (Some(due), _) => Some(Duration::try_from(due.duration_since(Timestamp::now())).unwrap_or(Duration::ZERO)),
            (None, Due::Later(wait)) => Some(wait),
            (None, _) => None,
        }
    }
}
