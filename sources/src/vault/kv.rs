//! Reads values and metadata of KV stores.

use std::collections::BTreeMap;
use std::time::Duration;

use sealwax_format::SecretBytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use vaultrs::api::{kv1, kv2};
use zeroize::{Zeroize, Zeroizing};

use super::client::Body;
use super::paths::Place;
use super::{PROVIDER, Vault, Version};
use crate::{Address, Content, Kind, Payload, SourceError};

/// What comes with custom metadata, as the External Secrets Operator gives it.
const SYSTEM_METADATA: [&str; 3] = ["created_time", "current_version", "delete_version_after"];

#[derive(Deserialize)]
struct Plain<'b> {
    #[serde(borrow)]
    data: Option<&'b RawValue>,
    #[serde(default)]
    lease_duration: u64,
}

#[derive(Deserialize)]
struct Versioned<'b> {
    #[serde(borrow)]
    data: Option<Inner<'b>>,
}

#[derive(Deserialize)]
struct Inner<'b> {
    #[serde(borrow)]
    data: Option<&'b RawValue>,
    metadata: VersionOf,
}

#[derive(Deserialize)]
struct VersionOf {
    version: u64,
}

impl Vault {
    pub(super) async fn read_one(&self, address: &Address) -> Result<Payload, SourceError> {
        let read = async {
            let place = self.paths.place(&address.key)?;
            match (self.paths.version, address.metadata, &address.version) {
                (Version::V1, true, _) => Err(invalid("a KV store of version 1 keeps no metadata")),
                (Version::V1, _, Some(_)) => Err(invalid("a KV store of version 1 keeps no versions")),
                (Version::V1, false, None) => self.read_plain(place).await,
                (Version::V2, true, _) => metadata(&self.read_metadata(place).await?),
                (Version::V2, false, version) => self.read_versioned(place, version.as_deref()).await,
            }
        };
        read.await.map_err(|error: SourceError| error.with_key(&address.key))
    }

    async fn read_plain(&self, place: Place) -> Result<Payload, SourceError> {
        let mut request = kv1::requests::GetSecretRequest::builder();
        let request = build(request.mount(place.mount).path(place.path).build())?;
        let body = self.session.call(&request, "read", self.namespace.as_deref()).await?;
        let answer: Plain<'_> = parse(&body, "read")?;
        let payload = object(answer.data)?;
        let lease = Some(answer.lease_duration).filter(|seconds| *seconds > 0).map(Duration::from_secs);
        Ok(Payload { expires_in: lease, ..payload })
    }

    async fn read_versioned(&self, place: Place, version: Option<&str>) -> Result<Payload, SourceError> {
        let version = version.map(|version| version.parse::<u64>().map_err(|_| invalid("a version is a number")));
        let mut request = kv2::requests::ReadSecretRequest::builder();
        let request = build(request.mount(place.mount).path(place.path).version(version.transpose()?).build())?;
        let body = self.session.call(&request, "read", self.namespace.as_deref()).await?;
        let answer: Versioned<'_> = parse(&body, "read")?;
        // A version that was deleted is answered by 404, or by no data.
        let inner = answer.data.ok_or_else(missing)?;
        Ok(object(inner.data)?.with_version(inner.metadata.version.to_string()))
    }

    /// What is known of a secret beside its value.
    pub(super) async fn read_metadata(&self, place: Place) -> Result<Metadata, SourceError> {
        let mut request = kv2::requests::ReadSecretMetadataRequest::builder();
        let request = build(request.mount(place.mount).path(place.path).build())?;
        let body = self.session.call(&request, "read", self.namespace.as_deref()).await?;
        parse::<Enclosed<Metadata>>(&body, "read")?.data.ok_or_else(missing)
    }
}

/// The `data` of an answer.
#[derive(Deserialize)]
pub(super) struct Enclosed<T> {
    pub(super) data: Option<T>,
}

/// The metadata of a secret. What people put there is not meant to be secret; it is wiped all the same.
#[derive(Deserialize)]
pub(super) struct Metadata {
    #[serde(default)]
    pub(super) custom_metadata: Option<BTreeMap<String, String>>,
    #[serde(flatten)]
    system: BTreeMap<String, serde_json::Value>,
}

impl Drop for Metadata {
    fn drop(&mut self) {
        self.custom_metadata.iter_mut().flat_map(BTreeMap::values_mut).for_each(Zeroize::zeroize);
    }
}

/// One flat object of texts. What people put there goes before what the server says.
fn metadata(metadata: &Metadata) -> Result<Payload, SourceError> {
    let mut fields = BTreeMap::new();
    for name in SYSTEM_METADATA {
        let text = match metadata.system.get(name) {
            None | Some(serde_json::Value::Null) => continue,
            Some(serde_json::Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        fields.insert(name, Zeroizing::new(text));
    }
    for (name, value) in metadata.custom_metadata.iter().flatten() {
        fields.insert(name, Zeroizing::new(value.clone()));
    }
    let fields: BTreeMap<_, &str> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let json = serde_json::to_vec(&fields).map_err(|_| invalid("the metadata is not as Vault has it"))?;
    let version = metadata.system.get("current_version").and_then(serde_json::Value::as_u64);
    Ok(Payload { version: version.map(|version| version.to_string()), ..Payload::fields(json) })
}

/// The bytes of an object just as the server sent them: no number is rounded, no key is sorted.
fn object(raw: Option<&RawValue>) -> Result<Payload, SourceError> {
    let text = raw.ok_or_else(missing)?.get();
    if !text.starts_with('{') {
        return Err(invalid("the answer is not as a KV store gives it"));
    }
    Ok(Payload {
        content: Content::Fields(SecretBytes::from(text.as_bytes().to_vec())),
        version: None,
        expires_in: None,
    })
}

/// The error of a parser may quote what it stumbled over: it is dropped.
pub(super) fn parse<'b, T: Deserialize<'b>>(body: &'b Body, operation: &'static str) -> Result<T, SourceError> {
    let why = "the answer is not as Vault gives it: is the server Vault, and the store's version right?";
    serde_json::from_slice(body).map_err(|_| SourceError::invalid(PROVIDER, operation, why))
}

/// A builder of vaultrs fails only if a field was forgotten.
pub(super) fn build<T, E>(built: Result<T, E>) -> Result<T, SourceError> {
    built.map_err(|_| invalid("the request is not complete"))
}

fn missing() -> SourceError {
    SourceError::new(PROVIDER, "read", Kind::Missing)
}

fn invalid(why: &str) -> SourceError {
    SourceError::invalid(PROVIDER, "read", why)
}

/// Asserts that what is parsed into `T` borrows nothing: such answers outlive their bodies.
const _: fn() = || {
    fn owned<T: DeserializeOwned>() {}
    owned::<Enclosed<Metadata>>();
};

#[cfg(test)]
mod tests {
    use super::*;

    fn text(payload: &Payload) -> &str {
        match &payload.content {
            Content::Fields(bytes) => bytes.expose_str().unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_value_is_passed_on_byte_for_byte() {
        let raw = r#"{"b": 1.0, "a":12345678901234567890,"c":"\u003c<","d":{"x" : [1e3]}}"#;
        let body =
            Body::new(format!(r#"{{"data":{{"data":{raw},"metadata":{{"version":7,"x":null}}}}}}"#).into_bytes());
        let inner = parse::<Versioned<'_>>(&body, "read").unwrap().data.unwrap();
        assert_eq!(inner.metadata.version, 7);
        assert_eq!(text(&object(inner.data).unwrap()), raw);
    }

    #[test]
    fn no_data_is_a_missing_secret() {
        let body = Body::new(br#"{"data":{"data":null,"metadata":{"version":7}}}"#.to_vec());
        let inner = parse::<Versioned<'_>>(&body, "read").unwrap().data.unwrap();
        assert_eq!(object(inner.data).unwrap_err().kind, Kind::Missing);
    }

    #[test]
    fn metadata_is_one_object_of_texts() {
        let body = br#"{"data":{"created_time":"2026","current_version":3,"delete_version_after":"0s","max_versions":0,
            "custom_metadata":{"owner":"\"ops\"","created_time":"mine"},"versions":{}}}"#;
        let parsed = parse::<Enclosed<Metadata>>(&Body::new(body.to_vec()), "read").unwrap().data.unwrap();
        let payload = metadata(&parsed).unwrap();
        let expected = r#"{"created_time":"mine","current_version":"3","delete_version_after":"0s","owner":"\"ops\""}"#;
        assert_eq!((text(&payload), payload.version.as_deref()), (expected, Some("3")));
    }

    #[test]
    fn no_answer_gets_into_an_error() {
        let body = Body::new(br#"{"data":{"data":"hunter2","metadata":{"version":"hunter2"}}}"#.to_vec());
        let error = parse::<Versioned<'_>>(&body, "read").err().unwrap();
        assert!(!format!("{error:?} {error}").contains("hunter2"));
    }
}
