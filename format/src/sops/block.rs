//! The `sops` block as SOPS 3.13 writes it.

use std::fmt::Write as _;

use super::cipher::Token;
use super::metadata::{BLOCK_KEY, Group, Metadata, Wrap};
use crate::document::present::{double_quoted, quote_if_needed};
use crate::document::{File, Syntax};

/// The entry of a document's root, in lines or for a root in braces: names in alphabetical order at every level.
pub(super) fn block(metadata: &Metadata, mac: &Token, file: &File<'_>, braces: bool) -> String {
    let fields = fields(metadata, mac);
    if braces {
        let body = fields.iter().map(|(name, field)| format!("\"{name}\": {}", field.json())).collect::<Vec<_>>();
        return format!("\"{BLOCK_KEY}\": {{{}}}", body.join(", "));
    }
    let line_break = file.line_break();
    let mut text = format!("{BLOCK_KEY}:");
    for (name, field) in &fields {
        text.push_str(line_break);
        let _ = write!(text, "    {name}:");
        field.yaml(4, line_break, &mut text);
    }
    text
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
    fn json(&self) -> String {
        match self {
            Self::Text(text) => double_quoted(text, Syntax::Json),
            Self::Number(number) => number.to_string(),
            Self::True => "true".to_owned(),
            Self::Map(pairs) => {
                let quote = |text: &String| double_quoted(text, Syntax::Json);
                let pairs = pairs.iter().map(|(name, text)| format!("{}: {}", quote(name), quote(text)));
                format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
            }
            Self::List(entries) => {
                let entries = entries.iter().map(|fields| {
                    let fields = fields.iter().map(|(name, field)| format!("\"{name}\": {}", field.json()));
                    format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
                });
                format!("[{}]", entries.collect::<Vec<_>>().join(", "))
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
                let _ = write!(out, " {}", quote_if_needed(text));
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
