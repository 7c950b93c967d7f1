//! SOPS files: those that are not encrypted and should be, those that are only in part, and their readers.

use std::cell::OnceCell;
use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use sealwax_format::document::walk::{Leaf, leaves};
use sealwax_format::document::{Document, File, Kind, Node};
use sealwax_format::native;
use sealwax_format::sops::{Expression, Selector, SelectorError, Token};
use sealwax_format::{Step, document};

pub(in crate::check) use super::sops_config::Configs;
use super::sops_config::CreationRule;
use crate::check::catalog::Id;
use crate::check::finding::Finding;
use crate::check::sheet::Sheet;
use crate::check::view::View;
use crate::sops::config::{Fields, canonical};

/// The root key of the metadata.
const BLOCK: &str = "sops";
/// The start of an encrypted value.
pub(super) const MARKER: &str = "ENC[AES256_GCM,";

/// Whether a text is an encrypted value.
pub(super) fn is_value(text: &str) -> bool {
    Token::parse(text).is_ok()
}

/// The metadata of a SOPS file.
pub(in crate::check) struct Metadata {
    pub(super) selector: Result<Selector, SelectorError>,
    pub(super) missing: Vec<&'static str>,
    readers: BTreeSet<String>,
    line: usize,
}

impl Metadata {
    /// Reads it, if the file has one. Other programs have a key `sops` too: what SOPS writes has a mac, a version or a
    /// time.
    pub(in crate::check) fn read(file: &File<'_>) -> Option<Self> {
        file.documents.iter().find_map(|document| {
            let view = View::new(document);
            let block = view.get(view.root, BLOCK)?;
            let known = ["mac", "version", "lastmodified"].iter().any(|key| view.get(block, key).is_some());
            known.then(|| Self::of(&view, block, file.line(block.span.start)))
        })
    }

    fn of<'d>(view: &View<'d>, block: &'d Node, line: usize) -> Self {
        let text = |key: &str| view.get(block, key).and_then(|value| view.text(value)).map(|text| text.to_string());
        let fields = Fields {
            unencrypted_suffix: text("unencrypted_suffix"),
            encrypted_suffix: text("encrypted_suffix"),
            unencrypted_regex: text("unencrypted_regex"),
            encrypted_regex: text("encrypted_regex"),
            unencrypted_comment_regex: text("unencrypted_comment_regex"),
            encrypted_comment_regex: text("encrypted_comment_regex"),
        };
        let has = |key: &str| text(key).is_some_and(|text| !text.is_empty());
        let mut missing: Vec<_> = ["mac", "lastmodified"].into_iter().filter(|key| !has(key)).collect();
        let holds = |key: &&str| view.get(block, key).is_some_and(|list| !view.items(list).is_empty());
        if !KEYS.iter().any(holds) {
            missing.push("every key");
        }
        Self { selector: fields.selector(), missing, readers: readers(view, block), line }
    }
}

/// The fields that hold the data key, each wrapped by another service.
const KEYS: [&str; 8] = ["age", "pgp", "kms", "gcp_kms", "azure_kv", "hc_vault", "hckms", "key_groups"];

/// The age recipients and PGP fingerprints that the metadata lists.
fn readers<'d>(view: &View<'d>, block: &'d Node) -> BTreeSet<String> {
    let mut readers = BTreeSet::new();
    let groups = view.get(block, "key_groups").map(|groups| view.items(groups)).unwrap_or_default();
    for group in std::iter::once(block).chain(groups) {
        for (list, field) in [("age", "recipient"), ("pgp", "fp")] {
            let items = view.get(group, list).map(|list| view.items(list)).unwrap_or_default();
            let texts = items.iter().filter_map(|item| view.text(view.get(item, field)?));
            readers.extend(texts.filter_map(|text| canonical(&text)));
        }
    }
    readers
}

/// Runs the rules over a parsed file.
pub(super) fn check(sheet: &Sheet<'_>, findings: &mut Vec<Finding>) {
    let Some(context) = sheet.context else { return };
    let rule = context.sops.rule(sheet.path);
    let Some(metadata) = &sheet.sops else {
        if let Some(rule) = rule.filter(|rule| rule.claims(sheet.path)) {
            unencrypted(sheet, rule, findings);
        }
        return;
    };
    complete(sheet, metadata, findings);
    if let Some(rule) = rule {
        compare_readers(sheet.path, metadata, rule, findings);
    }
    for reason in &metadata.missing {
        let message = format!("the metadata lacks {reason}");
        findings
            .push(Finding::new(Id::WAX304, sheet.path, message).line(metadata.line).key(format!("{BLOCK}.{reason}")));
    }
    // Nobody can tell then which values should be encrypted, however many are.
    if let Err(error) = &metadata.selector {
        let message = format!("the metadata's selector of values cannot be used: {error}");
        findings.push(Finding::new(Id::WAX304, sheet.path, message).line(metadata.line).key(BLOCK));
    }
}

/// Values of a SOPS file that its own selector encrypts, and that are not.
fn complete(sheet: &Sheet<'_>, metadata: &Metadata, findings: &mut Vec<Finding>) {
    let (mut encrypted, mut values, mut plain) = (0, 0, Vec::new());
    for (index, document) in sheet.file.documents.iter().enumerate() {
        let view = View::new(document);
        let prefix = sheet.prefix(index, &view);
        let comments = Comments::of(sheet, document);
        for leaf in leaves(document).iter().filter(|leaf| !is_metadata(leaf)) {
            let text = view.text(leaf.node).unwrap_or_default();
            if is_nothing(leaf, &text) {
                continue;
            }
            values += 1;
            if is_value(&text) {
                encrypted += 1;
            } else if metadata.selector.as_ref().is_ok_and(|selector| comments.wants(leaf, selector)) {
                let malformed = text.starts_with(MARKER);
                let message =
                    if malformed { "the encrypted value is malformed" } else { "the value stands in the clear" };
                let key = format!("{prefix}{}", leaf.path);
                plain.push(Finding::new(Id::WAX302, sheet.path, message).line(sheet.line(leaf.node)).key(key));
            }
        }
    }
    if values > 0 && encrypted == 0 {
        let why = match metadata.selector {
            Err(SelectorError::Invalid(_)) => "its selector is no valid regular expression, and nothing is encrypted",
            _ => "nothing is encrypted",
        };
        findings.push(Finding::new(Id::WAX303, sheet.path, why).line(metadata.line).key(BLOCK));
    } else {
        findings.extend(plain);
    }
}

fn is_metadata(leaf: &Leaf<'_>) -> bool {
    matches!(leaf.path.0.first(), Some(Step::Key(key)) if key == BLOCK)
}

/// What SOPS leaves as it is: nulls and empty texts.
fn is_nothing(leaf: &Leaf<'_>, text: &str) -> bool {
    let plain = leaf.scalar.is_some_and(|scalar| scalar.style == document::Style::Plain);
    text.is_empty() || (plain && matches!(text, "~" | "null" | "Null" | "NULL"))
}

/// Values of a document below comments that match a selector, found out when it asks.
struct Comments<'s> {
    sheet: &'s Sheet<'s>,
    document: &'s Document,
    matched: OnceCell<HashSet<*const Node>>,
}

impl<'s> Comments<'s> {
    fn of(sheet: &'s Sheet<'s>, document: &'s Document) -> Self {
        Self { sheet, document, matched: OnceCell::new() }
    }

    fn wants(&self, leaf: &Leaf<'_>, selector: &Selector) -> bool {
        let keys: Vec<_> = leaf
            .path
            .0
            .iter()
            .filter_map(|step| if let Step::Key(key) = step { Some(key.as_str()) } else { None })
            .collect();
        let has = |expression: &Expression| {
            let matched = self.matched.get_or_init(|| self.matching(expression));
            matched.contains(&std::ptr::from_ref(leaf.node))
        };
        match selector {
            Selector::UnencryptedComment(expression) => !has(expression),
            Selector::EncryptedComment(expression) => has(expression),
            by_name => by_name.selects(keys, std::iter::empty()),
        }
    }

    /// The values that have a matching comment above them, above one of the entries around them, or on one of these lines.
    fn matching(&self, expression: &Expression) -> HashSet<*const Node> {
        let lines: Vec<_> = self.sheet.file.source.lines().collect();
        let comment = |line: &str| line.split_once('#').is_some_and(|(_, comment)| expression.matches(comment));
        let at = |node: &Node| {
            let start = self.sheet.line(node);
            let here = lines.get(start - 1).is_some_and(|line| comment(line));
            let above = lines.get(..start - 1).unwrap_or_default().iter().rev();
            let mut above = above.map(|line| line.trim()).take_while(|line| line.is_empty() || line.starts_with('#'));
            here || above.any(comment)
        };
        let mut matched = HashSet::new();
        let mut waiting = vec![(&self.document.root, false)];
        while let Some((node, around)) = waiting.pop() {
            match &node.kind {
                Kind::Mapping { entries, .. } => {
                    waiting.extend(entries.iter().map(|(key, value)| (value, around || at(key))));
                }
                Kind::Sequence { items, .. } => waiting.extend(items.iter().map(|item| (item, around || at(item)))),
                _ if around || at(node) => {
                    matched.insert(std::ptr::from_ref(node));
                }
                _ => {}
            }
        }
        matched
    }
}

/// A file that a rule claims and that has no metadata.
fn unencrypted(sheet: &Sheet<'_>, rule: &CreationRule, findings: &mut Vec<Finding>) {
    if sheet.path.file_stem().is_some_and(|stem| stem.eq_ignore_ascii_case("kustomization")) {
        return;
    }
    for (index, document) in sheet.file.documents.iter().enumerate() {
        let view = View::new(document);
        let is_object = view.get(view.root, "apiVersion").is_some() && view.get(view.root, "kind").is_some();
        if is_object && !view.is(view.root, "kind", "Secret") {
            continue;
        }
        let comments = Comments::of(sheet, document);
        for leaf in &leaves(document) {
            let text = view.text(leaf.node).unwrap_or_default();
            if !is_nothing(leaf, &text) && !native::Token::is_claimed_by(&text) && comments.wants(leaf, &rule.selector)
            {
                let key = format!("{}{}", sheet.prefix(index, &view), leaf.path);
                let message = "a creation rule of .sops.yaml covers the file, and the value stands in the clear";
                findings.push(Finding::new(Id::WAX301, sheet.path, message).line(sheet.line(leaf.node)).key(key));
                // One for each document: all of it has to be encrypted.
                break;
            }
        }
    }
}

fn compare_readers(path: &Path, metadata: &Metadata, rule: &CreationRule, findings: &mut Vec<Finding>) {
    if rule.readers.is_empty() {
        return;
    }
    let missing =
        rule.readers.difference(&metadata.readers).map(|reader| (reader, "is in .sops.yaml and not in the file"));
    let extra =
        metadata.readers.difference(&rule.readers).map(|reader| (reader, "is in the file and not in .sops.yaml"));
    for (reader, what) in missing.chain(extra) {
        let short: String = reader.chars().take(20).collect();
        let message = format!("the recipient {short}… {what}");
        findings.push(Finding::new(Id::WAX305, path, message).line(metadata.line).key(reader));
    }
}
