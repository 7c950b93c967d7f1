//! The values of a source as they were last written, kept encrypted beside the Secret: so that it can be put right while
//! the source is away.
//!
//! Each item is sealed with AES-256-GCM under a key of the controller's own, for its object, its name, the names of all items
//! and the count of copies that the object's status records: a copy of another object, one of which an item was taken, or an
//! older one put back, does not open.

use std::collections::BTreeMap;
use std::fmt;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use hmac::{Hmac, Mac};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::core::ObjectMeta;
use sealwax_format::{OsRandom, Random, SecretBytes};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use crate::ownership::{self, Kind, Origin};
use crate::writer::{MANAGER, Target, WriteError, Writer};

/// The type of the Secrets that hold copies. Kubernetes never changes a Secret's type: a Secret of that name which is
/// somebody else's is never written.
pub const LAST_GOOD_TYPE: &str = "sealwax.dev/last-good";
/// Their label: whose copy it is.
const LAST_GOOD: &str = "sealwax.dev/last-good";
const NONCE: usize = 12;

/// The key of all copies.
#[derive(Clone)]
pub struct LastGoodKey(Zeroizing<[u8; 32]>);

impl fmt::Debug for LastGoodKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LastGoodKey")
    }
}

/// What a copy is bound to, besides the item.
#[derive(Clone, Copy, Debug)]
pub struct Bound<'a> {
    /// The object's metadata: namespace, name and uid count.
    pub object: &'a ObjectMeta,
    /// Which copy it is.
    pub generation: i64,
}

impl LastGoodKey {
    /// From the controller's own 32 random bytes.
    pub fn new(symmetric: &[u8; 32]) -> Self {
        // An HMAC takes keys of any length; there is no error to report.
        let mac = <Hmac<Sha256> as Mac>::new_from_slice(symmetric);
        let mut mac = mac.unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
        mac.update(b"sealwax/1 last good");
        let mut derived = mac.finalize().into_bytes();
        let key = Zeroizing::new(derived.into());
        derived.as_mut_slice().zeroize();
        Self(key)
    }

    fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new((&*self.0).into())
    }

    /// Nonce, ciphertext and tag. `None`: no randomness at hand, or a value beyond what AES-GCM takes.
    fn seal(&self, bound: Bound<'_>, of: Item<'_>, value: &SecretBytes) -> Option<Vec<u8>> {
        let mut nonce = [0; NONCE];
        OsRandom.fill(&mut nonce).ok()?;
        let payload = Payload { msg: value.expose(), aad: &associated(bound, of) };
        let sealed = self.cipher().encrypt(&Nonce::from(nonce), payload).ok()?;
        Some([&nonce[..], &sealed].concat())
    }

    fn open(&self, bound: Bound<'_>, of: Item<'_>, sealed: &[u8]) -> Option<SecretBytes> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE>()?;
        let payload = Payload { msg: sealed, aad: &associated(bound, of) };
        self.cipher().decrypt(&Nonce::from(*nonce), payload).ok().map(SecretBytes::from)
    }

    /// Opens every item of a copy, or nothing.
    pub fn open_all(&self, bound: Bound<'_>, copy: &Secret) -> Option<BTreeMap<String, SecretBytes>> {
        if copy.type_.as_deref() != Some(LAST_GOOD_TYPE) {
            return None;
        }
        let items = copy.data.iter().flatten();
        let all = all_names(items.clone().map(|(item, _)| item));
        items
            .map(|(item, ByteString(sealed))| {
                Some((item.clone(), self.open(bound, Item { name: item, all: &all }, sealed)?))
            })
            .collect()
    }
}

/// An item of a copy, and a hash of the names of all.
#[derive(Clone, Copy)]
struct Item<'a> {
    name: &'a str,
    all: &'a str,
}

/// The names of all items, in their order; a name holds no blank.
fn all_names<'i>(names: impl Iterator<Item = &'i String>) -> String {
    let names: Vec<_> = names.map(String::as_str).collect();
    data_encoding::BASE32_NOPAD.encode(&Sha256::digest(names.join(" ")))
}

/// `lp(x) = u64be(len) ‖ x` of everything, so that no two places give the same bytes.
fn associated(bound: Bound<'_>, of: Item<'_>) -> Vec<u8> {
    let part = |text: &Option<String>| text.clone().unwrap_or_default();
    let (namespace, name, uid) = (part(&bound.object.namespace), part(&bound.object.name), part(&bound.object.uid));
    let generation = bound.generation.to_string();
    let mut bytes = Vec::new();
    for part in
        ["sealwax/1 last good", Kind::ExternalSecret.name(), &namespace, &name, &uid, of.name, of.all, &generation]
    {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes
}

/// The name of the Secret that holds an object's copy.
pub fn copy_name(object: &str) -> String {
    let name = format!("sealwax.last-good.{object}");
    if name.len() <= 253 {
        return name;
    }
    let hash = data_encoding::BASE32_NOPAD.encode(&Sha256::digest(object)[..10]).to_ascii_lowercase();
    format!("{}.{hash}", name[..236].trim_end_matches(['.', '-']))
}

/// Writes a copy of these items. `None`: it cannot be encrypted.
pub async fn write_copy(
    writer: &Writer,
    key: &LastGoodKey,
    bound: Bound<'_>,
    items: &BTreeMap<String, SecretBytes>,
) -> Option<Result<(), WriteError>> {
    let object = Origin::new(Kind::ExternalSecret, bound.object);
    let (namespace, name) = (bound.object.namespace.as_deref().unwrap_or_default(), copy_name(object.name));
    let encoded = |sealed: &[u8]| Value::String(data_encoding::BASE64.encode(sealed));
    let all = all_names(items.keys());
    let sealed = |item: &String, value| key.seal(bound, Item { name: item, all: &all }, value);
    let data: Option<Map<_, _>> =
        items.iter().map(|(item, value)| Some((item.clone(), encoded(&sealed(item, value)?)))).collect();
    let body = json!({
        "apiVersion": "v1", "kind": "Secret", "type": LAST_GOOD_TYPE, "data": data?,
        "metadata": {
            "name": name, "namespace": namespace,
            "labels": {LAST_GOOD: "ExternalSecret"},
            "annotations": {"sealwax.dev/last-good-of": object.to_string()},
            // It goes with the object.
            "ownerReferences": [ownership::reference(Kind::ExternalSecret, bound.object)],
        },
    });
    let target = Target { namespace, name: &name, manager: MANAGER };
    Some(writer.apply_secret(target, &body, true).await.map(drop))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(uid: &str) -> ObjectMeta {
        ObjectMeta {
            namespace: Some("prod".into()),
            name: Some("db".into()),
            uid: Some(uid.into()),
            ..ObjectMeta::default()
        }
    }

    #[test]
    fn opens_for_its_object_item_and_count_alone() {
        let (key, other_key) = (LastGoodKey::new(&[1; 32]), LastGoodKey::new(&[2; 32]));
        let (one, other) = (object("u1"), object("u2"));
        let bound = Bound { object: &one, generation: 3 };
        let value = SecretBytes::from(b"hunter2".to_vec());
        let of = |name| Item { name, all: "names" };
        let sealed = key.seal(bound, of("password"), &value).unwrap();
        assert_eq!(key.open(bound, of("password"), &sealed), Some(value));
        assert_eq!(key.open(Bound { generation: 2, ..bound }, of("password"), &sealed), None, "an older copy");
        assert_eq!(key.open(Bound { object: &other, ..bound }, of("password"), &sealed), None, "another object");
        assert_eq!(key.open(bound, of("user"), &sealed), None, "another item");
        assert_eq!(key.open(bound, Item { name: "password", all: "" }, &sealed), None, "among others");
        assert_eq!(other_key.open(bound, of("password"), &sealed), None);
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert_eq!(key.open(bound, of("password"), &altered), None);
        }
        assert_eq!(key.open(bound, of("password"), &sealed[..5]), None);
    }

    #[test]
    fn a_copy_opens_in_full_or_not_at_all() {
        let (key, object) = (LastGoodKey::new(&[1; 32]), object("u1"));
        let bound = Bound { object: &object, generation: 1 };
        let all = all_names(["a".to_owned(), "b".to_owned()].iter());
        let sealed = |item: &str| {
            ByteString(key.seal(bound, Item { name: item, all: &all }, &SecretBytes::from(vec![7])).unwrap())
        };
        let data = |items: [&str; 2]| Some(items.map(|item| (item.to_owned(), sealed(item))).into());
        let copy = Secret { type_: Some(LAST_GOOD_TYPE.into()), data: data(["a", "b"]), ..Secret::default() };
        assert_eq!(key.open_all(bound, &copy).unwrap().len(), 2);
        let mut fewer = copy.clone();
        fewer.data.as_mut().unwrap().remove("b");
        assert!(key.open_all(bound, &fewer).is_none(), "an item was taken from it");
        let mut swapped = copy.clone();
        swapped.data.as_mut().unwrap().insert("a".into(), sealed("b"));
        assert!(key.open_all(bound, &swapped).is_none());
        assert!(key.open_all(bound, &Secret { type_: None, ..copy }).is_none(), "somebody else's Secret");
    }

    #[test]
    fn names_fit() {
        assert_eq!(copy_name("db"), "sealwax.last-good.db");
        let (one, other) = (copy_name(&"a".repeat(253)), copy_name(&"a".repeat(252)));
        assert!(one.len() <= 253 && one != other);
    }

    #[test]
    fn shows_no_key() {
        assert_eq!(format!("{:?}", LastGoodKey::new(&[7; 32])), "LastGoodKey");
    }
}
