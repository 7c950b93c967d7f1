//! Encrypted values that became comments: whoever puts a `#` before a line in an editor writes its value out.

use std::collections::HashSet;

use sealwax_format::{Path, Step};

/// The length from which on a text that stands somewhere else is taken for the same secret, and not for chance.
pub(crate) const TELLING: usize = 8;
/// The same for a line of a longer text: configuration has many that tell nothing.
const TELLING_LINE: usize = 16;
/// How SOPS marks what it encrypted.
const TOKEN: &str = "ENC[AES256_GCM,";

/// The comments of a file as it is stored.
#[derive(Default)]
pub(crate) struct Comments(HashSet<String>);

impl Comments {
    /// Of a file's text, or several.
    pub(crate) fn of<'t>(texts: impl IntoIterator<Item = &'t str>) -> Self {
        Self(texts.into_iter().flat_map(comments).map(str::to_owned).collect())
    }

    /// The comments of a text that are none of these.
    pub(crate) fn new_in<'t>(&self, text: &'t str) -> Vec<&'t str> {
        comments(text).filter(|comment| !self.0.contains(*comment) && !comment.starts_with(TOKEN)).collect()
    }

    /// The first comment of a text that is none of these and says one of the values at these paths.
    pub(crate) fn exposing<'t, 's>(
        &self,
        text: &'t str,
        secrets: impl IntoIterator<Item = (&'s Path, &'s [u8])>,
    ) -> Option<&'t str> {
        let said: Vec<_> = self.new_in(text).into_iter().map(|comment| (comment, Said::by(comment))).collect();
        if said.is_empty() {
            return None;
        }
        secrets.into_iter().find_map(|(path, secret)| {
            let secret = std::str::from_utf8(secret).ok().map(str::trim).filter(|secret| !secret.is_empty())?;
            let name =
                path.0.iter().rev().find_map(|step| if let Step::Key(key) = step { Some(key.as_str()) } else { None });
            said.iter().find(|(_, said)| said.tells(name, secret)).map(|(comment, _)| *comment)
        })
    }
}

/// What a comment would say as a line of a file.
struct Said<'c> {
    /// All of it, with the dash of an item and without.
    whole: [&'c str; 2],
    /// A name, and what it is given.
    entry: Option<(&'c str, &'c str)>,
}

impl<'c> Said<'c> {
    fn by(comment: &'c str) -> Self {
        let item = comment.strip_prefix("- ").unwrap_or(comment).trim_start();
        // What stands behind the value in its turn.
        let item = item.split_once(" #").map_or(item, |(item, _)| item.trim_end());
        let entry = item.find([':', '=']).and_then(|at| Some((item.get(..at)?, item.get(at + 1..)?)));
        let entry = entry.map(|(name, value)| (unquoted(name.trim()), unquoted(value.trim())));
        Self { whole: [comment, unquoted(item)], entry }
    }

    /// Whether it says a value: a long one whatever it is called, a short one by its name.
    fn tells(&self, name: Option<&str>, secret: &str) -> bool {
        let is_long = secret.len() >= TELLING;
        let by_name = |(said, value): (&str, &str)| value == secret && (is_long || Some(said) == name);
        let lines =
            || secret.lines().map(str::trim).filter(|line| line.len() >= TELLING_LINE && !line.starts_with("-----"));
        is_long && self.whole.contains(&secret)
            || self.entry.is_some_and(by_name)
            || secret.contains('\n') && lines().any(|line| self.whole.contains(&line))
    }
}

/// The texts of what may be comments: in YAML, dotenv and INI.
fn comments(text: &str) -> impl Iterator<Item = &str> {
    let comment = |line: &'_ str| -> Option<usize> {
        let start = line.len() - line.trim_start().len();
        if line[start..].starts_with(['#', ';']) { Some(start + 1) } else { line.find(" #").map(|at| at + 2) }
    };
    text.lines().filter_map(move |line| Some(line.get(comment(line)?..)?.trim_start_matches('#').trim()))
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
    use super::*;

    fn exposing<'t>(before: &str, text: &'t str, path: &str, secret: &str) -> Option<&'t str> {
        let path = Path(vec![Step::Key("db".to_owned()), Step::Key(path.to_owned()), Step::Item(0)]);
        Comments::of([before]).exposing(text, [(&path, secret.as_bytes())])
    }

    #[test]
    fn a_line_that_was_commented_out_says_its_value() {
        for (text, secret) in [
            ("a: 1\n# password: hunter2-long\n", "hunter2-long"),
            ("  #pass: 'hunter2-long' # old\n", "hunter2-long"),
            ("a: 1 # - hunter2-long\n", "hunter2-long"),
            ("# - other: hunter2-long\n", "hunter2-long"),
            ("#PASSWORD=hunter2-long\n", "hunter2-long"),
            ("; password = hunter2-long\n", "hunter2-long"),
            ("## hunter2-long\r\n", "hunter2-long"),
            ("# password: \"1234\"\n", "1234"),
            ("# key: |\n#   MIIEvQIBADANBgkqhkiG9w0\n", "-----BEGIN\nMIIEvQIBADANBgkqhkiG9w0\n-----END\n"),
        ] {
            assert!(exposing("", text, "password", secret).is_some(), "{text}");
        }
    }

    #[test]
    fn other_comments_may_be_written() {
        for (before, text, secret) in [
            ("# hunter2-long\n", "b: 1\n  # hunter2-long\n", "hunter2-long"),
            ("", "# the postgres server\n", "postgres"),
            ("", "# port: 1234\n", "1234"),
            ("", "# ENC[AES256_GCM,data:hunter2-long]\n", "hunter2-long"),
            ("", "password: hunter2-long\n", "hunter2-long"),
            ("", "#\n# password:\n", ""),
        ] {
            assert_eq!(exposing(before, text, "password", secret), None, "{text}");
        }
    }
}
