//! The model written as YAML, in the styles that people use.

use super::model::{Dice, Item, Value};

/// A document of a map.
pub(crate) fn write(dice: &mut Dice, entries: &[(String, Item)]) -> String {
    let mut text = String::new();
    if dice.one_in(12) {
        text.push('\u{feff}');
    }
    if dice.one_in(6) {
        text.push_str("---\n");
    }
    let step = *dice.pick(&[2, 2, 4]);
    let mut writer = Writer { dice, step, text: &mut text };
    writer.map(entries, 0);
    // A block scalar that ends with the file would lose its last line break.
    if writer.dice.one_in(10) && !writer.text.contains(" |\n") {
        text.truncate(text.trim_end_matches('\n').len());
    }
    text
}

struct Writer<'w> {
    dice: &'w mut Dice,
    step: usize,
    text: &'w mut String,
}

impl Writer<'_> {
    fn map(&mut self, entries: &[(String, Item)], indent: usize) {
        for (name, item) in entries {
            self.above(item, indent);
            let name = self.name(name);
            self.text.push_str(&format!("{}{name}:", " ".repeat(indent)));
            self.value(item, indent);
        }
    }

    fn list(&mut self, items: &[Item], indent: usize) {
        for item in items {
            self.above(item, indent);
            self.text.push_str(&format!("{}-", " ".repeat(indent)));
            self.value(item, indent);
        }
    }

    fn above(&mut self, item: &Item, indent: usize) {
        if self.dice.one_in(6) && !self.text.trim_start_matches('\u{feff}').is_empty() {
            self.text.push('\n');
        }
        for comment in &item.above {
            self.text.push_str(&format!("{}#{comment}\n", " ".repeat(indent)));
            if self.dice.one_in(5) {
                self.text.push('\n');
            }
        }
    }

    /// After `name:` or `-`, to the end of the line and of what stands below.
    fn value(&mut self, item: &Item, indent: usize) {
        let inner = indent + self.step;
        match &item.value {
            Value::Map(entries) => {
                self.header(item);
                self.map(entries, inner);
                self.end(item, inner);
            }
            Value::List(items) => {
                let inner = if self.dice.one_in(3) && self.text.ends_with(':') { indent } else { inner };
                self.header(item);
                self.list(items, inner);
                self.end(item, inner);
            }
            Value::Text(text) if text.contains('\n') && self.dice.one_in(2) && is_block(text) => {
                let chomp = if text.ends_with('\n') { "" } else { "-" };
                self.text.push_str(&format!(" |{chomp}\n"));
                for line in text.trim_end_matches('\n').split('\n') {
                    let pad = if line.is_empty() { String::new() } else { " ".repeat(inner) };
                    self.text.push_str(&format!("{pad}{line}\n"));
                }
            }
            scalar => {
                let text = self.scalar(scalar);
                let beside = item.beside.as_ref().map(|comment| format!(" #{comment}")).unwrap_or_default();
                // A null of which nothing is written has no line for a comment.
                let beside = if text.is_empty() { String::new() } else { beside };
                self.text.push_str(&format!("{text}{beside}\n"));
            }
        }
    }

    /// The end of a line that a collection follows.
    fn header(&mut self, item: &Item) {
        let comment = item.beside.as_ref().filter(|_| self.text.ends_with(':') && !self.dice.one_in(3));
        self.text.push_str(&comment.map(|comment| format!(" #{comment}")).unwrap_or_default());
        self.text.push('\n');
    }

    /// A comment below a collection, as far in.
    fn end(&mut self, item: &Item, indent: usize) {
        if let Some(comment) = item.beside.as_ref().filter(|_| self.dice.one_in(3)) {
            self.text.push_str(&format!("{}#{comment}\n", " ".repeat(indent)));
        }
    }

    fn scalar(&mut self, value: &Value) -> String {
        match value {
            Value::Plain(text, ..) => format!(" {text}"),
            Value::Text(text) => format!(" {}", self.quoted(text)),
            _ if self.dice.one_in(2) => String::new(),
            _ => " null".to_owned(),
        }
    }

    fn name(&mut self, name: &str) -> String {
        let simple = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if simple { name.to_owned() } else { self.quoted(name) }
    }

    fn quoted(&mut self, text: &str) -> String {
        let simple = !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_lowercase())
            && !["yes", "no", "null"].contains(&text);
        match self.dice.below(3) {
            0 if simple => text.to_owned(),
            1 if !text.contains(['\n', '\u{2028}', '\u{feff}']) => format!("'{}'", text.replace('\'', "''")),
            // Escaped where JSON would not be.
            _ => serde_json::to_string(text).unwrap().replace('\u{2028}', "\\u2028").replace('\u{feff}', "\\ufeff"),
        }
    }
}

/// Whether a text can stand in a block scalar without an indicator.
fn is_block(text: &str) -> bool {
    let lines = text.strip_suffix('\n').unwrap_or(text);
    !lines.ends_with('\n')
        && !lines.contains(['\u{2028}', '\u{feff}'])
        && !lines.starts_with([' ', '\t', '\n'])
        && lines.split('\n').all(|line| line.is_empty() || !line.trim().is_empty())
}
