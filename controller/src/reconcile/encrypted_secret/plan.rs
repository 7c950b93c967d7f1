//! Decides what happens to the Secret of one `EncryptedSecret`. Pure: what was observed and the keys in, a plan out.

use sealwax_crds::{EncryptedSecret, MergePolicy};
use sealwax_format::keys::Keyring;
use sealwax_render::{SealedObject, content, open};

use crate::conditions::{self, Outcome};
use crate::feeding::{self, Desired, Need, Plan, check_template, decide_first, decide_how};
use crate::store::{Requests, is_complete, is_settled};

/// What is in the cluster.
pub(super) type Observed<'a> = feeding::Observed<'a, EncryptedSecret>;

/// Decides.
pub(super) fn plan(observed: &Observed<'_>, keys: &Keyring) -> Plan {
    if let Some(plan) = decide_first(observed) {
        return plan;
    }
    let (object, meta) = (observed.object, &observed.object.metadata);
    let how = match decide_how(observed) {
        Ok(how) => how,
        Err(foreign) => return Plan::Report(foreign),
    };
    let settled = is_settled(meta.generation, Some(observed.status));
    let asked = Requests::of(meta).are_new(observed.status);
    let intact = how.is_intact(observed.status);
    let clean = !conditions::is_troubled(observed.status);
    if settled && intact && clean && !asked {
        return Plan::Nothing;
    }
    let repair = settled && !intact;
    if !is_complete(object) {
        return Plan::Need { need: Need::Object, repair };
    }
    let recreate = object.spec.target.as_ref().and_then(|target| target.recreate);
    match desired(observed, keys) {
        Ok(secret) => secret.write(observed, how, repair, recreate),
        Err(outcome) => Plan::Report(outcome),
    }
}

/// What the Secret shall be: all of it or nothing.
fn desired(observed: &Observed<'_>, keys: &Keyring) -> Result<Desired, Outcome> {
    let object = observed.object;
    let target = object.spec.target.clone().unwrap_or_default();
    let template = target.template.unwrap_or_default();
    check_template(template.type_.as_deref(), template.metadata.as_ref())?;
    let items = open(&sealed(object), keys)
        .map_err(|error| Outcome::Stalled { reason: error.category(), message: crate::telemetry::chain(&error) })?;
    let merged = template.merge_policy == Some(MergePolicy::Merge);
    let items = content(items, &template.data, merged)
        .map_err(|error| Outcome::Stalled { reason: "Template", message: error.to_string() })?;
    let metadata = template.metadata.unwrap_or_default();
    Ok(Desired {
        type_: template.type_,
        immutable: template.immutable,
        labels: metadata.labels,
        annotations: metadata.annotations,
        ..Desired::new(observed, items)
    })
}

fn sealed(object: &EncryptedSecret) -> SealedObject<'_> {
    SealedObject {
        namespace: object.metadata.namespace.as_deref().unwrap_or_default(),
        name: object.metadata.name.as_deref().unwrap_or_default(),
        sealed_for: (&object.spec.sealed_for.namespace, &object.spec.sealed_for.name),
        key: object.spec.key.as_deref(),
        readers: &object.spec.readers,
        data: &object.spec.data,
    }
}

#[cfg(test)]
mod tests;
