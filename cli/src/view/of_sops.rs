//! Files of SOPS for people's eyes: with every value masked, or revealed, and as a state to be compared.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;

use sealwax_format::SecretBytes;
use sealwax_format::document::File;
use sealwax_format::sops::{Layout, OpenedValue, Token, Type};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::masked::{mask, splice};
use super::snapshot::{Document, Snapshot, Value};
use super::tags::{Tag, Tags};
use crate::error::CommandError;
use crate::sops::keys::{self, Keys};
use crate::sops::{in_file, open};

/// The start of an encrypted scalar; it ends with the first bracket.
const START: &str = "ENC[";

/// The text with tokens and wraps replaced by what stands for them.
pub(crate) fn masked(file: &File<'_>, keys: &Keys<'_>, tags: &Tags) -> Option<String> {
    let layout = Layout::read(file).ok()?;
    let opened = values(file, keys);
    let mut known: HashMap<String, Tag> = HashMap::new();
    for value in &layout.values {
        if let (Some(token), Some(scalar)) = (&value.token, value.leaf.scalar) {
            let plain = opened.get(&(value.document, value.leaf.path.to_string()));
            known.insert(scalar.value.to_string(), tag(tags, token, plain));
        }
    }
    let mut edits = Vec::new();
    // Values, the checksum and comments alike, wherever they stand.
    for (start, _) in file.source.match_indices(START) {
        // The first bracket after its own decides, so that a line of nothing but beginnings takes no longer than others.
        let rest = &file.source[start + START.len()..];
        let Some(length) = rest.find(['[', ']', '\n']).filter(|at| rest[*at..].starts_with(']')) else { continue };
        let length = length + START.len();
        let text = &file.source[start..=start + length];
        let Ok(token) = Token::parse(text) else { continue };
        let tag = known.get(text).copied().unwrap_or_else(|| tags.of_bytes(token.sealed(), None));
        edits.push((start..start + length + 1, format!("<sealed {tag}>")));
    }
    for scalar in layout.wraps(file) {
        mask(file, scalar, "<wrapped>", &mut edits);
    }
    Some(splice(file.source, edits))
}

/// The text as it is without encryption, and below it who reads it; `None` where it does not open.
pub(crate) fn revealed(file: &File<'_>, keys: &Keys<'_>) -> Option<Zeroizing<String>> {
    // What a diff shows is read by people, and has been changed outside of SOPS often enough.
    let open = open("", file, keys, false).ok()?;
    let mut text = open.layout.decrypt(file, &open.cipher, &open.values).ok()?;
    text.push_str("# readers:\n");
    for wrap in open.layout.metadata.wraps() {
        let _ = writeln!(text, "#   {}", keys::shown(wrap));
    }
    Some(text)
}

/// What a file says in encrypted form; `reveal` keeps the values that open.
pub(crate) fn snapshot(
    shown: &str,
    file: &File<'_>,
    keys: &Keys<'_>,
    tags: &Tags,
    reveal: bool,
) -> Result<Snapshot, CommandError> {
    let layout = Layout::read(file).map_err(|at| in_file(shown, &at))?;
    let mut opened = values(file, keys);
    let readers: BTreeSet<_> = layout.metadata.wraps().map(keys::shown).collect();
    let mut documents: BTreeMap<String, Document> = BTreeMap::new();
    for (value, (_, path)) in layout.values.iter().zip(layout.plain_places()) {
        let title = format!("document {}", value.document + 1);
        let document = documents.entry(title).or_insert_with(|| Document {
            place: None,
            readers: readers.clone(),
            ..Document::default()
        });
        let path = path.to_string();
        let Some(token) = &value.token else {
            document.clear.insert(path);
            continue;
        };
        // An item for SOPS, and for nobody else.
        if token.kind == Type::Comment {
            continue;
        }
        let plain = opened.remove(&(value.document, path.clone()));
        let tag = tag(tags, token, plain.as_ref());
        let sealed = Sha256::digest(token.sealed()).into();
        // SOPS writes a value anew where it changed, and nowhere else while the data key stays.
        let value = Value { tag, sealed, own: false, plain: plain.filter(|_| reveal).map(|(_, value)| value) };
        document.values.insert(path, value);
    }
    Ok(Snapshot { documents })
}

fn tag(tags: &Tags, token: &Token, plain: Option<&(u8, SecretBytes)>) -> Tag {
    tags.of_bytes(token.sealed(), plain.map(|(kind, value)| (*kind, value.expose())))
}

/// The values that open, by document and path; nothing where none do.
fn values(file: &File<'_>, keys: &Keys<'_>) -> HashMap<(usize, String), (u8, SecretBytes)> {
    let Ok(open) = open("", file, keys, false) else { return HashMap::new() };
    let places = open.layout.plain_places();
    let values = open.values.into_iter().filter_map(|OpenedValue { value, kind, plaintext }| {
        let (document, path) = places.get(value)?;
        Some(((*document, path.to_string()), (kind as u8, SecretBytes::from(plaintext))))
    });
    values.collect()
}
