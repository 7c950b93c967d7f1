//! New entries: a value under a path of which the last part, or more, does not exist yet.

use zeroize::Zeroizing;

use super::present::{self, Expected, Target, Written, double_quoted, quote_if_needed};
use super::rewrite::Rewrite;
use super::walk::{Around, Hazard, leaves};
use super::{File, Kind, Node, Syntax};
use crate::padding::ValueType;
use crate::path::{Path, Step};
use crate::secret::SecretBytes;

/// Why there is no place for an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// The path leads to something that is there already.
    #[error("there is something at this path already")]
    Exists,
    /// The path leads through something that is no mapping.
    #[error("the path leads through something that is no mapping")]
    NoMapping,
    /// The value cannot stand there.
    #[error("the value cannot be written there")]
    Unwritable,
    /// Something on the way.
    #[error(transparent)]
    Hazard(#[from] Hazard),
}

/// What is put at a path.
pub enum Value<'v> {
    /// A value of a type, such as a string.
    Scalar(ValueType, &'v [u8]),
    /// A mapping or a list, as JSON: it is written with braces or brackets.
    Collection(&'v str),
}

impl Value<'_> {
    fn write(&self, target: Target) -> Option<Written> {
        match self {
            Self::Scalar(value_type, value) => present::canonical(*value_type, value, target),
            Self::Collection(json) => Some(Written { head: (*json).to_owned(), body: None }),
        }
    }
}

/// Puts a value at a path: in the place of the scalar that is there, or as a new entry.
pub fn put(
    file: &File<'_>,
    document: usize,
    path: &Path,
    value: &Value<'_>,
    rewrite: &mut Rewrite<'_, '_>,
) -> Result<(), EntryError> {
    let root = &file.documents[document].root;
    let found = leaves(&file.documents[document]).into_iter().find(|leaf| leaf.path == *path);
    match (found, value) {
        (Some(leaf), Value::Scalar(value_type, bytes)) => {
            let (Some(scalar), Some(around)) = (leaf.scalar, leaf.around) else { return Err(EntryError::Unwritable) };
            // Whether a key is a text matters to who binds values to paths, and is theirs to say.
            let hazard = leaf.hazard.filter(|hazard| *hazard != Hazard::Key);
            hazard.map_or(Ok(()), |hazard| Err(EntryError::Hazard(hazard)))?;
            let target = Target { syntax: file.syntax, around, line_break: file.line_break() };
            let written = value.write(target).ok_or(EntryError::Unwritable)?;
            let expected = Expected { value_type: *value_type, value: SecretBytes::from(bytes.to_vec()) };
            rewrite.replace(document, leaf.node, scalar, written, expected);
            Ok(())
        }
        _ if root.at(path).is_some() => replace(file, document, path, value, rewrite),
        _ if list_of(root, path).is_some() => append(file, document, path, value, rewrite),
        _ => insert(file, document, path, |target| value.write(target), rewrite),
    }
}

/// Something else in the place of a whole entry or item.
fn replace(
    file: &File<'_>,
    document: usize,
    path: &Path,
    value: &Value<'_>,
    rewrite: &mut Rewrite<'_, '_>,
) -> Result<(), EntryError> {
    let root = &file.documents[document].root;
    let (last, above) = path.0.split_last().ok_or(EntryError::NoMapping)?;
    let mapping = root.at(&Path(above.to_vec())).ok_or(EntryError::NoMapping)?;
    let key = match last {
        Step::Key(key) => key,
        Step::Item(index) => {
            refuse_anchors(root, path)?;
            let text = item(file, value).ok_or(EntryError::Unwritable)?;
            return rewrite.replace_item(document, mapping, *index, &text).map_err(|_| EntryError::Unwritable);
        }
    };
    let index = mapping.entries().iter().position(|(name, _)| name.text() == Some(key));
    refuse_anchors(root, path)?;
    let write = |target| value.write(target);
    let text = if mapping.is_flow() {
        flow_entry(file, &[key], write)
    } else {
        block_entry(file, mapping.column, &[key], write)
    };
    let (index, text) = (index.ok_or(EntryError::NoMapping)?, text.ok_or(EntryError::Unwritable)?);
    rewrite.replace_entry(document, mapping, index, key, &text).map_err(|_| EntryError::Unwritable)
}

/// The list that a path leads beyond the end of.
fn list_of<'n>(root: &'n Node, path: &Path) -> Option<&'n Node> {
    let (Step::Item(_), above) = path.0.split_last()? else { return None };
    root.at(&Path(above.to_vec())).filter(|node| matches!(node.kind, Kind::Sequence { .. }))
}

/// Another item after the last one of a list, wherever beyond it the path leads.
fn append(
    file: &File<'_>,
    document: usize,
    path: &Path,
    value: &Value<'_>,
    rewrite: &mut Rewrite<'_, '_>,
) -> Result<(), EntryError> {
    let root = &file.documents[document].root;
    let list = list_of(root, path).ok_or(EntryError::NoMapping)?;
    refuse_anchors(root, path)?;
    let text = item(file, value).ok_or(EntryError::Unwritable)?;
    rewrite.append_item(document, list, &text);
    Ok(())
}

/// An item on one line.
fn item(file: &File<'_>, value: &Value<'_>) -> Option<Zeroizing<String>> {
    let around = Around { flow: true, column: 0 };
    let written = value.write(Target { syntax: file.syntax, around, line_break: "\n" })?;
    Some(Zeroizing::new(written.head.clone()))
}

/// Adds a value under the deepest mapping of the path that exists, with the mappings in between. `write` gives its text
/// for the place where it comes to stand.
pub fn insert(
    file: &File<'_>,
    document: usize,
    path: &Path,
    write: impl Fn(Target) -> Option<Written>,
    rewrite: &mut Rewrite<'_, '_>,
) -> Result<(), EntryError> {
    let root = &file.documents[document].root;
    let mut parent = root;
    let mut missing = path.0.as_slice();
    while let Some((Step::Key(key), rest)) = missing.split_first() {
        match parent.get(key) {
            Some(next) => (parent, missing) = (next, rest),
            None => break,
        }
    }
    if missing.is_empty() {
        return Err(EntryError::Exists);
    }
    if !matches!(parent.kind, Kind::Mapping { .. }) {
        return Err(EntryError::NoMapping);
    }
    refuse_anchors(root, path)?;
    let mut keys = Vec::new();
    for step in missing {
        match step {
            Step::Key(key) => keys.push(key.as_str()),
            Step::Item(_) => return Err(EntryError::NoMapping),
        }
    }
    let text = match file.syntax {
        Syntax::Dotenv | Syntax::Ini => line_entry(file, std::ptr::eq(parent, root), &keys, write),
        _ if parent.is_flow() => flow_entry(file, &keys, write),
        _ => block_entry(file, parent.column, &keys, write),
    };
    rewrite.insert(document, parent, keys[0], &text.ok_or(EntryError::Unwritable)?);
    Ok(())
}

pub(super) fn refuse_anchors(root: &Node, path: &Path) -> Result<(), Hazard> {
    let mut node = root;
    for step in &path.0 {
        if node.anchor != 0 {
            return Err(Hazard::Anchor);
        }
        match step {
            Step::Key(key) if key == "<<" => return Err(Hazard::Merge),
            Step::Key(key) => match node.get(key) {
                Some(next) => node = next,
                None => return Ok(()),
            },
            Step::Item(_) => return Ok(()),
        }
    }
    Ok(())
}

/// A line of a file that has no depth: `NAME=value`, or `name = value` in a section, with its heading if that is new.
fn line_entry(
    file: &File<'_>,
    in_root: bool,
    keys: &[&str],
    write: impl Fn(Target) -> Option<Written>,
) -> Option<Zeroizing<String>> {
    let around = Around { flow: false, column: 0 };
    let written = write(Target { syntax: file.syntax, around, line_break: file.line_break() })?;
    let name = match (file.syntax, in_root, keys) {
        (Syntax::Dotenv, true, [name]) => format!("{name}="),
        (Syntax::Ini, false, [name]) => format!("{name} = "),
        (Syntax::Ini, true, [section, name]) => format!("[{section}]{}{name} = ", file.line_break()),
        _ => return None,
    };
    Some(Zeroizing::new([&*name, &written.head].concat()))
}

fn flow_entry(file: &File<'_>, keys: &[&str], write: impl Fn(Target) -> Option<Written>) -> Option<Zeroizing<String>> {
    let around = Around { flow: true, column: 0 };
    let quote =
        |key: &str| if file.syntax == Syntax::Json { double_quoted(key, Syntax::Json) } else { quote_if_needed(key) };
    let names: Vec<_> = keys.iter().map(|key| format!("{}: ", quote(key))).collect();
    let written = write(Target { syntax: file.syntax, around, line_break: "\n" })?;
    Some(Zeroizing::new([&*names.join("{"), &written.head, &"}".repeat(keys.len().saturating_sub(1))].concat()))
}

fn block_entry(
    file: &File<'_>,
    column: usize,
    keys: &[&str],
    write: impl Fn(Target) -> Option<Written>,
) -> Option<Zeroizing<String>> {
    let indents = (column..).step_by(2);
    let names: Vec<_> = keys
        .iter()
        .zip(indents)
        .map(|(key, column)| format!("{}{}:", " ".repeat(column), quote_if_needed(key)))
        .collect();
    let around = Around { flow: false, column: column + 2 * keys.len().saturating_sub(1) };
    let line_break = file.line_break();
    let written = write(Target { syntax: file.syntax, around, line_break })?;
    let names = names.join(line_break);
    let mut pieces = vec![&*names, " ", &written.head];
    if let Some(body) = &written.body {
        pieces.extend([line_break, body]);
    }
    Some(Zeroizing::new(pieces.concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What became of it, and the text if something did.
    fn put_in(source: &str, syntax: Syntax, path: &str, value: &Value<'_>) -> (Option<EntryError>, String) {
        let file = File::parse(source, syntax).unwrap();
        let mut rewrite = Rewrite::new(&file);
        let error = put(&file, 0, &Path::parse(path).unwrap(), value, &mut rewrite).err();
        (error, rewrite.finish().unwrap().to_string())
    }

    #[test]
    fn puts_values_and_collections_where_they_belong() {
        let text = |text: &'static str| Value::Scalar(ValueType::String, text.as_bytes());
        let cases = [
            ("a: 1 # x\nb: 2\n", "a", text("z"), "a: z # x\nb: 2\n"),
            ("a: 1\n", "b.c", text("yes"), "a: 1\nb:\n  c: \"yes\"\n"),
            ("a:\n  - b: 1\n  - c\n", "a[0].b", Value::Scalar(ValueType::Int, b"7"), "a:\n  - b: 7\n  - c\n"),
            ("a:\n  - b: 1\n  - c\n", "a[1]", text("d"), "a:\n  - b: 1\n  - d\n"),
            ("a: 1\n", "b", text("x\ny\n"), "a: 1\nb: |\n  x\n  y\n"),
            ("a:\n  - b\n# below\nc: 1\n", "a[1]", text("d"), "a:\n  - b\n  - d\n# below\nc: 1\n"),
            ("a:\n- b: |\n    x\n- c: 1", "a[9]", text("yes"), "a:\n- b: |\n    x\n- c: 1\n- \"yes\""),
            ("a: [1]\n", "a[3]", text("d"), "a: [1, d]\n"),
            ("a: []\n", "a[0]", Value::Collection("{\"x\": 1}"), "a: [{\"x\": 1}]\n"),
            ("a:\n  - b: 1\n    c: 2\n  - d\n", "a[0]", Value::Collection("[1]"), "a:\n  - [1]\n  - d\n"),
            ("a: 1\n", "b", Value::Collection("{\"x\": [1, 2]}"), "a: 1\nb: {\"x\": [1, 2]}\n"),
            ("a: 1\nb: 2\n", "a", Value::Collection("[\"x\"]"), "a: [\"x\"]\nb: 2\n"),
            ("a:\n  x: 1\n  y: 2\nb: 2\n", "a", text("z"), "a: z\nb: 2\n"),
        ];
        for (source, path, value, expected) in cases {
            assert_eq!(put_in(source, Syntax::Yaml, path, &value), (None, expected.to_owned()), "{source} {path}");
        }
        let put_line = |source, syntax, path| put_in(source, syntax, path, &text("x y"));
        assert_eq!(put_line("A=1\n", Syntax::Dotenv, "B"), (None, "A=1\nB=x y\n".to_owned()));
        assert_eq!(put_line("[s]\na = 1\n", Syntax::Ini, "s.b"), (None, "[s]\na = 1\nb = x y\n".to_owned()));
        let (error, text_after) = put_line("[s]\na = 1\n", Syntax::Ini, "t.b");
        assert!(error.is_none() && text_after.ends_with("[t]\nb = x y\n"), "{text_after}");
        assert_eq!(put_line("[s]\na = 1\n", Syntax::Ini, "b").0, Some(EntryError::Unwritable));
        let json = put_in("{\"a\": 1}", Syntax::Json, "b", &Value::Collection("{\"c\": true}")).1;
        assert_eq!(json, "{\"a\": 1, \"b\": {\"c\": true}}");
    }

    #[test]
    fn paths_without_a_place_are_refused() {
        let x = Value::Scalar(ValueType::String, b"x");
        let refused = |source, path| put_in(source, Syntax::Yaml, path, &x).0.unwrap();
        assert_eq!(refused("a: 1\n", "a.b"), EntryError::NoMapping);
        assert_eq!(refused("a: 1\n", "a[3]"), EntryError::NoMapping);
        assert_eq!(refused("a: &x 1\nb: *x\n", "a"), EntryError::Hazard(Hazard::Anchor));
    }
}
