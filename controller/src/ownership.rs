//! Whose Secret it is. What is not ours, and was not offered to us, is never written.

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::Resource;
use kube::core::{ObjectMeta, PartialObjectMeta};
use sealwax_crds::{EncryptedSecret, EncryptedSecretStatus};

/// Annotation *on a Secret* by which somebody who may write that Secret offers it to the resource of this name.
pub const ADOPT_BY: &str = "sealwax.dev/adopt-by";

/// Whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// We wrote it for this object.
    Ours,
    /// Somebody offered it to this object.
    Offered,
    /// Somebody else's; who, if it says.
    Foreign(Option<String>),
}

/// Decides whose Secret it is.
///
/// The owner reference says so. A Secret that lost it (`kubectl replace` drops what the file lacks) is still known by
/// the uid in the object's status, which nobody but the controller may write; one that got another owner is not.
pub fn of(secret: &ObjectMeta, object: &ObjectMeta, status: &EncryptedSecretStatus) -> Ownership {
    let owners = || secret.owner_references.iter().flatten();
    if object.uid.is_some() && owners().any(|owner| Some(&owner.uid) == object.uid.as_ref()) {
        return Ownership::Ours;
    }
    if let Some(owner) = owners().find(|owner| owner.controller == Some(true)) {
        // An object deleted and made anew takes over from its predecessor, before the garbage collector gets there.
        let ours = owner.kind == EncryptedSecret::kind(&()) && owner.api_version == EncryptedSecret::api_version(&());
        if ours && Some(&owner.name) == object.name.as_ref() {
            return Ownership::Ours;
        }
        return Ownership::Foreign(Some(format!("{} {}", owner.kind, owner.name)));
    }
    if secret.uid.is_some() && secret.uid == status.secret_uid {
        return Ownership::Ours;
    }
    let offered = secret.annotations.as_ref().and_then(|annotations| annotations.get(ADOPT_BY));
    if object.name.is_some() && offered == object.name.as_ref() {
        return Ownership::Offered;
    }
    Ownership::Foreign(None)
}

/// What makes the Secret go when the object goes.
pub fn reference(object: &ObjectMeta) -> OwnerReference {
    OwnerReference {
        api_version: EncryptedSecret::api_version(&()).into_owned(),
        kind: EncryptedSecret::kind(&()).into_owned(),
        name: object.name.clone().unwrap_or_default(),
        uid: object.uid.clone().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: None,
    }
}

/// The name of the `EncryptedSecret` that a Secret refers to.
pub fn owner_name(secret: &PartialObjectMeta<Secret>) -> Option<&str> {
    let kind = EncryptedSecret::kind(&());
    let api_version = EncryptedSecret::api_version(&());
    let mut owners = secret.metadata.owner_references.iter().flatten();
    owners.find(|owner| owner.kind == kind && owner.api_version == api_version).map(|owner| owner.name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object() -> ObjectMeta {
        ObjectMeta { name: Some("db".into()), uid: Some("u1".into()), ..ObjectMeta::default() }
    }

    fn secret(owner: Option<OwnerReference>, adopt: Option<&str>) -> ObjectMeta {
        ObjectMeta {
            uid: Some("s1".into()),
            owner_references: owner.map(|owner| vec![owner]),
            annotations: adopt.map(|name| [(ADOPT_BY.to_owned(), name.to_owned())].into()),
            ..ObjectMeta::default()
        }
    }

    #[test]
    fn decides_whose_it_is() {
        let never_written = EncryptedSecretStatus::default();
        let written = EncryptedSecretStatus { secret_uid: Some("s1".into()), ..never_written.clone() };
        let predecessor = ObjectMeta { uid: Some("u0".into()), ..object() };
        let other = OwnerReference { name: "other".into(), ..reference(&predecessor) };
        let cases = [
            (secret(Some(reference(&object())), None), &never_written, Ownership::Ours),
            (secret(Some(reference(&predecessor)), None), &never_written, Ownership::Ours),
            (secret(None, None), &written, Ownership::Ours),
            (secret(None, None), &never_written, Ownership::Foreign(None)),
            (secret(None, Some("db")), &never_written, Ownership::Offered),
            (secret(None, Some("web")), &never_written, Ownership::Foreign(None)),
            (secret(Some(other.clone()), None), &written, Ownership::Foreign(Some("EncryptedSecret other".into()))),
            (secret(Some(other), Some("db")), &never_written, Ownership::Foreign(Some("EncryptedSecret other".into()))),
        ];
        for (secret, status, expected) in cases {
            assert_eq!(of(&secret, &object(), status), expected, "{secret:?}");
        }
    }
}
