//! Tells whether what a Secret holds really changed, without keeping what it holds: a keyed hash, never a plain one.

use std::collections::BTreeMap;

use hmac::{Hmac, Mac};
use sealwax_format::SecretBytes;
use sha2::{Digest, Sha256};

use crate::ownership::{Kind, Origin};

/// The key of all content hashes. Another key makes other hashes, which are told apart and never compared.
#[derive(Clone)]
pub struct ContentKey {
    mac: Hmac<Sha256>,
    id: String,
}

impl std::fmt::Debug for ContentKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ContentKey({})", self.id)
    }
}

impl ContentKey {
    /// From the controller's own 32 random bytes.
    pub fn new(symmetric: &[u8; 32]) -> Self {
        let mut mac = keyed(symmetric);
        mac.update(b"sealwax/1 content hash");
        let mut key = mac.finalize().into_bytes();
        let id = short(&Sha256::digest(key), 5);
        let mac = keyed(&key);
        zeroize::Zeroize::zeroize(key.as_mut_slice());
        Self { mac, id }
    }

    /// Tells this key from others; the part of each hash before the colon.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// `KEY:HASH` of the items of one object. Namespace and name are part of it, so that equal contents of two objects
    /// do not show as equal.
    pub fn hash(&self, namespace: &str, object: Origin<'_>, items: &BTreeMap<String, SecretBytes>) -> String {
        let mut mac = self.mac.clone();
        let mut part = |bytes: &[u8]| {
            mac.update(&(bytes.len() as u64).to_be_bytes());
            mac.update(bytes);
        };
        part(namespace.as_bytes());
        match object.kind {
            Kind::EncryptedSecret => part(object.name.as_bytes()),
            Kind::ExternalSecret => part(object.to_string().as_bytes()),
        }
        for (item, value) in items {
            part(item.as_bytes());
            part(value.expose());
        }
        format!("{}:{}", self.id, short(&mac.finalize().into_bytes(), 15))
    }
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    // An HMAC takes keys of any length; there is no error to report.
    <Hmac<Sha256> as Mac>::new_from_slice(key).unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"))
}

fn short(bytes: &[u8], length: usize) -> String {
    data_encoding::BASE32_NOPAD.encode(&bytes[..length]).to_ascii_lowercase()
}

/// Whether the second hash says that the content is another one. Hashes under different keys say nothing.
pub fn changed(before: &str, after: &str) -> bool {
    let key = |hash: &str| hash.split_once(':').map(|(key, _)| key.to_owned());
    key(before).is_some() && key(before) == key(after) && before != after
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(value: &str) -> BTreeMap<String, SecretBytes> {
        [("password".to_owned(), SecretBytes::from(value.as_bytes().to_vec()))].into()
    }

    #[test]
    fn tells_contents_apart_under_one_key_only() {
        let (one, other) = (ContentKey::new(&[1; 32]), ContentKey::new(&[2; 32]));
        let object = |name| Origin { kind: Kind::EncryptedSecret, name };
        let hash = one.hash("prod", object("db"), &items("a"));
        assert_eq!(hash, one.hash("prod", object("db"), &items("a")));
        assert!(changed(&hash, &one.hash("prod", object("db"), &items("b"))));
        assert!(
            changed(&hash, &one.hash("prod", object("web"), &items("a"))),
            "equal contents show as different objects"
        );
        assert!(!changed(&hash, &other.hash("prod", object("db"), &items("b"))), "another key is no change");
        let namesake = Origin { kind: Kind::ExternalSecret, name: "db" };
        assert!(changed(&hash, &one.hash("prod", namesake, &items("a"))), "nor as that of a namesake");
        assert!(!changed("", &hash));
    }

    #[test]
    fn shows_no_key() {
        assert!(format!("{:?}", ContentKey::new(&[7; 32])).starts_with("ContentKey("));
    }
}
