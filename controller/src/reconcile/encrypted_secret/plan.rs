//! Decides what happens to the Secret of one `EncryptedSecret`. Pure: what was observed and the keys in, a plan out.

use std::collections::BTreeMap;

use kube::core::ObjectMeta;
use sealwax_crds::{
    EncryptedSecret, EncryptedSecretStatus, FORBIDDEN_TYPES, MergePolicy, OWN_PREFIX, OnDelete, STALLED, Template,
};
use sealwax_format::SecretBytes;
use sealwax_format::keys::Keyring;
use sealwax_render::{SealedObject, content, open};

use crate::conditions::{self, Outcome};
use crate::ownership::{self, ADOPT_BY, Feeder, Ownership};
use crate::store::{Requests, is_complete, is_later, is_settled};
use crate::writer::{Written, is_from_create};

/// What is in the cluster.
#[derive(Debug)]
pub(super) struct Observed<'a> {
    /// The object; without its ciphertext if it was settled when the watch brought it.
    pub object: &'a EncryptedSecret,
    /// Its status, as last written or seen.
    pub status: &'a EncryptedSecretStatus,
    /// The Secret it shall feed, as far as anybody has seen it.
    pub secret: Option<&'a ObjectMeta>,
    /// The Secret that it fed before its target's name changed.
    pub former: Option<&'a Former>,
    /// The controller's own namespace.
    pub key_namespace: &'a str,
}

/// The Secret that an object fed before its target's name changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Former {
    /// Its name.
    pub name: String,
    /// Which one, as of when.
    pub seen: Written,
    /// Whether nobody else feeds it.
    pub sole: bool,
}

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// All is as it should be, or is being deleted.
    Nothing,
    /// The ciphertext is needed after all: read the object again and plan again.
    Reread {
        /// Whether that is to put right what somebody changed.
        repair: bool,
    },
    /// Something in the Secret shall outlive its objects, and owner references would take it along: remove those first,
    /// whatever else may be wrong.
    Disown(Box<Feeder>),
    /// Write the Secret.
    Write(Box<Write>),
    /// Write nothing but the status.
    Report(Outcome),
}

impl Plan {
    /// Whether this puts right what somebody changed.
    pub(super) fn is_repair(&self) -> bool {
        match self {
            Self::Reread { repair } => *repair,
            Self::Write(write) => write.repair,
            _ => false,
        }
    }
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
    /// The Secret may be deleted and made again where Kubernetes refuses the change.
    pub recreate: bool,
    /// The object was stalled because others feed the same items: it must not take them while those are changed by hand.
    pub contended: bool,
    /// The Secret of the former name, to give up afterwards.
    pub former: Option<Former>,
}

impl Write {
    /// Whether field managers decide something: who changed what, or what creating left.
    pub(super) fn needs_managers(&self) -> bool {
        matches!(self.how, How::Update { from_create, .. } if from_create || self.repair)
    }

    /// Whether fields may be taken from managers that are no objects of ours. Not by an object that others kept from them
    /// so far, in a Secret that those feed.
    pub(super) fn may_force(&self) -> bool {
        !self.contended || matches!(self.how, How::Update { sole: true, .. })
    }

    /// Whether the Secret may be deleted and made again: then nobody else's items may be in it.
    pub(super) fn may_recreate(&self) -> bool {
        self.recreate && matches!(self.how, How::Update { whose: Ownership::Ours, sole: true, .. })
    }
}

/// How a Secret is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// There is none, as far as anybody has seen.
    Create,
    /// This one is ours, or others' that we may join, or was offered.
    Update {
        /// Which one, as of when.
        seen: Written,
        /// Whose it is.
        whose: Ownership,
        /// We own our items from creating it, not yet from applying.
        from_create: bool,
        /// Nobody else feeds it.
        sole: bool,
    },
}

/// What a Secret shall be, as far as this object is concerned.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Desired {
    /// Name.
    pub name: String,
    /// Type, if the template states one.
    pub type_: Option<String>,
    /// Whether Kubernetes shall refuse changes, if the template says so.
    pub immutable: Option<bool>,
    /// Labels of the template.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the template.
    pub annotations: BTreeMap<String, String>,
    /// Items, opened.
    pub items: BTreeMap<String, SecretBytes>,
    /// Whether the items stay when the object goes.
    pub retained: bool,
    /// Whether somebody else had made the Secret, which therefore stays when the object goes.
    pub adopted: bool,
    /// Whether the Secret goes when the object goes. Not where anything in it shall stay.
    pub owned: bool,
}

/// The name of the Secret that a spec asks for.
pub fn target_name(object: &EncryptedSecret) -> &str {
    let target = object.spec.target.as_ref().and_then(|target| target.name.as_deref());
    target.or(object.metadata.name.as_deref()).unwrap_or_default()
}

/// Decides.
pub(super) fn plan(observed: &Observed<'_>, keys: &Keyring) -> Plan {
    let (object, meta) = (observed.object, &observed.object.metadata);
    if meta.deletion_timestamp.is_some() {
        // What happens to the Secret then happens when the object is gone.
        return Plan::Nothing;
    }
    if meta.namespace.as_deref() == Some(observed.key_namespace) {
        let message = "EncryptedSecrets are not served in the controller's own namespace: move this one elsewhere";
        return stalled("OwnNamespace", message.to_owned());
    }
    if let Some(feeder) = disowned(observed) {
        return Plan::Disown(Box::new(feeder));
    }
    if object.spec.suspend == Some(true) {
        return Plan::Report(Outcome::Suspended);
    }
    let settled = is_settled(meta.generation, Some(observed.status));
    let how = match how(observed) {
        Ok(how) => how,
        Err(foreign) => return Plan::Report(foreign),
    };
    let asked = Requests::of(meta).are_new(observed.status);
    let intact = how.is_intact(observed.status);
    let clean = !conditions::is_troubled(observed.status);
    if settled && intact && clean && !asked {
        return Plan::Nothing;
    }
    if !is_complete(object) {
        return Plan::Reread { repair: settled && !intact };
    }
    match desired(observed, keys) {
        Ok(secret) => Plan::Write(Box::new(Write {
            secret,
            how,
            repair: settled && !intact,
            recreate: object.spec.target.as_ref().and_then(|target| target.recreate) == Some(true),
            contended: conditions::find(observed.status, STALLED).is_some_and(|was| was.reason == "ItemConflict"),
            former: observed.former.cloned(),
        })),
        Err(outcome) => Plan::Report(outcome),
    }
}

fn stalled(reason: &'static str, message: String) -> Plan {
    Plan::Report(Outcome::Stalled { reason, message })
}

/// This object, if the Secret that it feeds is owned by objects though something in it shall stay.
///
/// Apart from all writing: who sets `onDelete: Retain` on an object that cannot be opened, or is suspended, means it.
fn disowned(observed: &Observed<'_>) -> Option<Feeder> {
    let (meta, secret) = (&observed.object.metadata, observed.secret?);
    ownership::without_ours(secret)?;
    let name = meta.name.as_deref().unwrap_or_default();
    let before = ownership::feeders(secret).find(|feeder| feeder.name == name)?;
    let retained = is_retained(observed.object);
    let stays = retained || ownership::feeders(secret).any(|feeder| feeder.retained && feeder.name != name);
    stays.then_some(Feeder { retained, ..before })
}

fn is_retained(object: &EncryptedSecret) -> bool {
    object.spec.target.as_ref().and_then(|target| target.on_delete) == Some(OnDelete::Retain)
}

/// How the Secret can be written, or that it is somebody else's.
fn how(observed: &Observed<'_>) -> Result<How, Outcome> {
    let Some(secret) = observed.secret else {
        return Ok(How::Create);
    };
    let meta = &observed.object.metadata;
    let name = meta.name.as_deref().unwrap_or_default();
    match ownership::of(secret, meta, observed.status) {
        Ownership::Foreign(owner) => Err(foreign(observed.object, owner)),
        whose => Ok(How::Update {
            seen: Written::from(secret),
            whose,
            from_create: {
                let manager = ownership::field_manager(name);
                secret.managed_fields.iter().flatten().any(|entry| is_from_create(entry, &manager))
            },
            sole: ownership::is_sole(secret, name),
        }),
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
        let Self::Update { seen, whose: Ownership::Ours, .. } = self else { return false };
        let left = status.secret_resource_version.as_deref().unwrap_or_default();
        status.secret_uid.as_deref() == Some(&seen.uid)
            && (seen.resource_version == left || is_later(left, &seen.resource_version))
    }
}

/// What the Secret shall be: all of it or nothing.
fn desired(observed: &Observed<'_>, keys: &Keyring) -> Result<Desired, Outcome> {
    let object = observed.object;
    let target = object.spec.target.clone().unwrap_or_default();
    let template = target.template.unwrap_or_default();
    check(&template)?;
    let items = open(&sealed(object), keys)
        .map_err(|error| Outcome::Stalled { reason: error.category(), message: crate::telemetry::chain(&error) })?;
    let merged = template.merge_policy == Some(MergePolicy::Merge);
    let items = content(items, &template.data, merged)
        .map_err(|error| Outcome::Stalled { reason: "Template", message: error.to_string() })?;
    let name = object.metadata.name.as_deref().unwrap_or_default();
    let retained = is_retained(object);
    let others_retain = observed
        .secret
        .is_some_and(|secret| ownership::feeders(secret).any(|feeder| feeder.retained && feeder.name != name));
    let adopted = observed.secret.is_some_and(|secret| {
        let was = ownership::feeders(secret).any(|feeder| feeder.adopted);
        was || ownership::of(secret, &object.metadata, observed.status) == Ownership::Offered
    });
    let metadata = template.metadata.unwrap_or_default();
    Ok(Desired {
        name: target_name(object).to_owned(),
        type_: template.type_,
        immutable: template.immutable,
        labels: metadata.labels,
        annotations: metadata.annotations,
        items,
        retained,
        adopted,
        owned: !retained && !others_retain && !adopted,
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

/// What a template must not state. The CRD refuses the same, but may be older or edited.
fn check(template: &Template) -> Result<(), Outcome> {
    let refused = |message: String| Err(Outcome::Stalled { reason: "TemplateRefused", message });
    if let Some(type_) = template.type_.as_deref().filter(|type_| FORBIDDEN_TYPES.contains(type_)) {
        return refused(format!(
            "spec.target.template.type: Kubernetes fills Secrets of type {type_} with credentials; choose another"
        ));
    }
    let metadata = template.metadata.iter();
    let mut keys = metadata.flat_map(|metadata| metadata.labels.keys().chain(metadata.annotations.keys()));
    match keys.find(|key| key.starts_with(OWN_PREFIX)) {
        Some(key) => refused(format!("spec.target.template.metadata: {key} is the controller's own; remove it")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
