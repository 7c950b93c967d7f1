//! `.sops.yaml`, as it is written: which files SOPS is meant to encrypt, which of their values, and for whom.

use std::collections::BTreeSet;

use sealwax_format::sops::{Selector, SelectorError};
use serde::Deserialize;

/// The name of the file.
pub(crate) const NAME: &str = ".sops.yaml";

/// The part of a configuration that says what is encrypted. SOPS passes over what it does not know.
#[derive(Default, Deserialize)]
pub(crate) struct Config {
    #[serde(default)]
    pub(crate) creation_rules: Option<Vec<CreationRule>>,
}

/// A rule; the first whose expression matches a file's path governs it.
#[derive(Deserialize)]
pub(crate) struct CreationRule {
    pub(crate) path_regex: Option<String>,
    #[serde(flatten)]
    keys: Keys,
    #[serde(default)]
    key_groups: Option<Vec<Keys>>,
    #[serde(flatten)]
    pub(crate) fields: Fields,
}

/// The selectors of values, of which a rule, or the metadata of a file, has at most one.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Fields {
    pub(crate) unencrypted_suffix: Option<String>,
    pub(crate) encrypted_suffix: Option<String>,
    pub(crate) unencrypted_regex: Option<String>,
    pub(crate) encrypted_regex: Option<String>,
    pub(crate) unencrypted_comment_regex: Option<String>,
    pub(crate) encrypted_comment_regex: Option<String>,
}

#[derive(Default, Deserialize)]
struct Keys {
    age: Option<Strings>,
    pgp: Option<Strings>,
    #[serde(default)]
    merge: Option<Vec<Keys>>,
}

/// A list, or a text with commas.
#[derive(Deserialize)]
#[serde(untagged)]
enum Strings {
    Text(String),
    List(Vec<String>),
}

impl CreationRule {
    /// The age recipients and PGP fingerprints, those of key groups too.
    pub(crate) fn readers(&self) -> BTreeSet<String> {
        let mut readers = BTreeSet::new();
        self.keys.collect(&mut readers);
        self.key_groups.iter().flatten().for_each(|group| group.collect(&mut readers));
        readers
    }
}

impl Fields {
    /// The selector that they state.
    pub(crate) fn selector(&self) -> Result<Selector, SelectorError> {
        let fields = [
            ("unencrypted_suffix", &self.unencrypted_suffix),
            ("encrypted_suffix", &self.encrypted_suffix),
            ("unencrypted_regex", &self.unencrypted_regex),
            ("encrypted_regex", &self.encrypted_regex),
            ("unencrypted_comment_regex", &self.unencrypted_comment_regex),
            ("encrypted_comment_regex", &self.encrypted_comment_regex),
        ];
        Selector::of(fields.into_iter().filter_map(|(name, text)| Some((name, text.as_deref()?))))
    }
}

impl Keys {
    fn collect(&self, readers: &mut BTreeSet<String>) {
        for strings in [&self.age, &self.pgp].into_iter().flatten() {
            match strings {
                Strings::Text(text) => readers.extend(text.split(',').filter_map(canonical)),
                Strings::List(list) => readers.extend(list.iter().filter_map(|text| canonical(text))),
            }
        }
        self.merge.iter().flatten().for_each(|keys| keys.collect(readers));
    }
}

/// A recipient as it is compared: fingerprints without blanks and in capitals, SSH keys without their comment.
pub(crate) fn canonical(text: &str) -> Option<String> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    if text.starts_with("ssh-") {
        return Some(text.split_whitespace().take(2).collect::<Vec<_>>().join(" "));
    }
    let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    Some(if compact.starts_with("age1") { compact } else { compact.to_ascii_uppercase() })
}
