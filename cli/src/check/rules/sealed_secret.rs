//! `SealedSecret`s: values that kubeseal did not encrypt, and templates that say what they hold.

use sealwax_format::base64;
use sealwax_format::{Path, Step};

use crate::check::catalog::Id;
use crate::check::finding::Finding;
use crate::check::sheet::Sheet;
use crate::check::value::{Nature, nature};
use crate::check::view::{View, every_mapping};

/// Lengths of RSA keys in bytes: the first part of a value is as long as its key.
const KEY_SIZES: [usize; 4] = [128, 256, 384, 512];
/// The authentication tag at the end.
const TAG: usize = 16;

/// Looks at a document, and at what it lists.
pub(super) fn check(sheet: &Sheet<'_>, index: usize, view: &View<'_>, findings: &mut Vec<Finding>) {
    if sheet.context.is_none() {
        return;
    }
    let prefix = sheet.prefix(index, view);
    every_mapping(view.root, &Path::default(), &mut |node, path| {
        let version = view.get(node, "apiVersion").and_then(|version| view.text(version)).unwrap_or_default();
        if !version.starts_with("bitnami.com/") || !view.is(node, "kind", "SealedSecret") {
            return;
        }
        let Some(spec) = view.get(node, "spec") else { return };
        let mut look = |node: Option<_>, at: &[&str], is_fine: &dyn Fn(&str) -> bool, id, message: &str| {
            let Some(items) = node else { return };
            let path = at.iter().fold(path.clone(), |path, key| path.child(Step::Key((*key).to_owned())));
            for (item, value) in view.entries(items) {
                let text = view.text(value).unwrap_or_default();
                if !is_fine(&text) {
                    let path = path.child(Step::Key(item));
                    let finding = Finding::new(id, sheet.path, message).line(sheet.line(value));
                    findings.push(finding.key(format!("{prefix}{path}")));
                }
            }
        };
        let encrypted = |text: &str| is_sealed(text) || is_shortened(text) || nature(text) == Nature::Harmless;
        let message = "the value is not encrypted as kubeseal does it";
        look(view.get(spec, "encryptedData"), &["spec", "encryptedData"], &encrypted, Id::WAX402, message);
        let template = view.get(spec, "template").and_then(|template| view.get(template, "data"));
        let message = "the template's item stands in the clear";
        look(template, &["spec", "template", "data"], &is_template, Id::WAX401, message);
    });
}

/// Items that consist of what was decrypted, or of nothing.
fn is_template(text: &str) -> bool {
    text.contains("{{") || nature(text) == Nature::Harmless
}

/// `u16be` length, a key of that length encrypted with RSA, the value encrypted with AES-GCM: in base64.
fn is_sealed(text: &str) -> bool {
    let Some(bytes) = base64::decode_spaced(text) else { return false };
    let Some((length, rest)) = bytes.split_first_chunk::<2>() else { return false };
    let length = usize::from(u16::from_be_bytes(*length));
    KEY_SIZES.contains(&length) && rest.len() >= length + TAG
}

/// An example in documentation: the beginning of a value for a key of 4096 bits, and dots.
fn is_shortened(text: &str) -> bool {
    let Some(start) = text.trim().strip_suffix("...") else { return false };
    let start = start.trim_end_matches('.');
    start.starts_with("Ag") && start.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_value_has_its_shape() {
        let value = |key: usize, rest: usize| {
            let mut bytes = u16::try_from(key).unwrap().to_be_bytes().to_vec();
            bytes.resize(2 + key + rest, 7);
            base64::encode(&bytes)
        };
        assert!(is_sealed(&value(512, 16)));
        assert!(!is_sealed(&value(512, 15)));
        assert!(!is_sealed(&value(100, 16)));
        assert!(!is_sealed("aHVudGVyMg=="));
        assert!(!is_sealed("hunter2"));
        assert!(is_shortened("AgBy3i4OJSWK+PiTySYZZA9rO43cGDEq....."));
        assert!(!is_shortened("hunter2..."));
    }
}
