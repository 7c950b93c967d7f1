//! The plain values of a file, printed as a file of another type: what SOPS does for `--output-type`.

mod json;
mod print;

use std::collections::HashMap;

use zeroize::Zeroizing;

use super::cipher::Type;
use super::metadata::BLOCK_KEY;
use super::read::{Layout, OpenedValue};
use super::scalar::{Seen, normalised, see};
use super::tree::collect_anchors;
use crate::document::allowance::Allowance;
use crate::document::{File, Kind, Node, Scalar, Syntax, ini};
use crate::path::{MAX_DEPTH, Path, Step};
use crate::secret_text::SecretText;

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
    /// Aliases, which multiply.
    #[error("too much stands behind the aliases at {0}; write values out")]
    Aliases(String),
}

/// A value in the clear.
#[derive(PartialEq, Eq)]
pub enum Plain {
    /// Nothing.
    Null,
    /// A value and its text, as SOPS encrypts it.
    Value(Type, Zeroizing<Vec<u8>>),
    /// A mapping.
    Map(Vec<(String, Plain)>),
    /// A list.
    List(Vec<Plain>),
}

/// The values of a file in the clear, without its comments.
pub struct Plains {
    documents: Vec<Plain>,
}

impl Layout<'_> {
    /// Prints the values of an opened file as another type of file. Its comments are not printed.
    pub fn print(
        &self,
        file: &File<'_>,
        opened: &[OpenedValue],
        output: Output,
    ) -> Result<Zeroizing<Vec<u8>>, OutputError> {
        Plains::opened(self, file, opened)?.print(output)
    }
}

impl Plains {
    /// Of a file that was opened.
    pub fn opened(layout: &Layout<'_>, file: &File<'_>, opened: &[OpenedValue]) -> Result<Self, OutputError> {
        let values = opened.iter().filter_map(|one| {
            let value = layout.values.get(one.value)?;
            Some(((value.document, value.leaf.node.id), one))
        });
        Self::gathered(file, &values.collect())
    }

    /// Of a file that is not encrypted.
    pub fn of(file: &File<'_>) -> Result<Self, OutputError> {
        Self::gathered(file, &HashMap::new())
    }

    /// Of bytes, which are one value.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        let data = Plain::Value(Type::Text, Zeroizing::new(bytes.to_vec()));
        Self { documents: vec![Plain::Map(vec![("data".to_owned(), data)])] }
    }

    fn gathered(file: &File<'_>, opened: &HashMap<(usize, usize), &OpenedValue>) -> Result<Self, OutputError> {
        let mut documents = Vec::with_capacity(file.documents.len());
        let mut allowance = Allowance::of(file.source.len());
        for (index, document) in file.documents.iter().enumerate() {
            let mut anchors = HashMap::new();
            collect_anchors(&document.root, &mut anchors);
            let mut gather =
                Gather { syntax: file.syntax, document: index, opened, anchors, allowance: &mut allowance };
            documents.push(gather.node(&document.root, Above { depth: 0, name: "", aliased: false })?);
        }
        // INI always has this section, and SOPS prints it elsewhere.
        if let Some(Plain::Map(first)) = documents.first_mut()
            && file.syntax == Syntax::Ini
            && first.iter().all(|(name, _)| name != ini::DEFAULT)
        {
            first.insert(0, (ini::DEFAULT.to_owned(), Plain::Map(Vec::new())));
        }
        Ok(Self { documents })
    }

    /// What every document holds.
    pub fn documents(&self) -> &[Plain] {
        &self.documents
    }

    /// The entries of the first document.
    pub fn first(&self) -> &[(String, Plain)] {
        self.documents.first().map_or(&[], Plain::entries)
    }

    /// What stands at a path of the first document.
    pub fn at(&self, path: &Path) -> Option<&Plain> {
        path.0.iter().try_fold(self.documents.first()?, |plain, step| match (plain, step) {
            (Plain::Map(entries), Step::Key(key)) => {
                entries.iter().find(|(name, _)| name == key).map(|(_, value)| value)
            }
            (Plain::List(items), Step::Item(index)) => items.get(*index),
            _ => None,
        })
    }

    /// The values as a file of this type.
    pub fn print(&self, output: Output) -> Result<Zeroizing<Vec<u8>>, OutputError> {
        if output != Output::Text(Syntax::Yaml) {
            // The others hold one document.
            return print(self.first(), output);
        }
        let mut text = SecretText::default();
        let documents: Vec<_> = self.documents.iter().map(Plain::entries).collect();
        print::yaml(&documents, &mut text)?;
        Ok(text.into_bytes())
    }
}

impl Plain {
    fn entries(&self) -> &[(String, Self)] {
        if let Self::Map(entries) = self { entries } else { &[] }
    }

    /// The value by itself: a text as it is, a mapping as a file of this type, and anything else as it would stand in one.
    pub fn print(&self, output: Output, name: &str) -> Result<Zeroizing<Vec<u8>>, OutputError> {
        let mut out = SecretText::default();
        match (self, output) {
            (Self::Value(Type::Text | Type::Bytes, bytes), _) => return Ok(bytes.clone()),
            (Self::Map(entries), _) => return print(entries, output),
            (_, Output::Binary) => return Err(OutputError::NoData),
            (Self::List(items), Output::Text(Syntax::Yaml)) if !items.is_empty() => {
                print::list(items, 0, name, &mut out)?;
            }
            (_, Output::Text(Syntax::Yaml)) => {
                print::value(self, 0, name, &mut out)?;
                // It would stand behind a name and a blank.
                return Ok(bytes_of(out.strip_prefix(' ').unwrap_or(&out)));
            }
            (_, Output::Text(Syntax::Json)) => json::value(self, 0, name, &mut out)?,
            (_, Output::Text(Syntax::Dotenv | Syntax::Ini)) => return Ok(bytes_of(&self.text(name)?)),
        }
        Ok(out.into_bytes())
    }

    /// The value as a text without a type, as SOPS prints it where there are none.
    pub fn text(&self, name: &str) -> Result<Zeroizing<String>, OutputError> {
        print::untyped(self, name)
    }
}

fn bytes_of(text: &str) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(text.as_bytes().to_vec())
}

fn print(entries: &[(String, Plain)], output: Output) -> Result<Zeroizing<Vec<u8>>, OutputError> {
    let mut text = SecretText::default();
    match output {
        Output::Binary => return data(entries),
        Output::Text(Syntax::Dotenv) => print::dotenv(entries, &mut text)?,
        Output::Text(Syntax::Ini) => print::ini(entries, &mut text)?,
        Output::Text(Syntax::Json) => json::document(entries, &mut text)?,
        Output::Text(Syntax::Yaml) => print::yaml(&[entries], &mut text)?,
    }
    Ok(text.into_bytes())
}

/// Makes plain values of nodes.
struct Gather<'g> {
    syntax: Syntax,
    document: usize,
    opened: &'g HashMap<(usize, usize), &'g OpenedValue>,
    anchors: HashMap<usize, &'g Node>,
    allowance: &'g mut Allowance,
}

/// What stands above a node.
#[derive(Clone, Copy)]
struct Above<'n> {
    depth: usize,
    name: &'n str,
    aliased: bool,
}

impl<'g> Gather<'g> {
    fn node(&mut self, node: &'g Node, above: Above<'_>) -> Result<Plain, OutputError> {
        let name = above.name;
        let below = Above { depth: above.depth + 1, ..above };
        // A mapping may be empty, and holds its name none the less.
        if above.aliased && !self.allowance.aliased(node, name.len()) {
            return Err(OutputError::Aliases(name.to_owned()));
        }
        match &node.kind {
            Kind::Alias(_) if above.depth > 2 * MAX_DEPTH => Err(OutputError::Aliases(name.to_owned())),
            Kind::Alias(target) => match self.anchors.get(target).copied() {
                Some(target) => self.node(target, Above { aliased: true, ..below }),
                None => Ok(Plain::Null),
            },
            Kind::Mapping { entries, .. } => {
                let entries = entries.iter().filter(|(key, _)| above.depth > 0 || key.text() != Some(BLOCK_KEY));
                let entries = entries.map(|(key, value)| {
                    let name = key.text().unwrap_or_default();
                    Ok((name.to_owned(), self.node(value, Above { name, ..below })?))
                });
                Ok(Plain::Map(entries.collect::<Result<_, _>>()?))
            }
            Kind::Sequence { items, .. } => {
                let is_comment = |item: &&Node| {
                    let opened = self.opened.get(&(self.document, item.id));
                    opened.is_some_and(|one| one.kind == Type::Comment)
                };
                let items: Vec<_> = items.iter().filter(|item| !is_comment(item)).collect();
                Ok(Plain::List(items.into_iter().map(|item| self.node(item, below)).collect::<Result<_, _>>()?))
            }
            Kind::Scalar(scalar) => self.scalar(node, scalar, name),
        }
    }

    fn scalar(&self, node: &Node, scalar: &Scalar, name: &str) -> Result<Plain, OutputError> {
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

fn data(entries: &[(String, Plain)]) -> Result<Zeroizing<Vec<u8>>, OutputError> {
    match entries.iter().find(|(name, _)| name == "data") {
        Some((_, Plain::Value(Type::Text | Type::Bytes, bytes))) => Ok(bytes.clone()),
        _ => Err(OutputError::NoData),
    }
}

fn text<'b>(bytes: &'b [u8], name: &str) -> Result<&'b str, OutputError> {
    std::str::from_utf8(bytes).map_err(|_| OutputError::Bytes(name.to_owned()))
}
