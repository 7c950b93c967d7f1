//! Keys of a `.sops.yaml` that SOPS does not know and passes over: a misspelt selector leaves values in the clear.

use sealwax_format::Path;
use sealwax_format::document::{File, Kind, Node, Syntax};

use crate::error::CommandError;

/// Names that may stand in a mapping, and what stands below them.
struct Known {
    names: &'static [&'static str],
    below: &'static [(&'static str, &'static Known)],
}

/// A mapping that may hold any name, or no mapping.
const FREE: Known = Known { names: &[], below: &[] };

const KMS: Known = Known { names: &["arn", "role", "aws_profile", "context"], below: &[("context", &FREE)] };
const GCP: Known = Known { names: &["resource_id"], below: &[] };
const HUAWEI: Known = Known { names: &["key_id"], below: &[] };
const AZURE: Known = Known { names: &["vaultUrl", "key", "version"], below: &[] };

static GROUP: Known = Known {
    names: &["merge", "age", "pgp", "kms", "gcp_kms", "hckms", "azure_keyvault", "hc_vault"],
    below: &[("merge", &GROUP), ("kms", &KMS), ("gcp_kms", &GCP), ("hckms", &HUAWEI), ("azure_keyvault", &AZURE)],
};

static RULE: Known = Known {
    names: &[
        "path_regex",
        "kms",
        "aws_profile",
        "age",
        "pgp",
        "gcp_kms",
        "hckms",
        "azure_keyvault",
        "hc_vault_transit_uri",
        "key_groups",
        "shamir_threshold",
        "unencrypted_suffix",
        "encrypted_suffix",
        "unencrypted_regex",
        "encrypted_regex",
        "unencrypted_comment_regex",
        "encrypted_comment_regex",
        "mac_only_encrypted",
    ],
    below: &[("key_groups", &GROUP)],
};

static ROOT: Known = Known {
    names: &["creation_rules", "destination_rules", "stores"],
    // Where files are published to, and how SOPS indents, is no matter of ours.
    below: &[("creation_rules", &RULE), ("destination_rules", &FREE), ("stores", &FREE)],
};

/// Refuses a configuration with a key that SOPS does not know.
pub(super) fn check(shown: &str, text: &str) -> Result<(), CommandError> {
    let file = File::parse(text, Syntax::Yaml).map_err(|error| CommandError::in_file(shown, &error.into()))?;
    // SOPS reads the first document.
    let Some(document) = file.documents.first() else { return Ok(()) };
    look(shown, &file, &document.root, &ROOT, &Path::default())
}

fn look(shown: &str, file: &File<'_>, node: &Node, known: &Known, path: &Path) -> Result<(), CommandError> {
    if let Kind::Sequence { items, .. } = &node.kind {
        return items.iter().try_for_each(|item| look(shown, file, item, known, path));
    }
    for (key, value) in node.entries() {
        let name = key.text().unwrap_or_default();
        if known.names.is_empty() {
            return Ok(());
        }
        let here = path.child(sealwax_format::Step::Key(name.to_owned()));
        // A plain name with a dot before it holds anchors.
        let anchors = name.starts_with('.');
        if name == "<<" {
            let line = file.line(key.span.start);
            return Err(CommandError::usage(format!("{shown}:{line}: {here}: merge keys are not followed here"))
                .hint("Write out what the anchor holds."));
        }
        if !known.names.contains(&name) && !anchors {
            let line = file.line(key.span.start);
            let error =
                CommandError::usage(format!("{shown}:{line}: {here}: SOPS knows no such key, and passes over it"));
            return Err(match nearest(name, known.names) {
                Some(meant) => error.hint(format!("Perhaps {meant} is meant.")),
                None => error.hint(format!("Known here: {}.", known.names.join(", "))),
            });
        }
        if let Some((_, below)) = known.below.iter().find(|(known, _)| *known == name) {
            look(shown, file, value, below, &here)?;
        }
    }
    Ok(())
}

/// The known name that a misspelt one resembles: equal but for case, `-`, `_` and a letter or two.
fn nearest(name: &str, known: &[&'static str]) -> Option<&'static str> {
    let bare = |text: &str| text.to_ascii_lowercase().replace(['-', '_'], "");
    let wanted = bare(name);
    let close = |other: &str| {
        let other = bare(other);
        let common = wanted.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
        let tail = wanted.bytes().rev().zip(other.bytes().rev()).take_while(|(a, b)| a == b).count();
        wanted.len().abs_diff(other.len()) <= 2 && common + tail + 2 >= wanted.len().max(other.len())
    };
    known.iter().copied().find(|other| close(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sops_knows_passes() {
        let text = "creation_rules:\n  - path_regex: a\n    age: x\n    encrypted_regex: ^data$\n    key_groups:\n      - merge:\n          - kms:\n              - arn: a\n                context: {anything: x}\n        hc_vault: [a]\nstores:\n  yaml:\n    indent: 2\ndestination_rules:\n  - s3_bucket: x\n";
        assert!(check("f", text).is_ok());
    }

    #[test]
    fn a_misspelt_key_is_told_with_its_line() {
        let error = check("f", "creation_rules:\n  - path_regex: a\n    encrypted_regexp: ^data$\n").unwrap_err();
        assert!(error.message().starts_with("f:3: creation_rules.encrypted_regexp: "), "{}", error.message());
        assert_eq!(error.hints(), ["Perhaps encrypted_regex is meant."]);
        assert!(check("f", "creation_rule: []\n").is_err());
        assert!(check("f", "creation_rules:\n  - key_groups:\n      - vault: [a]\n").is_err());
    }
}
