//! A file against what it held before: values that were encrypted and stand in the clear now, and other readers.

use std::collections::{BTreeSet, HashSet};
use std::sync::LazyLock;

use regex::Regex;
use sealwax_format::document::walk::leaves;
use sealwax_format::document::{File, Syntax};
use sealwax_format::native::Token;

use super::sops;
use crate::check::catalog::Id;
use crate::check::finding::Finding;
use crate::check::sheet::Sheet;
use crate::check::value::{Nature, nature};
use crate::check::view::View;
use crate::survey;

static LABEL: LazyLock<Regex> = expression!(r"\b[a-z0-9][a-z0-9-]{0,62}@[a-z2-7]{20}\b");

/// Whether a text holds encrypted values.
pub(in crate::check) fn is_encrypted(text: &str) -> bool {
    survey::claims_values(text.as_bytes()) || text.contains(sops::MARKER)
}

/// The readers that a text names.
pub(in crate::check) fn labels(text: &str) -> BTreeSet<&str> {
    if is_encrypted(text) { LABEL.find_iter(text).map(|found| found.as_str()).collect() } else { BTreeSet::new() }
}

/// A document as it is found again, and an encoded path in it.
type Place = (String, Vec<u8>);
/// Takes a place, the text there, and its line and key.
type Visit<'v> = dyn FnMut(Place, &str, (usize, String)) + 'v;

/// What the other version of a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::check) enum Version {
    Earlier,
    Later,
}

/// Values that are encrypted in another version, wherever their objects stand in the file now.
pub(in crate::check) fn check(sheet: &Sheet<'_>, version: Version, text: &str, findings: &mut Vec<Finding>) {
    if !is_encrypted(text) {
        return;
    }
    let Ok(other) = File::parse(text, sheet.file.syntax).or_else(|_| File::parse(text, Syntax::Yaml)) else {
        return;
    };
    let message = match version {
        Version::Earlier => "the value was encrypted before, and stands in the clear",
        Version::Later => "the value is encrypted later, and stands in the clear",
    };
    // What another rule tells of a value says more than that it is encrypted later.
    let told = findings.iter().filter(|finding| finding.rule.plaintext && version == Version::Later);
    let told: HashSet<_> = told.map(|finding| (finding.line, finding.key.clone())).collect();
    let mut encrypted: HashSet<Place> = HashSet::new();
    each(&other, &|_, _| String::new(), &mut |place, text, _| {
        if Token::is_claimed_by(text) {
            encrypted.insert(place);
        }
    });
    each(sheet.file, &|index, view| sheet.prefix(index, view), &mut |place, text, (line, key)| {
        if encrypted.contains(&place) && !Token::is_claimed_by(text) && nature(text) != Nature::Harmless {
            let finding = Finding::new(Id::WAX103, sheet.path, message).line(line).key(key);
            if !told.contains(&(finding.line, finding.key.clone())) {
                findings.push(finding);
            }
        }
    });
}

/// Calls a function with every text of a file: its place, itself, and its line and key.
fn each(file: &File<'_>, prefix: &dyn Fn(usize, &View<'_>) -> String, visit: &mut Visit<'_>) {
    for (index, document) in file.documents.iter().enumerate() {
        let view = View::new(document);
        let text = |node, key| view.get(node, key).and_then(|value| view.text(value)).unwrap_or_default();
        let metadata = view.get(view.root, "metadata");
        let name = |key| metadata.map(|metadata| text(metadata, key).to_string()).unwrap_or_default();
        let kind = text(view.root, "kind");
        let object = if kind.is_empty() {
            index.to_string()
        } else {
            format!("{}/{}/{}", kind.as_str(), name("namespace"), name("name"))
        };
        let prefix = prefix(index, &view);
        for leaf in leaves(document) {
            let Some(text) = view.text(leaf.node) else { continue };
            let key = format!("{prefix}{}", leaf.path);
            visit((object.clone(), leaf.path.encode()), &text, (file.line(leaf.node.span.start), key));
        }
    }
}
