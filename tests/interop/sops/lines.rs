//! The model written as dotenv and as INI.

use super::model::{Dice, Item, Value};

/// Lines of dotenv.
pub(crate) fn dotenv(dice: &mut Dice, entries: &[(String, Item)]) -> String {
    let mut text = String::new();
    for (name, item) in entries {
        for comment in &item.above {
            text.push_str(&format!("#{comment}\n"));
        }
        text.push_str(&format!("{name}={}\n", value(item).replace('\n', "\\n")));
        if dice.one_in(5) {
            text.push('\n');
        }
    }
    text
}

/// Sections of INI, of a map of maps.
pub(crate) fn ini(dice: &mut Dice, sections: &[(String, Item)]) -> String {
    let mut text = String::new();
    for (name, item) in sections {
        let Value::Map(entries) = &item.value else { continue };
        for comment in &item.above {
            text.push_str(&format!("; {}\n", comment.trim()));
        }
        text.push_str(&format!("[{name}]\n"));
        for (name, item) in entries {
            for comment in &item.above {
                text.push_str(&format!("{}{}\n", dice.pick(&["; ", "# ", ";"]), comment.trim()));
            }
            text.push_str(&format!("{name}{}{}\n", dice.pick(&["=", " = ", ": "]), quoted(value(item))));
        }
        if dice.one_in(2) {
            text.push('\n');
        }
    }
    text
}

fn value(item: &Item) -> &str {
    if let Value::Text(text) = &item.value { text } else { "" }
}

/// As ini.v1 reads it back.
fn quoted(text: &str) -> String {
    if text.contains('\n') {
        format!("\"\"\"{text}\"\"\"")
    } else if text.contains(['#', ';', '"', '\'', '\\']) || text.trim() != text {
        format!("`{text}`")
    } else {
        text.to_owned()
    }
}
