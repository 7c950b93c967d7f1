//! What a Secret shall hold: the values of an `EncryptedSecret`, opened for one live object, or those that an
//! `ExternalSecret` reads, and what templates make of them.
//!
//! Pure: objects and identities come in, items come out. `sealwax render` and the controller share it, so that what
//! is recovered without a cluster is what the cluster had.

mod bytes;
mod error;
pub mod external;
mod functions;
mod problem;
mod template;
mod tree;

use std::collections::{BTreeMap, HashMap};

use sealwax_format::keys::{Keyring, Label, OpenKeyError};
use sealwax_format::native::{
    self, API_GROUP, DocumentKey, ENCRYPTED_SECRET, LiveObject, Place, Token, TokenKey, parse_readers,
};
use sealwax_format::{KeyId, Path, SecretBytes, ValueKey, ValueType};

pub use error::OpenError;
pub use problem::{TemplateError, TemplateProblem};
pub use template::content;

/// An `EncryptedSecret` as the API server or a file holds it.
#[derive(Clone, Copy, Debug)]
pub struct SealedObject<'a> {
    /// Namespace of the object.
    pub namespace: &'a str,
    /// Name of the object.
    pub name: &'a str,
    /// `spec.sealedFor`: patterns for namespace and name.
    pub sealed_for: (&'a str, &'a str),
    /// `spec.key`: id of the document key.
    pub key: Option<&'a str>,
    /// `spec.readers`: label to wrap of the document key.
    pub readers: &'a BTreeMap<String, String>,
    /// `spec.data`: item to token.
    pub data: &'a BTreeMap<String, String>,
}

/// Opens every item, or none: a Secret is never written in part.
pub fn open(object: &SealedObject<'_>, keys: &Keyring) -> Result<BTreeMap<String, SecretBytes>, OpenError> {
    let place = admitted_place(object)?;
    let document_key = document_key(object)?;
    let mut opened_keys = HashMap::new();
    let mut items = BTreeMap::new();
    for (item, text) in object.data {
        let token = parse_token(item, text)?;
        let (id, wraps) = key_of(item, document_key.as_ref(), &token)?;
        let key = value_key(&mut opened_keys, keys, id, wraps)?;
        let path = Path::of_keys(&["spec", "data", item]);
        let plaintext = native::open_sealed(key, id, &place, &path, &token.sealed)
            .map_err(|_| OpenError::Altered { item: item.clone() })?;
        if !matches!(plaintext.value_type, ValueType::String | ValueType::Binary) {
            return Err(OpenError::Altered { item: item.clone() });
        }
        items.insert(item.clone(), plaintext.value);
    }
    Ok(items)
}

fn admitted_place(object: &SealedObject<'_>) -> Result<Place, OpenError> {
    let (namespace, name) = object.sealed_for;
    let place = Place::Object {
        group: API_GROUP.to_owned(),
        kind: ENCRYPTED_SECRET.to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    };
    let live = LiveObject { group: API_GROUP, kind: ENCRYPTED_SECRET, namespace: object.namespace, name: object.name };
    if place.admits(&live) {
        return Ok(place);
    }
    Err(OpenError::WrongPlace { sealed_for: format!("{namespace}/{name}") })
}

fn document_key(object: &SealedObject<'_>) -> Result<Option<DocumentKey>, OpenError> {
    let Some(id) = object.key else {
        let alone = object.readers.is_empty();
        return if alone { Ok(None) } else { Err(OpenError::MalformedKey) };
    };
    let id = KeyId::parse(id).ok_or(OpenError::MalformedKey)?;
    let readers = object.readers.iter().map(|(label, wrap)| (label.as_str(), wrap.as_str()));
    parse_readers(id, readers).map(Some).map_err(OpenError::KeyBlock)
}

fn parse_token(item: &str, text: &str) -> Result<Token, OpenError> {
    if !Token::is_claimed_by(text) {
        return Err(OpenError::NotAToken { item: item.to_owned() });
    }
    Token::parse(text).map_err(|source| OpenError::MalformedToken { item: item.to_owned(), source })
}

type Wraps = [(Label, Vec<u8>)];

fn key_of<'t>(
    item: &str,
    document_key: Option<&'t DocumentKey>,
    token: &'t Token,
) -> Result<(&'t KeyId, &'t Wraps), OpenError> {
    match &token.key {
        TokenKey::Own { id, wraps } => Ok((id, wraps)),
        TokenKey::Document(short) => match document_key {
            Some(key) if key.id.short() == short => Ok((&key.id, &key.wraps)),
            _ => Err(OpenError::OtherKey { item: item.to_owned() }),
        },
    }
}

fn value_key<'c>(
    cache: &'c mut HashMap<KeyId, ValueKey>,
    keys: &Keyring,
    id: &KeyId,
    wraps: &Wraps,
) -> Result<&'c ValueKey, OpenError> {
    match cache.entry(id.clone()) {
        std::collections::hash_map::Entry::Occupied(entry) => Ok(entry.into_mut()),
        std::collections::hash_map::Entry::Vacant(entry) => {
            let key = keys.open(id, wraps).map_err(|error| match error {
                OpenKeyError::NoIdentity => {
                    OpenError::NoIdentity { readers: wraps.iter().map(|(label, _)| label.clone()).collect() }
                }
                other => OpenError::DamagedKey(other),
            })?;
            Ok(entry.insert(key.value_key()))
        }
    }
}

#[cfg(test)]
mod tests {
    use sealwax_format::keys::Recipient;
    use sealwax_format::{OsRandom, Plaintext};

    use super::*;

    struct Case {
        keyring: Keyring,
        data: BTreeMap<String, String>,
        readers: BTreeMap<String, String>,
    }

    fn case() -> Case {
        let identity = age::x25519::Identity::generate();
        let readers = [Recipient::parse("prod", &identity.to_public().to_string()).unwrap()];
        let mut keyring = Keyring::default();
        keyring.add(readers[0].label().fingerprint().clone(), Box::new(identity));
        let object = SealedObject {
            namespace: "prod",
            name: "db",
            sealed_for: ("prod", "db"),
            key: None,
            readers: &BTreeMap::new(),
            data: &BTreeMap::new(),
        };
        let place = admitted_place(&object).unwrap();
        let plaintext = Plaintext::canonical(ValueType::String, SecretBytes::from(b"hunter2".to_vec()));
        let path = Path::of_keys(&["spec", "data", "password"]);
        let token = native::seal_alone(&mut OsRandom, &readers[..], &place, &path, &plaintext).unwrap();
        let data = BTreeMap::from([("password".to_owned(), token.to_string())]);
        Case { keyring, data, readers: BTreeMap::new() }
    }

    impl Case {
        fn object(&self) -> SealedObject<'_> {
            SealedObject {
                namespace: "prod",
                name: "db",
                sealed_for: ("prod", "db"),
                key: None,
                readers: &self.readers,
                data: &self.data,
            }
        }
    }

    #[test]
    fn opens_at_home() {
        let case = case();
        let items = open(&case.object(), &case.keyring).unwrap();
        assert_eq!(items["password"].expose(), b"hunter2");
    }

    #[test]
    fn refuses_everything_else_with_a_category() {
        let case = case();
        let category = |object: &SealedObject<'_>, keys: &Keyring| open(object, keys).unwrap_err().category();
        let moved = SealedObject { namespace: "staging", ..case.object() };
        assert_eq!(category(&moved, &case.keyring), "WrongPlace");
        let widened = SealedObject { namespace: "staging", sealed_for: ("*", "db"), ..case.object() };
        assert_eq!(category(&widened, &case.keyring), "Altered");
        assert_eq!(category(&case.object(), &Keyring::default()), "NoIdentity");
        let plain = BTreeMap::from([("password".to_owned(), "hunter2".to_owned())]);
        let error = open(&SealedObject { data: &plain, ..case.object() }, &case.keyring).unwrap_err();
        assert_eq!(error.category(), "NotAToken");
        assert!(!error.to_string().contains("hunter2"));
        let renamed = BTreeMap::from([("other".to_owned(), case.data["password"].clone())]);
        assert_eq!(category(&SealedObject { data: &renamed, ..case.object() }, &case.keyring), "Altered");
        let foreign = BTreeMap::from([("a".to_owned(), "ENC[AES256_GCM,data:x]".to_owned())]);
        assert_eq!(category(&SealedObject { data: &foreign, ..case.object() }, &case.keyring), "MalformedToken");
    }
}
