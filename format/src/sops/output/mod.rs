//! The plain values of a file, printed as a file of another type: what SOPS does for `--output-type`.

mod json;
mod print;

use std::collections::HashMap;

use zeroize::Zeroizing;

use super::cipher::Type;
use super::metadata::BLOCK_KEY;
use super::read::{Layout, Opened};
use super::scalar::{Seen, normalised, see};
use super::tree::collect_anchors;
use crate::document::{File, Kind, Node, Syntax, ini};
use crate::path::MAX_DEPTH;

/// A type of file that values are printed as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// In one of the syntaxes.
    Text(Syntax),
    /// The one value `data`, as it is.
    Binary,
}

/// Values that a type of file has no place for. The name is a key of the file, never a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OutputError {
    /// A mapping or list where there is none.
    #[error("{0} is a mapping or a list, and such a file holds texts only")]
    Nested(String),
    /// A value outside of sections.
    #[error("{0} is no mapping, and such a file has sections only")]
    NoSection(String),
    /// There is no `data`, or it is no text.
    #[error("the file has no text under the key data")]
    NoData,
    /// A value with characters that would be read as others.
    #[error("{0} holds characters that such a file cannot")]
    Characters(String),
    /// Bytes that are no text.
    #[error("{0} holds bytes that are no text")]
    Bytes(String),
    /// A number that JSON does not have.
    #[error("{0} is a number that JSON does not have")]
    Number(String),
}

/// A value in the clear.
enum Plain {
    Null,
    Value(Type, Zeroizing<Vec<u8>>),
    Map(Vec<(String, Plain)>),
    List(Vec<Plain>),
}

impl Layout<'_> {
    /// Prints the values of an opened file as another type of file. Its comments are not printed.
    pub fn print(&self, file: &File<'_>, opened: &[Opened], output: Output) -> Result<Zeroizing<Vec<u8>>, OutputError> {
        let values = opened.iter().filter_map(|one| {
            let value = self.values.get(one.value)?;
            Some(((value.document, value.leaf.node.id), one))
        });
        let opened = values.collect();
        let mut documents = Vec::with_capacity(file.documents.len());
        for (index, document) in file.documents.iter().enumerate() {
            let mut anchors = HashMap::new();
            collect_anchors(&document.root, &mut anchors);
            let gather = Gather { syntax: file.syntax, document: index, opened: &opened, anchors };
            documents.push(match gather.node(&document.root, 0, "")? {
                Plain::Map(entries) => entries,
                _ => Vec::new(),
            });
        }
        // INI always has this section, and SOPS prints it elsewhere.
        if let Some(first) = documents.first_mut()
            && file.syntax == Syntax::Ini
            && first.iter().all(|(name, _)| name != ini::DEFAULT)
        {
            first.insert(0, (ini::DEFAULT.to_owned(), Plain::Map(Vec::new())));
        }
        // The others hold one document.
        let first = documents.first().map_or(&[][..], Vec::as_slice);
        let mut text = Zeroizing::new(String::new());
        match output {
            Output::Binary => return data(first),
            Output::Text(Syntax::Dotenv) => print::dotenv(first, &mut text)?,
            Output::Text(Syntax::Ini) => print::ini(first, &mut text)?,
            Output::Text(Syntax::Json) => json::document(first, &mut text)?,
            Output::Text(Syntax::Yaml) => print::yaml(&documents, &mut text)?,
        }
        Ok(Zeroizing::new(text.as_bytes().to_vec()))
    }
}

/// Makes plain values of nodes.
struct Gather<'g> {
    syntax: Syntax,
    document: usize,
    opened: &'g HashMap<(usize, usize), &'g Opened>,
    anchors: HashMap<usize, &'g Node>,
}

impl Gather<'_> {
    fn node(&self, node: &Node, depth: usize, name: &str) -> Result<Plain, OutputError> {
        match &node.kind {
            // A file that was read has few aliases, and none in itself.
            Kind::Alias(_) if depth > 2 * MAX_DEPTH => Err(OutputError::Nested(name.to_owned())),
            Kind::Alias(target) => {
                self.anchors.get(target).map_or(Ok(Plain::Null), |target| self.node(target, depth + 1, name))
            }
            Kind::Mapping { entries, .. } => {
                let entries = entries.iter().filter(|(key, _)| depth > 0 || key.text() != Some(BLOCK_KEY));
                let entries = entries.map(|(key, value)| {
                    let name = key.text().unwrap_or_default();
                    Ok((name.to_owned(), self.node(value, depth + 1, name)?))
                });
                Ok(Plain::Map(entries.collect::<Result<_, _>>()?))
            }
            Kind::Sequence { items, .. } => {
                let is_comment = |item: &&Node| {
                    let opened = self.opened.get(&(self.document, item.id));
                    opened.is_some_and(|one| one.kind == Type::Comment)
                };
                let items = items.iter().filter(|item| !is_comment(item));
                Ok(Plain::List(items.map(|item| self.node(item, depth + 1, name)).collect::<Result<_, _>>()?))
            }
            Kind::Scalar(scalar) => {
                let unreadable = || OutputError::Bytes(name.to_owned());
                if let Some(one) = self.opened.get(&(self.document, node.id)) {
                    let bytes = normalised(one.kind, &one.plaintext).ok_or_else(unreadable)?;
                    return Ok(Plain::Value(one.kind, bytes));
                }
                match see(self.syntax, node, scalar).map_err(|_| unreadable())? {
                    Seen::Value(kind, bytes) => Ok(Plain::Value(kind, bytes)),
                    Seen::Null => Ok(Plain::Null),
                }
            }
        }
    }
}

fn data(entries: &[(String, Plain)]) -> Result<Zeroizing<Vec<u8>>, OutputError> {
    match entries.iter().find(|(name, _)| name == "data") {
        Some((_, Plain::Value(Type::Text | Type::Bytes, bytes))) => Ok(bytes.clone()),
        _ => Err(OutputError::NoData),
    }
}

fn text<'b>(bytes: &'b [u8], name: &str) -> Result<&'b str, OutputError> {
    std::str::from_utf8(bytes).map_err(|_| OutputError::Bytes(name.to_owned()))
}
