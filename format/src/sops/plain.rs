//! Back to the plain file: every token replaced where it stands, the blocks taken out, all else left as it is.

use zeroize::Zeroizing;

use super::cipher::{Cipher, Token, Type};
use super::comments::comments;
use super::metadata::BLOCK_KEY;
use super::read::{At, Layout, Opened, ReadError, associated};
use super::scalar::normalised;
use crate::document::present::{self, Expected, Target};
use crate::document::resolve::plain_type;
use crate::document::rewrite::Rewrite;
use crate::document::{File, Syntax};
use crate::padding::ValueType;
use crate::path::{Path, Step};
use crate::secret::SecretBytes;

impl Layout<'_> {
    /// The file without encryption. SOPS prints the same values; unlike SOPS, this keeps layout, quoting and blank lines.
    pub fn decrypt(&self, file: &File<'_>, cipher: &Cipher, opened: &[Opened]) -> Result<Zeroizing<String>, At> {
        let mut rewrite = Rewrite::new(file);
        for one in opened {
            self.put(file, one, &mut rewrite)?;
        }
        for (text, plain) in self.comments(file, cipher) {
            rewrite.comment(text.start - 1..text.end, &plain);
        }
        for (index, document) in file.documents.iter().enumerate() {
            let block = document.root.entries().iter().position(|(key, _)| key.text() == Some(BLOCK_KEY));
            if let Some(block) = block {
                rewrite.remove(index, &document.root, block).map_err(of_file)?;
            }
        }
        rewrite.finish().map_err(of_file)
    }

    fn put(&self, file: &File<'_>, opened: &Opened, rewrite: &mut Rewrite<'_, '_>) -> Result<(), At> {
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
        let target = Target { syntax: file.syntax, around, line_break: file.line_break() };
        let (value_type, text) = plain(opened.kind, &opened.plaintext, file.syntax).ok_or_else(unwritable)?;
        let written = present::canonical(value_type, &text, target).ok_or_else(unwritable)?;
        let expected = Expected { value_type, value: SecretBytes::from(text) };
        rewrite.replace(value.document, leaf.node, scalar, written, expected);
        Ok(())
    }

    /// Encrypted comments that open, and what they say. A comment is bound to the mapping or list that it stands in,
    /// and the source does not tell which of those around it that is: the one that opens it.
    fn comments(&self, file: &File<'_>, cipher: &Cipher) -> Vec<(std::ops::Range<usize>, Zeroizing<String>)> {
        let mut found = Vec::new();
        for comment in comments(file) {
            let Some(Ok(token)) = file.source.get(comment.text.clone()).map(Token::parse) else { continue };
            let opened = self.containers(comment.text.start).iter().find_map(|path| cipher.open(&token, path));
            let text =
                opened.and_then(|bytes| std::str::from_utf8(&bytes).ok().map(|text| Zeroizing::new(text.to_owned())));
            if let Some(text) = text.filter(|text| !text.contains(['\n', '\r'])) {
                found.push((comment.text, text));
            }
        }
        found
    }

    /// The associated data of every collection around the values before and after an offset.
    fn containers(&self, offset: usize) -> Vec<Vec<u8>> {
        let after = self.values.partition_point(|value| value.leaf.node.span.start < offset);
        let neighbours = [after.checked_sub(1), Some(after)].into_iter().flatten();
        let mut paths = vec![associated(&Path::default())];
        for value in neighbours.filter_map(|position| self.values.get(position)) {
            for length in 0..=value.leaf.path.0.len() {
                let path = associated(&Path(value.leaf.path.0[..length].to_vec()));
                if !paths.contains(&path) {
                    paths.push(path);
                }
            }
        }
        paths
    }
}

/// The text of an opened value in a file, and the type that it is read as.
fn plain(kind: Type, bytes: &[u8], syntax: Syntax) -> Option<(ValueType, Zeroizing<Vec<u8>>)> {
    let text = || std::str::from_utf8(bytes).ok();
    let number = |text: &str| Some((plain_type(text), Zeroizing::new(text.as_bytes().to_vec())));
    let string = |bytes: &[u8]| Some((ValueType::String, Zeroizing::new(bytes.to_vec())));
    match kind {
        Type::Text | Type::Bytes if text().is_some() => string(bytes),
        Type::Text | Type::Bytes => Some((ValueType::Binary, Zeroizing::new(bytes.to_vec()))),
        Type::Float => match (text()?, syntax) {
            ("NaN", Syntax::Yaml) => number(".nan"),
            ("+Inf", Syntax::Yaml) => number(".inf"),
            ("-Inf", Syntax::Yaml) => number("-.inf"),
            ("NaN" | "+Inf" | "-Inf", _) => None,
            (text, _) => number(text),
        },
        Type::Bool => match normalised(kind, bytes)?.as_slice() {
            b"True" => number("true"),
            _ => number("false"),
        },
        Type::Time if syntax == Syntax::Json => string(bytes),
        Type::Int | Type::Time => number(text()?),
        Type::Comment => None,
    }
}

fn of_file(error: crate::document::rewrite::RewriteError) -> At {
    At { line: None, path: None, error: error.into() }
}
