//! `.sops.yaml`, as it is written: which files SOPS is meant to encrypt, which of their values, and for whom.

mod agreed;
mod creation;
mod groups;
mod strict;

use std::collections::BTreeSet;

use sealwax_format::sops::{Selector, SelectorError};
use serde::Deserialize;

pub(crate) use creation::{Configs, Creation, Ruling, Selection};

/// The name of the file.
pub(crate) const NAME: &str = ".sops.yaml";

/// The part of a configuration that says what is encrypted. The gate passes over what it does not know, as SOPS does;
/// commands that write do not (see [`strict`]).
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
    keys: RuleKeys,
    #[serde(default)]
    key_groups: Option<Vec<GroupKeys>>,
    #[serde(default)]
    shamir_threshold: Option<usize>,
    #[serde(default)]
    mac_only_encrypted: Option<bool>,
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

/// The keys of a rule without groups.
#[derive(Default, Deserialize)]
#[serde(default)]
struct RuleKeys {
    age: Option<Strings>,
    pgp: Option<Strings>,
    kms: Option<Strings>,
    aws_profile: Option<String>,
    gcp_kms: Option<Strings>,
    azure_keyvault: Option<Strings>,
    hc_vault_transit_uri: Option<Strings>,
    hckms: Option<Strings>,
}

/// The keys of a group.
#[derive(Default, Deserialize)]
#[serde(default)]
struct GroupKeys {
    merge: Option<Vec<GroupKeys>>,
    age: Option<Strings>,
    pgp: Option<Strings>,
    kms: Option<Vec<KmsKey>>,
    gcp_kms: Option<Vec<GcpKmsKey>>,
    hckms: Option<Vec<HuaweiKmsKey>>,
    azure_keyvault: Option<Vec<AzureKey>>,
    hc_vault: Option<Strings>,
}

#[derive(Deserialize)]
struct KmsKey {
    arn: String,
    role: Option<String>,
    #[serde(default)]
    context: Option<std::collections::BTreeMap<String, String>>,
    aws_profile: Option<String>,
}

#[derive(Deserialize)]
struct GcpKmsKey {
    resource_id: String,
}

#[derive(Deserialize)]
struct HuaweiKmsKey {
    key_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AzureKey {
    vault_url: String,
    key: String,
    version: Option<String>,
}

/// A list, or a text with commas.
#[derive(Deserialize)]
#[serde(untagged)]
enum Strings {
    Text(String),
    List(Vec<String>),
}

impl Strings {
    fn each(&self) -> impl Iterator<Item = &str> {
        let (text, list) = match self {
            Self::Text(text) => (Some(text), [].as_slice()),
            Self::List(list) => (None, list.as_slice()),
        };
        let parts =
            text.into_iter().flat_map(|text| text.split(',')).chain(list.iter().flat_map(|text| text.split(',')));
        parts.map(str::trim).filter(|text| !text.is_empty())
    }
}

impl CreationRule {
    /// The age recipients and PGP fingerprints, those of key groups too.
    pub(crate) fn readers(&self) -> BTreeSet<String> {
        let mut readers = BTreeSet::new();
        let groups = self.key_groups.iter().flatten();
        if self.key_groups.as_ref().is_none_or(Vec::is_empty) {
            let own = [&self.keys.age, &self.keys.pgp].into_iter().flatten();
            readers.extend(own.flat_map(Strings::each).filter_map(canonical));
        }
        groups.for_each(|group| group.collect(&mut readers));
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

impl GroupKeys {
    fn collect(&self, readers: &mut BTreeSet<String>) {
        let own = [&self.age, &self.pgp].into_iter().flatten();
        readers.extend(own.flat_map(Strings::each).filter_map(canonical));
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
