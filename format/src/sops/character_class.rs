//! Classes and escapes of Go's expressions, read by Go's grammar.

use super::grammar::Refusal;

/// Categories and scripts that both sides have under the same name, for the same characters.
const PROPERTIES: [&str; 52] = [
    "L",
    "Lu",
    "Ll",
    "Lt",
    "Lm",
    "Lo",
    "M",
    "Mn",
    "Mc",
    "Me",
    "N",
    "Nd",
    "Nl",
    "No",
    "P",
    "Pc",
    "Pd",
    "Ps",
    "Pe",
    "Pi",
    "Pf",
    "Po",
    "S",
    "Sm",
    "Sc",
    "Sk",
    "So",
    "Z",
    "Zs",
    "Zl",
    "Zp",
    "Cc",
    "Cf",
    "Arabic",
    "Armenian",
    "Bengali",
    "Common",
    "Cyrillic",
    "Devanagari",
    "Ethiopic",
    "Georgian",
    "Greek",
    "Han",
    "Hangul",
    "Hebrew",
    "Hiragana",
    "Katakana",
    "Khmer",
    "Latin",
    "Tamil",
    "Thai",
    "Tibetan",
];

/// Classes of ASCII characters by their names.
const NAMED: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "word",
    "xdigit",
];

/// Writes a character so that it is nothing else, within a class and outside.
pub(super) fn escape(c: char, out: &mut String) {
    if c.is_ascii_alphanumeric() {
        out.push(c);
    } else {
        out.push_str(&format!("\\x{{{:x}}}", u32::from(c)));
    }
}

fn next(rest: &mut &str) -> Result<char, Refusal> {
    let c = rest.chars().next().ok_or(Refusal::Invalid)?;
    *rest = rest.get(c.len_utf8()..).unwrap_or_default();
    Ok(c)
}

fn skip(rest: &mut &str, prefix: &str) -> bool {
    let after = rest.strip_prefix(prefix);
    *rest = after.unwrap_or(rest);
    after.is_some()
}

/// A class in brackets, after the first one.
pub(super) fn bracketed(rest: &mut &str) -> Result<String, Refusal> {
    let mut out = "[".to_owned();
    if skip(rest, "^") {
        out.push('^');
    }
    let mut first = true;
    // A bracket in the first place is one of the characters.
    while first || !skip(rest, "]") {
        first = false;
        if let Some(class) = named(rest)? {
            out.push_str(&class);
        } else if let Some(class) = escaped_class(rest)? {
            out.push_str(&class);
        } else {
            range(rest, &mut out)?;
        }
    }
    out.push(']');
    Ok(out)
}

/// `[:alpha:]` and the like; without an end it is characters.
fn named(rest: &mut &str) -> Result<Option<String>, Refusal> {
    let found = rest.strip_prefix("[:").and_then(|inner| inner.split_once(":]"));
    let Some((name, after)) = found else { return Ok(None) };
    if !NAMED.contains(&name.strip_prefix('^').unwrap_or(name)) {
        return Err(Refusal::Invalid);
    }
    *rest = after;
    Ok(Some(format!("[:{name}:]")))
}

fn escaped_class(rest: &mut &str) -> Result<Option<String>, Refusal> {
    let Some(mut after) = rest.strip_prefix('\\') else { return Ok(None) };
    let class = by_letter(&mut after)?;
    if class.is_some() {
        *rest = after;
    }
    Ok(class)
}

/// A character, or all from one to another.
fn range(rest: &mut &str, out: &mut String) -> Result<(), Refusal> {
    let first = class_character(rest)?;
    escape(first, out);
    // A dash before the end of the class is one of the characters.
    if rest.starts_with('-') && !rest.starts_with("-]") && rest.len() > 1 {
        next(rest)?;
        let last = class_character(rest)?;
        if last < first {
            return Err(Refusal::Invalid);
        }
        out.push('-');
        escape(last, out);
    }
    Ok(())
}

fn class_character(rest: &mut &str) -> Result<char, Refusal> {
    if skip(rest, "\\") { character(rest) } else { next(rest) }
}

/// After a backslash: the contents of a class that a letter stands for, which are ASCII for `\d`, `\w` and `\s`.
pub(super) fn by_letter(rest: &mut &str) -> Result<Option<String>, Refusal> {
    let Some(letter) = rest.chars().next() else { return Ok(None) };
    let class = match letter {
        'd' => "0-9",
        'D' => "[^0-9]",
        'w' => "0-9A-Za-z_",
        'W' => "[^0-9A-Za-z_]",
        's' => "\\t\\n\\x0c\\r\\x20",
        'S' => "[^\\t\\n\\x0c\\r\\x20]",
        'p' | 'P' => {
            next(rest)?;
            return property(rest, letter == 'P').map(Some);
        }
        _ => return Ok(None),
    };
    next(rest)?;
    Ok(Some(class.to_owned()))
}

/// The name of a property, in braces unless it is one letter.
fn property(rest: &mut &str, negated: bool) -> Result<String, Refusal> {
    let name = if skip(rest, "{") {
        let (name, after) = rest.split_once('}').ok_or(Refusal::Invalid)?;
        *rest = after;
        name.to_owned()
    } else {
        next(rest)?.to_string()
    };
    let (name, negated) = name.strip_prefix('^').map_or((name.as_str(), negated), |name| (name, !negated));
    if !PROPERTIES.contains(&name) {
        return Err(Refusal::Unsure("a class of characters (\\p) that is no usual category or script"));
    }
    Ok(format!("\\{}{{{name}}}", if negated { 'P' } else { 'p' }))
}

/// After a backslash: one character.
pub(super) fn character(rest: &mut &str) -> Result<char, Refusal> {
    let code = match next(rest)? {
        'a' => 0x07,
        'f' => 0x0c,
        'n' => 0x0a,
        'r' => 0x0d,
        't' => 0x09,
        'v' => 0x0b,
        'x' => hexadecimal(rest)?,
        digit @ '0'..='7' => octal(rest, digit)?,
        other if other.is_ascii() && !other.is_ascii_alphanumeric() => return Ok(other),
        _ => return Err(Refusal::Invalid),
    };
    match char::from_u32(code) {
        Some(c) => Ok(c),
        None if code > u32::from(char::MAX) => Err(Refusal::Invalid),
        None => Err(Refusal::Unsure("a number that stands for half of a character")),
    }
}

/// Up to three octal digits; one that is not zero would be a reference back.
fn octal(rest: &mut &str, first: char) -> Result<u32, Refusal> {
    let more = rest.bytes().take(2).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
    if first != '0' && more == 0 {
        return Err(Refusal::Invalid);
    }
    let (digits, after) = rest.split_at_checked(more).ok_or(Refusal::Invalid)?;
    *rest = after;
    u32::from_str_radix(&format!("{first}{digits}"), 8).map_err(|_| Refusal::Invalid)
}

/// Two digits, or any number of them in braces.
fn hexadecimal(rest: &mut &str) -> Result<u32, Refusal> {
    let (digits, after) = if skip(rest, "{") {
        rest.split_once('}').ok_or(Refusal::Invalid)?
    } else {
        rest.split_at_checked(2).ok_or(Refusal::Invalid)?
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Refusal::Invalid);
    }
    *rest = after;
    // Zeros in front do not count.
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() { Ok(0) } else { u32::from_str_radix(digits, 16).map_err(|_| Refusal::Invalid) }
}
