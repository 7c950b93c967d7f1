//! Carries out a plan: writes the Secret, unforced first, and says how that ended.

use std::time::Duration;

use kube::core::ObjectMeta;
use serde_json::{Map, Value, json};

use super::Feeds;
use super::look::SHOWN;
use super::plan::{Desired, How, Write};
use crate::conditions::Outcome;
use crate::drift::{self, Change};
use crate::ownership::{self, Feeder, Kind, Origin, field_manager};
use crate::store::MANAGED_BY;
use crate::writer::{Claim, MANAGER, Target, WriteError, Writer, Written};

/// A Secret that was written.
#[derive(Debug)]
pub(super) struct Applied {
    /// Which one, as of when.
    pub written: Written,
    /// Whether the API server found anything to change.
    pub changed: bool,
    /// What others had done to our items, if this was a repair.
    pub drift: Vec<Change>,
}

/// Writes the Secret, then deletes the one of the former name if nobody else feeds it.
///
/// `live` is the whole metadata of the Secret where the write is a repair or the first after creating; `left` are the field
/// managers of objects that are gone.
pub(super) async fn apply<K: Feeds>(
    writer: &Writer,
    object: &ObjectMeta,
    write: &Write,
    live: Option<&ObjectMeta>,
    left: &[String],
) -> Result<Applied, WriteError> {
    let namespace = object.namespace.as_deref().unwrap_or_default();
    let manager = field_manager(Origin::new(K::KIND, object));
    let target = Target { namespace, name: &write.secret.name, manager: &manager };
    let applied = match &write.how {
        How::Create => create(writer, target, (K::KIND, object), &write.secret).await?,
        How::Update { seen, from_create, .. } => {
            let base = match live {
                Some(live) if *from_create => writer.own_by_apply(target, live).await?,
                _ => seen.clone(),
            };
            let drift = live.filter(|_| write.repair).map(|live| {
                drift::changes(live.managed_fields.as_deref().unwrap_or_default(), &manager, write.secret.items.keys())
            });
            let body = body((K::KIND, object), &write.secret, Some(&base));
            let written = update(writer, target, &body, (write.may_force(), left)).await?;
            let changed = written.resource_version != base.resource_version;
            Applied { written, changed, drift: drift.unwrap_or_default() }
        }
    };
    if let Some(former) = write.former.as_ref().filter(|former| former.sole) {
        writer.delete_secret(namespace, &former.name, &former.seen).await?;
    }
    Ok(applied)
}

/// Creates the Secret if there is none.
pub(super) async fn try_create<K: Feeds>(
    writer: &Writer,
    object: &ObjectMeta,
    secret: &Desired,
) -> Result<Applied, WriteError> {
    let manager = field_manager(Origin::new(K::KIND, object));
    let namespace = object.namespace.as_deref().unwrap_or_default();
    create(writer, Target { namespace, name: &secret.name, manager: &manager }, (K::KIND, object), secret).await
}

async fn create(
    writer: &Writer,
    target: Target<'_>,
    object: (Kind, &ObjectMeta),
    secret: &Desired,
) -> Result<Applied, WriteError> {
    let body = serde_json::to_vec(&body(object, secret, None));
    let body = body.map_err(|_| WriteError::Api("the Secret cannot be written as JSON".to_owned()))?;
    let written = writer.create_secret(target.namespace, target.manager, body).await?;
    Ok(Applied { written, changed: true, drift: Vec::new() })
}

/// Unforced, and then by force over whoever is no object of ours: that is drift, and Git says what these fields are.
async fn update(
    writer: &Writer,
    target: Target<'_>,
    body: &Value,
    (may_force, left): (bool, &[String]),
) -> Result<Written, WriteError> {
    let is_rival = |claim: &Claim| ownership::is_ours(&claim.manager) && !left.contains(&claim.manager);
    match writer.apply_secret(target, body, false).await {
        Err(WriteError::Claimed(claims)) => {
            let (rivals, drift): (Vec<Claim>, Vec<Claim>) = claims.into_iter().partition(is_rival);
            match rivals.is_empty() {
                true if may_force => writer.apply_secret(target, body, true).await,
                true => Err(WriteError::Claimed(drift)),
                false => Err(WriteError::Claimed(rivals)),
            }
        }
        written => written,
    }
}

/// The Secret as it is sent. Items that nobody here states are left alone; labels and annotations come from the template
/// only, so that those of GitOps tools never spread to what they do not manage.
fn body((kind, object): (Kind, &ObjectMeta), secret: &Desired, base: Option<&Written>) -> Value {
    let mut labels = secret.labels.clone();
    labels.insert(MANAGED_BY.to_owned(), MANAGER.to_owned());
    let mut annotations = secret.annotations.clone();
    let name = object.name.clone().unwrap_or_default();
    let feeder = Feeder { kind, name, retained: secret.retained, adopted: secret.adopted };
    annotations.extend([feeder.annotation()]);
    let mut metadata = json!({
        "name": secret.name,
        "namespace": object.namespace,
        "labels": labels,
        "annotations": annotations,
    });
    if secret.owned {
        metadata["ownerReferences"] = json!([ownership::reference(kind, object)]);
    }
    if let Some(base) = base {
        metadata["uid"] = json!(base.uid);
        metadata["resourceVersion"] = json!(base.resource_version);
    }
    let encoded = |value: &[u8]| Value::String(data_encoding::BASE64.encode(value));
    let data: Map<_, _> = secret.items.iter().map(|(item, value)| (item.clone(), encoded(value.expose()))).collect();
    let mut body = json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data});
    // Only if stated: another object may state it for the Secret that both feed. Absent, it is `Opaque`.
    if let Some(type_) = &secret.type_ {
        body["type"] = json!(type_);
    }
    if let Some(immutable) = secret.immutable {
        body["immutable"] = json!(immutable);
    }
    body
}

/// How an error ends, in words for the object's owner.
pub(super) fn outcome(error: &WriteError, secret: &str) -> Outcome {
    let stalled = |reason, message| Outcome::Stalled { reason, message };
    match error {
        WriteError::Immutable(fields) => stalled(
            "ImmutableField",
            format!(
                "Kubernetes never changes {} of Secret {secret}: delete it, set spec.target.name to another name, or allow \
                 deleting and making it again by spec.target.recreate (not while other objects feed it too)",
                fields.join(", ")
            ),
        ),
        WriteError::Invalid(fields) => {
            stalled("SecretInvalid", format!("the API server refuses Secret {secret} because of {}", fields.join(", ")))
        }
        WriteError::Claimed(claims) => {
            let named = claims.iter().take(SHOWN).map(|claim| format!("{} by {}", claim.field, claim.manager));
            let claims = named.collect::<Vec<_>>().join(", ");
            stalled(
                "ItemConflict",
                format!(
                    "another object feeds the same into Secret {secret}: {claims}; take it out of one of the two, or set \
                     spec.target.name to another name"
                ),
            )
        }
        WriteError::Forbidden(message) => Outcome::Retrying { reason: "Forbidden", message: message.clone() },
        WriteError::Exists | WriteError::Changed => Outcome::Retrying {
            reason: "Conflict",
            message: format!("Secret {secret} keeps being changed by somebody else at the same time"),
        },
        WriteError::NotLeading => Outcome::Retrying { reason: "NotLeading", message: error.to_string() },
        WriteError::Api(message) => Outcome::Retrying { reason: "ApiServer", message: message.clone() },
    }
}

/// After how long to look again at a stalled object. Only what no watch tells is looked at: a Secret without our label.
pub(super) fn look_again(outcome: &Outcome) -> Option<Duration> {
    match outcome.reason() {
        "NotOwned" | "ItemConflict" => Some(Duration::from_secs(20)),
        "ImmutableField" | "SecretInvalid" => Some(Duration::from_mins(2)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use sealwax_format::SecretBytes;

    use super::*;

    fn secret() -> Desired {
        Desired {
            name: "db".into(),
            type_: None,
            immutable: None,
            labels: [("app".to_owned(), "db".to_owned())].into(),
            annotations: [].into(),
            items: [("password".to_owned(), SecretBytes::from(vec![0xff, 0]))].into(),
            retained: false,
            adopted: false,
            owned: true,
        }
    }

    #[test]
    fn the_body_holds_what_is_stated_and_no_more() {
        let object = ObjectMeta {
            name: Some("db".into()),
            namespace: Some("prod".into()),
            uid: Some("u1".into()),
            labels: Some([("kustomize.toolkit.fluxcd.io/name".to_owned(), "x".to_owned())].into()),
            ..ObjectMeta::default()
        };
        let (feeds, name) = Feeder { name: "db".into(), ..Feeder::default() }.annotation();
        let mut expected = json!({
            "apiVersion": "v1", "kind": "Secret", "data": {"password": "/wA="},
            "metadata": {
                "name": "db", "namespace": "prod", "uid": "s1", "resourceVersion": "7",
                "labels": {"app": "db", "sealwax.dev/managed-by": "sealwax-controller"},
                "annotations": {feeds: name},
                "ownerReferences": [{"apiVersion": "sealwax.dev/v1alpha1", "kind": "EncryptedSecret", "name": "db",
                    "uid": "u1"}],
            },
        });
        let base = Written { uid: "s1".into(), resource_version: "7".into() };
        assert_eq!(body((Kind::EncryptedSecret, &object), &secret(), Some(&base)), expected);

        let stated = Desired { type_: Some("example.com/x".into()), immutable: Some(true), owned: false, ..secret() };
        expected["type"] = json!("example.com/x");
        expected["immutable"] = json!(true);
        expected["metadata"].as_object_mut().unwrap().remove("ownerReferences");
        assert_eq!(body((Kind::EncryptedSecret, &object), &stated, Some(&base)), expected);
    }

    #[test]
    fn what_never_changes_says_what_to_do() {
        let outcome = outcome(&WriteError::Immutable(vec!["type".into()]), "db");
        assert_eq!(outcome.reason(), "ImmutableField");
        assert!(look_again(&outcome).is_some());
    }
}
