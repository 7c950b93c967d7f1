//! Comments of encrypted files: nobody encrypts those.

use std::sync::LazyLock;

use regex::Regex;

use super::change;
use crate::check::catalog::Id;
use crate::check::finding::Finding;
use crate::check::sheet::Sheet;
use crate::check::value::{Nature, nature};

static SECRET: LazyLock<Regex> = expression!(
    r#"(?i)^\s*#.*\b(?:pass(?:word|wd|phrase)?|pwd|secret|token|api[-_ ]?key|private[-_ ]?key)["']?\s*[:=]\s*["']?(?P<value>[^\s"'#,;]{6,})["']?\s*$"#
);

/// Looks at the comments of a file, if something in it is encrypted.
pub(super) fn check(sheet: &Sheet<'_>, findings: &mut Vec<Finding>) {
    let source = sheet.file.source;
    if sheet.context.is_none() || !change::is_encrypted(source) {
        return;
    }
    for (index, line) in source.lines().enumerate() {
        let value = SECRET.captures(line).and_then(|found| found.name("value")).map(|value| value.as_str());
        if value.is_some_and(|value| !value.starts_with("ENC[") && nature(value) == Nature::Clear) {
            let message = "the comment looks as if it told a secret";
            findings.push(Finding::new(Id::WAX106, sheet.path, message).line(index + 1).key("comment"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_that_tells_a_value_is_told_from_prose() {
        for line in ["# old password: hunter22", "  # token=abcdef123", "# API key: 'abcdef'"] {
            assert!(SECRET.is_match(line), "{line}");
        }
        for line in
            ["# the password: see the vault", "# password", "password: hunter22", "# secrets are rotated", "# pw: x"]
        {
            assert!(!SECRET.is_match(line), "{line}");
        }
    }
}
