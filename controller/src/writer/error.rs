//! Why a write did not happen, read from the API server's answer. No message holds anything that was to be written.

use kube::core::response::Status;

use crate::telemetry::describe;

/// Somebody else's claim on a field that we wanted to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The other field manager, as the API server names it.
    pub manager: String,
    /// The field, such as `.data.password`.
    pub field: String,
}

/// Why a write did not happen. No message holds anything that was to be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// An object of that name is there already.
    #[error("it exists already")]
    Exists,
    /// The object is not the one that was looked at: changed, gone, or another one.
    #[error("it changed meanwhile")]
    Changed,
    /// Other managers own fields that we wanted to write.
    #[error("other managers own fields of it")]
    Claimed(Vec<Claim>),
    /// The object as wanted is not valid; the fields that the API server named.
    #[error("the API server refuses it ({})", .0.join(", "))]
    Invalid(Vec<String>),
    /// Fields that Kubernetes never changes in what exists.
    #[error("Kubernetes never changes {}", .0.join(", "))]
    Immutable(Vec<String>),
    /// A right is missing, or the namespace is being deleted; the API server's words.
    #[error("{0}")]
    Forbidden(String),
    /// This replica does not lead, or its lease has run out: another one may be writing.
    #[error("this replica does not lead")]
    NotLeading,
    /// Anything else: worth another try.
    #[error("{0}")]
    Api(String),
}

impl From<kube::Error> for WriteError {
    fn from(error: kube::Error) -> Self {
        let kube::Error::Api(status) = &error else {
            return Self::Api(describe(&error));
        };
        match (status.code, status.reason.as_str()) {
            (409, "AlreadyExists") => Self::Exists,
            (409, _) => claims(status).map_or(Self::Changed, Self::Claimed),
            (404, _) if causes(status).next().is_none() => Self::Changed,
            (422, _) => {
                // Of the words, which may quote values, only these count.
                let immutable = causes(status).all(|(.., message)| message.contains("field is immutable"));
                let mut fields: Vec<String> = causes(status).map(|(_, field, _)| field.to_owned()).collect();
                fields.retain(|field| !field.is_empty());
                match policy(&status.message) {
                    Some(policy) => Self::Invalid(vec![policy]),
                    None if immutable && !fields.is_empty() => Self::Immutable(fields),
                    None => Self::Invalid(fields),
                }
            }
            (403, _) => Self::Forbidden(policy(&status.message).unwrap_or_else(|| status.message.clone())),
            _ => Self::Api(describe(&error)),
        }
    }
}

/// Who denied a request, if that was a policy of the cluster: without its own words, which may quote what was denied.
fn policy(message: &str) -> Option<String> {
    let start = message.find("admission webhook").or_else(|| message.find("ValidatingAdmissionPolicy"))?;
    let end = message[start..].find(" denied")?;
    Some(format!("{} denied the request", &message[start..start + end]))
}

fn causes(status: &Status) -> impl Iterator<Item = (&str, &str, &str)> {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    causes.map(|cause| (cause.reason.as_str(), cause.field.as_str(), cause.message.as_str()))
}

/// `conflict with "kubectl-edit" using v1` for each field.
fn claims(status: &Status) -> Option<Vec<Claim>> {
    let claims: Vec<_> = causes(status)
        .filter(|(reason, ..)| *reason == "FieldManagerConflict")
        .map(|(_, field, message)| Claim {
            manager: message.split('"').nth(1).unwrap_or("another manager").to_owned(),
            field: field.to_owned(),
        })
        .collect();
    (!claims.is_empty()).then_some(claims)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn answer(status: Value) -> WriteError {
        let status: Status = serde_json::from_value(status).unwrap();
        kube::Error::Api(Box::new(status)).into()
    }

    #[test]
    fn reads_who_claims_which_field() {
        let error = answer(json!({"code": 409, "reason": "Conflict", "details": {"causes": [
            {"reason": "FieldManagerConflict", "field": ".data.password", "message": "conflict with \"kubectl-edit\" using v1"},
        ]}}));
        let WriteError::Claimed(claims) = error else { panic!("{error:?}") };
        assert_eq!(claims, [Claim { manager: "kubectl-edit".into(), field: ".data.password".into() }]);
    }

    #[test]
    fn tells_failed_preconditions_from_claims() {
        assert!(matches!(answer(json!({"code": 409, "reason": "Conflict"})), WriteError::Changed));
        assert!(matches!(answer(json!({"code": 409, "reason": "AlreadyExists"})), WriteError::Exists));
    }

    #[test]
    fn a_policy_is_named_and_not_quoted() {
        let denied = |code, message: &str| answer(json!({"code": code, "message": message})).to_string();
        let webhook = "admission webhook \"gate.example.com\" denied the request: data.password is hunter2";
        assert_eq!(denied(403, webhook), "admission webhook \"gate.example.com\" denied the request");
        let policy =
            "secrets \"db\" is forbidden: ValidatingAdmissionPolicy 'gate' with binding 'b' denied request: hunter2";
        assert!(
            denied(422, policy).ends_with("(ValidatingAdmissionPolicy 'gate' with binding 'b' denied the request)")
        );
    }

    #[test]
    fn quotes_no_value_of_an_invalid_object() {
        let error = answer(json!({"code": 422, "message": "data: Invalid value: hunter2", "details": {"causes": [
            {"field": "type", "message": "Invalid value: \"hunter2\": field is immutable"},
        ]}}));
        assert_eq!(error.to_string(), "Kubernetes never changes type");
        let error = answer(json!({"code": 422, "details": {"causes": [
            {"field": "data", "message": "Too long: may not be more than 1048576 bytes: hunter2"},
        ]}}));
        assert_eq!(error.to_string(), "the API server refuses it (data)");
    }
}
