//! Entries and items that go, whatever they hold. What they leave empty stays, as an empty mapping or list.

use super::entry::{self, EntryError, Value, refuse_anchors};
use super::rewrite::{Rewrite, RewriteError};
use super::{File, Kind, Node};
use crate::path::{Path, Step};

/// Why something was not taken out.
#[derive(Debug, thiserror::Error)]
pub enum RemovalError {
    /// There is nothing at the path.
    #[error("there is nothing at this path")]
    Missing,
    /// The path leads through a value.
    #[error("the path leads through something that is no mapping or list")]
    Through,
    /// It cannot be taken out without touching something else.
    #[error(transparent)]
    Rewrite(#[from] RewriteError),
    /// It cannot be replaced by something empty.
    #[error(transparent)]
    Entry(#[from] EntryError),
}

/// Takes out what is at a path.
pub fn remove(
    file: &File<'_>,
    document: usize,
    path: &Path,
    rewrite: &mut Rewrite<'_, '_>,
) -> Result<(), RemovalError> {
    let root = file.documents.get(document).map(|document| &document.root).ok_or(RemovalError::Missing)?;
    let (last, above) = path.0.split_last().ok_or(RemovalError::Missing)?;
    find(root, path)?;
    refuse_anchors(root, path).map_err(EntryError::from)?;
    let above = Path(above.to_vec());
    let parent = root.at(&above).ok_or(RemovalError::Missing)?;
    let done = match last {
        Step::Key(key) => {
            let index = parent.entries().iter().position(|(name, _)| name.text() == Some(key));
            rewrite.remove(document, parent, index.ok_or(RemovalError::Missing)?)
        }
        Step::Item(index) => rewrite.remove_item(document, parent, *index),
    };
    let empty = if matches!(last, Step::Key(_)) { "{}" } else { "[]" };
    match done {
        Err(RewriteError::LastEntry) if above.0.is_empty() => Ok(rewrite.empty(document, parent)?),
        Err(RewriteError::LastEntry) => Ok(entry::put(file, document, &above, &Value::Collection(empty), rewrite)?),
        done => Ok(done?),
    }
}

/// Goes down the path, to tell apart why there is nothing at its end.
fn find(root: &Node, path: &Path) -> Result<(), RemovalError> {
    let mut node = root;
    for step in &path.0 {
        let next = match (step, &node.kind) {
            (Step::Key(key), Kind::Mapping { .. }) => node.get(key),
            (Step::Item(index), Kind::Sequence { items, .. }) => items.get(*index),
            _ => return Err(RemovalError::Through),
        };
        node = next.ok_or(RemovalError::Missing)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Syntax;

    fn without(source: &str, syntax: Syntax, path: &str) -> Result<String, RemovalError> {
        let (file, path) = (File::parse(source, syntax).ok(), Path::parse(path).ok());
        let (file, path) = (file.as_ref().ok_or(RemovalError::Missing)?, path.ok_or(RemovalError::Missing)?);
        let mut rewrite = Rewrite::new(file);
        remove(file, 0, &path, &mut rewrite)?;
        Ok(rewrite.finish()?.to_string())
    }

    #[test]
    fn what_is_left_stays_as_it_is() {
        let cases = [
            ("a: 1 # x\nb: 2\n", "a", "b: 2\n"),
            ("a:\n  - 1\n  - b: 2\n    c: 3\n  - 4\n", "a[1]", "a:\n  - 1\n  - 4\n"),
            ("a:\n- 1\n- 2", "a[1]", "a:\n- 1"),
            ("a: [1, 2, 3]\n", "a[0]", "a: [2, 3]\n"),
            ("a: [1, 2, 3]\n", "a[2]", "a: [1, 2]\n"),
            ("a: [1]\nb: x\n", "a[0]", "a: []\nb: x\n"),
            ("a:\n  b: 1\nc: 2\n", "a.b", "a: {}\nc: 2\n"),
            ("a:\n  b: 1\nc: 2\n", "a", "c: 2\n"),
            ("a:\n  - b: 1\n", "a[0].b", "a:\n  - {}\n"),
            ("a: 1\n", "a", "{}\n"),
        ];
        for (source, path, expected) in cases {
            assert_eq!(without(source, Syntax::Yaml, path).unwrap(), expected, "{source} {path}");
        }
        assert_eq!(without("{\"a\": [1, 2], \"b\": 1}", Syntax::Json, "a[0]").unwrap(), "{\"a\": [2], \"b\": 1}");
        assert_eq!(without("A=1\nB=2\n", Syntax::Dotenv, "A").unwrap(), "B=2\n");
        assert_eq!(without("[s]\na = 1\nb = 2\n", Syntax::Ini, "s.a").unwrap(), "[s]\nb = 2\n");
    }

    #[test]
    fn nothing_is_told_from_no_way_there() {
        let error = |path| without("a: 1\nb: [2]\n", Syntax::Yaml, path).unwrap_err();
        assert!(matches!(error("c"), RemovalError::Missing));
        assert!(matches!(error("b[3]"), RemovalError::Missing));
        assert!(matches!(error("a.x"), RemovalError::Through));
        assert!(matches!(error("b.x"), RemovalError::Through));
        assert!(without("a: &x 1\nb: *x\n", Syntax::Yaml, "a").is_err(), "others need it");
    }
}
