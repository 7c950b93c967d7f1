//! Whose Secret it is. What is not ours, and was not offered to us, is never written.
//!
//! Several objects may feed one Secret. Each owns its own items by a field manager of its own, and leaves an annotation
//! that names it: so a Secret says who feeds it, and whether that may go away, even when the objects are long gone.

use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::Resource;
use kube::core::ObjectMeta;
use sealwax_crds::{EncryptedSecret, SecretStatus};
use sha2::{Digest, Sha256};

/// Annotation *on a Secret* by which somebody who may write that Secret offers it to the resource of this name.
pub const ADOPT_BY: &str = "sealwax.dev/adopt-by";

/// Annotations of a Secret that name who feeds it begin so; a hash of the name follows, because names may be longer than
/// annotations' keys.
pub const FEEDS: &str = "sealwax.dev/feeds-";

/// Field managers of objects begin so.
const FAMILY: &str = "sealwax/";
/// The longest field manager that the API server takes.
const MAX_MANAGER: usize = 128;
/// Ends the annotation of a feeder whose items outlive it.
const RETAINED: &str = " (retained)";
/// Ends the annotation of a feeder that joined a Secret which somebody else had made: the Secret outlives it.
const ADOPTED: &str = " (adopted)";

/// The kinds of objects that feed Secrets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// From what Git holds encrypted.
    #[default]
    EncryptedSecret,
    /// From what a source elsewhere holds.
    ExternalSecret,
}

impl Kind {
    const ALL: [Self; 2] = [Self::EncryptedSecret, Self::ExternalSecret];

    /// As the API server has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::EncryptedSecret => "EncryptedSecret",
            Self::ExternalSecret => "ExternalSecret",
        }
    }
}

/// An object that feeds Secrets, within its namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin<'a> {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: &'a str,
}

impl<'a> Origin<'a> {
    /// An object by its metadata.
    pub fn new(kind: Kind, meta: &'a ObjectMeta) -> Self {
        Self { kind, name: meta.name.as_deref().unwrap_or_default() }
    }
}

impl fmt::Display for Origin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.name(), self.name)
    }
}

/// Whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// We wrote it for this object.
    Ours,
    /// We wrote it for other objects, which this one may join.
    Shared,
    /// Somebody offered it to this object.
    Offered,
    /// Somebody else's; who, if it says.
    Foreign(Option<String>),
}

/// Decides whose Secret it is.
///
/// Owner references and annotations say so. A Secret that lost them (`kubectl replace` drops what the file lacks) is
/// still known by the uid in the object's status, which nobody but the controller may write; one that got another owner
/// is not.
pub fn of(secret: &ObjectMeta, object: Origin<'_>, status: &SecretStatus) -> Ownership {
    // By name too: an object deleted and made anew takes over from its predecessor.
    if owners(secret).any(|owner| owner == object) {
        return Ownership::Ours;
    }
    let controller = secret.owner_references.iter().flatten().find(|owner| owner.controller == Some(true));
    if let Some(owner) = controller {
        return Ownership::Foreign(Some(format!("{} {}", owner.kind, owner.name)));
    }
    if feeder(secret, object).is_some() {
        return Ownership::Ours;
    }
    if secret.uid.is_some() && secret.uid == status.secret_uid {
        return Ownership::Ours;
    }
    if feeders(secret).next().is_some() {
        return Ownership::Shared;
    }
    let offered = secret.annotations.as_ref().and_then(|annotations| annotations.get(ADOPT_BY));
    if offered.is_some_and(|offered| offered == object.name) { Ownership::Offered } else { Ownership::Foreign(None) }
}

/// Who puts items into a Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Feeder {
    /// Kind of the object.
    pub kind: Kind,
    /// Name of the object.
    pub name: String,
    /// Whether its items stay when it goes.
    pub retained: bool,
    /// Whether somebody else had made the Secret, which therefore is not its to delete.
    pub adopted: bool,
}

impl Feeder {
    /// The annotation that tells of it.
    pub fn annotation(&self) -> (String, String) {
        let adopted = if self.adopted { ADOPTED } else { "" };
        let retained = if self.retained { RETAINED } else { "" };
        (annotation_key(self.origin()), format!("{}{adopted}{retained}", self.origin()))
    }

    /// The object.
    pub fn origin(&self) -> Origin<'_> {
        Origin { kind: self.kind, name: &self.name }
    }

    fn parse(key: &str, value: &str) -> Option<Self> {
        key.strip_prefix(FEEDS)?;
        let (kind, name) = value.split_once(' ')?;
        let kind = Kind::ALL.into_iter().find(|known| known.name() == kind)?;
        let (name, retained) = name.strip_suffix(RETAINED).map_or((name, false), |name| (name, true));
        let (name, adopted) = name.strip_suffix(ADOPTED).map_or((name, false), |name| (name, true));
        Some(Self { kind, name: name.to_owned(), retained, adopted })
    }
}

/// The key of the annotation by which a Secret names this object.
pub fn annotation_key(object: Origin<'_>) -> String {
    match object.kind {
        Kind::EncryptedSecret => format!("{FEEDS}{}", hash(object.name)),
        // Another one than that of an `EncryptedSecret` of the same name, which may feed the same Secret.
        Kind::ExternalSecret => format!("{FEEDS}{}", hash(&object.to_string())),
    }
}

/// Who feeds this Secret, as its annotations say.
pub fn feeders(secret: &ObjectMeta) -> impl Iterator<Item = Feeder> {
    let annotations = secret.annotations.iter().flatten();
    annotations.filter_map(|(key, value)| Feeder::parse(key, value))
}

/// What this Secret says of one object that feeds it.
pub fn feeder(secret: &ObjectMeta, object: Origin<'_>) -> Option<Feeder> {
    feeders(secret).find(|feeder| feeder.origin() == object)
}

/// Whether this object feeds the Secret, by the word of the Secret itself.
pub fn is_fed(secret: &ObjectMeta, object: Origin<'_>) -> bool {
    feeder(secret, object).is_some() || owners(secret).any(|owner| owner == object)
}

/// Whether the Secret was made for this object alone, and so goes with it. That nobody feeds it says nothing: then it is
/// somebody else's.
pub fn is_sole(secret: &ObjectMeta, object: Origin<'_>) -> bool {
    feeders(secret).all(|feeder| feeder.origin() == object && !feeder.adopted)
}

/// The owner references of a Secret without those to objects of ours, if there are any such.
pub fn without_ours(secret: &ObjectMeta) -> Option<Vec<OwnerReference>> {
    let all = secret.owner_references.as_deref().unwrap_or_default();
    let kept: Vec<_> = all.iter().filter(|owner| origin(owner).is_none()).cloned().collect();
    (kept.len() < all.len()).then_some(kept)
}

/// The field manager under which this object's items are written. Must never change: it is who owns the items.
pub fn field_manager(object: Origin<'_>) -> String {
    let manager = format!("{FAMILY}{}/{}", object.kind.name(), object.name);
    if manager.len() <= MAX_MANAGER {
        return manager;
    }
    // Names are ASCII, so every index is a boundary.
    format!("{}~{}", &manager[..MAX_MANAGER - 17], hash(object.name))
}

/// Whether a field manager is that of some object of ours.
pub fn is_ours(manager: &str) -> bool {
    manager.starts_with(FAMILY)
}

/// 16 characters that stand for a name.
fn hash(name: &str) -> String {
    data_encoding::BASE32_NOPAD.encode(&Sha256::digest(name)[..10]).to_ascii_lowercase()
}

/// What makes the Secret go when the last object that feeds it goes.
pub fn reference(kind: Kind, object: &ObjectMeta) -> OwnerReference {
    OwnerReference {
        api_version: EncryptedSecret::api_version(&()).into_owned(),
        kind: kind.name().to_owned(),
        name: object.name.clone().unwrap_or_default(),
        uid: object.uid.clone().unwrap_or_default(),
        // Kubernetes allows one owner with `controller: true`, and there may be several.
        controller: None,
        block_owner_deletion: None,
    }
}

/// The object of ours that an owner reference names.
fn origin(owner: &OwnerReference) -> Option<Origin<'_>> {
    let ours = owner.api_version == EncryptedSecret::api_version(&());
    let kind = Kind::ALL.into_iter().find(|kind| ours && owner.kind == kind.name())?;
    Some(Origin { kind, name: &owner.name })
}

/// The objects of ours that own a Secret.
pub fn owners(secret: &ObjectMeta) -> impl Iterator<Item = Origin<'_>> {
    secret.owner_references.iter().flatten().filter_map(origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object() -> ObjectMeta {
        ObjectMeta { name: Some("db".into()), uid: Some("u1".into()), ..ObjectMeta::default() }
    }

    fn encrypted(object: &ObjectMeta) -> OwnerReference {
        reference(Kind::EncryptedSecret, object)
    }

    fn secret(owner: Option<OwnerReference>, annotation: Option<(String, String)>) -> ObjectMeta {
        ObjectMeta {
            uid: Some("s1".into()),
            owner_references: owner.map(|owner| vec![owner]),
            annotations: annotation.map(|annotation| [annotation].into()),
            ..ObjectMeta::default()
        }
    }

    #[test]
    fn decides_whose_it_is() {
        let never_written = SecretStatus::default();
        let written = SecretStatus { secret_uid: Some("s1".into()), ..never_written.clone() };
        let predecessor = ObjectMeta { uid: Some("u0".into()), ..object() };
        let other = OwnerReference {
            kind: "Certificate".into(),
            name: "other".into(),
            controller: Some(true),
            ..encrypted(&object())
        };
        let offer = |name: &str| Some((ADOPT_BY.to_owned(), name.to_owned()));
        let feeds = |name: &str| Some(Feeder { name: name.into(), ..Feeder::default() }.annotation());
        let foreign = || Ownership::Foreign(Some("Certificate other".into()));
        let namesake = Feeder { kind: Kind::ExternalSecret, name: "db".into(), ..Feeder::default() }.annotation();
        let cases = [
            (secret(Some(encrypted(&object())), None), &never_written, Ownership::Ours),
            (secret(Some(encrypted(&predecessor)), None), &never_written, Ownership::Ours),
            (secret(None, feeds("db")), &never_written, Ownership::Ours),
            (secret(None, feeds("web")), &never_written, Ownership::Shared),
            (secret(None, Some(namesake)), &never_written, Ownership::Shared),
            (secret(Some(reference(Kind::ExternalSecret, &object())), None), &written, Ownership::Ours),
            (secret(None, None), &written, Ownership::Ours),
            (secret(None, None), &never_written, Ownership::Foreign(None)),
            (secret(None, offer("db")), &never_written, Ownership::Offered),
            (secret(None, offer("web")), &never_written, Ownership::Foreign(None)),
            (secret(Some(other.clone()), None), &written, foreign()),
            (secret(Some(other.clone()), feeds("web")), &never_written, foreign()),
            (secret(Some(other), offer("db")), &never_written, foreign()),
        ];
        for (secret, status, expected) in cases {
            let db = Origin { kind: Kind::EncryptedSecret, name: "db" };
            assert_eq!(of(&secret, db, status), expected, "{secret:?}");
        }
    }

    #[test]
    fn annotations_tell_who_feeds_and_what_stays() {
        let flags = [(true, false), (false, true), (true, true), (false, false)];
        for (kind, (retained, adopted)) in Kind::ALL.into_iter().flat_map(|kind| flags.map(|flags| (kind, flags))) {
            let feeder = Feeder { kind, name: "a".repeat(253), retained, adopted };
            let (key, value) = feeder.annotation();
            assert!(key.split('/').nth(1).unwrap().len() <= 63);
            assert_eq!(feeders(&secret(None, Some((key, value)))).collect::<Vec<_>>(), [feeder]);
        }
        let [one, other] = Kind::ALL.map(|kind| annotation_key(Origin { kind, name: "db" }));
        assert_ne!(one, other);
    }

    #[test]
    fn field_managers_fit_and_differ() {
        let field_manager = |name: &str| super::field_manager(Origin { kind: Kind::EncryptedSecret, name });
        assert_eq!(field_manager("db"), "sealwax/EncryptedSecret/db");
        let (one, other) = (format!("{}1", "a".repeat(252)), format!("{}2", "a".repeat(252)));
        assert!(field_manager(&one).len() <= MAX_MANAGER && is_ours(&field_manager(&one)));
        assert_ne!(field_manager(&one), field_manager(&other));
    }
}
