//! Carries out a plan: writes the Secret, unforced first, and says how that ended.

use std::time::Duration;

use kube::core::ObjectMeta;
use serde_json::{Map, Value, json};

use super::plan::{Desired, How, Write};
use crate::conditions::Outcome;
use crate::ownership;
use crate::store::MANAGED_BY;
use crate::writer::{Claim, MANAGER, WriteError, Writer, Written};

/// A Secret that was written.
#[derive(Debug)]
pub(super) struct Applied {
    /// Which one, as of when.
    pub written: Written,
    /// Whether the API server found anything to change.
    pub changed: bool,
    /// Fields that others had changed and that were taken back.
    pub taken_back: Vec<Claim>,
}

/// Writes the Secret, then deletes the one of the former name.
pub(super) async fn apply(writer: &Writer, object: &ObjectMeta, write: &Write) -> Result<Applied, WriteError> {
    let namespace = object.namespace.as_deref().unwrap_or_default();
    let applied = match &write.how {
        How::Create => create(writer, namespace, object, &write.secret).await?,
        How::Update { seen, adopt, from_create } => {
            let base = if *from_create {
                writer.own_by_apply(namespace, &write.secret.name, &seen.uid).await?
            } else {
                seen.clone()
            };
            update(writer, namespace, object, &write.secret, &base, *adopt).await?
        }
    };
    if let Some((name, seen)) = &write.former {
        match writer.delete_secret(namespace, name, seen).await {
            // Somebody changed it: then it is left to the garbage collector.
            Ok(()) | Err(WriteError::Changed) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(applied)
}

async fn create(
    writer: &Writer,
    namespace: &str,
    object: &ObjectMeta,
    secret: &Desired,
) -> Result<Applied, WriteError> {
    let body = serde_json::to_vec(&body(object, secret, None));
    let body = body.map_err(|_| WriteError::Api("the Secret cannot be written as JSON".to_owned()))?;
    let written = writer.create_secret(namespace, body).await?;
    Ok(Applied { written, changed: true, taken_back: Vec::new() })
}

async fn update(
    writer: &Writer,
    namespace: &str,
    object: &ObjectMeta,
    secret: &Desired,
    base: &Written,
    adopt: bool,
) -> Result<Applied, WriteError> {
    let body = body(object, secret, Some(base));
    let (written, taken_back) = match writer.apply_secret(namespace, &secret.name, &body, adopt).await {
        Ok(written) => (written, Vec::new()),
        // The Secret is ours, so this is drift: Git says what these fields are.
        Err(WriteError::Claimed(claims)) => (writer.apply_secret(namespace, &secret.name, &body, true).await?, claims),
        Err(error) => return Err(error),
    };
    let changed = written.resource_version != base.resource_version;
    Ok(Applied { written, changed, taken_back })
}

/// The Secret as it is sent. Items that nobody here states are left alone; labels and annotations come from the template
/// only, so that those of GitOps tools never spread to what they do not manage.
fn body(object: &ObjectMeta, secret: &Desired, base: Option<&Written>) -> Value {
    let mut labels = secret.labels.clone();
    labels.insert(MANAGED_BY.to_owned(), MANAGER.to_owned());
    let mut metadata = json!({
        "name": secret.name,
        "namespace": object.namespace,
        "labels": labels,
        "ownerReferences": [ownership::reference(object)],
    });
    if !secret.annotations.is_empty() {
        metadata["annotations"] = json!(secret.annotations);
    }
    if let Some(base) = base {
        metadata["uid"] = json!(base.uid);
        metadata["resourceVersion"] = json!(base.resource_version);
    }
    let encoded = |value: &[u8]| Value::String(base64(value));
    let data: Map<_, _> = secret.items.iter().map(|(item, value)| (item.clone(), encoded(value.expose()))).collect();
    let type_ = secret.type_.as_deref().unwrap_or("Opaque");
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": type_, "data": data})
}

fn base64(value: &[u8]) -> String {
    data_encoding::BASE64.encode(value)
}

/// How an error ends, in words for the object's owner.
pub(super) fn outcome(error: &WriteError, secret: &str) -> Outcome {
    match error {
        WriteError::Invalid(fields) if fields.iter().any(|field| field == "type") => Outcome::Stalled {
            reason: "TypeChanged",
            message: format!(
                "Kubernetes never changes the type of an existing Secret: delete Secret {secret}, or set spec.target.name to another name"
            ),
        },
        WriteError::Invalid(fields) => Outcome::Stalled {
            reason: "SecretInvalid",
            message: format!("the API server refuses Secret {secret} because of {}", fields.join(", ")),
        },
        WriteError::Forbidden(message) => Outcome::Retrying { reason: "Forbidden", message: message.clone() },
        WriteError::Exists | WriteError::Changed | WriteError::Claimed(_) => Outcome::Retrying {
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
        "NotOwned" => Some(Duration::from_secs(20)),
        "TypeChanged" | "SecretInvalid" => Some(Duration::from_mins(2)),
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
            labels: [("app".to_owned(), "db".to_owned())].into(),
            annotations: [].into(),
            items: [("password".to_owned(), SecretBytes::from(vec![0xff, 0]))].into(),
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
        let expected = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": {"password": "/wA="},
            "metadata": {
                "name": "db", "namespace": "prod", "uid": "s1", "resourceVersion": "7",
                "labels": {"app": "db", "sealwax.dev/managed-by": "sealwax-controller"},
                "ownerReferences": [{"apiVersion": "sealwax.dev/v1alpha1", "kind": "EncryptedSecret", "name": "db",
                    "uid": "u1", "controller": true}],
            },
        });
        let base = Written { uid: "s1".into(), resource_version: "7".into() };
        assert_eq!(body(&object, &secret(), Some(&base)), expected);
    }

    #[test]
    fn an_immutable_type_says_what_to_do() {
        let outcome = outcome(&WriteError::Invalid(vec!["type".into()]), "db");
        assert_eq!(outcome.reason(), "TypeChanged");
        assert!(look_again(&outcome).is_some());
    }
}
