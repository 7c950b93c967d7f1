//! Plans and carries out until a plan holds: first by what the watches brought, then by what the API server says.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use kube::core::ObjectMeta;
use sealwax_crds::{STALLED, SecretStatus};

use super::left::left;
use super::plan::{How, Observed, Plan, Write};
use super::{Context, Feeds, Planner, apply, observe, sweep, uid};
use crate::cluster_keys::Loaded;
use crate::conditions::{self, Outcome};
use crate::drift;
use crate::ownership::Feeder;
use crate::telemetry::describe;
use crate::writer::{MANAGER, Target, WriteError, Written};

/// Looks within one reconcile, each at what changed during the one before.
const LOOKS: usize = 8;
/// Changes that an event names.
pub(super) const SHOWN: usize = 10;
/// For how long an object waits for another one to make their Secret again.
const RIVAL: Duration = Duration::from_secs(2);

/// How looking at an object ended.
#[derive(Debug)]
pub enum Look {
    /// All is as it was left.
    Unchanged,
    /// Nothing can be said before that.
    Later(Duration),
    /// Something was done, or cannot be.
    Ended {
        /// How it ended.
        outcome: Outcome,
        /// What others had done to the Secret, if this put it right.
        drift: Option<String>,
        /// The Secret is still not what it shall be.
        repairing: bool,
    },
}

impl Look {
    /// Ended so.
    pub fn ended(outcome: Outcome) -> Self {
        Self::Ended { outcome, drift: None, repairing: false }
    }

    /// Ended by a read that failed.
    pub fn retrying(error: &kube::Error) -> Self {
        Self::ended(apply::outcome(&describe_read(error), ""))
    }

    /// Ended by a write that failed.
    pub fn failed(error: &WriteError, secret: &str) -> Self {
        Self::ended(apply::outcome(error, secret))
    }
}

/// A failed read, as the failed write that it amounts to.
fn describe_read(error: &kube::Error) -> WriteError {
    match error {
        kube::Error::Api(status) if status.code == 403 => WriteError::Forbidden(status.message.clone()),
        other => WriteError::Api(describe(other)),
    }
}

/// Plans and applies until a plan holds.
pub(super) async fn look<K: Feeds>(
    object: &K,
    before: &K::Status,
    planner: &mut impl Planner<K>,
    keys: &Loaded,
    context: &Context<K>,
) -> Look {
    let namespace = object.meta().namespace.as_deref().unwrap_or_default();
    let former = match observe::former(&context.client, object, K::common(before)).await {
        Ok(former) => former,
        Err(error) => return Look::retrying(&error),
    };
    let mut seen = match Seen::first(object, K::common(before), context).await {
        Ok(seen) => seen,
        Err(error) => return Look::retrying(&error),
    };
    let mut braked = false;
    for _ in 0..LOOKS {
        let observed = Observed {
            object,
            status: before,
            secret: seen.secret.as_ref(),
            former: former.as_ref(),
            key_namespace: &context.key_namespace,
        };
        let plan = guarded(|| planner.plan(&observed));
        if plan.is_repair() && !std::mem::replace(&mut braked, true) {
            // Before anything is read or opened for it: whoever undoes us at full speed costs no more than this.
            if let Err(wait) = context.backoff.repair(&uid(object.meta()), Instant::now()) {
                return Look::Later(wait);
            }
        }
        let ended = match plan {
            Plan::Nothing => return Look::Unchanged,
            Plan::Report(outcome) => return Look::ended(outcome),
            Plan::Broken(outcome) => return Look::Ended { outcome, drift: None, repairing: true },
            Plan::Need { need, .. } => match planner.provide(need).await {
                Some(look) => return look,
                None => continue,
            },
            Plan::Disown(feeder) => disown(object, &feeder, seen.secret.as_ref(), context).await,
            Plan::Remove(removed) => match remove(object, &removed, &seen, context).await {
                // What else was kept of it goes too.
                Some(done @ Look::Ended { outcome: Outcome::Settled { .. }, .. }) => {
                    Some(planner.removed().await.unwrap_or(done))
                }
                ended => ended,
            },
            // Field managers are not kept: they tell who changed what, and what creating left.
            Plan::Write(write) if !seen.live && write.needs_managers() => None,
            Plan::Write(write) => carry_out(object, &write, &seen, planner, keys, context).await,
        };
        if let Some(look) = ended {
            return look;
        }
        match observe::live_secret(&context.client, namespace, object.target_name()).await {
            Ok(secret) => seen = Seen { secret, live: true },
            Err(error) => return Look::retrying(&error),
        }
    }
    Look::failed(&WriteError::Changed, object.target_name())
}

/// The Secret as it was last seen.
struct Seen {
    secret: Option<ObjectMeta>,
    /// From the API server just now, with all its metadata.
    live: bool,
}

impl Seen {
    /// As the watch has it. It has none without our label: those are asked for while an object waits for one.
    async fn first<K: Feeds>(object: &K, before: &SecretStatus, context: &Context<K>) -> Result<Self, kube::Error> {
        let namespace = object.meta().namespace.as_deref().unwrap_or_default();
        let watched = context.watched.secret(namespace, object.target_name());
        let waits = conditions::find(before, STALLED).is_some_and(|stalled| stalled.reason == "NotOwned");
        if watched.is_none() && (waits || object.joins_only()) {
            let secret = observe::live_secret(&context.client, namespace, object.target_name()).await?;
            return Ok(Self { secret, live: true });
        }
        Ok(Self { secret: watched.map(|secret| secret.metadata.clone()), live: false })
    }
}

/// Removes the owner references. `None`: look again.
async fn disown<K: Feeds>(
    object: &K,
    feeder: &Feeder,
    secret: Option<&ObjectMeta>,
    context: &Context<K>,
) -> Option<Look> {
    let (namespace, name) = (object.meta().namespace.as_deref()?, object.target_name());
    let target = Target { namespace, name, manager: MANAGER };
    match context.writer.disown_secret(target, feeder, secret?).await {
        Ok(()) | Err(WriteError::Changed) => None,
        Err(error) => Some(Look::failed(&error, name)),
    }
}

/// Takes the object's items away, and the Secret with them if nobody else feeds it. `None`: look again.
async fn remove<K: Feeds>(object: &K, removed: &Outcome, seen: &Seen, context: &Context<K>) -> Option<Look> {
    let (namespace, name) = (object.meta().namespace.as_deref()?, object.target_name());
    // One that was offered, and that this object does not feed or has left again, is none of its business.
    let fed = seen.secret.as_ref().filter(|secret| crate::ownership::is_fed(secret, object.origin()));
    let Some(secret) = fed else { return Some(Look::ended(removed.clone())) };
    if !crate::ownership::is_sole(secret, object.origin()) {
        return Some(match sweep::leave::<K>(context, namespace, object.origin().name, name).await {
            Ok(()) => Look::ended(removed.clone()),
            Err(error) => {
                Look::ended(Outcome::Retrying { reason: "ItemsLeft", message: crate::telemetry::chain(&error) })
            }
        });
    }
    match context.writer.delete_secret(namespace, name, &Written::from(secret)).await {
        Ok(()) => Some(Look::ended(removed.clone())),
        Err(WriteError::Changed) => None,
        Err(error) => Some(Look::failed(&error, name)),
    }
}

/// A panic becomes this object's failure. Its message is not kept: it may quote what was being opened.
fn guarded(plan: impl FnOnce() -> Plan) -> Plan {
    // Opening and templates take their time; elsewhere, so that the lease and the watches go on meanwhile.
    let plan = || tokio::task::block_in_place(plan);
    catch_unwind(AssertUnwindSafe(plan)).unwrap_or_else(|_| {
        let message = "the controller failed on this object; its log says where".to_owned();
        Plan::Report(Outcome::Retrying { reason: "Panic", message })
    })
}

/// Writes the Secret. `None`: the Secret is not as it was seen, look again.
async fn carry_out<K: Feeds>(
    object: &K,
    write: &Write,
    seen: &Seen,
    planner: &mut impl Planner<K>,
    keys: &Loaded,
    context: &Context<K>,
) -> Option<Look> {
    if write.how == How::Create && write.contended && has_rival(object, context) {
        // Whoever held the Secret so far makes it again.
        return Some(Look::Later(RIVAL));
    }
    if let Some(look) = planner.writing(write).await {
        return Some(look);
    }
    let name = write.secret.name.clone();
    let managers = seen.secret.as_ref().filter(|_| seen.live);
    let mut applied = apply::apply::<K>(&context.writer, object.meta(), write, managers, &[]).await;
    if let Err(WriteError::Claimed(claims)) = &applied {
        let namespace = object.meta().namespace.as_deref().unwrap_or_default();
        let left = left(&context.client, namespace, &name, claims).await;
        if !left.is_empty() {
            applied = apply::apply::<K>(&context.writer, object.meta(), write, managers, &left).await;
        }
    }
    match applied {
        Ok(applied) => {
            if let Some(look) = leave_former(object, write, context).await {
                return Some(look);
            }
            let drift = (write.repair && applied.changed).then(|| drift_note(write, &applied));
            let namespace = object.meta().namespace.as_deref().unwrap_or_default();
            let hash = |key: &crate::content::ContentKey| key.hash(namespace, object.origin(), &write.secret.items);
            let content = keys.content.as_ref().map(hash);
            let outcome = Outcome::Synced { name, written: applied.written, content };
            Some(Look::Ended { outcome, drift, repairing: false })
        }
        Err(WriteError::Exists | WriteError::Changed) => None,
        Err(error @ WriteError::Immutable(_)) if write.may_recreate() => {
            make_way(object, write, error, context).await.map(Look::ended)
        }
        Err(error) => {
            Some(Look::Ended { outcome: apply::outcome(&error, &name), drift: None, repairing: write.repair })
        }
    }
}

/// Whether another object that is not stalled feeds the same Secret.
fn has_rival<K: Feeds>(object: &K, context: &Context<K>) -> bool {
    let target = object.target_name();
    let rival = |other: &K| {
        other.meta().namespace == object.meta().namespace
            && other.meta().name != object.meta().name
            && other.target_name() == target
            && other.common_status().is_none_or(|status| conditions::find(status, STALLED).is_none())
    };
    context.watched.objects.find(rival).is_some()
}

/// Deletes a Secret that cannot become what it shall be, if it holds nobody else's items and its successor would be taken.
/// `None`: it is gone.
async fn make_way<K: Feeds>(object: &K, write: &Write, error: WriteError, context: &Context<K>) -> Option<Outcome> {
    let (namespace, name) = (object.meta().namespace.as_deref()?, write.secret.name.as_str());
    let live = match observe::live_secret(&context.client, namespace, name).await {
        Ok(live) => live?,
        Err(error) => return Some(apply::outcome(&describe_read(&error), name)),
    };
    if drift::has_foreign_items(live.managed_fields.as_deref().unwrap_or_default()) {
        return Some(apply::outcome(&error, name));
    }
    // The API server and its policies look at what is to be created before they say that it exists.
    match apply::try_create::<K>(&context.writer, object.meta(), &write.secret).await {
        Ok(_) => return None,
        Err(WriteError::Exists) => {}
        Err(error) => return Some(apply::outcome(&error, name)),
    }
    match context.writer.delete_secret(namespace, name, &Written::from(&live)).await {
        Ok(()) | Err(WriteError::Changed) => None,
        Err(error) => Some(apply::outcome(&error, name)),
    }
}

/// Takes the object's items out of the Secret of its former name, where others feed that too. `Some` if that failed.
async fn leave_former<K: Feeds>(object: &K, write: &Write, context: &Context<K>) -> Option<Look> {
    let former = write.former.as_ref().filter(|former| !former.sole)?;
    let (namespace, name) = (object.meta().namespace.as_deref()?, object.meta().name.as_deref()?);
    let error = sweep::leave::<K>(context, namespace, name, &former.name).await.err()?;
    Some(Look::ended(Outcome::Retrying { reason: "FormerSecret", message: crate::telemetry::chain(&error) }))
}

fn drift_note(write: &Write, applied: &apply::Applied) -> String {
    let name = &write.secret.name;
    if write.how == How::Create {
        return format!("Secret {name} had been deleted and was made again");
    }
    if applied.drift.is_empty() {
        return format!("labels, annotations or owners of Secret {name} had been changed and were put right");
    }
    let changes: Vec<_> = applied.drift.iter().take(SHOWN).map(ToString::to_string).collect();
    let more = applied.drift.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("Secret {name} was put right: {}{more}", changes.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_panic_is_the_objects_own_failure_and_says_nothing() {
        let plan = guarded(|| panic!("hunter2"));
        let Plan::Report(Outcome::Retrying { reason, message }) = plan else { panic!("{plan:?}") };
        assert_eq!(reason, "Panic");
        assert!(!message.contains("hunter2"));
    }
}
