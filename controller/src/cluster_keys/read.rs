//! What one Secret of the key namespace says: a cluster key, the controller's own key, or escrow copies.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use sealwax_format::keys::cluster::{
    ACTIVATE, CONTROLLER_KEY, ControllerKey, ESCROW, FINGERPRINT, IDENTITY, KEY, ROTATE, SIGNING, SYMMETRIC, State,
};
use sealwax_format::keys::{IdentityFile, IdentityFileError};

use super::escrow::Copies;
use super::facts::{KeyFacts, Malformed};

/// How the items of escrow copies end.
pub(super) const AGE: &str = ".age";

/// Why a key Secret is not used. Says nothing about what it holds.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeyError {
    #[error("its type is not {KEY}")]
    Type,
    #[error("it has no item named {IDENTITY}")]
    Missing,
    #[error(transparent)]
    File(#[from] IdentityFileError),
}

/// A key Secret, read: what the plan decides by, and what opens.
pub(super) fn key(secret: &Secret) -> Result<(KeyFacts, IdentityFile), KeyError> {
    if secret.type_.as_deref() != Some(KEY) {
        return Err(KeyError::Type);
    }
    let file = secret.data.as_ref().and_then(|data| data.get(IDENTITY)).ok_or(KeyError::Missing)?;
    let file = IdentityFile::parse(&file.0)?;
    let label = secret.labels().get(KEY).map(|label| label.parse::<State>());
    let known_state = matches!(label, Some(Ok(_)));
    let written = file.created.as_deref().and_then(|time| time.parse().ok());
    let facts = KeyFacts {
        name: secret.name_any(),
        recipient: file.recipient.clone(),
        fingerprint: file.fingerprint.clone(),
        created: written.or_else(|| made(secret)),
        state: state(secret, label.and_then(Result::ok)),
        known_state,
        annotated: secret.annotations().get(FINGERPRINT).is_some_and(|text| text == file.fingerprint.as_str()),
        request: secret.annotations().get(ROTATE).cloned(),
    };
    Ok((facts, file))
}

/// The state that a label names; waiting if it names none. A `made` key that nobody asks to seal came from elsewhere, a
/// backup for one: it waits too.
fn state(secret: &Secret, label: Option<State>) -> State {
    let asked = secret.annotations().get(ACTIVATE).is_some_and(|value| value == "true");
    label.filter(|state| *state != State::Made || asked).unwrap_or(State::Waiting)
}

/// What is known of one that cannot be used.
pub(super) fn malformed(secret: &Secret, error: &KeyError) -> Malformed {
    Malformed {
        name: secret.name_any(),
        why: error.to_string(),
        created: made(secret),
        request: secret.annotations().get(ROTATE).cloned(),
    }
}

fn made(secret: &Secret) -> Option<Timestamp> {
    secret.metadata.creation_timestamp.as_ref().map(|time| time.0)
}

/// The controller's own key, unless the Secret is malformed.
pub(super) fn controller_key(secret: &Secret) -> Option<Arc<ControllerKey>> {
    let item = |name: &str| Some(secret.data.as_ref()?.get(name)?.0.as_slice());
    let key = ControllerKey::read(item(SIGNING), item(SYMMETRIC))?;
    (secret.type_.as_deref() == Some(CONTROLLER_KEY)).then(|| Arc::new(key))
}

/// Which escrow copies a Secret holds.
pub(super) fn copies(secret: &Secret) -> Copies {
    let items = secret.data.iter().flat_map(|data| data.keys());
    Copies {
        name: secret.name_any(),
        of: if secret.type_.as_deref() == Some(ESCROW) { secret.annotations().get(FINGERPRINT).cloned() } else { None },
        recipients: items.filter_map(|item| item.strip_suffix(AGE)).map(str::to_owned).collect(),
    }
}
