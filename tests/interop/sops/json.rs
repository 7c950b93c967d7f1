//! The model written as JSON.

use super::model::{Dice, Item, Value};

/// A document of a map, in lines or without.
pub(crate) fn write(dice: &mut Dice, entries: &[(String, Item)]) -> String {
    let indent = *dice.pick(&["", "  ", "\t", "    "]);
    let mut text = String::new();
    map(entries, indent, 0, &mut text);
    if !dice.one_in(3) {
        text.push('\n');
    }
    text
}

fn map(entries: &[(String, Item)], indent: &str, depth: usize, out: &mut String) {
    collection(('{', '}'), entries.len(), indent, depth, out, |index, out| {
        let (name, item) = &entries[index];
        out.push_str(&format!("{}: ", serde_json::to_string(name).unwrap()));
        value(&item.value, indent, depth + 1, out);
    });
}

fn value(of: &Value, indent: &str, depth: usize, out: &mut String) {
    match of {
        Value::Null => out.push_str("null"),
        Value::Plain(text, ..) => out.push_str(text),
        Value::Text(text) => out.push_str(&serde_json::to_string(text).unwrap()),
        Value::Map(entries) => map(entries, indent, depth, out),
        Value::List(items) => collection(('[', ']'), items.len(), indent, depth, out, |index, out| {
            value(&items[index].value, indent, depth + 1, out);
        }),
    }
}

fn collection(
    (open, close): (char, char),
    count: usize,
    indent: &str,
    depth: usize,
    out: &mut String,
    mut each: impl FnMut(usize, &mut String),
) {
    let line = |out: &mut String, depth: usize| {
        if !indent.is_empty() {
            out.push('\n');
            out.push_str(&indent.repeat(depth));
        }
    };
    out.push(open);
    for index in 0..count {
        if index > 0 {
            out.push(',');
        }
        line(out, depth + 1);
        each(index, out);
    }
    if count > 0 {
        line(out, depth);
    }
    out.push(close);
}
