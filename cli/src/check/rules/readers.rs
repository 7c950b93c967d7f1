//! Who can read a document, by the labels and the shape of its wraps, against the policy: in both directions.

use std::collections::{BTreeMap, BTreeSet};

use sealwax_format::keys::{Label, Strength, single_stanza};
use sealwax_format::native::{Layout, TokenKey};

use super::native::{Found, block_line};
use crate::check::catalog::Id;
use crate::check::finding::Finding;
use crate::check::sheet::Sheet;
use crate::policy::{Listed, Reader};

/// The type of the stanza that withstands a quantum computer.
const POST_QUANTUM: &str = "mlkem768x25519";

/// A data key of a document and for whom it is wrapped.
struct Key<'l> {
    line: usize,
    /// The value that the key is for; `None` for the document key.
    path: Option<&'l str>,
    wraps: &'l [(Label, Vec<u8>)],
}

impl Key<'_> {
    fn what(&self) -> String {
        self.path.map_or("the document key".to_owned(), |path| format!("the data key of {path}"))
    }
}

/// Looks at every data key of a document.
pub(super) fn check(
    sheet: &Sheet<'_>,
    layout: &Layout<'_>,
    tokens: &[Found],
    rule: Option<&Listed>,
    prefix: &str,
    findings: &mut Vec<Finding>,
) {
    let mut keys = Vec::new();
    if let Some(key) = layout.block.as_ref().and_then(|block| block.key.as_ref()) {
        let node = layout.host.and_then(|host| host.get("readers").or_else(|| host.get("sealwax")?.get("readers")));
        let line = node.map_or_else(|| block_line(sheet, layout), |node| sheet.line(node));
        keys.push(Key { line, path: None, wraps: &key.wraps });
    }
    for found in tokens {
        if let TokenKey::Own { wraps, .. } = &found.token.key {
            keys.push(Key { line: found.line, path: Some(&found.path), wraps });
        }
    }
    // One finding for each reader of a document: a reader who is missing is so for every key, as a rule.
    let mut told = BTreeSet::new();
    let mut tell = |id: Id, key: &Key<'_>, about: &str, message: String| {
        if told.insert((id.rule().id, about.to_owned())) {
            let finding = Finding::new(id, sheet.path, message).line(key.line);
            findings.push(finding.key(format!("{prefix}readers.{about}")));
        }
    };
    for key in &keys {
        strength(key, rule, &mut tell);
        if let Some(rule) = rule {
            compare(key, rule, &mut tell);
        }
    }
}

/// What tells a finding: the rule, the key that it is about, the reader, and the sentence.
type Tell<'t> = dyn FnMut(Id, &Key<'_>, &str, String) + 't;

/// The labels of a key against the readers of the rule.
fn compare(key: &Key<'_>, rule: &Listed, tell: &mut Tell<'_>) {
    let wanted: BTreeMap<&str, &Reader> = rule.readers.iter().map(|reader| (reader.label.name(), reader)).collect();
    let named: BTreeSet<&str> = key.wraps.iter().map(|(label, _)| label.name()).collect();
    for (name, reader) in &wanted {
        if !named.contains(name) {
            let message = format!("{} is not wrapped for {}, whom {} names", key.what(), reader.label, rule.shown);
            tell(Id::WAX203, key, &reader.label.to_string(), message);
        }
    }
    for (label, _) in key.wraps {
        match wanted.get(label.name()) {
            None => {
                let message = format!("{} is wrapped for {label}, whom {} does not name", key.what(), rule.shown);
                tell(Id::WAX204, key, &label.to_string(), message);
            }
            Some(reader) if reader.label != *label => {
                let message = format!("{} is wrapped for {label}, and the policy has {} now", key.what(), reader.label);
                tell(Id::WAX205, key, &label.to_string(), message);
            }
            Some(_) => {}
        }
    }
}

/// The stanzas inside the wraps: one each, of the type that the reader's key needs.
fn strength(key: &Key<'_>, rule: Option<&Listed>, tell: &mut Tell<'_>) {
    let (mut strong, mut weak) = (Vec::new(), Vec::new());
    for (label, wrap) in key.wraps {
        let Ok(stanza) = single_stanza(wrap) else {
            let message = format!("the wrap of {} for {label} is not an age file with one stanza", key.what());
            tell(Id::WAX211, key, &label.to_string(), message);
            continue;
        };
        let is_strong = stanza.tag == POST_QUANTUM;
        let reader = rule.and_then(|rule| rule.readers.iter().find(|reader| reader.label == *label));
        if reader.is_some_and(|reader| (reader.strength == Strength::PostQuantum) != is_strong) {
            let message = format!("the wrap of {} for {label} is not of the type of this recipient", key.what());
            tell(Id::WAX211, key, &label.to_string(), message);
        } else if !is_strong && rule.is_some_and(|rule| rule.strict) {
            let message = format!("the wrap of {} for {label} is not post-quantum", key.what());
            tell(Id::WAX208, key, &label.to_string(), message);
        }
        if is_strong { strong.push(label) } else { weak.push(label.name()) }
    }
    if let (false, [first, ..]) = (strong.is_empty(), weak.as_slice()) {
        let message = format!("{} is wrapped for post-quantum readers and for {}", key.what(), weak.join(", "));
        tell(Id::WAX209, key, first, message);
    }
}
