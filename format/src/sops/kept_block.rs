//! The block of an earlier state of a file: what is the same in the new one stays as it was written.

use std::ops::Range;

use super::block;
use super::cipher::Token;
use super::metadata::{BLOCK_KEY, Metadata, field};
use crate::document::lines::line_start;
use crate::document::present::double_quoted;
use crate::document::rewrite::{EntryPlace, Rewrite};
use crate::document::{File, Node, Scalar, Style, Syntax};

/// A block as it stood in a document.
pub(super) struct KeptBlock {
    metadata: Metadata,
    place: EntryPlace,
    /// The root that it stood in, and the block itself.
    root_in_braces: bool,
    in_braces: bool,
    /// The entry: in block style its lines without the last line break.
    text: String,
    /// The scalars that change with every edit, within the text.
    mac: Part,
    last_modified: Part,
    version: Part,
}

/// A scalar on one line.
struct Part {
    range: Range<usize>,
    style: Style,
}

impl KeptBlock {
    /// Of a document; `None` for a block that is better written anew.
    pub(super) fn of(file: &File<'_>, root: &Node) -> Option<Self> {
        let index = root.entries().iter().position(|(key, _)| key.text() == Some(BLOCK_KEY))?;
        let (key, value) = root.entries().get(index)?;
        let start = if root.is_flow() { key.span.start } else { line_start(file.source, key.span.start) };
        // A byte order mark stands before the first line, and not in it.
        let start =
            start + file.source.get(start..)?.len() - file.source.get(start..)?.trim_start_matches('\u{feff}').len();
        let mut end = value.span.end.max(key.span.end);
        if !root.is_flow() {
            let rest = file.source.get(end..)?.split('\n').next()?;
            end += rest.trim_end_matches('\r').len();
        }
        let part = |name: &str| {
            let scalar = field(value, name)?.scalar()?;
            Part::of(scalar, start)
        };
        Some(Self {
            metadata: Metadata::parse(value).ok()?,
            place: EntryPlace::of(file, root, index)?,
            root_in_braces: root.is_flow(),
            in_braces: value.is_flow(),
            text: file.source.get(start..end)?.to_owned(),
            mac: part("mac")?,
            last_modified: part("lastmodified")?,
            version: part("version")?,
        })
    }

    /// The entry with another checksum; `None` if more than that, the time and the version changed.
    fn with(&self, metadata: &Metadata, mac: &Token, syntax: Syntax) -> Option<String> {
        let old = &self.metadata;
        let same = old.groups == metadata.groups
            && old.threshold == metadata.threshold
            && old.selector.field() == metadata.selector.field()
            && old.mac_only_encrypted == metadata.mac_only_encrypted;
        if !same {
            return None;
        }
        let plain = matches!(syntax, Syntax::Dotenv | Syntax::Ini);
        let quoted = |text: &str| if plain { text.to_owned() } else { double_quoted(text, syntax) };
        // Flux finds a file by this line, and only without quotes.
        let mac = if self.in_braces { quoted(&mac.to_string()) } else { mac.to_string() };
        // Without quotes it would be a time, which SOPS does not read as a text.
        let last_modified = match self.last_modified.style {
            Style::Single => format!("'{}'", metadata.last_modified),
            _ => quoted(&metadata.last_modified),
        };
        let version = match self.version.style {
            Style::Plain => block::plain_if_safe(&metadata.version),
            _ => quoted(&metadata.version),
        };
        let unchanged = old.last_modified == metadata.last_modified && self.last_modified.style != Style::Plain;
        let mut edits = vec![(&self.mac, mac)];
        if !unchanged {
            edits.push((&self.last_modified, last_modified));
        }
        if old.version != metadata.version {
            edits.push((&self.version, version));
        }
        edits.sort_by_key(|(part, _)| part.range.start);
        let mut text = String::with_capacity(self.text.len() + 16);
        let mut at = 0;
        for (part, new) in edits {
            text.push_str(self.text.get(at..part.range.start)?);
            text.push_str(&new);
            at = part.range.end;
        }
        text.push_str(self.text.get(at..)?);
        Some(text)
    }

    /// The checksum of the earlier state, and the time that it is bound to.
    pub(super) fn mac(&self) -> Option<(&Token, &str)> {
        Some((self.metadata.mac.as_ref()?, &self.metadata.last_modified))
    }
}

impl Part {
    fn of(scalar: &Scalar, offset: usize) -> Option<Self> {
        let on_one_line = scalar.body.is_none();
        let range = scalar.head.start.checked_sub(offset)?..scalar.head.end.checked_sub(offset)?;
        on_one_line.then_some(Self { range, style: scalar.style })
    }
}

/// Writes the block of a document, where and how it stood before as far as that is known.
pub(super) fn put(
    kept: Option<&KeptBlock>,
    metadata: &Metadata,
    mac: &Token,
    file: &File<'_>,
    document: usize,
    rewrite: &mut Rewrite<'_, '_>,
) {
    let Some(root) = file.documents.get(document).map(|document| &document.root) else { return };
    let empty = root.entries().is_empty();
    let kept_braces = kept.is_some_and(|kept| kept.root_in_braces);
    // An empty document is written with braces too; Flux finds its block only without.
    let braces = root.is_flow() && (file.syntax == Syntax::Json || !empty || kept_braces);
    let kept = kept.filter(|kept| kept.root_in_braces == braces);
    let text = kept.and_then(|kept| kept.with(metadata, mac, file.syntax));
    let text = text.unwrap_or_else(|| block::block(metadata, mac, file, braces, root.column));
    match kept {
        _ if empty && !braces && file.syntax == Syntax::Yaml => rewrite.fill(document, root, BLOCK_KEY, &text),
        Some(kept) => rewrite.put_back(document, root, &kept.place, BLOCK_KEY, &text),
        None => rewrite.append(document, root, BLOCK_KEY, &text),
    }
}
