//! Back to the plain file: every token replaced where it stands, the blocks taken out, all else left as it is.

use std::ops::Range;

use zeroize::Zeroizing;

use super::cipher::{Cipher, Token, Type};
use super::comments::Containers;
use super::metadata::BLOCK_KEY;
use super::read::{At, Layout, OpenedValue, ReadError, associated};
use super::scalar::normalised;
use crate::document::present::{self, Expected, Target};
use crate::document::resolve::plain_type;
use crate::document::rewrite::Rewrite;
use crate::document::walk::Around;
use crate::document::{File, Syntax};
use crate::padding::ValueType;
use crate::path::{Path, Step};
use crate::secret::SecretBytes;

/// What canonical block scalars are indented by.
const LEAST_INDENT: usize = 2;

impl Layout<'_> {
    /// The file without encryption. SOPS prints the same values; unlike SOPS, this keeps layout, quoting and blank lines.
    pub fn decrypt(&self, file: &File<'_>, cipher: &Cipher, opened: &[OpenedValue]) -> Result<Zeroizing<String>, At> {
        let mut rewrite = Rewrite::new(file);
        let step = indentation(file);
        for one in opened {
            self.put(file, one, step, &mut rewrite)?;
        }
        for comment in self.comments(file, cipher) {
            if let Some((_, plain)) = &comment.opened {
                rewrite.comment(comment.text.clone(), plain);
            }
        }
        for (index, document) in file.documents.iter().enumerate() {
            let root = &document.root;
            let block = root.entries().iter().position(|(key, _)| key.text() == Some(BLOCK_KEY));
            match block {
                Some(_) if root.entries().len() == 1 && has_braces(file.syntax) => {
                    rewrite.empty(index, root).map_err(of_file)?;
                }
                Some(block) => rewrite.remove(index, root, block).map_err(of_file)?,
                None => {}
            }
        }
        rewrite.finish().map_err(of_file)
    }

    fn put(&self, file: &File<'_>, opened: &OpenedValue, step: usize, rewrite: &mut Rewrite<'_, '_>) -> Result<(), At> {
        let Some(value) = self.values.get(opened.value) else { return Ok(()) };
        let leaf = &value.leaf;
        let unwritable = || At {
            line: Some(file.line(leaf.node.span.start)),
            path: Some(leaf.path.clone()),
            error: ReadError::Unwritable,
        };
        if opened.kind == Type::Comment {
            let text = std::str::from_utf8(&opened.plaintext).ok().filter(|text| !text.contains(['\n', '\r']));
            let root = file.documents.get(value.document).map(|document| &document.root);
            let (Some(text), Some(Step::Item(index))) = (text, leaf.path.0.last()) else { return Err(unwritable()) };
            let above = Path(leaf.path.0[..leaf.path.0.len() - 1].to_vec());
            let list = root.and_then(|root| root.at(&above)).ok_or_else(unwritable)?;
            return rewrite.item_to_comment(value.document, list, *index, text).map_err(of_file);
        }
        let (Some(scalar), Some(around)) = (leaf.scalar, leaf.around) else { return Err(unwritable()) };
        let around = if is_item(&leaf.path) { around } else { indented(around, step) };
        let target = Target { syntax: file.syntax, around, line_break: file.line_break() };
        let (value_type, text) = plain(opened.kind, &opened.plaintext, file.syntax).ok_or_else(unwritable)?;
        let written = present::canonical(value_type, &text, target).ok_or_else(unwritable)?;
        let expected = Expected { value_type, value: SecretBytes::from(text) };
        rewrite.replace(value.document, leaf.node, scalar, written, expected);
        Ok(())
    }

    /// The comments outside of the blocks. One that is encrypted is bound to the mapping or list that it stands in, and
    /// the source does not always tell which of those around it that is: the one that opens it.
    pub(super) fn comments(&self, file: &File<'_>, cipher: &Cipher) -> Vec<FoundComment> {
        let mut found = Vec::new();
        let mut containers = Containers::among(self.values.iter().map(|value| &value.leaf));
        for comment in &self.comments {
            let (document, text) = (comment.document, comment.text.clone());
            let source = file.source.get(text.clone()).unwrap_or_default();
            let opened = Token::parse(source).ok().and_then(|token| {
                let containers = containers.of(&comment.container, text.start);
                let (container, bytes) =
                    containers.iter().find_map(|path| Some((path, cipher.open(&token, &associated(path))?)))?;
                let text = std::str::from_utf8(&bytes)
                    .ok()
                    .filter(|text| file.syntax == Syntax::Ini || !text.contains(['\n', '\r']))?;
                Some((container.clone(), token, Zeroizing::new(text.to_owned())))
            });
            let (container, opened) = match opened {
                Some((container, token, plain)) => (container, Some((token, plain))),
                None => (comment.container.clone(), None),
            };
            found.push(FoundComment { document, text, container, opened });
        }
        found
    }
}

/// How far a file indents: by as much as its first mapping within another, where there is one.
fn indentation(file: &File<'_>) -> usize {
    let entries = file.documents.iter().flat_map(|document| document.root.entries());
    let own = entries.filter(|(key, _)| key.text() != Some(BLOCK_KEY)).map(|(_, value)| value.column);
    own.filter(|column| *column > 0).min().unwrap_or(LEAST_INDENT)
}

/// The same place, so that lines below it are indented as go-yaml does it: to the next multiple of the file's step.
fn indented(around: Around, step: usize) -> Around {
    if step <= LEAST_INDENT {
        return around;
    }
    let next = (around.column / step + 1) * step;
    // What is written there goes in by the least.
    Around { column: next.saturating_sub(LEAST_INDENT), ..around }
}

/// Whether a value is an item of a list: lines below those stand under the item's own text.
fn is_item(path: &Path) -> bool {
    matches!(path.0.last(), Some(Step::Item(_)))
}

/// Whether an empty mapping is written with braces.
fn has_braces(syntax: Syntax) -> bool {
    matches!(syntax, Syntax::Yaml | Syntax::Json)
}

/// A comment of an encrypted file.
pub(super) struct FoundComment {
    pub(super) document: usize,
    /// After its `#`.
    pub(super) text: Range<usize>,
    /// The mapping or list that it is bound to.
    pub(super) container: Path,
    /// Its token and what it says, if it is encrypted and opens.
    pub(super) opened: Option<(Token, Zeroizing<String>)>,
}

/// The text of an opened value in a file, and the type that it is read as.
pub(super) fn plain(kind: Type, plaintext: &[u8], syntax: Syntax) -> Option<(ValueType, Zeroizing<Vec<u8>>)> {
    let normalised = normalised(kind, plaintext)?;
    let bytes = normalised.as_slice();
    let text = || std::str::from_utf8(bytes).ok();
    let number = |text: &str| Some((plain_type(text), Zeroizing::new(text.as_bytes().to_vec())));
    let string = |bytes: &[u8]| Some((ValueType::String, Zeroizing::new(bytes.to_vec())));
    if matches!(syntax, Syntax::Dotenv | Syntax::Ini) {
        return match kind {
            Type::Comment => None,
            Type::Bool => string(if bytes == b"True" { b"true" } else { b"false" }),
            _ => text().and_then(|text| string(text.as_bytes())),
        };
    }
    match kind {
        Type::Text | Type::Bytes if text().is_some() => string(bytes),
        Type::Text | Type::Bytes => Some((ValueType::Binary, Zeroizing::new(bytes.to_vec()))),
        Type::Float => match (text()?, syntax) {
            ("NaN", Syntax::Yaml) => number(".nan"),
            ("+Inf", Syntax::Yaml) => number(".inf"),
            ("-Inf", Syntax::Yaml) => number("-.inf"),
            ("NaN" | "+Inf" | "-Inf", _) => None,
            // Digits alone would read as an integer: minus zero as zero, and none between 2^63 and 2^64.
            (text, _) if text == "-0" || text.parse::<i64>().is_err() && text.parse::<u64>().is_ok() => {
                number(&Zeroizing::new([text, ".0"].concat()))
            }
            (text, _) => number(text),
        },
        Type::Bool => number(if bytes == b"True" { "true" } else { "false" }),
        Type::Time if syntax == Syntax::Json => string(bytes),
        Type::Int | Type::Time => number(text()?),
        Type::Comment => None,
    }
}

fn of_file(error: crate::document::rewrite::RewriteError) -> At {
    At { line: None, path: None, error: error.into() }
}
