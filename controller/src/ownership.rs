//! Whose Secret it is. What is not ours, and was not offered to us, is never written.
//!
//! Several objects may feed one Secret. Each owns its own items by a field manager of its own, and leaves an annotation
//! that names it: so a Secret says who feeds it, and whether that may go away, even when the objects are long gone.

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::Resource;
use kube::core::{ObjectMeta, PartialObjectMeta};
use sealwax_crds::{EncryptedSecret, EncryptedSecretStatus};
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
pub fn of(secret: &ObjectMeta, object: &ObjectMeta, status: &EncryptedSecretStatus) -> Ownership {
    let name = object.name.as_deref().unwrap_or_default();
    let owners = || secret.owner_references.iter().flatten();
    // By name too: an object deleted and made anew takes over from its predecessor.
    if owners().any(|owner| is_encrypted_secret(owner) && owner.name == name) {
        return Ownership::Ours;
    }
    if let Some(owner) = owners().find(|owner| owner.controller == Some(true)) {
        return Ownership::Foreign(Some(format!("{} {}", owner.kind, owner.name)));
    }
    if feeders(secret).any(|feeder| feeder.name == name) {
        return Ownership::Ours;
    }
    if secret.uid.is_some() && secret.uid == status.secret_uid {
        return Ownership::Ours;
    }
    if feeders(secret).next().is_some() {
        return Ownership::Shared;
    }
    let offered = secret.annotations.as_ref().and_then(|annotations| annotations.get(ADOPT_BY));
    if offered.is_some_and(|offered| offered == name) { Ownership::Offered } else { Ownership::Foreign(None) }
}

/// Who puts items into a Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Feeder {
    /// Name of the `EncryptedSecret`.
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
        let kind = EncryptedSecret::kind(&());
        (format!("{FEEDS}{}", hash(&self.name)), format!("{kind} {}{adopted}{retained}", self.name))
    }

    fn parse(key: &str, value: &str) -> Option<Self> {
        key.strip_prefix(FEEDS)?;
        let name = value.strip_prefix(&*EncryptedSecret::kind(&()))?.strip_prefix(' ')?;
        let (name, retained) = name.strip_suffix(RETAINED).map_or((name, false), |name| (name, true));
        let (name, adopted) = name.strip_suffix(ADOPTED).map_or((name, false), |name| (name, true));
        Some(Self { name: name.to_owned(), retained, adopted })
    }
}

/// Who feeds this Secret, as its annotations say.
pub fn feeders(secret: &ObjectMeta) -> impl Iterator<Item = Feeder> {
    let annotations = secret.annotations.iter().flatten();
    annotations.filter_map(|(key, value)| Feeder::parse(key, value))
}

/// Whether the Secret was made for this object alone, and so goes with it.
pub fn is_sole(secret: &ObjectMeta, name: &str) -> bool {
    feeders(secret).all(|feeder| feeder.name == name && !feeder.adopted)
}

/// The owner references of a Secret without those to objects of ours, if there are any such.
pub fn without_ours(secret: &ObjectMeta) -> Option<Vec<OwnerReference>> {
    let all = secret.owner_references.as_deref().unwrap_or_default();
    let kept: Vec<_> = all.iter().filter(|owner| !is_encrypted_secret(owner)).cloned().collect();
    (kept.len() < all.len()).then_some(kept)
}

/// The field manager under which this object's items are written. Must never change: it is who owns the items.
pub fn field_manager(name: &str) -> String {
    let manager = format!("{FAMILY}{}/{name}", EncryptedSecret::kind(&()));
    if manager.len() <= MAX_MANAGER {
        return manager;
    }
    // Names are ASCII, so every index is a boundary.
    format!("{}~{}", &manager[..MAX_MANAGER - 17], hash(name))
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
pub fn reference(object: &ObjectMeta) -> OwnerReference {
    OwnerReference {
        api_version: EncryptedSecret::api_version(&()).into_owned(),
        kind: EncryptedSecret::kind(&()).into_owned(),
        name: object.name.clone().unwrap_or_default(),
        uid: object.uid.clone().unwrap_or_default(),
        // Kubernetes allows one owner with `controller: true`, and there may be several.
        controller: None,
        block_owner_deletion: None,
    }
}

fn is_encrypted_secret(owner: &OwnerReference) -> bool {
    owner.kind == EncryptedSecret::kind(&()) && owner.api_version == EncryptedSecret::api_version(&())
}

/// The names of the `EncryptedSecret`s that a Secret refers to.
pub fn owner_names(secret: &PartialObjectMeta<Secret>) -> impl Iterator<Item = &str> {
    let owners = secret.metadata.owner_references.iter().flatten();
    owners.filter(|owner| is_encrypted_secret(owner)).map(|owner| owner.name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object() -> ObjectMeta {
        ObjectMeta { name: Some("db".into()), uid: Some("u1".into()), ..ObjectMeta::default() }
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
        let never_written = EncryptedSecretStatus::default();
        let written = EncryptedSecretStatus { secret_uid: Some("s1".into()), ..never_written.clone() };
        let predecessor = ObjectMeta { uid: Some("u0".into()), ..object() };
        let other = OwnerReference {
            kind: "Certificate".into(),
            name: "other".into(),
            controller: Some(true),
            ..reference(&object())
        };
        let offer = |name: &str| Some((ADOPT_BY.to_owned(), name.to_owned()));
        let feeds = |name: &str| Some(Feeder { name: name.into(), ..Feeder::default() }.annotation());
        let foreign = || Ownership::Foreign(Some("Certificate other".into()));
        let cases = [
            (secret(Some(reference(&object())), None), &never_written, Ownership::Ours),
            (secret(Some(reference(&predecessor)), None), &never_written, Ownership::Ours),
            (secret(None, feeds("db")), &never_written, Ownership::Ours),
            (secret(None, feeds("web")), &never_written, Ownership::Shared),
            (secret(None, None), &written, Ownership::Ours),
            (secret(None, None), &never_written, Ownership::Foreign(None)),
            (secret(None, offer("db")), &never_written, Ownership::Offered),
            (secret(None, offer("web")), &never_written, Ownership::Foreign(None)),
            (secret(Some(other.clone()), None), &written, foreign()),
            (secret(Some(other.clone()), feeds("web")), &never_written, foreign()),
            (secret(Some(other), offer("db")), &never_written, foreign()),
        ];
        for (secret, status, expected) in cases {
            assert_eq!(of(&secret, &object(), status), expected, "{secret:?}");
        }
    }

    #[test]
    fn annotations_tell_who_feeds_and_what_stays() {
        for (retained, adopted) in [(true, false), (false, true), (true, true), (false, false)] {
            let feeder = Feeder { name: "a".repeat(253), retained, adopted };
            let (key, value) = feeder.annotation();
            assert!(key.split('/').nth(1).unwrap().len() <= 63);
            assert_eq!(feeders(&secret(None, Some((key, value)))).collect::<Vec<_>>(), [feeder]);
        }
    }

    #[test]
    fn field_managers_fit_and_differ() {
        assert_eq!(field_manager("db"), "sealwax/EncryptedSecret/db");
        let (one, other) = (format!("{}1", "a".repeat(252)), format!("{}2", "a".repeat(252)));
        assert!(field_manager(&one).len() <= MAX_MANAGER && is_ours(&field_manager(&one)));
        assert_ne!(field_manager(&one), field_manager(&other));
    }
}
