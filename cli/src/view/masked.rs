//! A file with every token masked where it stands, for `git diff`: one line for each value, the rest as it is.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::ops::Range;

use sealwax_format::Error;
use sealwax_format::document::{File, Kind, Node, Scalar};
use sealwax_format::keys::Keyring;
use sealwax_format::native::{self, Layout, Opener, TokenKey, open_leaf};
use zeroize::Zeroizing;

use super::tags::Tags;

/// The text with tokens and wraps replaced by what stands for them. Values that do not open get their ciphertext's tag.
pub(crate) fn masked(file: &File<'_>, keyring: &Keyring, tags: &Tags) -> Result<String, Error> {
    let mut edits = Vec::new();
    for index in 0..file.documents.len() {
        let layout = Layout::read(file, index)?;
        let mut opener = Opener::new(keyring);
        for leaf in &layout.leaves {
            let (Some(token), Some(scalar)) = (layout.token(file, leaf)?, leaf.scalar) else { continue };
            let opened = open_leaf(file, &layout, &mut opener, leaf, &token).ok();
            let tag = tags.of(&token, opened.as_ref());
            let own = match &token.key {
                TokenKey::Own { wraps, .. } => {
                    format!(", own key, for {}", names(wraps.iter().map(|(label, _)| label.name())))
                }
                TokenKey::Document(_) => String::new(),
            };
            mask(file, scalar, &format!("<sealed {tag}{own}>"), &mut edits);
        }
        mask_block(file, &layout, &mut edits);
    }
    Ok(splice(file.source, edits))
}

/// The text as it is without encryption, and below it who reads each document; `None` where a value does not open.
pub(crate) fn revealed(file: &File<'_>, keyring: &Keyring) -> Option<Zeroizing<String>> {
    let mut text = native::decrypt(file, &mut Opener::new(keyring)).ok()?.text;
    for index in 0..file.documents.len() {
        let layout = Layout::read(file, index).ok()?;
        if let Some(key) = layout.block.as_ref().and_then(|block| block.key.as_ref()) {
            let _ = writeln!(text, "# document {}: readers:", index + 1);
            for (label, _) in &key.wraps {
                let _ = writeln!(text, "#   {label}");
            }
        }
    }
    Some(text)
}

fn names<'n>(names: impl Iterator<Item = &'n str>) -> String {
    names.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(", ")
}

/// Wraps differ each time that they are made: the label is what tells something.
fn mask_block(file: &File<'_>, layout: &Layout<'_>, edits: &mut Vec<(Range<usize>, String)>) {
    let block = layout.host.and_then(|host| if layout.in_spec() { Some(host) } else { host.get("sealwax") });
    let Some(block) = block else { return };
    for (_, wrap) in block.get("readers").map(Node::entries).unwrap_or_default() {
        if let Kind::Scalar(scalar) = &wrap.kind {
            mask(file, scalar, "<wrapped>", edits);
        }
    }
}

/// Puts a mark in the place of a scalar; the lines of a block scalar go.
pub(super) fn mask(file: &File<'_>, scalar: &Scalar, mark: &str, edits: &mut Vec<(Range<usize>, String)>) {
    edits.push((scalar.head.clone(), mark.to_owned()));
    if let Some(body) = &scalar.body {
        // With the line break before the first of them.
        let before = &file.source[..body.start];
        let start = before.strip_suffix('\n').map_or(body.start, |rest| rest.strip_suffix('\r').unwrap_or(rest).len());
        edits.push((start..body.end, String::new()));
    }
}

pub(super) fn splice(source: &str, mut edits: Vec<(Range<usize>, String)>) -> String {
    edits.sort_by_key(|(range, _)| range.start);
    let (mut text, mut at) = (String::with_capacity(source.len()), 0);
    for (range, mark) in edits {
        text.push_str(source.get(at..range.start).unwrap_or_default());
        text.push_str(&mark);
        at = range.end;
    }
    text.push_str(source.get(at..).unwrap_or_default());
    text
}
