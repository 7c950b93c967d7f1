//! Private keys in any text, by their whole shape: examples that are cut short and words about keys are none.

use std::path::Path;
use std::sync::LazyLock;

use data_encoding::{BASE64, BASE64_NOPAD, Encoding};
use regex::Regex;
use sealwax_format::document::Style;
use sealwax_format::keys::pq;
use zeroize::Zeroizing;

use super::catalog::Id;
use super::finding::Finding;
use super::sheet::Sheet;
use super::view::every;

static AGE: LazyLock<Regex> = expression!(r"(?i)AGE-(?:SECRET-KEY-(?:PQ-)?|PLUGIN-[A-Z0-9+._-]*?-)1[A-Z0-9]{6,}");
static PEM: LazyLock<Regex> =
    expression!(r"(?s)-----BEGIN (?P<kind>(?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?)-----(?P<body>.*?)-----END");
/// Base64 of what key files start with: a PEM header, an age identity, and the comments that age and we write above it; on one line or, as
/// programs break it, on several.
static ENCODED: LazyLock<Regex> = expression!(
    r"(?:LS0tLS1CRUdJTi|QUdFLVNFQ1JFVC1LRV|IyBjcmVhdGVkOi|IyBwdWJsaWMga2V5)[A-Za-z0-9+/]{40,}(?:\r?\n[ \t]*[A-Za-z0-9+/]{4,})*"
);

/// Words without which there is nothing to search for.
const WORDS: [&str; 7] = [
    "AGE-",
    "age-secret-key-",
    "PRIVATE KEY",
    "LS0tLS1CRUdJTi",
    "QUdFLVNFQ1JFVC1LRV",
    "IyBjcmVhdGVkOi",
    "IyBwdWJsaWMga2V5",
];

/// What is found in a text, at which offset.
struct Key {
    id: Id,
    what: &'static str,
    at: usize,
}

/// Searches the texts of a parsed file that are written with escapes: what is in them is in no line as it stands.
pub(super) fn scan_escaped(sheet: &Sheet<'_>, findings: &mut Vec<Finding>) {
    for document in &sheet.file.documents {
        every(&document.root, &mut |node| {
            let Some(scalar) = node.scalar().filter(|scalar| scalar.style == Style::Double) else { return };
            let escaped = sheet.file.source.get(scalar.head.clone()).is_some_and(|source| source.contains('\\'));
            for key in keys(&scalar.value).into_iter().filter(|_| escaped) {
                findings.push(Finding::new(key.id, sheet.path, key.what).line(sheet.line(node)));
            }
        });
    }
}

/// Searches a text.
pub(super) fn scan(path: &Path, text: &str, findings: &mut Vec<Finding>) {
    if !WORDS.iter().any(|word| text.contains(word)) {
        return;
    }
    let mut keys = keys(text);
    for found in ENCODED.find_iter(text) {
        let decoded = decoded(found.as_str());
        // Words behind the base64 may have been taken for more of it.
        let inside = self::keys(&Zeroizing::new(String::from_utf8_lossy(&decoded).into_owned()));
        keys.extend(inside.into_iter().map(|key| Key { at: found.start(), ..key }));
    }
    keys.sort_by_key(|key| key.at);
    let (mut line, mut from) = (1, 0);
    for key in keys {
        line += text.get(from..key.at).unwrap_or_default().matches('\n').count();
        from = key.at;
        findings.push(Finding::new(key.id, path, key.what).line(line));
    }
}

/// Base64 without its padding and with line breaks, as far as it goes.
fn decoded(encoded: &str) -> Zeroizing<Vec<u8>> {
    let mut compact: Zeroizing<String> = Zeroizing::new(encoded.chars().filter(|c| !c.is_ascii_whitespace()).collect());
    // A single character of a group of four holds no byte; bits that are left over in a group may be anything.
    let end = compact.len() - usize::from(compact.len() % 4 == 1);
    compact.truncate(end);
    Zeroizing::new(LENIENT.decode(compact.as_bytes()).unwrap_or_default())
}

/// Base64 that was cut off anywhere.
static LENIENT: LazyLock<Encoding> = LazyLock::new(|| {
    let mut specification = BASE64_NOPAD.specification();
    specification.check_trailing_bits = false;
    specification.encoding().unwrap_or(BASE64_NOPAD)
});

fn keys(text: &str) -> Vec<Key> {
    if !WORDS.iter().any(|word| text.contains(word)) {
        return Vec::new();
    }
    let age = AGE.find_iter(text).filter_map(|found| {
        let (id, what) = age_key(found.as_str())?;
        Some(Key { id, what, at: found.start() })
    });
    let pem = PEM.captures_iter(text).filter_map(|found| {
        let part = |name| found.name(name).map_or("", |part| part.as_str());
        let at = found.get(0)?.start();
        is_key(part("kind"), part("body")).then_some(Key { id: Id::WAX501, what: "a private key in PEM", at })
    });
    age.chain(pem).collect()
}

/// An age identity whose checksum is right.
fn age_key(text: &str) -> Option<(Id, &'static str)> {
    let upper = Zeroizing::new(text.to_ascii_uppercase());
    if upper.starts_with("AGE-PLUGIN-") {
        let valid = upper.parse::<age::plugin::Identity>().is_ok();
        return valid.then_some((Id::WAX502, "an identity of an age plugin"));
    }
    let valid = upper.parse::<age::x25519::Identity>().is_ok() || upper.parse::<pq::Identity>().is_ok();
    valid.then_some((Id::WAX501, "an age identity, which is a private key"))
}

/// Whether the body of a PEM block holds a key: base64 whose first bytes are those of the kind.
fn is_key(kind: &str, body: &str) -> bool {
    let unescaped = Zeroizing::new(body.replace("\\n", "\n").replace("\\r", "\n"));
    // Headers have colons; a PGP checksum starts with an equals sign.
    let lines = unescaped.lines().map(|line| line.trim().trim_matches(['"', '\'', ',', '+', '\\', '#', '/', '*', ' ']));
    let is_locked = unescaped.contains("ENCRYPTED");
    let body: Zeroizing<String> =
        Zeroizing::new(lines.filter(|line| !line.contains(':') && !line.starts_with('=')).collect());
    let compact: Zeroizing<String> = Zeroizing::new(body.chars().filter(|c| !c.is_whitespace()).collect());
    let decoded = BASE64.decode(compact.as_bytes()).or_else(|_| BASE64_NOPAD.decode(compact.as_bytes()));
    let Ok(bytes) = decoded.map(Zeroizing::new) else { return false };
    match kind {
        "OPENSSH PRIVATE KEY" => bytes.starts_with(b"openssh-key-v1\0"),
        kind if kind.starts_with("PGP") => bytes.len() >= 64 && bytes.first().is_some_and(|byte| byte & 0x80 != 0),
        _ if is_locked => bytes.len() >= 32,
        _ => is_der(&bytes),
    }
}

/// A sequence in DER that is as long as it says.
fn is_der(bytes: &[u8]) -> bool {
    let length = match bytes {
        [0x30, short, ..] if *short < 0x80 => Some((2, usize::from(*short))),
        [0x30, 0x81, one, ..] => Some((3, usize::from(*one))),
        [0x30, 0x82, high, low, ..] => Some((4, usize::from(u16::from_be_bytes([*high, *low])))),
        _ => None,
    };
    length.is_some_and(|(header, length)| length >= 32 && bytes.len() == header + length)
}

#[cfg(test)]
mod tests {
    use age::secrecy::ExposeSecret as _;

    use super::*;

    fn found(text: &str) -> Vec<(&'static str, usize)> {
        let mut findings = Vec::new();
        scan(Path::new("a"), text, &mut findings);
        findings.iter().map(|finding| (finding.rule.id, finding.line)).collect()
    }

    fn pem(kind: &str, bytes: &[u8]) -> String {
        let encoded = BASE64.encode(bytes);
        let lines: Vec<_> = encoded.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", lines.join("\n"))
    }

    fn der() -> Vec<u8> {
        [&[0x30, 0x82, 0x01, 0x00][..], &[7; 256]].concat()
    }

    #[test]
    fn finds_keys_by_their_whole_shape() {
        let x25519 = age::x25519::Identity::generate().to_string();
        let x25519 = x25519.expose_secret();
        let post_quantum = pq::Identity::generate().to_secret_string();
        assert_eq!(found(&format!("a\n{x25519}\n")), [("WAX501", 2)]);
        assert_eq!(found(post_quantum.expose_secret()), [("WAX501", 1)]);
        assert_eq!(found(&pem("RSA PRIVATE KEY", &der())), [("WAX501", 1)]);
        assert_eq!(found(&pem("RSA PRIVATE KEY", &der()).replace('\n', "\\n")), [("WAX501", 1)]);
        assert_eq!(found(&pem("PRIVATE KEY", &der()).replace('\n', "\n    ")), [("WAX501", 1)]);
        let openssh = [b"openssh-key-v1\0".as_slice(), &[7; 200]].concat();
        assert_eq!(found(&pem("OPENSSH PRIVATE KEY", &openssh)), [("WAX501", 1)]);
        assert_eq!(found(&format!("x: {}", BASE64.encode(pem("PRIVATE KEY", &der()).as_bytes()))), [("WAX501", 1)]);
        assert_eq!(
            found(&format!("x: {}", BASE64.encode(format!("# created: x\n{x25519}").as_bytes()))),
            [("WAX501", 1)]
        );
    }

    #[test]
    fn examples_are_none() {
        let identity = age::x25519::Identity::generate().to_string();
        let mut mistyped = identity.expose_secret().to_owned();
        mistyped.replace_range(40..41, if mistyped.as_bytes()[40] == b'Q' { "P" } else { "Q" });
        for text in [
            "AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ",
            "AGE-SECRET-KEY-1...",
            "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA...\n...\n-----END RSA PRIVATE KEY-----",
            "-----BEGIN PRIVATE KEY-----\n<your key, which you should keep to yourself at all times>\n-----END PRIVATE KEY-----",
            &mistyped,
            &pem("PUBLIC KEY", &der()),
            &pem("RSA PRIVATE KEY", &[7; 260]),
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
