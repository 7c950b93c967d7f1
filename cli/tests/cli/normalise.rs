//! Takes out of a text what differs from run to run: folders, fingerprints, key ids, ciphertext.

use std::path::Path;

/// The text with folders of the sandbox and everything random replaced by names.
pub(crate) fn normalise(text: &str, root: &Path) -> String {
    let real = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    let text = text.replace(real.to_str().unwrap(), "[HOME]").replace(root.to_str().unwrap(), "[HOME]");
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let length = rest.find(|c: char| !is_base64(c)).unwrap_or(rest.len());
        let (run, after) = rest.split_at(length);
        out.push_str(name_of(run, &out, after).unwrap_or(run));
        let next = after.chars().next().map_or(0, char::len_utf8);
        out.push_str(&after[..next]);
        rest = &after[next..];
    }
    out
}

fn is_base64(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=')
}

/// What stands for a run of base64 or base32 characters, if it is a random one.
fn name_of(run: &str, before: &str, after: &str) -> Option<&'static str> {
    let base32 = run.chars().all(|c| matches!(c, 'a'..='z' | '2'..='7'));
    match run.len() {
        20 if base32 && before.ends_with('@') => Some("FINGERPRINT"),
        20 if base32 && before.ends_with("fingerprint ") => Some("FINGERPRINT"),
        8 if before.ends_with("<sealed ") => Some("TAG"),
        8 if base32 && (before.ends_with("ENC[wax1,") || after.starts_with(":YWdl")) => Some("SHORT"),
        _ if ["GCM,data:", ",iv:", ",tag:"].iter().any(|part| before.ends_with(part)) => Some("BASE64"),
        52 if base32 => Some("KEYID"),
        40.. if run.starts_with("age1") => Some("RECIPIENT"),
        40.. if run.bytes().any(|byte| byte.is_ascii_digit()) => Some("BASE64"),
        _ => None,
    }
}
