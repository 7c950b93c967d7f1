//! SOPS files that are neither YAML nor JSON: dotenv and INI line by line, and anything else as a whole.

use std::path::Path;

use super::sops::{MARKER, is_value};
use super::sops_config::CreationRule;
use crate::check::catalog::Id;
use crate::check::finding::Finding;
use crate::sops::config::Fields;

/// Whether a path is that of a format that is looked into by lines.
fn is_lines(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "env" || extension == "ini")
        || path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".env"))
}

/// An entry: its line, the keys that lead to it, and its value.
struct Entry<'t> {
    line: usize,
    keys: Vec<&'t str>,
    value: &'t str,
}

fn entries(text: &str) -> Vec<Entry<'_>> {
    let (mut section, mut found) = (None, Vec::new());
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = Some(name);
        } else if let Some((key, value)) = line.split_once('=').filter(|_| !line.starts_with(['#', ';'])) {
            let keys = section.into_iter().chain([key.trim()]).collect();
            found.push(Entry { line: index + 1, keys, value: value.trim().trim_matches(['"', '\'']) });
        }
    }
    found
}

/// Whether an entry is one of SOPS's own, and the field's name.
fn metadata<'t>(entry: &Entry<'t>) -> Option<&'t str> {
    match entry.keys.as_slice() {
        ["sops", key] => Some(key),
        [key] => key.strip_prefix("sops_"),
        _ => None,
    }
}

/// Runs the rules over a file that is no YAML and no JSON.
pub(in crate::check) fn check(path: &Path, text: &str, rule: Option<&CreationRule>, findings: &mut Vec<Finding>) {
    let entries = if is_lines(path) { entries(text) } else { Vec::new() };
    let field = |name: &str| {
        let found = entries.iter().find(|entry| metadata(entry) == Some(name));
        found.map(|entry| entry.value.to_owned())
    };
    let encrypted = field("mac").is_some() || (!is_lines(path) && text.contains("\"sops\""));
    if !encrypted {
        if rule.is_some_and(|rule| rule.claims(path)) && !text.trim().is_empty() {
            let message = "a creation rule of .sops.yaml covers the file, and it is not encrypted";
            findings.push(Finding::new(Id::WAX301, path, message));
        }
        return;
    }
    let fields = Fields {
        unencrypted_suffix: field("unencrypted_suffix"),
        encrypted_suffix: field("encrypted_suffix"),
        unencrypted_regex: field("unencrypted_regex"),
        encrypted_regex: field("encrypted_regex"),
        ..Fields::default()
    };
    let Ok(selector) = fields.selector() else {
        findings.push(Finding::new(Id::WAX303, path, "the selector of values is invalid"));
        return;
    };
    for entry in entries.iter().filter(|entry| metadata(entry).is_none() && !entry.value.is_empty()) {
        if selector.selects(entry.keys.iter().copied(), std::iter::empty()) && !is_value(entry.value) {
            let malformed = entry.value.starts_with(MARKER);
            let message = if malformed { "the encrypted value is malformed" } else { "the value stands in the clear" };
            let key = entry.keys.join(".");
            findings.push(Finding::new(Id::WAX302, path, message).line(entry.line).key(key));
        }
    }
}
