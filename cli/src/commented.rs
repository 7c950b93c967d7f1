//! Encrypted values that became comments: whoever puts a `#` before a line in an editor writes its value out.

use std::collections::{HashMap, HashSet};

use sealwax_format::document::File;
use sealwax_format::document::walk::leaves;
use sealwax_format::sops::{Token, comment_texts};
use sealwax_format::{Path, Step};
use zeroize::Zeroize as _;

use crate::sops::text_of;

/// The length from which on a text that stands somewhere else is taken for the same secret, and not for chance.
pub(crate) const TELLING: usize = 8;
/// The same for a line of a longer text: configuration has many that tell nothing.
const TELLING_LINE: usize = 16;

/// The comments of a file as it is stored.
#[derive(Default)]
pub(crate) struct Comments(HashSet<String>);

impl Comments {
    /// Of a file, or several.
    pub(crate) fn of<'f, 'd: 'f>(files: impl IntoIterator<Item = &'f File<'d>>) -> Self {
        Self(files.into_iter().flat_map(comments).map(str::to_owned).collect())
    }

    /// The comments of a file that are none of these.
    pub(crate) fn new_in<'d>(&self, file: &File<'d>) -> Vec<&'d str> {
        comments(file).filter(|comment| !self.0.contains(*comment) && !Token::is_claimed_by(comment)).collect()
    }

    /// The first comment of a file that is none of these and says one of the values at these paths.
    pub(crate) fn exposing<'d, 's>(
        &self,
        file: &File<'d>,
        secrets: impl IntoIterator<Item = (&'s Path, &'s [u8])>,
    ) -> Option<&'d str> {
        let mut said = Said::default();
        for comment in self.new_in(file) {
            said.add(comment, file);
        }
        if said.0.is_empty() {
            return None;
        }
        secrets.into_iter().find_map(|(path, secret)| said.telling(name_of(path), secret))
    }
}

/// What comments would say as lines of their file: values, each with its name if it has one, and its comment.
#[derive(Default)]
struct Said<'c>(HashMap<Vec<u8>, Vec<(Option<String>, &'c str)>>);

impl<'c> Said<'c> {
    fn add(&mut self, comment: &'c str, like: &File<'_>) {
        let item = comment.strip_prefix("- ").unwrap_or(comment).trim();
        // With and without a comment behind it, or a comma.
        let line = item.split_once(" #").map_or(item, |(line, _)| line.trim_end());
        for text in [comment, item, line, line.trim_end_matches(',')] {
            self.say(None, text.as_bytes(), comment);
            self.add_line(text, comment, like);
        }
    }

    fn say(&mut self, name: Option<&str>, value: &[u8], comment: &'c str) {
        self.0.entry(value.to_vec()).or_default().push((name.map(str::to_owned), comment));
    }

    fn add_line(&mut self, item: &str, comment: &'c str, like: &File<'_>) {
        let mut say = |name: Option<&str>, value: &[u8]| self.say(name, value, comment);
        // Where it is no line of such a file, or not the whole of one.
        if let Some((name, value)) = item.split_once([':', '=']) {
            say(Some(unquoted(name.trim())), unquoted(value.trim()).as_bytes());
        }
        let Ok(file) = File::parse(item, like.syntax) else { return };
        for leaf in file.documents.iter().flat_map(leaves) {
            let name = name_of(&leaf.path);
            if let Some(scalar) = leaf.scalar {
                say(name, scalar.value.as_bytes());
            }
            if let Some(text) = text_of(like.syntax, &leaf) {
                say(name, text.expose());
            }
        }
    }

    /// The comment that says a value: a long one whatever it is called, a short one by its name.
    fn telling(&self, name: Option<&str>, secret: &[u8]) -> Option<&'c str> {
        let whole = secret.trim_ascii();
        let by_name =
            |said: &&(Option<String>, &'c str)| whole.len() >= TELLING || said.0.is_some() && said.0.as_deref() == name;
        let said = |value: &[u8]| self.0.get(value).filter(|_| !value.is_empty());
        let found = said(whole).and_then(|said| said.iter().find(by_name));
        let lines = whole.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        let telling = |line: &&[u8]| line.len() >= TELLING_LINE && !line.starts_with(b"-----");
        let found = found.or_else(|| lines.filter(telling).find_map(|line| said(line)?.first()));
        found.map(|(_, comment)| *comment)
    }
}

impl Drop for Said<'_> {
    fn drop(&mut self) {
        for (mut value, _) in self.0.drain() {
            value.zeroize();
        }
    }
}

/// The lines of all comments, without their marks.
fn comments<'d>(file: &File<'d>) -> impl Iterator<Item = &'d str> + use<'d> {
    let lines = comment_texts(file).flat_map(str::lines);
    lines.map(|line| line.trim_start_matches(['#', ';', ' ', '\t']).trim_end())
}

/// The name that a value goes by, which its list has if it has none.
fn name_of(path: &Path) -> Option<&str> {
    path.0.iter().rev().find_map(|step| if let Step::Key(key) = step { Some(key.as_str()) } else { None })
}

/// The line of a comment in a text, from 1.
pub(crate) fn line_of(text: &str, comment: &str) -> usize {
    text.lines().position(|line| line.contains(comment)).unwrap_or_default() + 1
}

fn unquoted(text: &str) -> &str {
    let within = |quote| text.strip_prefix(quote)?.strip_suffix(quote);
    within('"').or_else(|| within('\'')).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use sealwax_format::document::Syntax;

    use super::*;

    fn exposing<'t>((before, text): (&str, &'t str), syntax: Syntax, path: &str, secret: &str) -> Option<&'t str> {
        let path = Path(vec![Step::Key("db".to_owned()), Step::Key(path.to_owned()), Step::Item(0)]);
        let parse = |text| File::parse(text, syntax).unwrap();
        let comments = Comments::of([&parse(before)]);
        comments.exposing(&File::parse(text, syntax).unwrap(), [(&path, secret.as_bytes())])
    }

    #[test]
    fn a_line_that_was_commented_out_says_its_value() {
        for (text, secret) in [
            ("a: 1\n# password: hunter2-long\n", "hunter2-long"),
            ("a:\n  #pass: 'hunter2-long' # old\n  b: 1\n", "hunter2-long"),
            ("a: 1 # - hunter2-long\n", "hunter2-long"),
            ("a: 1\t# - hunter2-long\n", "hunter2-long"),
            ("# - other: hunter2-long\na: 1\n", "hunter2-long"),
            ("## hunter2-long\r\na: 1\r\n", "hunter2-long"),
            ("# password: \"1234\"\na: 1\n", "1234"),
            ("# password: \"p@ss #word1\"\na: 1\n", "p@ss #word1"),
            ("# b: \"tab\\there \\\"q\\\" long\"\na: 1\n", "tab\there \"q\" long"),
            ("# l: [first-long-item, 4242]\na: 1\n", "first-long-item"),
            ("# - {password: 1234}\na: 1\n", "1234"),
            ("# tok: !!str abcdef12\na: 1\n", "abcdef12"),
            ("#   \"tok\": \"abcdef12\",\na: 1\n", "abcdef12"),
            ("# password: hunter2-long,\na: 1\n", "hunter2-long,"),
            ("# export PASS=hunter2-long # old\na: 1\n", "hunter2-long"),
            ("# password: true\na: 1\n", "True"),
            ("# key: |\n#   MIIEvQIBADANBgkqhkiG9w0\na: 1\n", "-----BEGIN\nMIIEvQIBADANBgkqhkiG9w0\n-----END\n"),
        ] {
            assert!(exposing(("", text), Syntax::Yaml, "password", secret).is_some(), "{text}");
        }
        let flat = [
            (Syntax::Dotenv, "#PASSWORD=hunter2-long\nA=1\n", "hunter2-long"),
            (Syntax::Dotenv, "#PASSWORD=hunter2-long # old\nA=1\n", "hunter2-long"),
            (Syntax::Ini, "[db]\n# other\n; password = hunter2-long\na = 1\n", "hunter2-long"),
            (Syntax::Ini, "[db]\n; password = hunter2-long # old\na = 1\n", "hunter2-long"),
        ];
        for (syntax, text, secret) in flat {
            assert!(exposing(("A=1\n", text), syntax, "password", secret).is_some(), "{text}");
        }
    }

    #[test]
    fn other_comments_may_be_written() {
        for (before, text, secret) in [
            ("# hunter2-long\na: 1\n", "b:\n  # hunter2-long\n  c: 1\n", "hunter2-long"),
            ("", "# the postgres server\na: 1\n", "postgres"),
            ("", "# port: 1234\na: 1\n", "1234"),
            ("", "# ENC[AES256_GCM,data:hunter2-long]\na: 1\n", "hunter2-long"),
            ("", "password: |\n  # hunter2-long\n", "hunter2-long"),
            ("", "#\n# password:\na: 1\n", ""),
        ] {
            assert_eq!(exposing((before, text), Syntax::Yaml, "password", secret), None, "{text}");
        }
    }
}
