//! The `sops` block as SOPS 3.13 writes it.

use std::fmt::Write as _;

use super::cipher::Token;
use super::flat;
use super::metadata::{BLOCK_KEY, Group, Metadata, Wrap};
use crate::document::present::{double_quoted, quote_if_needed};
use crate::document::{File, Syntax};

/// The entry of a document's root, in lines from a column on or for a root in braces: names in alphabetical order at every
/// level.
pub(super) fn block(metadata: &Metadata, mac: &Token, file: &File<'_>, braces: bool, column: usize) -> String {
    let fields = fields(metadata, mac);
    match file.syntax {
        Syntax::Dotenv => return dotenv(&fields, file.line_break()),
        Syntax::Ini => return ini(&fields, file.line_break()),
        Syntax::Yaml | Syntax::Json => {}
    }
    if braces {
        let style = Braces::of(file);
        let body = fields.iter().map(|(name, field)| format!("\"{name}\": {}", field.json(&style, 2)));
        return format!("\"{BLOCK_KEY}\": {}", style.around('{', &body.collect::<Vec<_>>(), '}', 1));
    }
    let line_break = file.line_break();
    let mut text = format!("{BLOCK_KEY}:");
    for (name, field) in &fields {
        text.push_str(line_break);
        let _ = write!(text, "    {name}:");
        field.yaml(4, line_break, &mut text);
    }
    let indent = " ".repeat(column);
    format!("{indent}{}", text.replace('\n', &format!("\n{indent}")))
}

/// Lines of `sops_NAME=VALUE`.
fn dotenv(fields: &[(&'static str, Field)], line_break: &str) -> String {
    let mut lines = Vec::new();
    for (name, field) in fields {
        field.flat(&format!("{BLOCK_KEY}_{name}"), &mut |name, text| lines.push(format!("{name}={text}")));
    }
    lines.join(line_break)
}

/// A section of its own, its equals signs below one another.
fn ini(fields: &[(&'static str, Field)], line_break: &str) -> String {
    let mut pairs = Vec::new();
    for (name, field) in fields {
        field.flat(name, &mut |name, text| pairs.push((name.to_owned(), text)));
    }
    let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let lines = pairs.into_iter().map(|(name, text)| {
        // Only an expression holds what would start a comment.
        let text = if text.contains(['#', ';']) { format!("`{text}`") } else { text };
        format!("{name:width$} = {text}")
    });
    std::iter::once(format!("[{BLOCK_KEY}]")).chain(lines).collect::<Vec<_>>().join(line_break)
}

/// A text of the block: SOPS quotes no version, which is no number in any reading of it.
pub(super) fn plain_if_safe(text: &str) -> String {
    let mut parts = text.split('.');
    let is_version = parts.clone().count() == 3
        && parts.all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    if is_version { text.to_owned() } else { quote_if_needed(text) }
}

/// How a file with braces is laid out: JSON in lines has its own indentation.
struct Braces {
    /// A line break and one step of indentation, where there are lines.
    lines: Option<(&'static str, String)>,
}

impl Braces {
    fn of(file: &File<'_>) -> Self {
        let root = file.documents.first().map(|document| &document.root);
        let first = root.and_then(|root| root.entries().first()).map(|(key, _)| key.span.start);
        let before = first.zip(root).and_then(|(first, root)| file.source.get(root.span.start + 1..first));
        let indent = before.and_then(|before| before.rsplit_once('\n')).map(|(_, indent)| indent.to_owned());
        Self { lines: indent.filter(|_| file.syntax == Syntax::Json).map(|indent| (file.line_break(), indent)) }
    }

    fn around(&self, open: char, parts: &[String], close: char, depth: usize) -> String {
        match &self.lines {
            Some((line_break, indent)) if !parts.is_empty() => {
                let line = |depth: usize| format!("{line_break}{}", indent.repeat(depth));
                let parts = parts.join(&format!(",{}", line(depth + 1)));
                format!("{open}{}{parts}{}{close}", line(depth + 1), line(depth))
            }
            _ => format!("{open}{}{close}", parts.join(", ")),
        }
    }
}

/// A piece of the block.
enum Field {
    Text(String),
    Number(usize),
    True,
    List(Vec<Vec<(&'static str, Field)>>),
    Map(Vec<(String, String)>),
}

fn fields(metadata: &Metadata, mac: &Token) -> Vec<(&'static str, Field)> {
    let mut fields = vec![
        ("lastmodified", Field::Text(metadata.last_modified.clone())),
        ("mac", Field::Text(mac.to_string())),
        ("version", Field::Text(metadata.version.clone())),
    ];
    match metadata.groups.as_slice() {
        [group] => fields.extend(lists(group)),
        groups => fields.push(("key_groups", Field::List(groups.iter().map(lists).collect()))),
    }
    if let Some(threshold) = metadata.threshold {
        fields.push(("shamir_threshold", Field::Number(threshold)));
    }
    if metadata.mac_only_encrypted {
        fields.push(("mac_only_encrypted", Field::True));
    }
    let (name, text) = metadata.selector.field();
    fields.push((name, Field::Text(text.to_owned())));
    fields.sort_by_key(|(name, _)| *name);
    fields
}

fn lists(group: &Group) -> Vec<(&'static str, Field)> {
    let mut lists: Vec<(&'static str, Vec<_>)> = Vec::new();
    for wrap in &group.wraps {
        let name = wrap.service.list();
        match lists.iter_mut().find(|(known, _)| *known == name) {
            Some((_, entries)) => entries.push(entry(wrap)),
            None => lists.push((name, vec![entry(wrap)])),
        }
    }
    lists.sort_by_key(|(name, _)| *name);
    lists.into_iter().map(|(name, entries)| (name, Field::List(entries))).collect()
}

fn entry(wrap: &Wrap) -> Vec<(&'static str, Field)> {
    let mut fields = vec![("enc", Field::Text(wrap.enc.clone())), (wrap.service.key(), Field::Text(wrap.key.clone()))];
    fields.extend(wrap.fields.iter().map(|(name, text)| (*name, Field::Text(text.clone()))));
    if !wrap.context.is_empty() {
        let mut context = wrap.context.clone();
        context.sort();
        fields.push(("context", Field::Map(context)));
    }
    fields.sort_by_key(|(name, _)| *name);
    fields
}

impl Field {
    /// `depth` is that of what stands in it.
    fn json(&self, style: &Braces, depth: usize) -> String {
        let quote = |text: &String| double_quoted(text, Syntax::Json);
        match self {
            Self::Text(text) => quote(text),
            Self::Number(number) => number.to_string(),
            Self::True => "true".to_owned(),
            Self::Map(pairs) => {
                let pairs = pairs.iter().map(|(name, text)| format!("{}: {}", quote(name), quote(text)));
                style.around('{', &pairs.collect::<Vec<_>>(), '}', depth)
            }
            Self::List(entries) => {
                let entries = entries.iter().map(|fields| {
                    let fields =
                        fields.iter().map(|(name, field)| format!("\"{name}\": {}", field.json(style, depth + 2)));
                    style.around('{', &fields.collect::<Vec<_>>(), '}', depth + 1)
                });
                style.around('[', &entries.collect::<Vec<_>>(), ']', depth)
            }
        }
    }

    /// The values below a name, each with a name of its own and on one line.
    fn flat(&self, name: &str, put: &mut dyn FnMut(&str, String)) {
        match self {
            Self::Text(text) => put(name, text.replace('\n', "\\n")),
            Self::Number(number) => put(name, number.to_string()),
            Self::True => put(name, "true".to_owned()),
            Self::Map(pairs) => {
                for (field, text) in pairs {
                    put(&flat::below(name, field), text.replace('\n', "\\n"));
                }
            }
            Self::List(entries) => {
                for (index, fields) in entries.iter().enumerate() {
                    for (field, value) in fields {
                        value.flat(&flat::below(&flat::item(name, index), field), put);
                    }
                }
            }
        }
    }

    /// After `name:`, whose column is given.
    fn yaml(&self, column: usize, line_break: &str, out: &mut String) {
        match self {
            Self::Text(text) if text.trim_end_matches('\n').contains('\n') => {
                out.push_str(if text.ends_with('\n') { " |" } else { " |-" });
                for line in text.trim_end_matches('\n').split('\n') {
                    let _ = write!(out, "{line_break}{}{line}", " ".repeat(column + 4));
                }
            }
            Self::Text(text) if text.starts_with("ENC[") => {
                let _ = write!(out, " {text}");
            }
            Self::Text(text) => {
                let _ = write!(out, " {}", plain_if_safe(text));
            }
            Self::Number(number) => {
                let _ = write!(out, " {number}");
            }
            Self::True => out.push_str(" true"),
            Self::Map(pairs) => {
                for (name, text) in pairs {
                    let (name, text) = (quote_if_needed(name), quote_if_needed(text));
                    let _ = write!(out, "{line_break}{}{name}: {text}", " ".repeat(column + 4));
                }
            }
            Self::List(entries) => {
                for fields in entries {
                    for (position, (name, field)) in fields.iter().enumerate() {
                        let dash = if position == 0 { "- " } else { "  " };
                        let _ = write!(out, "{line_break}{}{dash}{name}:", " ".repeat(column + 4));
                        field.yaml(column + 6, line_break, out);
                    }
                }
            }
        }
    }
}
