//! What a cluster publishes about its keys, in its two forms: the items of the ConfigMap, and a `.pub` file in Git.
//!
//! ```text
//! # cluster: prod
//! # signing key: 3q2+7w…
//! # signature: mFtP…
//! # sealing key, fingerprint 91b2…, created 2026-11-21T06:00:00Z
//! age1pq1…
//! # opens only, fingerprint 5f0c…, created 2025-03-01T09:00:00Z
//! age1pq1…
//! ```
//!
//! The first three lines are the file's; from the fourth on it is the item `recipients`, byte for byte, which is what
//! the signature is over. Whoever only wants to seal takes the first line that is no comment.

use std::collections::BTreeMap;

use super::{EndorsementError, Fingerprint, Label, ParseSigningKeyError, PublicSigningKey};

/// The item with the cluster's name.
pub const CLUSTER: &str = "cluster";
/// The item with the recipients, the sealing one first.
pub const RECIPIENTS: &str = "recipients";
/// The item with the public signing key.
pub const SIGNING_KEY: &str = "signing-key";
/// The item with the signature.
pub const SIGNATURE: &str = "signature";

const HEADERS: [(&str, &str); 3] =
    [("# cluster: ", CLUSTER), ("# signing key: ", SIGNING_KEY), ("# signature: ", SIGNATURE)];

/// What a cluster publishes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    items: BTreeMap<String, String>,
}

/// Why what is published is not endorsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishedError {
    /// No signing key.
    #[error("it names no signing key")]
    NoSigningKey,
    /// One that is none.
    #[error("its signing key is malformed")]
    SigningKey(#[from] ParseSigningKeyError),
    /// No signature.
    #[error("it has no signature")]
    NoSignature,
    /// One that does not fit.
    #[error("it is not endorsed")]
    Endorsement(#[from] EndorsementError),
}

/// Why what is published cannot be a `.pub` file. Quotes nothing: the texts are somebody else's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// A name that would not stand in one line, or none.
    #[error("the cluster's name is not 1 to 63 characters of a-z, 0-9 and -")]
    Cluster,
    /// A header with a line break or another control character.
    #[error("the item {0} holds a control character")]
    Control(&'static str),
    /// A file of it would say something else.
    #[error("it does not read the same once it is a file")]
    Differs,
}

/// One recipient of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<'t> {
    /// As text.
    pub recipient: &'t str,
    /// When its key was made, if the comment above it says so.
    pub created: Option<&'t str>,
}

/// An entry as it is written: its comment, and the recipient on a line of its own.
pub fn entry(role: &str, recipient: &str, created: Option<&str>) -> String {
    let (fingerprint, created) = (Fingerprint::of(recipient), created.unwrap_or("at an unknown time"));
    format!("# {role}, fingerprint {fingerprint}, created {created}\n{recipient}\n")
}

/// What the comment above the first recipient begins with.
pub const SEALS: &str = "sealing key";
/// What the comments above the others begin with.
pub const OPENS: &str = "opens only";

impl Entry<'_> {
    /// The recipient's fingerprint, computed: comments are only comments.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self.recipient)
    }
}

impl Published {
    /// From the ConfigMap's items.
    pub fn from_items(items: BTreeMap<String, String>) -> Self {
        Self { items }
    }

    /// From a `.pub` file. One without the first three lines has no cluster and no signing key.
    pub fn from_file(text: &str) -> Self {
        // Git may have given the file other line ends.
        let text = text.replace("\r\n", "\n");
        let (mut items, mut rest) = (BTreeMap::new(), text.as_str());
        for (prefix, item) in HEADERS {
            if let Some((value, after)) = rest.strip_prefix(prefix).and_then(|line| line.split_once('\n')) {
                items.insert(item.to_owned(), value.trim().to_owned());
                rest = after;
            }
        }
        items.insert(RECIPIENTS.to_owned(), rest.to_owned());
        Self { items }
    }

    /// As a `.pub` file.
    pub fn to_file(&self) -> String {
        let headers = HEADERS.iter().filter_map(|(prefix, item)| Some(format!("{prefix}{}\n", self.items.get(*item)?)));
        headers.chain([self.recipients().to_owned()]).collect()
    }

    /// What whoever reads the `.pub` file of this will read. Whatever is shown, checked or used of what a cluster
    /// publishes has to come from here: a line break in a header would put a recipient into the file that nobody saw.
    pub fn as_filed(&self) -> Result<Self, FileError> {
        let control = |item: &&str| self.items.get(*item).is_some_and(|text| text.chars().any(char::is_control));
        if let Some(item) = HEADERS.iter().map(|(_, item)| *item).find(control) {
            return Err(FileError::Control(item));
        }
        if Label::new(self.cluster(), Fingerprint::of("")).is_err() {
            return Err(FileError::Cluster);
        }
        let filed = Self::from_file(&self.to_file());
        let known = |item: &&str| filed.items.get(*item) == self.items.get(*item);
        let same = [CLUSTER, SIGNING_KEY, SIGNATURE].iter().all(known) && filed.recipients() == self.recipients();
        if same { Ok(filed) } else { Err(FileError::Differs) }
    }

    /// The cluster's name.
    pub fn cluster(&self) -> &str {
        self.items.get(CLUSTER).map_or("", String::as_str)
    }

    /// The list as it was signed.
    pub fn recipients(&self) -> &str {
        self.items.get(RECIPIENTS).map_or("", String::as_str)
    }

    /// Each recipient; the first one is the sealing key.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        let mut created = None;
        self.recipients().lines().map(str::trim).filter(|line| !line.is_empty()).filter_map(move |line| {
            if line.starts_with('#') {
                created = line.split_once("created ").map(|(_, time)| time);
                return None;
            }
            Some(Entry { recipient: line, created: created.take() })
        })
    }

    /// The signing key, if one is named.
    pub fn signing_key(&self) -> Result<PublicSigningKey, PublishedError> {
        let text = self.items.get(SIGNING_KEY).ok_or(PublishedError::NoSigningKey)?;
        Ok(text.parse::<PublicSigningKey>()?)
    }

    /// Checks that this key endorses the list.
    pub fn check(&self, key: &PublicSigningKey) -> Result<(), PublishedError> {
        let signature = self.items.get(SIGNATURE).ok_or(PublishedError::NoSignature)?;
        Ok(key.check(self.cluster(), self.recipients(), signature)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::SigningKey;

    fn published() -> Published {
        let list = "# sealing key, fingerprint f, created 2026-11-21T06:00:00Z\nage1new\n# opens only\nage1old\n";
        let key = SigningKey::from_seed(&[7; 32]);
        Published::from_items(BTreeMap::from([
            (CLUSTER.to_owned(), "prod".to_owned()),
            (RECIPIENTS.to_owned(), list.to_owned()),
            (SIGNING_KEY.to_owned(), key.public().to_string()),
            (SIGNATURE.to_owned(), key.endorse("prod", list)),
        ]))
    }

    #[test]
    fn a_file_says_all_that_the_items_say() {
        let file = published().to_file();
        assert_eq!(Published::from_file(&file), published());
        assert_eq!(Published::from_file(&file.replace('\n', "\r\n")), published());
        let key = published().signing_key().unwrap();
        assert_eq!(Published::from_file(&file).check(&key), Ok(()));
        assert!(Published::from_file(&file.replace("age1new", "age1mine")).check(&key).is_err());
        assert!(Published::from_file(&file.replace("cluster: prod", "cluster: test")).check(&key).is_err());
    }

    #[test]
    fn lists_recipients_with_their_dates() {
        let published = published();
        let entries: Vec<_> = published.entries().map(|entry| (entry.recipient, entry.created)).collect();
        assert_eq!(entries, [("age1new", Some("2026-11-21T06:00:00Z")), ("age1old", None)]);
    }

    #[test]
    fn no_item_adds_a_line_to_the_file() {
        assert_eq!(published().as_filed(), Ok(published()));
        let with = |item: &str, text: &str| {
            let mut published = published();
            published.items.insert(item.to_owned(), text.to_owned());
            published.as_filed()
        };
        assert_eq!(with(CLUSTER, "prod\nage1attacker"), Err(FileError::Control(CLUSTER)));
        assert_eq!(with(SIGNING_KEY, "x\nage1attacker"), Err(FileError::Control(SIGNING_KEY)));
        assert_eq!(with(SIGNATURE, "x\nage1attacker"), Err(FileError::Control(SIGNATURE)));
        assert_eq!(with(SIGNATURE, "x\u{1b}[2K"), Err(FileError::Control(SIGNATURE)));
        assert_eq!(with(CLUSTER, "prod eu"), Err(FileError::Cluster));
        assert_eq!(with(CLUSTER, ""), Err(FileError::Cluster));
        assert_eq!(with(SIGNATURE, " x"), Err(FileError::Differs));
        assert_eq!(with(RECIPIENTS, "age1x\r\nage1y\n"), Err(FileError::Differs));
        // A list that begins like a header which is not there.
        let items = [(CLUSTER, "prod"), (RECIPIENTS, "# signature: x\nage1x\n")];
        let items = items.map(|(item, text)| (item.to_owned(), text.to_owned()));
        assert_eq!(Published::from_items(items.into()).as_filed(), Err(FileError::Differs));
    }

    #[test]
    fn a_plain_file_pins_nothing() {
        let plain = Published::from_file("# my cluster\nage1x\n");
        assert_eq!(plain.signing_key(), Err(PublishedError::NoSigningKey));
        assert_eq!(plain.entries().next().unwrap().recipient, "age1x");
    }
}
