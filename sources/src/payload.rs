//! What a source holds under one address.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use sealwax_format::SecretBytes;

/// What was read. `Debug` shows no value; deliberately no `Clone`.
#[derive(Debug)]
pub struct Payload {
    /// The value.
    pub content: Content,
    /// Which version it is, as the source counts.
    pub version: Option<String>,
    /// For how long the source says that it is good. Informative.
    pub expires_in: Option<Duration>,
}

/// A value, in the form in which its source keeps it.
pub enum Content {
    /// The JSON text of an object, byte for byte as the source sent it: Vault, and metadata of every source.
    Fields(SecretBytes),
    /// Whatever it is: AWS.
    Text(SecretBytes),
    /// Items by name, each of any bytes: Kubernetes.
    Items(BTreeMap<String, SecretBytes>),
}

impl Payload {
    /// Of the JSON text of an object.
    pub fn fields(json: impl Into<SecretBytes>) -> Self {
        Self::of(Content::Fields(json.into()))
    }

    /// Of a value of any form.
    pub fn text(bytes: impl Into<SecretBytes>) -> Self {
        Self::of(Content::Text(bytes.into()))
    }

    /// Of items by name.
    pub fn items(items: BTreeMap<String, SecretBytes>) -> Self {
        Self::of(Content::Items(items))
    }

    fn of(content: Content) -> Self {
        Self { content, version: None, expires_in: None }
    }

    /// The same, as this version.
    #[must_use]
    pub fn with_version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// The number of secret bytes that it holds, names of items included.
    pub fn size(&self) -> usize {
        match &self.content {
            Content::Fields(bytes) | Content::Text(bytes) => bytes.len(),
            Content::Items(items) => items.iter().map(|(name, value)| name.len() + value.len()).sum(),
        }
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fields(_) => "Fields(<redacted>)",
            Self::Text(_) => "Text(<redacted>)",
            Self::Items(_) => "Items(<redacted>)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_of_a_value() {
        let items = [("hunter2".to_owned(), SecretBytes::from("hunter2".to_owned()))].into();
        for payload in [Payload::fields(r#"{"a":"hunter2"}"#.to_owned()), Payload::items(items)] {
            assert!(!format!("{payload:?}").contains("hunter2"));
        }
    }

    #[test]
    fn counts_what_it_holds() {
        assert_eq!(Payload::text(b"12345".to_vec()).size(), 5);
        assert_eq!(Payload::items([("ab".to_owned(), SecretBytes::from(vec![0; 3]))].into()).size(), 5);
    }
}
