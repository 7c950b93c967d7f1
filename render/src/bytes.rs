//! How bytes travel through templates, whose strings are text.
//!
//! A value that is text travels as it is. Any other travels as one private-use character for each of its bytes, and every
//! function that gives out bytes, and the output, turn those back. A text that holds such characters itself travels like
//! bytes, so that what comes out is always, to the byte, what went in.

use std::borrow::Cow;

/// The character that stands for byte 0.
const BASE: u32 = 0x10_FE00;
/// The first byte of every such character in UTF-8.
const LEAD: u8 = 0xf4;

/// As a template sees it.
pub(crate) fn to_text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !holds_bytes(text) => text.to_owned(),
        _ => bytes.iter().filter_map(|byte| char::from_u32(BASE + u32::from(*byte))).collect(),
    }
}

/// What a template's text stands for.
pub(crate) fn to_bytes(text: &str) -> Cow<'_, [u8]> {
    if !holds_bytes(text) {
        return text.as_bytes().into();
    }
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        match byte_of(c) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    bytes.into()
}

/// Whether any character of it stands for a byte.
pub(crate) fn holds_bytes(text: &str) -> bool {
    text.as_bytes().contains(&LEAD) && text.chars().any(|c| byte_of(c).is_some())
}

fn byte_of(c: char) -> Option<u8> {
    u8::try_from(u32::from(c).checked_sub(BASE)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out() {
        let every: Vec<u8> = (0..=255).collect();
        let private = format!("icon {}", char::from_u32(BASE + 7).unwrap());
        for bytes in [&b"plain \xc3\xa4"[..], &every, private.as_bytes(), b"", b"\xff"] {
            assert_eq!(&*to_bytes(&to_text(bytes)), bytes);
        }
        assert_eq!(to_text("plain ä".as_bytes()), "plain ä");
    }
}
