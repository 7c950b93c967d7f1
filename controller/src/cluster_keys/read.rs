//! What one Secret of the key namespace says: a cluster key, the controller's own key, or escrow copies.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use sealwax_format::keys::cluster::{
    ACTIVATE, ControllerKey, FINGERPRINT, IDENTITY, KEY, ROTATE, SIGNING, SYMMETRIC, State,
};
use sealwax_format::keys::{IdentityFile, IdentityFileError};

use super::escrow::Copies;
use super::facts::{KeyFacts, Malformed};

/// How the items of escrow copies end.
const AGE: &str = ".age";
/// How the copies begin, all of which are armored.
const BEGIN: &str = "-----BEGIN AGE";

/// Why a key Secret is not used. Says nothing about what it holds.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeyError {
    #[error("it has no item named {IDENTITY}")]
    Missing,
    #[error(transparent)]
    File(#[from] IdentityFileError),
}

/// A key Secret, read: what the plan decides by, and what opens.
pub(super) fn key(secret: &Secret) -> Result<(KeyFacts, IdentityFile), KeyError> {
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
        unasked: matches!(label, Some(Ok(State::Made))) && !asked(secret),
        annotated: secret.annotations().get(FINGERPRINT).is_some_and(|text| text == file.fingerprint.as_str()),
        request: secret.annotations().get(ROTATE).cloned(),
    };
    Ok((facts, file))
}

/// The state that a label names; waiting if it names none. A `made` key that nobody asks to seal came from elsewhere, a
/// backup for one: it waits too.
fn state(secret: &Secret, label: Option<State>) -> State {
    label.filter(|state| *state != State::Made || asked(secret)).unwrap_or(State::Waiting)
}

fn asked(secret: &Secret) -> bool {
    secret.annotations().get(ACTIVATE).is_some_and(|value| value == "true")
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
    Some(Arc::new(key))
}

/// As much of an escrow copy as tells it from anything else; nothing of anything else.
pub(super) fn beginning(item: &[u8]) -> Vec<u8> {
    if item.starts_with(BEGIN.as_bytes()) { BEGIN.as_bytes().to_vec() } else { Vec::new() }
}

/// Which escrow copies a Secret holds. An item that is empty, or something else, is none.
pub(super) fn copies(secret: &Secret) -> Copies {
    let items = secret.data.iter().flatten().filter(|(_, copy)| copy.0.starts_with(BEGIN.as_bytes()));
    Copies {
        name: secret.name_any(),
        of: secret.annotations().get(FINGERPRINT).cloned(),
        recipients: items.filter_map(|(item, _)| item.strip_suffix(AGE)).map(str::to_owned).collect(),
    }
}

/// An item of the ConfigMap with escrow copies, without what a copy holds; `None` for a copy that is none.
pub(super) fn published_item((item, text): (String, String)) -> Option<(String, String)> {
    if !item.ends_with(AGE) {
        return Some((item, text));
    }
    text.starts_with(BEGIN).then(|| (item, String::new()))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::ByteString;

    use super::*;

    fn secret(annotations: &[(&str, &str)], items: &[(&str, &[u8])]) -> Secret {
        let text = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
        let mut secret = Secret::default();
        secret.metadata.annotations = Some(annotations.iter().map(text).collect());
        secret.data = Some(items.iter().map(|(name, item)| ((*name).to_owned(), ByteString(item.to_vec()))).collect());
        secret
    }

    #[test]
    fn a_made_key_seals_only_if_somebody_asks_and_one_without_a_label_waits() {
        let (file, _) = IdentityFile::generate("2026-01-01T00:00:00Z");
        for (label, annotations, state, known, unasked) in [
            (Some("made"), &[(ACTIVATE, "true")][..], State::Made, true, false),
            (Some("made"), &[(ACTIVATE, "false")][..], State::Waiting, true, true),
            (Some("made"), &[][..], State::Waiting, true, true),
            (Some("active"), &[][..], State::Active, true, false),
            (Some("primary"), &[][..], State::Waiting, false, false),
            (None, &[(ACTIVATE, "true")][..], State::Waiting, false, false),
        ] {
            let mut secret = secret(annotations, &[(IDENTITY, file.expose())]);
            secret.metadata.labels = label.map(|label| [(KEY.to_owned(), label.to_owned())].into());
            let (facts, _) = key(&secret).unwrap();
            assert_eq!((facts.state, facts.known_state, facts.unasked), (state, known, unasked), "{label:?}");
        }
    }

    #[test]
    fn an_item_without_an_age_file_is_no_escrow_copy() {
        let armored: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----\nYQ==";
        let mut held = secret(&[(FINGERPRINT, "of")], &[("a.age", b""), ("b.age", b"x"), ("c.age", armored)]);
        assert_eq!(copies(&held).recipients, ["c".to_owned()].into());
        held.data.iter_mut().flat_map(|data| data.values_mut()).for_each(|item| item.0 = beginning(&item.0));
        assert_eq!(copies(&held).recipients, ["c".to_owned()].into(), "as the watch keeps it");
        let item = |item: &str, text: &str| published_item((item.to_owned(), text.to_owned()));
        assert_eq!(item("k.a.age", ""), None);
        assert_eq!(item("k.a.age", "-----BEGIN AGE ENCRYPTED FILE-----"), Some(("k.a.age".into(), String::new())));
        assert_eq!(item("k.fingerprint", "f"), Some(("k.fingerprint".into(), "f".into())));
    }
}
