//! Decides what happens to the Secret of one `ExternalSecret`. Pure: what was observed and what was read in, a plan out.

use std::collections::BTreeMap;

use sealwax_crds::{CreationPolicy, DeletionPolicy, ExternalSecret};
use sealwax_format::SecretBytes;

use super::fetch::{Failure, Read};
use super::refresh::Due;
use crate::conditions::{self, Outcome};
use crate::feeding::{self, Desired, How, Need, Plan, check_template, decide_first, decide_how};
use crate::store::is_settled;

/// What is in the cluster.
pub(super) type Observed<'a> = feeding::Observed<'a, ExternalSecret>;

/// What was got so far.
#[derive(Debug)]
pub(super) enum Stage {
    /// Nothing: the plan says what is needed.
    Begun,
    /// What the source holds now.
    Read(Read),
    /// That could not be read, or must not be written.
    Failed,
    /// What the Secret held when it was good.
    Restored(BTreeMap<String, SecretBytes>),
    /// There is no copy of that, or none that opens.
    NothingToRestore,
}

/// What a plan depends on besides.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts<'a> {
    /// When the values are to be read again.
    pub due: Due,
    /// What was got so far.
    pub stage: &'a Stage,
    /// Why the values could not be read, if that was tried.
    pub failure: Option<&'a Failure>,
    /// Whether there is a copy of what the Secret held.
    pub has_copy: bool,
}

/// Decides.
pub(super) fn plan(observed: &Observed<'_>, facts: Facts<'_>) -> Plan {
    if let Some(plan) = decide_first(observed) {
        return plan;
    }
    let how = match decide_how(observed) {
        Ok(How::Create) if creation(observed.object) == CreationPolicy::Merge => return target_missing(observed),
        Ok(how) => how,
        Err(_) if creation(observed.object) == CreationPolicy::None => How::Create,
        Err(foreign) => return Plan::Report(foreign),
    };
    let state = State::new(observed, &how);
    match facts.stage {
        Stage::Begun => begin(observed, facts, state),
        Stage::Read(read) => write_read(observed, read, how, state),
        Stage::Restored(items) => write(observed, items, how, state),
        Stage::Failed | Stage::NothingToRestore => match facts.failure {
            Some(failure) => without_source(facts, failure, state),
            None => Plan::Need { need: Need::Values, repair: state.repair() },
        },
    }
}

/// How things stand between the object and its Secret.
#[derive(Clone, Copy, Debug)]
struct State {
    /// This generation has been carried out.
    settled: bool,
    /// The Secret is as it was left.
    intact: bool,
    /// Nothing is being retried.
    clean: bool,
}

impl State {
    fn new(observed: &Observed<'_>, how: &How) -> Self {
        let common = &observed.status.common;
        let settled = is_settled(observed.object.metadata.generation, Some(common));
        // Where nothing was to be written, nothing is as it should be.
        let nothing = *how == How::Create && common.secret_uid.is_none();
        Self { settled, intact: how.is_intact(common) || settled && nothing, clean: !conditions::is_troubled(common) }
    }

    fn repair(self) -> bool {
        self.settled && !self.intact
    }
}

fn creation(object: &ExternalSecret) -> CreationPolicy {
    object.spec.target.as_ref().and_then(|target| target.creation_policy).unwrap_or_default()
}

fn target_missing(observed: &Observed<'_>) -> Plan {
    let message = format!(
        "there is no Secret {} yet, and by spec.target.creationPolicy Merge this object makes none",
        feeding::Feeds::target_name(observed.object)
    );
    Plan::Broken(Outcome::Retrying { reason: "TargetMissing", message })
}

fn begin(observed: &Observed<'_>, facts: Facts<'_>, state: State) -> Plan {
    let due = matches!(facts.due, Due::Now | Due::Anew);
    if state.settled && state.intact && state.clean && !due {
        return Plan::Nothing;
    }
    // Only what the object says now is restored. What may never be read again always comes from the copy.
    let once = facts.due == Due::Never && observed.status.refreshed_generation.is_some() && !state.settled;
    let restores = (state.repair() && !due) || once;
    let need = if restores && facts.has_copy { Need::LastGood } else { Need::Values };
    Plan::Need { need, repair: state.repair() }
}

/// The source says nothing that could be written. A good Secret stays, and one that is gone comes back from the copy.
fn without_source(facts: Facts<'_>, failure: &Failure, state: State) -> Plan {
    let Failure { reason, message, .. } = failure;
    let retrying = Outcome::Retrying { reason, message: message.clone() };
    let tried = matches!(facts.stage, Stage::NothingToRestore);
    match (state.settled, state.intact) {
        (true, true) => Plan::Report(retrying),
        // Who may no longer read is not given again what was read before.
        (true, false) if facts.has_copy && !tried && !failure.is_refused => {
            Plan::Need { need: Need::LastGood, repair: true }
        }
        _ if failure.is_final => Plan::Report(Outcome::Stalled { reason, message: message.clone() }),
        _ => Plan::Broken(retrying),
    }
}

fn write_read(observed: &Observed<'_>, read: &Read, how: How, state: State) -> Plan {
    let target = observed.object.spec.target.as_ref();
    if creation(observed.object) == CreationPolicy::None {
        let message = "the values can be read; no Secret is written, by spec.target.creationPolicy None";
        return Plan::Report(Outcome::Settled { reason: "NotWritten", message });
    }
    if read.empty && target.and_then(|target| target.deletion_policy) == Some(DeletionPolicy::Delete) {
        let message = "the source has nothing for the Secret any more, and by spec.target.deletionPolicy it is gone";
        return Plan::Remove(Outcome::Settled { reason: "SecretDeleted", message });
    }
    write(observed, &read.items, how, state)
}

fn write(observed: &Observed<'_>, items: &BTreeMap<String, SecretBytes>, how: How, state: State) -> Plan {
    let target = observed.object.spec.target.clone().unwrap_or_default();
    let template = target.template.unwrap_or_default();
    if let Err(refused) = check_template(template.type_.as_deref(), template.metadata.as_ref()) {
        return Plan::Report(refused);
    }
    let metadata = template.metadata.unwrap_or_default();
    let items = items.iter().map(|(item, value)| (item.clone(), value.duplicate())).collect();
    let desired = Desired {
        type_: template.type_,
        immutable: target.immutable,
        labels: metadata.labels,
        annotations: metadata.annotations,
        ..Desired::new(observed, items)
    };
    desired.write(observed, how, state.repair(), target.recreate)
}

#[cfg(test)]
mod tests;
