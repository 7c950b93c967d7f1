//! Files that look like manifests and cannot be parsed, such as templates of Helm: their Secrets by lines.

use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

use crate::check::catalog::Id;
use crate::check::finding::Finding;
use crate::check::value::{Nature, nature, nature_of_base64};

static SECRET: LazyLock<Regex> = expression!(r#"^[\s{,-]*["']?kind["']?\s*:\s*["']?Secret["']?[\s,}]*(?:#.*)?$"#);
/// The same in braces, on a line with others.
static INLINE: LazyLock<Regex> = expression!(r#"[{,]\s*["']?kind["']?\s*:\s*["']?Secret["']?\s*[,}]"#);
static FIELD: LazyLock<Regex> =
    expression!(r#"^(?P<indent>\s*)["']?(?P<field>data|stringData)["']?\s*:\s*(?:\{\s*)?(?:#.*)?$"#);
static ENTRY: LazyLock<Regex> =
    expression!(r#"^(?P<indent>\s+)["']?(?P<key>(?:[A-Za-z0-9._-]|\{\{[^}]*\}\})+)["']?\s*:(?:\s+(?P<value>.*))?$"#);

/// A kind that is written with an escape: nobody does who has nothing to hide.
static ESCAPED: LazyLock<Regex> = expression!(r#"\bkind["']?\s*:\s*"[^"]*\\"#);
/// Items in braces, from the first one on, and one of them.
static FLOW: LazyLock<Regex> = expression!(r#"\b(?P<field>data|stringData)["']?\s*:\s*\{"#);
static PAIR: LazyLock<Regex> = expression!(
    r#"^\s*,?\s*["']?(?P<key>[A-Za-z0-9._-]+)["']?\s*:\s*(?P<value>(?:\{\{.*?\}\}|"[^"]*"|'[^']*'|[^,{}])*)"#
);

/// Whether a text states a Secret somewhere.
pub(in crate::check) fn states_secret(text: &str) -> bool {
    (text.contains("Secret") || text.contains('\\')) && text.lines().any(is_secret)
}

/// Whether a text states a Secret to programs that take more for the end of a line than others: YAML 1.1 knew three more.
pub(in crate::check) fn states_secret_to_others(text: &str) -> bool {
    const BREAKS: [char; 4] = ['\r', '\u{85}', '\u{2028}', '\u{2029}'];
    let mut stated = text.lines().filter(|line| line.trim_end().contains(BREAKS) && line.contains("Secret"));
    stated.any(|line| !is_secret(line) && line.split(BREAKS).any(is_secret))
}

fn is_secret(line: &str) -> bool {
    SECRET.is_match(line) || INLINE.is_match(line) || ESCAPED.is_match(line)
}

/// Whether a text states one of these kinds somewhere.
pub(in crate::check) fn states_kind(text: &str, kinds: &[String]) -> bool {
    let stated = text.lines().filter_map(|line| line.trim().trim_matches(['"', '\'', ',']).split_once(':'));
    let mut stated = stated.filter(|(key, _)| key.trim_matches(['"', '\'', ' ', '-']) == "kind");
    stated.any(|(_, kind)| kinds.iter().any(|wanted| kind.trim().trim_matches(['"', '\'']) == wanted))
}

/// Whether a text is a template, so that nobody expects it to be YAML.
pub(in crate::check) fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%") || text.contains("<%")
}

/// Items of Secrets that are no expressions.
pub(in crate::check) fn check(path: &Path, text: &str, findings: &mut Vec<Finding>) {
    let lines: Vec<_> = text.lines().collect();
    let mut start = 0;
    for end in 0..=lines.len() {
        let is_end = lines.get(end).is_none_or(|line| line.starts_with("---"));
        if is_end {
            let document = lines.get(start..end).unwrap_or_default();
            if document.iter().any(|line| is_secret(line)) {
                secret(path, document, start, findings);
            }
            start = end + 1;
        }
    }
}

/// One document, by indentation: what stands below `data` and `stringData`.
fn secret(path: &Path, lines: &[&str], first: usize, findings: &mut Vec<Finding>) {
    let mut index = 0;
    while let Some(line) = lines.get(index) {
        index += 1;
        inline(path, first + index, line, findings);
        let Some(field) = FIELD.captures(line) else { continue };
        let indent = field.name("indent").map_or(0, |indent| indent.len());
        let name = field.name("field").map_or("", |field| field.as_str());
        let mut column = None;
        while let Some(line) = lines.get(index) {
            let deep = line.len() - line.trim_start().len();
            let entry = ENTRY.captures(line).filter(|_| deep > indent && column.is_none_or(|column| column == deep));
            if let Some(entry) = entry {
                column = Some(deep);
                let below = lines.get(index + 1..).unwrap_or_default();
                let value = value(entry.name("value").map_or("", |value| value.as_str()), below, deep);
                let key = entry.name("key").map_or("", |key| key.as_str());
                item(path, first + index + 1, name, key, &value, findings);
            } else if deep <= indent && !line.trim().is_empty() && !line.trim_start().starts_with(['{', '#']) {
                break;
            }
            index += 1;
        }
    }
}

/// The value of an entry: what stands behind the colon, and the lines below that continue it.
fn value(text: &str, below: &[&str], column: usize) -> zeroize::Zeroizing<String> {
    let text = without_comment(text.trim());
    let block = text.starts_with(['|', '>']);
    let deeper = |line: &&&str| line.trim().is_empty() || line.len() - line.trim_start().len() > column;
    let below = below.iter().take_while(deeper).map(|line| line.trim());
    let below = below.filter(|line| block || !line.starts_with('#'));
    let lines: Vec<_> = std::iter::once(text).filter(|_| !block).chain(below).collect();
    let joined = zeroize::Zeroizing::new(lines.join("\n"));
    let quoted = joined.trim().trim_end_matches(',').trim_matches(['"', '\'']);
    quoted.to_owned().into()
}

/// A value without the comment behind it; a sign within quotes begins none.
fn without_comment(text: &str) -> &str {
    let mut signs = text.match_indices(" #").map(|(at, _)| &text[..at]);
    let is_outside = |before: &&str| ['"', '\'', '`'].iter().all(|quote| before.matches(*quote).count() % 2 == 0);
    signs.find(is_outside).unwrap_or(text)
}

/// The items of `data: {…}` on one line.
fn inline(path: &Path, number: usize, line: &str, findings: &mut Vec<Finding>) {
    for found in FLOW.captures_iter(line) {
        let name = found.name("field").map_or("", |field| field.as_str());
        let mut rest = found.get(0).map_or("", |found| &line[found.end()..]);
        while let Some(pair) = PAIR.captures(rest) {
            let part = |part| pair.name(part).map_or("", |part| part.as_str());
            item(path, number, name, part("key"), part("value").trim().trim_matches(['"', '\'']), findings);
            rest = pair.get(0).map_or("", |pair| &rest[pair.end()..]);
        }
    }
}

fn item(path: &Path, line: usize, field: &str, key: &str, value: &str, findings: &mut Vec<Finding>) {
    let nature = if field == "data" { nature_of_base64(value) } else { nature(value) };
    let (id, message) = match nature {
        Nature::Harmless => return,
        Nature::Placeholder => (Id::WAX105, "the item of a Secret looks like a placeholder, in a template"),
        Nature::Clear => (Id::WAX101, "the item of a Secret stands in the clear, in a template"),
    };
    findings.push(Finding::new(id, path, message).line(line).key(format!("{field}.{key}")));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<usize> {
        let mut findings = Vec::new();
        check(Path::new("a.yaml"), text, &mut findings);
        findings.iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn tells_expressions_from_values() {
        let text = "{{- if .Values.x }}\napiVersion: v1\nkind: Secret\nmetadata:\n  name: {{ .Release.Name }}\n\
            data:\n  {{- if .y }}\n  a: {{ .Values.a | b64enc }}\n  b: aHVudGVyMg==\n  {{- end }}\n  c: |\n    {{ .c }}\n\
            stringData:\n  d: |-\n    hunter2\n  e: \"{{ .e }}\"\ntype: Opaque\n{{- end }}\n";
        assert_eq!(lines(text), [9, 14]);
        assert_eq!(lines(&text.replace("kind: Secret", "kind: ConfigMap")), [0; 0]);
        assert_eq!(lines(&text.replace("  b: ", "  b-{{ $i }}: ")), [9, 14]);
        assert_eq!(lines(&format!("a: b\n---\n{text}")), [11, 16]);
    }
}
