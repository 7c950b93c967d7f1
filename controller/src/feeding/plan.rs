//! What can be decided about a Secret without knowing where its values come from. Pure.

use std::collections::BTreeMap;

use kube::core::ObjectMeta;
use sealwax_crds::{FORBIDDEN_TYPES, OWN_PREFIX, STALLED, SecretStatus};
use sealwax_format::SecretBytes;

use super::Feeds;
use crate::conditions::{self, Outcome};
use crate::ownership::{self, ADOPT_BY, Feeder, Ownership};
use crate::store::is_later;
use crate::writer::{Written, is_from_create};

pub use sealwax_crds::TemplateMetadata;

/// What is in the cluster.
#[derive(Debug)]
pub struct Observed<'a, K: Feeds> {
    /// The object; stripped, as the watch keeps it.
    pub object: &'a K,
    /// Its status, as last written or seen.
    pub status: &'a K::Status,
    /// The Secret it shall feed, as far as anybody has seen it.
    pub secret: Option<&'a ObjectMeta>,
    /// The Secret that it fed before its target's name changed.
    pub former: Option<&'a Former>,
    /// The controller's own namespace.
    pub key_namespace: &'a str,
}

/// The Secret that an object fed before its target's name changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Former {
    /// Its name.
    pub name: String,
    /// Which one, as of when.
    pub seen: Written,
    /// Whether nobody else feeds it.
    pub sole: bool,
}

/// What a plan cannot be made without, and what costs a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The whole object.
    Object,
    /// The values, from where they come from.
    Values,
    /// The values as they were last written.
    LastGood,
}

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Plan {
    /// All is as it should be, or is being deleted.
    Nothing,
    /// Something is needed first; then plan again.
    Need {
        /// What.
        need: Need,
        /// Whether that is to put right what somebody changed.
        repair: bool,
    },
    /// Something in the Secret shall outlive its objects, and owner references would take it along: remove those first,
    /// whatever else may be wrong.
    Disown(Box<Feeder>),
    /// Write the Secret.
    Write(Box<Write>),
    /// Take the object's items away, and the Secret if nothing else is in it; then say this.
    Remove(Outcome),
    /// Write nothing but the status.
    Report(Outcome),
    /// The same, while the Secret is not what it shall be.
    Broken(Outcome),
}

impl Plan {
    /// Whether this puts right what somebody changed.
    pub(super) fn is_repair(&self) -> bool {
        match self {
            Self::Need { repair, .. } => *repair,
            Self::Write(write) => write.repair,
            _ => false,
        }
    }
}

/// A Secret to write.
#[derive(Debug, PartialEq, Eq)]
pub struct Write {
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
    pub fn may_recreate(&self) -> bool {
        self.recreate && matches!(self.how, How::Update { whose: Ownership::Ours, sole: true, .. })
    }
}

/// How a Secret is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
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

impl How {
    /// Whether the Secret is as we left it. A watch that lags behind our own write shows an earlier version.
    pub fn is_intact(&self, status: &SecretStatus) -> bool {
        let Self::Update { seen, whose: Ownership::Ours, .. } = self else { return false };
        let left = status.secret_resource_version.as_deref().unwrap_or_default();
        status.secret_uid.as_deref() == Some(&seen.uid)
            && (seen.resource_version == left || is_later(left, &seen.resource_version))
    }
}

/// What a Secret shall be, as far as this object is concerned.
#[derive(Debug, PartialEq, Eq)]
pub struct Desired {
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

impl Desired {
    /// A Secret of these items, before anything is said of its looks. Whether it goes with the object depends on what is
    /// there.
    pub fn new<K: Feeds>(observed: &Observed<'_, K>, items: BTreeMap<String, SecretBytes>) -> Self {
        let (object, status) = (observed.object, K::common(observed.status));
        let retained = object.is_retained();
        let others_retain = observed.secret.is_some_and(|secret| {
            ownership::feeders(secret).any(|other| other.retained && other.origin() != object.origin())
        });
        let adopted = observed.secret.is_some_and(|secret| {
            let was = ownership::feeders(secret).any(|feeder| feeder.adopted);
            was || ownership::of(secret, object.origin(), status) == Ownership::Offered
        });
        Self {
            name: object.target_name().to_owned(),
            type_: None,
            immutable: None,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            items,
            retained,
            adopted,
            owned: !retained && !others_retain && !adopted,
        }
    }

    /// Written so.
    pub fn write<K: Feeds>(self, observed: &Observed<'_, K>, how: How, repair: bool, recreate: Option<bool>) -> Plan {
        let stalled = conditions::find(K::common(observed.status), STALLED);
        Plan::Write(Box::new(Write {
            secret: self,
            how,
            repair,
            recreate: recreate == Some(true),
            contended: stalled.is_some_and(|was| was.reason == "ItemConflict"),
            former: observed.former.cloned(),
        }))
    }
}

/// What holds for every object, whatever it is made of: nothing is done for one that is being deleted, is not served here,
/// or has to give up the Secret's ownership first.
pub fn decide_first<K: Feeds>(observed: &Observed<'_, K>) -> Option<Plan> {
    let meta = observed.object.meta();
    if meta.deletion_timestamp.is_some() {
        // What happens to the Secret then happens when the object is gone.
        return Some(Plan::Nothing);
    }
    if meta.namespace.as_deref() == Some(observed.key_namespace) {
        let kind = K::KIND.name();
        let message = format!("{kind}s are not served in the controller's own namespace: move this one elsewhere");
        return Some(stalled("OwnNamespace", message));
    }
    if let Some(feeder) = disowned(observed) {
        return Some(Plan::Disown(Box::new(feeder)));
    }
    observed.object.is_suspended().then_some(Plan::Report(Outcome::Suspended))
}

/// Somebody must act.
pub fn stalled(reason: &'static str, message: String) -> Plan {
    Plan::Report(Outcome::Stalled { reason, message })
}

/// This object, if the Secret that it feeds is owned by objects though something in it shall stay.
///
/// Apart from all writing: who sets `onDelete: Retain` on an object that cannot be opened, or is suspended, means it.
fn disowned<K: Feeds>(observed: &Observed<'_, K>) -> Option<Feeder> {
    let (object, secret) = (observed.object, observed.secret?);
    ownership::without_ours(secret)?;
    let before = ownership::feeder(secret, object.origin())?;
    let retained = object.is_retained();
    let others = ownership::feeders(secret).any(|feeder| feeder.retained && feeder.origin() != object.origin());
    (retained || others).then_some(Feeder { retained, ..before })
}

/// How the Secret can be written, or that it is somebody else's.
pub fn decide_how<K: Feeds>(observed: &Observed<'_, K>) -> Result<How, Outcome> {
    let Some(secret) = observed.secret else {
        return Ok(How::Create);
    };
    let origin = observed.object.origin();
    match ownership::of(secret, origin, K::common(observed.status)) {
        Ownership::Foreign(owner) => Err(foreign(observed.object, owner)),
        whose => Ok(How::Update {
            seen: Written::from(secret),
            whose,
            from_create: {
                let manager = ownership::field_manager(origin);
                secret.managed_fields.iter().flatten().any(|entry| is_from_create(entry, &manager))
            },
            sole: ownership::is_sole(secret, origin),
        }),
    }
}

fn foreign<K: Feeds>(object: &K, owner: Option<String>) -> Outcome {
    let (secret, name) = (object.target_name(), object.origin().name);
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

/// What a template must not state. The CRD refuses the same, but may be older or edited.
pub fn check_template(type_: Option<&str>, metadata: Option<&TemplateMetadata>) -> Result<(), Outcome> {
    let refused = |message: String| Err(Outcome::Stalled { reason: "TemplateRefused", message });
    if let Some(type_) = type_.filter(|type_| FORBIDDEN_TYPES.contains(type_)) {
        return refused(format!(
            "spec.target.template.type: Kubernetes fills Secrets of type {type_} with credentials; choose another"
        ));
    }
    let mut keys = metadata.into_iter().flat_map(|metadata| metadata.labels.keys().chain(metadata.annotations.keys()));
    match keys.find(|key| key.starts_with(OWN_PREFIX)) {
        Some(key) => refused(format!("spec.target.template.metadata: {key} is the controller's own; remove it")),
        None => Ok(()),
    }
}
