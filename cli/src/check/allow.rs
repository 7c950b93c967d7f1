//! Comments that allow what a rule finds: `# sealwax:allow WAX101 a public demo password`.
//!
//! At the end of a line the comment is about that line; alone on a line it is about the next one and what is indented
//! below it; `sealwax:allow-file` is about the file. Without the id of a rule and a reason it is itself an error.

use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

use super::catalog::{self, Id, Rule};
use super::finding::Finding;

/// What the comments start with.
pub(super) const MARKER: &str = "sealwax:allow";

static COMMENT: LazyLock<Regex> =
    expression!(r"(?:^|\s)(?:#|//|;)\s*sealwax:allow(?P<file>-file)?(?:\s+(?P<rule>[A-Za-z]+[0-9]+))?(?P<reason>.*)$");

/// The comments of a file.
#[derive(Default)]
pub(super) struct Allowed {
    comments: Vec<Comment>,
}

struct Comment {
    /// Its own line.
    line: usize,
    /// The lines that it is about; `None` for the whole file.
    about: Option<std::ops::RangeInclusive<usize>>,
    rule: Option<&'static Rule>,
    used: bool,
    whole: bool,
}

impl Allowed {
    /// Reads the comments of a text.
    pub(super) fn read(text: &str) -> Self {
        if !text.contains(MARKER) {
            return Self::default();
        }
        let lines: Vec<_> = text.lines().collect();
        let content = next_content(&lines);
        let comments = lines.iter().enumerate().filter_map(|(index, line)| {
            let found = COMMENT.captures(line)?;
            let reason = found.name("reason").map_or("", |reason| reason.as_str());
            let rule = found.name("rule").and_then(|rule| catalog::find(rule.as_str()));
            let alone = found.get(0).is_some_and(|found| line[..found.start()].trim().is_empty());
            let about = match found.name("file") {
                Some(_) => None,
                None if alone => Some(below(&lines, &content, index)),
                None => Some(index + 1..=index + 1),
            };
            let whole = reason.chars().filter(|c| c.is_alphabetic()).count() >= 3;
            Some(Comment { line: index + 1, about, rule, used: false, whole })
        });
        Self { comments: comments.collect() }
    }

    /// Whether a comment allows a finding.
    pub(super) fn allows(&mut self, finding: &Finding) -> bool {
        let mut allowed = false;
        for comment in self.comments.iter_mut().filter(|comment| comment.whole) {
            let here = comment.about.as_ref().is_none_or(|lines| lines.contains(&finding.line));
            let rule = comment.rule.is_some_and(|rule| rule.id == finding.rule.id);
            if here && rule && finding.rule.id != Id::WAX901.rule().id {
                comment.used = true;
                allowed = true;
            }
        }
        allowed
    }

    /// What is wrong with the comments themselves.
    pub(super) fn findings(&self, path: &Path) -> Vec<Finding> {
        let comments = self.comments.iter();
        let findings = comments.filter_map(|comment| match comment.rule {
            None => Some(Finding::new(Id::WAX901, path, "the comment names no rule that exists").line(comment.line)),
            Some(rule) if !comment.whole => {
                let message = "the comment gives no reason";
                Some(Finding::new(Id::WAX901, path, message).line(comment.line).key(rule.id))
            }
            Some(rule) if !comment.used => {
                let message = "nothing that the comment allows is found there";
                Some(Finding::new(Id::WAX902, path, message).line(comment.line).key(rule.id))
            }
            Some(_) => None,
        });
        findings.collect()
    }
}

fn is_content(line: &str) -> bool {
    !line.trim().is_empty() && !line.trim_start().starts_with('#')
}

/// For each line, the first one from it on that is neither empty nor a comment.
fn next_content(lines: &[&str]) -> Vec<Option<usize>> {
    let mut next = None;
    let mut found: Vec<_> = lines
        .iter()
        .enumerate()
        .rev()
        .map(|(index, line)| {
            next = is_content(line).then_some(index).or(next);
            next
        })
        .collect();
    found.reverse();
    found
}

/// The line below a comment, other comments passed over, and the lines that are indented further. Comments behind them
/// that are not are about something else.
fn below(lines: &[&str], content: &[Option<usize>], comment: usize) -> std::ops::RangeInclusive<usize> {
    let Some(first) = content.get(comment + 1).copied().flatten() else {
        return comment + 1..=comment + 1;
    };
    let indent = |line: &str| line.len() - line.trim_start().len();
    let deeper = |line: &str| indent(line) > indent(lines[first]);
    let rest = lines.iter().enumerate().skip(first + 1);
    let block = rest.take_while(|(_, line)| !is_content(line) || deeper(line));
    let last = block.filter(|(_, line)| !line.trim().is_empty() && deeper(line)).last();
    first + 1..=last.map_or(first, |(index, _)| index) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(text: &str, line: usize) -> bool {
        Allowed::read(text).allows(&Finding::new(Id::WAX101, Path::new("a.yaml"), "x").line(line))
    }

    #[test]
    fn is_about_its_line_or_the_block_below() {
        assert!(allows("a: b # sealwax:allow WAX101 a demo\nc: d", 1));
        assert!(!allows("a: b # sealwax:allow WAX101 a demo\nc: d", 2));
        let block = "# sealwax:allow WAX101 a demo\n# more\nstringData:\n  a: b\n\n  c: d\nother: e\n";
        assert_eq!([3, 4, 6, 7].map(|line| allows(block, line)), [true, true, true, false]);
        let behind = "# sealwax:allow WAX101 a demo\na: b\n# another: comment\n";
        assert_eq!([2, 3].map(|line| allows(behind, line)), [true, false]);
        assert!(allows("x: y\n# sealwax:allow-file WAX101 a demo", 1));
    }

    #[test]
    fn needs_a_rule_that_exists_and_a_reason() {
        for text in [
            "a: b # sealwax:allow",
            "a: b # sealwax:allow WAX101",
            "a: b # sealwax:allow WAX101 -",
            "a: b # sealwax:allow WAX999 why not",
        ] {
            assert!(!allows(text, 1), "{text}");
            let findings = Allowed::read(text).findings(Path::new("a.yaml"));
            assert_eq!(findings.iter().map(|f| f.rule.id).collect::<Vec<_>>(), ["WAX901"], "{text}");
        }
        assert!(!allows("a: b # sealwax:allow WAX102 another rule", 1));
    }
}
