//! Decides what happens to the Secret of one `EncryptedSecret`. Pure: what was observed and the keys in, a plan out.

use std::collections::BTreeMap;

use kube::core::ObjectMeta;
use sealwax_crds::{EncryptedSecret, EncryptedSecretSpec, EncryptedSecretStatus, FORBIDDEN_TYPES, OWN_PREFIX};
use sealwax_format::SecretBytes;
use sealwax_format::keys::Keyring;
use sealwax_render::{SealedObject, open};

use crate::conditions::Outcome;
use crate::ownership::{self, ADOPT_BY, Ownership};
use crate::store::{is_complete, is_later, is_settled};
use crate::writer::{Written, is_from_create};

/// What is in the cluster.
#[derive(Debug)]
pub(super) struct Observed<'a> {
    /// The object; without its ciphertext if it was settled when the watch brought it.
    pub object: &'a EncryptedSecret,
    /// Its status, as last written or seen.
    pub status: &'a EncryptedSecretStatus,
    /// The Secret it shall make, as far as anybody has seen it.
    pub secret: Option<&'a ObjectMeta>,
    /// The Secret that it made before its target's name changed.
    pub former: Option<(&'a str, Written)>,
    /// The controller's own namespace.
    pub key_namespace: &'a str,
}

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// All is as it should be, or is being deleted.
    Nothing,
    /// The ciphertext is needed after all: read the object again and plan again.
    Reread,
    /// Write the Secret.
    Write(Box<Write>),
    /// Write nothing but the status.
    Report(Outcome),
}

/// A Secret to write.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Write {
    /// What it shall be.
    pub secret: Desired,
    /// How it gets there.
    pub how: How,
    /// The object's generation is in the Secret already: somebody changed or deleted the Secret.
    pub repair: bool,
    /// The Secret of the former name, to delete afterwards.
    pub former: Option<(String, Written)>,
}

/// How a Secret is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// There is none, as far as anybody has seen.
    Create,
    /// This one is ours, or was offered.
    Update {
        /// Which one, as of when.
        seen: Written,
        /// It was offered: its items become ours whoever owned them.
        adopt: bool,
        /// We own its items from creating it, not yet from applying.
        from_create: bool,
    },
}

/// What a Secret shall be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Desired {
    /// Name.
    pub name: String,
    /// Type, if the template states one.
    pub type_: Option<String>,
    /// Labels of the template.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the template.
    pub annotations: BTreeMap<String, String>,
    /// Items, opened.
    pub items: BTreeMap<String, SecretBytes>,
}

/// The name of the Secret that a spec asks for.
pub(super) fn target_name(object: &EncryptedSecret) -> &str {
    let target = object.spec.target.as_ref().and_then(|target| target.name.as_deref());
    target.or(object.metadata.name.as_deref()).unwrap_or_default()
}

/// Decides.
pub(super) fn plan(observed: &Observed<'_>, keys: &Keyring) -> Plan {
    let (object, meta) = (observed.object, &observed.object.metadata);
    if meta.deletion_timestamp.is_some() {
        // The garbage collector takes the Secret, by its owner reference.
        return Plan::Nothing;
    }
    if meta.namespace.as_deref() == Some(observed.key_namespace) {
        let message = "EncryptedSecrets are not served in the controller's own namespace: move this one elsewhere";
        return stalled("OwnNamespace", message.to_owned());
    }
    if object.spec.suspend == Some(true) {
        return Plan::Report(Outcome::Suspended);
    }
    let settled = is_settled(meta.generation, Some(observed.status));
    let how = match how(observed) {
        Ok(how) => how,
        Err(foreign) => return Plan::Report(foreign),
    };
    if settled && how.is_intact(observed.status) {
        return Plan::Nothing;
    }
    if !is_complete(object) {
        return Plan::Reread;
    }
    match desired(object, keys) {
        Ok(secret) => {
            let former = observed.former.as_ref().map(|(name, written)| ((*name).to_owned(), written.clone()));
            Plan::Write(Box::new(Write { secret, how, repair: settled, former }))
        }
        Err(outcome) => Plan::Report(outcome),
    }
}

fn stalled(reason: &'static str, message: String) -> Plan {
    Plan::Report(Outcome::Stalled { reason, message })
}

/// How the Secret can be written, or that it is somebody else's.
fn how(observed: &Observed<'_>) -> Result<How, Outcome> {
    let Some(secret) = observed.secret else {
        return Ok(How::Create);
    };
    let update = |adopt| How::Update {
        seen: Written::from(secret),
        adopt,
        from_create: secret.managed_fields.iter().flatten().any(is_from_create),
    };
    match ownership::of(secret, &observed.object.metadata, observed.status) {
        Ownership::Ours => Ok(update(false)),
        Ownership::Offered => Ok(update(true)),
        Ownership::Foreign(owner) => Err(foreign(observed.object, owner)),
    }
}

fn foreign(object: &EncryptedSecret, owner: Option<String>) -> Outcome {
    let (secret, name) = (target_name(object), object.metadata.name.as_deref().unwrap_or_default());
    let message = match owner {
        Some(owner) => format!(
            "Secret {secret} is there already and belongs to {owner}: set spec.target.name to another name, or remove that one"
        ),
        None => format!(
            "Secret {secret} is there already and was not made for this object: delete it, set spec.target.name to \
             another name, or hand it over with `kubectl annotate secret {secret} {ADOPT_BY}={name}`"
        ),
    };
    Outcome::Stalled { reason: "NotOwned", message }
}

impl How {
    /// Whether the Secret is as we left it. A watch that lags behind our own write shows an earlier version.
    fn is_intact(&self, status: &EncryptedSecretStatus) -> bool {
        let Self::Update { seen, adopt: false, .. } = self else { return false };
        let left = status.secret_resource_version.as_deref().unwrap_or_default();
        status.secret_uid.as_deref() == Some(&seen.uid)
            && (seen.resource_version == left || is_later(left, &seen.resource_version))
    }
}

/// What the Secret shall be: all of it or nothing.
fn desired(object: &EncryptedSecret, keys: &Keyring) -> Result<Desired, Outcome> {
    let (type_, labels, annotations) = template(&object.spec)?;
    let items = open(&sealed(object), keys)
        .map_err(|error| Outcome::Stalled { reason: error.category(), message: crate::telemetry::chain(&error) })?;
    Ok(Desired { name: target_name(object).to_owned(), type_, labels, annotations, items })
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

type Stated = (Option<String>, BTreeMap<String, String>, BTreeMap<String, String>);

/// What the template states. The CRD refuses the same, but may be older or edited.
fn template(spec: &EncryptedSecretSpec) -> Result<Stated, Outcome> {
    let refused = |message: String| Outcome::Stalled { reason: "TemplateRefused", message };
    let Some(template) = spec.target.as_ref().and_then(|target| target.template.clone()) else {
        return Ok(Stated::default());
    };
    if let Some(type_) = template.type_.as_deref().filter(|type_| FORBIDDEN_TYPES.contains(type_)) {
        let message = format!(
            "spec.target.template.type: Kubernetes fills Secrets of type {type_} with credentials; choose another"
        );
        return Err(refused(message));
    }
    let metadata = template.metadata.unwrap_or_default();
    if let Some(key) = metadata.labels.keys().chain(metadata.annotations.keys()).find(|key| key.starts_with(OWN_PREFIX))
    {
        return Err(refused(format!("spec.target.template.metadata: {key} is the controller's own; remove it")));
    }
    Ok((template.type_, metadata.labels, metadata.annotations))
}

#[cfg(test)]
mod tests;
