//! JSON as Go's `encoding/json` writes it: compact, keys sorted, and escaped so that HTML could hold it.
//!
//! Whoever takes over a Secret from External Secrets Operator expects the same bytes. Numbers keep their digits, where Go
//! would pass some through a float and lose those beyond 2^53.

use std::collections::BTreeMap;

use sealwax_format::SecretBytes;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::error::ValueProblem;
use crate::functions::for_html;

/// How deep objects and lists may be nested: what reads them recurses for each.
const MAX_DEPTH: usize = 128;

/// The fields of an object, each as it stands there. Of fields with the same name the last one counts, as in Go.
pub(super) type Fields<'a> = BTreeMap<String, &'a RawValue>;

/// The text of a JSON document that may be walked through.
pub(super) fn text(bytes: &SecretBytes) -> Result<&str, ValueProblem> {
    let text = bytes.expose_str().ok_or(ValueProblem::NotJson)?;
    if depth(text) > MAX_DEPTH {
        return Err(ValueProblem::TooDeep);
    }
    raw(text).map(|_| text)
}

/// The fields of a JSON object.
pub(super) fn fields(text: &str) -> Result<Fields<'_>, ValueProblem> {
    if !text.trim_start().starts_with('{') {
        return Err(if raw(text).is_ok() { ValueProblem::NotAnObject } else { ValueProblem::NotJson });
    }
    read(text)
}

/// The document as Go writes it. The text comes from [`text`].
pub(super) fn as_go_writes(text: &str) -> Result<Zeroizing<String>, ValueProblem> {
    // Escaping makes it longer, which leaves copies behind only if much is escaped.
    let mut out = Zeroizing::new(String::with_capacity(text.len() + text.len() / 4 + 64));
    write(text.trim(), &mut out)?;
    Ok(out)
}

/// What one value is as an item: a string as its text, null as nothing, anything else as `other` writes it.
pub(super) fn value(
    text: &str,
    other: impl Fn(&str) -> Result<Zeroizing<String>, ValueProblem>,
) -> Result<SecretBytes, ValueProblem> {
    match text.as_bytes().first() {
        Some(b'"') => read::<String>(text).map(SecretBytes::from),
        Some(b'n') => Ok(SecretBytes::default()),
        _ => other(text).map(|text| SecretBytes::from(text.as_bytes().to_vec())),
    }
}

/// A string as Go writes it.
pub(super) fn quoted(text: &str) -> Result<Zeroizing<String>, ValueProblem> {
    let plain = Zeroizing::new(serde_json::to_string(text).map_err(|_| ValueProblem::NotJson)?);
    Ok(Zeroizing::new(for_html(&plain)))
}

fn write(text: &str, out: &mut String) -> Result<(), ValueProblem> {
    match text.as_bytes().first() {
        Some(b'{') => {
            let fields = read::<Fields<'_>>(text)?;
            write_all(out, ['{', '}'], fields.iter(), |(name, value), out| {
                out.push_str(&quoted(name)?);
                out.push(':');
                write(value.get(), out)
            })
        }
        Some(b'[') => {
            let items = read::<Vec<&RawValue>>(text)?;
            write_all(out, ['[', ']'], items.iter(), |item, out| write(item.get(), out))
        }
        Some(b'"') => {
            let text = Zeroizing::new(read::<String>(text)?);
            out.push_str(&quoted(&text)?);
            Ok(())
        }
        _ => {
            out.push_str(text);
            Ok(())
        }
    }
}

fn write_all<T>(
    out: &mut String,
    [open, close]: [char; 2],
    items: impl Iterator<Item = T>,
    mut one: impl FnMut(T, &mut String) -> Result<(), ValueProblem>,
) -> Result<(), ValueProblem> {
    out.push(open);
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.push(',');
        }
        one(item, out)?;
    }
    out.push(close);
    Ok(())
}

fn raw(text: &str) -> Result<&RawValue, ValueProblem> {
    read(text)
}

/// What the reader says about a document quotes it, and is dropped.
fn read<'a, T: serde::Deserialize<'a>>(text: &'a str) -> Result<T, ValueProblem> {
    serde_json::from_str(text).map_err(|_| ValueProblem::NotJson)
}

/// How deep objects and lists are nested.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest, mut quoted, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}
