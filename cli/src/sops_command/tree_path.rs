//! Paths as SOPS writes them: `["key"][0]`.

use sealwax_format::{Path, Step};

/// Reads a path; the error is in the words of SOPS. Nothing is the whole file.
pub(super) fn parse(text: &str) -> Result<Path, String> {
    let mut steps = Vec::new();
    // As SOPS does it, which knows no brackets within keys.
    for component in text.split('[').filter(|component| !component.is_empty()) {
        let inner = component.strip_suffix(']').ok_or_else(|| format!("component {component} doesn't end with ]"))?;
        let quoted = ['"', '\''].into_iter().any(|quote| inner.starts_with(quote));
        if quoted {
            let mut characters = inner.chars();
            let both = characters.next().is_some() && characters.next_back().is_some();
            let key = characters.as_str();
            steps.push(Step::Key(if both {
                key.to_owned()
            } else {
                return Err(format!("component {component} has no key"));
            }));
        } else {
            let index =
                inner.parse().map_err(|_| format!("component [{component} is neither a key in quotes nor a number"))?;
            steps.push(Step::Item(index));
        }
    }
    Ok(Path(steps))
}

/// A step as SOPS shows it.
pub(super) fn shown(step: &Step) -> String {
    match step {
        Step::Key(key) => format!("['{}']", key.escape_debug()),
        Step::Item(index) => format!("[{index}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_are_keys_in_quotes_or_numbers() {
        let key = |text: &str| Step::Key(text.to_owned());
        assert_eq!(parse("[\"a\"]['b.c'][10]").unwrap().0, [key("a"), key("b.c"), Step::Item(10)]);
        assert!(parse("").unwrap().0.is_empty());
        assert!(parse("[").unwrap().0.is_empty(), "SOPS takes it for the whole file");
        for wrong in ["a", "[\"a\"", "[a]", "[-1]", "[\"a\"]x", "[\"]"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
