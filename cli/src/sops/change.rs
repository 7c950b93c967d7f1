//! What separates a file from the rule that governs it.

use sealwax_format::sops::{Metadata, Wrap};

use super::config::Creation;
use super::keys;

/// What `.sops.yaml` says now, against what a file says.
pub(crate) struct Change {
    /// They shall read, and the data key is not wrapped for them.
    pub(crate) added: Vec<Wrap>,
    /// They read, and shall not.
    pub(crate) removed: Vec<Wrap>,
    /// The same keys, in other groups.
    pub(crate) regrouped: bool,
    /// Other values are to be encrypted, or to be in the checksum.
    pub(crate) reselected: bool,
}

impl Change {
    /// Whether the file says what the rule says.
    pub(crate) fn is_none(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && !self.regrouped && !self.reselected
    }

    /// From the file to the rule.
    pub(crate) fn between(metadata: &Metadata, creation: &Creation) -> Self {
        let wanted: Vec<&Wrap> = creation.groups.iter().flat_map(|group| &group.wraps).collect();
        let named: Vec<&Wrap> = metadata.wraps().collect();
        let missing = |from: &[&Wrap], of: &[&Wrap]| {
            let lacks = |wrap: &&&Wrap| !from.iter().any(|other| keys::is_same(other, wrap));
            of.iter().filter(lacks).map(|wrap| (*wrap).clone()).collect::<Vec<_>>()
        };
        let several = creation.groups.len() > 1;
        let threshold = creation.threshold.unwrap_or(creation.groups.len());
        let stated = metadata.threshold.unwrap_or(metadata.groups.len());
        Self {
            added: missing(&named, &wanted),
            removed: missing(&wanted, &named),
            regrouped: !keys::are_same(&metadata.groups, &creation.groups) || several && threshold != stated,
            reselected: metadata.selector.field() != creation.selector.field()
                || metadata.mac_only_encrypted != creation.mac_only_encrypted,
        }
    }
}
