//! Path patterns: which values of a document are encrypted.

use crate::path::{Path, PathError, Segment, Segments, Step};

/// Root keys that a pattern starting with a wildcard never selects: encrypting them would break every reader.
const NEVER_BY_WILDCARD: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// A pattern over paths, such as `data.*`, `**.password`, `data."tls.key"` or `users[].token`.
///
/// * a name matches that key; `*` inside it stands for any characters, unless it is quoted
/// * `*` alone matches one key or one list item, `[]` one list item, `[3]` the fourth
/// * `**` matches any number of steps, also none
///
/// A pattern that matches a mapping or a list selects everything below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    source: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Any,
    Deep,
    Item(Option<usize>),
    Exact(String),
    Glob(String),
}

impl Pattern {
    /// Reads a pattern.
    pub fn parse(source: &str) -> Result<Self, PathError> {
        let mut parts = Vec::new();
        for segment in Segments::new(source) {
            parts.push(match segment? {
                Segment::Index(index) => Part::Item(index),
                Segment::Name { text, quoted: true } => Part::Exact(text),
                Segment::Name { text, .. } if text == "*" => Part::Any,
                Segment::Name { text, .. } if text == "**" => Part::Deep,
                Segment::Name { text, .. } if text.contains('*') => Part::Glob(text),
                Segment::Name { text, .. } => Part::Exact(text),
            });
        }
        Ok(Self { source: source.to_owned(), parts })
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// Whether it selects the value at this path.
    pub fn matches(&self, path: &Path) -> bool {
        let wild = !matches!(self.parts.first(), Some(Part::Exact(_)));
        let protected = matches!(path.0.first(), Some(Step::Key(key)) if NEVER_BY_WILDCARD.contains(&key.as_str()));
        !(wild && protected) && match_parts(&self.parts, &path.0)
    }
}

/// Whether the parts match the steps or a beginning of them.
fn match_parts(parts: &[Part], steps: &[Step]) -> bool {
    let Some((part, parts_left)) = parts.split_first() else {
        return true;
    };
    if *part == Part::Deep {
        // `**` at the end needs something to select; elsewhere it may stand for nothing.
        let last = parts_left.is_empty();
        return if last { !steps.is_empty() } else { (0..=steps.len()).any(|n| match_parts(parts_left, &steps[n..])) };
    }
    let Some((step, steps_left)) = steps.split_first() else {
        return false;
    };
    let here = match (part, step) {
        (Part::Any, _) => true,
        (Part::Item(wanted), Step::Item(index)) => wanted.is_none_or(|wanted| wanted == *index),
        (Part::Exact(name), Step::Key(key)) => name == key,
        (Part::Glob(glob), Step::Key(key)) => glob_matches(glob, key),
        _ => false,
    };
    here && match_parts(parts_left, steps_left)
}

/// Whether the whole text matches a glob in which `*` stands for any run of characters.
pub(crate) fn glob_matches(glob: &str, text: &str) -> bool {
    let Some((head, tail)) = glob.split_once('*') else {
        return glob == text;
    };
    let Some(mut rest) = text.strip_prefix(head) else {
        return false;
    };
    let mut pieces: Vec<&str> = tail.split('*').collect();
    let last = pieces.pop().unwrap_or_default();
    for piece in pieces {
        // The leftmost fit leaves the most for the pieces that follow, so no backtracking is needed.
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, path: &str) -> bool {
        Pattern::parse(pattern).unwrap().matches(&Path::parse(path).unwrap())
    }

    #[test]
    fn selects_by_name_wildcard_and_depth() {
        let yes = [
            ("data.*", "data.password"),
            ("data.*", "data.\"tls.key\""),
            ("data", "data.password"),
            ("data.*", "data.a.b"),
            ("**.password", "password"),
            ("**.password", "a.b[0].password"),
            ("**.password", "a.password.inner"),
            ("users[].token", "users[2].token"),
            ("users.*.token", "users[2].token"),
            ("users[2].token", "users[2].token"),
            ("*.pass*", "a.password"),
            ("data.\"tls.key\"", "data.\"tls.key\""),
            ("**", "a.b[0]"),
            ("metadata.annotations.*", "metadata.annotations.x"),
        ];
        for (pattern, path) in yes {
            assert!(matches(pattern, path), "{pattern} {path}");
        }
        let no = [
            ("data.*", "data"),
            ("data.*", "stringData.a"),
            ("data.tls.key", "data.\"tls.key\""),
            ("users[].token", "users.a.token"),
            ("users[1].token", "users[2].token"),
            ("data.\"*\"", "data.x"),
            ("**", "metadata.name"),
            ("*.name", "metadata.name"),
            ("**.kind", "kind"),
        ];
        for (pattern, path) in no {
            assert!(!matches(pattern, path), "{pattern} {path}");
        }
    }

    #[test]
    fn globs_match_the_whole_text() {
        for (glob, text, expected) in [
            ("preview-*", "preview-12", true),
            ("preview-*", "my-preview-12", false),
            ("*-db", "a-db-db", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
            ("a*a", "a", false),
            ("*", "", true),
        ] {
            assert_eq!(glob_matches(glob, text), expected, "{glob} {text}");
        }
    }
}
