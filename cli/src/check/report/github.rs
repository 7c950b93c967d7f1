//! Commands of GitHub's workflows, which become annotations, and the summary of a job.

use std::io::Write as _;
use std::path::PathBuf;

use super::text;
use crate::check::{Outcome, Severity};
use crate::error::{Code, CommandError};

/// The variable with the file that the summary of a step is appended to.
const SUMMARY: &str = "GITHUB_STEP_SUMMARY";
/// GitHub shows this many annotations of a kind for each step.
const ANNOTATIONS: usize = 10;
/// Rows of the summary: it is limited to 1 MiB.
const ROWS: usize = 1000;

/// The report: the errors first, as GitHub shows the first ones only.
pub(super) fn write(outcome: &Outcome) -> String {
    let mut shown = String::new();
    for severity in [Severity::Error, Severity::Warning, Severity::Notice] {
        let findings: Vec<_> = outcome.findings.iter().filter(|finding| finding.severity == severity).collect();
        for finding in &findings {
            let key = finding.key.as_ref().map(|key| format!("{key}: ")).unwrap_or_default();
            shown.push_str(&format!(
                "::{} file={},line={},title={}::{}\n",
                severity.word(),
                property(&finding.shown_path()),
                finding.line,
                property(&format!("{} {}", finding.rule.id, finding.rule.title)),
                message(&format!("{key}{} ({})", finding.message, finding.rule.fix)),
            ));
        }
        if findings.len() > ANNOTATIONS {
            let more = findings.len() - ANNOTATIONS;
            shown.push_str(&format!("{more} more of kind {}: see the log and the summary\n", severity.word()));
        }
    }
    shown
}

/// The text of a command.
fn message(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property of a command, which also ends at commas and colons.
fn property(text: &str) -> String {
    message(text).replace(':', "%3A").replace(',', "%2C")
}

/// Appends the findings as a table to the summary of the step, where there is one.
pub(crate) fn append_summary(outcome: &Outcome) -> Result<(), CommandError> {
    let Some(path) = std::env::var_os(SUMMARY).filter(|path| !path.is_empty()).map(PathBuf::from) else {
        return Ok(());
    };
    let failed = |error| CommandError::io(Code::Refused, "the summary cannot be written", &path, &error);
    let mut file = std::fs::OpenOptions::new().append(true).create(true).open(&path).map_err(failed)?;
    file.write_all(markdown(outcome).as_bytes()).map_err(failed)
}

fn markdown(outcome: &Outcome) -> String {
    let mut shown = format!("### sealwax check\n\n{}\n", cell(&text::summary(outcome)));
    if outcome.findings.is_empty() {
        return shown;
    }
    shown.push_str("\n| | rule | where | what |\n|---|---|---|---|\n");
    for finding in outcome.findings.iter().take(ROWS) {
        let key = finding.key.as_ref().map(|key| format!("{key}: ")).unwrap_or_default();
        let place = format!("{}:{}", finding.shown_path(), finding.line);
        let (word, id) = (finding.severity.word(), finding.rule.id);
        shown.push_str(&format!(
            "| {word} | {id} | {} | {} |\n",
            cell(&place),
            cell(&format!("{key}{}", finding.message))
        ));
    }
    if outcome.findings.len() > ROWS {
        shown.push_str(&format!("\n{} more\n", outcome.findings.len() - ROWS));
    }
    shown
}

/// Text that is no markup: names of files and keys come from whoever wrote them.
fn cell(text: &str) -> String {
    let mut shown = String::new();
    for c in text.chars() {
        match c {
            '\n' | '\r' => shown.push(' '),
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            '&' => shown.push_str("&amp;"),
            '|' | '`' | '*' | '_' | '[' | ']' | '\\' | '@' | '!' | '#' | '~' => {
                shown.push('\\');
                shown.push(c);
            }
            other => shown.push(other),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_name_ends_a_command_or_a_cell() {
        assert_eq!(property("a,b:c%\nd"), "a%2Cb%3Ac%25%0Ad");
        assert_eq!(message("a\r\n::b"), "a%0D%0A::b");
        assert_eq!(cell("a|b\n<img>"), "a\\|b &lt;img&gt;");
    }
}
