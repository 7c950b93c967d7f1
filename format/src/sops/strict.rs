//! What a file of SOPS must not hold, because go-yaml reads it in another way than this program: what is part of a comment
//! here would be a value there, and left in the clear.

use super::read::{At, ReadError};
use crate::document::resolve::BINARY_TAG;
use crate::document::{File, Kind, Node, Syntax};

const MARK: char = '\u{feff}';

/// A character that a file must not hold as itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CharacterError {
    /// One of those that YAML 1.1 ends a line with.
    #[error("the character U+{0:04X} ends a line for SOPS; write it as \\u{0:04X} in double quotes, or take it out")]
    LineEnd(u32),
    /// A byte order mark that is not at the beginning, or in a file whose reader knows none.
    #[error("a byte order mark stands where SOPS takes it for a part of the text; take it out")]
    Mark,
    /// One that go-yaml takes nowhere.
    #[error("SOPS takes no file with the control character U+{0:04X}; write it as \\u{0:04X} in double quotes")]
    Control(u32),
}

/// Refuses a file with something of this.
pub(super) fn check(file: &File<'_>) -> Result<(), At> {
    let refuse = |offset, error| Err(At { line: Some(file.line(offset)), path: None, error });
    if let Some((offset, error)) = character(file.source, file.syntax) {
        return refuse(offset, error.into());
    }
    match file.documents.iter().find_map(|document| decoded_key(&document.root)) {
        Some(key) => refuse(key.span.start, ReadError::Key),
        None => Ok(()),
    }
}

fn character(source: &str, syntax: Syntax) -> Option<(usize, CharacterError)> {
    match syntax {
        Syntax::Yaml => {}
        Syntax::Json | Syntax::Dotenv => return source.starts_with(MARK).then_some((0, CharacterError::Mark)),
        Syntax::Ini => return None,
    }
    source.char_indices().find_map(|(offset, c)| {
        let error = match c {
            // A carriage return stands before a line feed, or the file does not parse.
            '\n' | '\r' | '\t' | ' '..='~' => return None,
            '\u{85}' | '\u{2028}' | '\u{2029}' => CharacterError::LineEnd(c.into()),
            MARK if offset == 0 => return None,
            MARK => CharacterError::Mark,
            '\0'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => CharacterError::Control(c.into()),
            _ => return None,
        };
        Some((offset, error))
    })
}

/// A key that stands there in base64: its name is another for SOPS.
fn decoded_key(node: &Node) -> Option<&Node> {
    match &node.kind {
        Kind::Mapping { entries, .. } => entries.iter().find_map(|(key, value)| {
            let decoded = key.tag.as_ref().is_some_and(|tag| [BINARY_TAG, "!!binary"].contains(&tag.name.as_str()));
            if decoded { Some(key) } else { decoded_key(value) }
        }),
        Kind::Sequence { items, .. } => items.iter().find_map(decoded_key),
        Kind::Scalar(_) | Kind::Alias(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_lines_or_is_no_text_for_others_is_found_where_it_stands() {
        let cases = [
            ("a: 1 # x\u{2028}b: 2\n", Some((8, CharacterError::LineEnd(0x2028)))),
            ("a: \"\u{2029}\"\n", Some((4, CharacterError::LineEnd(0x2029)))),
            ("a: |\n  \u{85}\n", Some((7, CharacterError::LineEnd(0x85)))),
            ("a: 1\n\u{feff}b: 2\n", Some((5, CharacterError::Mark))),
            ("\u{feff}\u{feff}a: 1\n", Some((3, CharacterError::Mark))),
            ("a: \u{7f}\n", Some((3, CharacterError::Control(0x7f)))),
            ("a: 1 #\u{fffe}\n", Some((6, CharacterError::Control(0xfffe)))),
            ("\u{feff}a: 1\r\nb: \t\"\\u2028\" # é \u{1f600} \u{a0}\n", None),
        ];
        for (source, expected) in cases {
            assert_eq!(character(source, Syntax::Yaml), expected, "{source:?}");
        }
        for (source, syntax) in [("\u{feff}A=b", Syntax::Dotenv), ("\u{feff}{}", Syntax::Json)] {
            assert_eq!(character(source, syntax), Some((0, CharacterError::Mark)));
        }
        assert_eq!(character("\u{feff}a=b", Syntax::Ini), None);
        assert_eq!(character("{\"a\":\"\u{2028}\"}", Syntax::Json), None);
    }
}
