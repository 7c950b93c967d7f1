//! The `sops` block: who can open the file, which values are encrypted, and the checksum over all of them.

use super::cipher::{Token, TokenError, Type};
use super::flat;
use super::scalar::normalised;
use super::selector::{FIELDS, Selector, SelectorError};
use super::time;
use crate::document::Node;

/// The root key under which the block stands.
pub const BLOCK_KEY: &str = "sops";

/// The services that keep keys, by the name of their list in the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Service {
    /// age recipients of all kinds.
    Age,
    /// The `gpg` of whoever runs this.
    Pgp,
    /// AWS KMS.
    AwsKms,
    /// Google Cloud KMS.
    GcpKms,
    /// Azure Key Vault.
    AzureKeyVault,
    /// HashiCorp Vault or OpenBao, by its transit engine.
    VaultTransit,
    /// Huawei Cloud KMS.
    HuaweiKms,
}

/// The list of each service, and the field that names the key in its entries.
const LISTS: [(Service, &str, &str); 7] = [
    (Service::Age, "age", "recipient"),
    (Service::Pgp, "pgp", "fp"),
    (Service::AwsKms, "kms", "arn"),
    (Service::GcpKms, "gcp_kms", "resource_id"),
    (Service::AzureKeyVault, "azure_kv", "vault_url"),
    (Service::VaultTransit, "hc_vault", "vault_address"),
    (Service::HuaweiKms, "hckms", "key_id"),
];

/// What entries hold besides the key and the wrap.
const OTHER_FIELDS: [&str; 7] = ["aws_profile", "created_at", "engine_path", "key_name", "name", "role", "version"];

impl Service {
    /// The name of its list in the block.
    pub(super) fn list(self) -> &'static str {
        LISTS.iter().find(|(service, ..)| *service == self).map_or("age", |(_, list, _)| list)
    }

    /// The field that names the key in its entries.
    pub(super) fn key(self) -> &'static str {
        LISTS.iter().find(|(service, ..)| *service == self).map_or("recipient", |(.., key)| key)
    }

    /// For people.
    pub fn shown(self) -> &'static str {
        match self {
            Self::Age => "age",
            Self::Pgp => "PGP",
            Self::AwsKms => "AWS KMS",
            Self::GcpKms => "GCP KMS",
            Self::AzureKeyVault => "Azure Key Vault",
            Self::VaultTransit => "Vault transit",
            Self::HuaweiKms => "Huawei Cloud KMS",
        }
    }
}

/// The data key, or a share of it, as one key holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrap {
    /// Where the key is kept.
    pub service: Service,
    /// Which key: a recipient, a fingerprint, an ARN …; what the file says.
    pub key: String,
    /// The encrypted data key, in the service's own form.
    pub enc: String,
    /// Every other known field of the entry, as it stands there.
    pub fields: Vec<(&'static str, String)>,
    /// The encryption context of AWS KMS.
    pub context: Vec<(String, String)>,
}

/// Keys of which any one opens the same share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// In the order of the file.
    pub wraps: Vec<Wrap>,
}

/// A parsed block.
#[derive(Clone, Debug)]
pub struct Metadata {
    /// One group holds the data key; several hold shares of it.
    pub groups: Vec<Group>,
    /// How many shares make the data key, where the block says.
    pub threshold: Option<usize>,
    /// When the file was last written: associated with the checksum, as SOPS prints it.
    pub last_modified: String,
    /// The checksum over all values, encrypted.
    pub mac: Option<Token>,
    /// The version of SOPS that wrote the file.
    pub version: String,
    /// Which values are encrypted.
    pub selector: Selector,
    /// Whether only those are in the checksum.
    pub mac_only_encrypted: bool,
}

/// A block that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// A field that is not what it should be.
    #[error("the field {0} is missing or malformed")]
    Malformed(&'static str),
    /// A flat block that comes apart.
    #[error("the names of its fields do not fit together")]
    Flat,
    /// The checksum.
    #[error("the field mac")]
    Mac(#[from] TokenError),
    /// A selector.
    #[error("the selector")]
    Selector(#[from] SelectorError),
}

impl Metadata {
    /// For a file that is encrypted for the first time. `last_modified` is the time in seconds since 1970, `version` that
    /// of the SOPS whose files this one shall be like; several groups need a threshold, of which all is the default.
    pub fn new(
        groups: Vec<Group>,
        threshold: Option<usize>,
        selector: Selector,
        mac_only_encrypted: bool,
        last_modified: u64,
        version: &str,
    ) -> Self {
        let threshold = threshold.or(Some(groups.len())).filter(|_| groups.len() > 1);
        Self {
            groups,
            threshold,
            last_modified: time::of_seconds(last_modified),
            mac: None,
            version: version.to_owned(),
            selector,
            mac_only_encrypted,
        }
    }

    /// The same for a file that is written again.
    #[must_use]
    pub fn modified(self, last_modified: u64, version: &str) -> Self {
        Self { last_modified: time::of_seconds(last_modified), version: version.to_owned(), ..self }
    }

    /// Reads the block from the value of the root key `sops`.
    pub fn parse(node: &Node) -> Result<Self, MetadataError> {
        if flat::is_flat(node) {
            return Self::nested(&flat::unflatten(node)?);
        }
        Self::nested(node)
    }

    fn nested(node: &Node) -> Result<Self, MetadataError> {
        let groups = match field(node, "key_groups").map(items) {
            Some(groups) if top_level(node)?.wraps.is_empty() => {
                groups.map(top_level).collect::<Result<Vec<_>, _>>()?
            }
            _ => vec![top_level(node)?],
        };
        let text = |name: &'static str| field(node, name).and_then(Node::text).filter(|text| !text.is_empty());
        let last_modified = text("lastmodified").and_then(time::to_seconds);
        let threshold =
            text("shamir_threshold").map(|text| text.parse().map_err(|_| MetadataError::Malformed("shamir_threshold")));
        let selector = Selector::of(FIELDS.iter().filter_map(|name| Some((*name, text(name)?))))?;
        Ok(Self {
            groups,
            threshold: threshold.transpose()?.filter(|threshold| *threshold > 0),
            last_modified: last_modified.ok_or(MetadataError::Malformed("lastmodified"))?,
            mac: text("mac").map(Token::parse).transpose()?,
            version: text("version").unwrap_or_default().to_owned(),
            selector,
            mac_only_encrypted: text("mac_only_encrypted").map_or(Ok(false), truth)?,
        })
    }

    /// Every wrap, whatever its group.
    pub fn wraps(&self) -> impl Iterator<Item = &Wrap> {
        self.groups.iter().flat_map(|group| &group.wraps)
    }
}

/// The lists of keys in the block itself, or in one of its groups.
fn top_level(node: &Node) -> Result<Group, MetadataError> {
    let mut wraps = Vec::new();
    for (service, list, key) in LISTS {
        for entry in field(node, list).into_iter().flat_map(items) {
            let text = |name: &str| field(entry, name).and_then(Node::text);
            let fields = OTHER_FIELDS.iter().filter_map(|name| Some((*name, text(name)?.to_owned())));
            wraps.push(Wrap {
                service,
                key: text(key).unwrap_or_default().to_owned(),
                enc: text("enc").ok_or(MetadataError::Malformed("enc"))?.to_owned(),
                fields: fields.collect(),
                context: field(entry, "context").map(texts).unwrap_or_default(),
            });
        }
    }
    Ok(Group { wraps })
}

/// A truth value in any of the forms that SOPS takes.
fn truth(text: &str) -> Result<bool, MetadataError> {
    let printed = normalised(Type::Bool, text.as_bytes());
    printed.map(|printed| printed.as_slice() == b"True").ok_or(MetadataError::Malformed("mac_only_encrypted"))
}

fn texts(node: &Node) -> Vec<(String, String)> {
    let pairs = node.entries().iter().filter_map(|(name, value)| Some((name.text()?, value.text()?)));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// A field by its name; SOPS does not mind upper and lower case.
pub(super) fn field<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    let same = |key: &Node| key.text().is_some_and(|key| key.eq_ignore_ascii_case(name));
    node.entries().iter().find(|(key, _)| same(key)).map(|(_, value)| value)
}

fn items(node: &Node) -> impl Iterator<Item = &Node> {
    match &node.kind {
        crate::document::Kind::Sequence { items, .. } => items.iter(),
        _ => [].iter(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{File, Syntax};
    use crate::sops::Layout;

    fn parse(text: &str) -> Result<Metadata, MetadataError> {
        let file = File::parse(text, Syntax::Yaml).ok();
        let block = file.as_ref().and_then(|file| file.documents[0].root.get(BLOCK_KEY));
        block.map_or(Err(MetadataError::Malformed("sops")), Metadata::parse)
    }

    #[test]
    fn reads_keys_of_every_service_and_the_default_selector() {
        let read = parse(
            "sops:\n  kms: []\n  age:\n    - recipient: age1x\n      enc: |\n        AGE\n  pgp:\n    - created_at: \"2020-01-01T00:00:00Z\"\n      enc: PGP\n      fp: ABC\n  lastmodified: \"2026-01-02T03:04:05.123+00:00\"\n  version: 3.13.2\n",
        );
        let read = read.unwrap();
        let keys: Vec<_> = read.wraps().map(|wrap| (wrap.service, wrap.key.as_str(), wrap.enc.as_str())).collect();
        assert_eq!(keys, [(Service::Age, "age1x", "AGE\n"), (Service::Pgp, "ABC", "PGP")]);
        assert_eq!(read.last_modified, "2026-01-02T03:04:05Z");
        assert!(matches!(read.selector, Selector::UnencryptedSuffix(suffix) if suffix == "_unencrypted"));
        assert!(read.mac.is_none() && read.threshold.is_none());
    }

    #[test]
    fn groups_and_their_threshold() {
        let read = parse(
            "sops:\n  shamir_threshold: 2\n  key_groups:\n    - age: [{recipient: a, enc: A}]\n    - age: [{recipient: b, enc: B}]\n  lastmodified: 2026-01-02T03:04:05Z\n",
        );
        let read = read.unwrap();
        assert_eq!((read.groups.len(), read.threshold), (2, Some(2)));
    }

    #[test]
    fn names_and_truth_values_are_as_sops_takes_them() {
        let with = |value: &str| {
            parse(&format!("sops:\n  LastModified: 2026-01-02T03:04:05Z\n  MAC_only_encrypted: {value}\n"))
        };
        for (value, expected) in [("True", true), ("true", true), ("\"1\"", true), ("FALSE", false), ("", false)] {
            assert_eq!(with(value).unwrap().mac_only_encrypted, expected, "{value}");
        }
        assert_eq!(with("yes").unwrap_err(), MetadataError::Malformed("mac_only_encrypted"));
        let file = File::parse("sops:\n  LastModified: 2026-01-02T03:04:05Z\n", Syntax::Yaml).unwrap();
        assert!(Layout::is_one(&file));
    }

    #[test]
    fn two_selectors_or_a_broken_one_are_errors() {
        let with = |fields: &str| parse(&format!("sops:\n  lastmodified: 2026-01-02T03:04:05Z\n{fields}")).unwrap_err();
        assert_eq!(with("  encrypted_regex: \"(\"\n"), SelectorError::Invalid("encrypted_regex").into());
        assert_eq!(with("  encrypted_regex: a\n  encrypted_suffix: b\n"), SelectorError::Several.into());
        assert_eq!(with("  mac: hello\n"), TokenError::Layout.into());
    }
}
