//! Whether a text that stands where a secret belongs is one. Everything that is not known to be none is.

use std::sync::LazyLock;

use regex::Regex;
use sealwax_format::base64;
use zeroize::Zeroizing;

/// What a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Nature {
    /// Holds nothing, is filled in by a tool, or is public or encrypted by other means.
    Harmless,
    /// Words that say that something belongs here.
    Placeholder,
    /// A value.
    Clear,
}

/// Expressions of Helm, of Flux and envsubst, and of Kubernetes. A default in an expression stays in the text.
static EXPRESSION: LazyLock<Regex> = expression!(
    r"(?s)\{\{.*?\}\}|\$\{[A-Za-z_][A-Za-z0-9_.]*(?:(?::?[-=])(?P<default>[^}]*))?\}|\$\([A-Za-z_][A-Za-z0-9_.]*\)"
);
/// An expression of Helm that is a text in quotes with nothing that would look one up.
static LITERAL: LazyLock<Regex> =
    expression!(r#"^\{\{-?[\s(]*(?:(?:quote|squote|b64enc|print)\s+["`]|printf\s+(?:"[^"%]*"|`[^`%]*`)|["`'])"#);
/// What an expression of Helm falls back to.
static FALLBACK: LazyLock<Regex> = expression!(r#"\bdefault\s+(?:"(?P<quoted>[^"]+)"|`(?P<raw>[^`]+)`)"#);
/// What is left of a line of configuration whose value was an expression: a name alone, or a section.
static NAME: LazyLock<Regex> = expression!(r#"^\s*(?:\[[A-Za-z0-9._-]+\]|[A-Za-z0-9._-]+\s*[:=]\s*["']{0,2},?)\s*$"#);
/// References that Argo CD Vault Plugin, vals, the Vault webhook and 1Password replace, as whole values.
static REFERENCE: LazyLock<Regex> = expression!(
    r"^(?:<path:[A-Za-z0-9_./ -]+#[A-Za-z0-9_. |-]+>|ref\+[a-z0-9]+://\S+|vault:[A-Za-z0-9_./-]+#[A-Za-z0-9_.-]+|op://\S+/\S+/\S+)$"
);
/// Words in angle brackets; digits make them too much like a value.
static WORDS: LazyLock<Regex> = expression!(r"^<[A-Za-z][A-Za-z _./:-]*>$");
static PUBLIC_SSH: LazyLock<Regex> =
    expression!(r"^(?:\S+ )?(?:ssh-(?:ed25519|rsa|dss)|ecdsa-sha2-nistp\d+) AAAA[A-Za-z0-9+/]+=*(?: \S{1,64})?$");
static ARMOR: LazyLock<Regex> =
    expression!(r"(?s)-----BEGIN (?P<kind>[A-Z0-9 ]+)-----[A-Za-z0-9+/=\s:.,()-]*?-----END (?P<end>[A-Z0-9 ]+)-----");
/// What armor may hold in the open.
const PUBLIC: [&str; 9] = [
    "CERTIFICATE",
    "TRUSTED CERTIFICATE",
    "X509 CRL",
    "CERTIFICATE REQUEST",
    "PUBLIC KEY",
    "RSA PUBLIC KEY",
    "PGP PUBLIC KEY BLOCK",
    "AGE ENCRYPTED FILE",
    "PGP MESSAGE",
];
const PLACEHOLDERS: [&str; 16] = [
    "changeme",
    "change-me",
    "change_me",
    "changeit",
    "replaceme",
    "replace-me",
    "replace_me",
    "redacted",
    "placeholder",
    "todo",
    "fixme",
    "your-password",
    "your-secret",
    "your-token",
    "xxx",
    "...",
];

/// What a text in the clear is.
pub(crate) fn nature(text: &str) -> Nature {
    let text = text.trim();
    if text.is_empty()
        || matches!(text, "{}" | "[]" | "null" | "~" | "true" | "false")
        || REFERENCE.is_match(text)
        || is_public(text)
    {
        return Nature::Harmless;
    }
    if WORDS.is_match(text) || PLACEHOLDERS.contains(&text.to_ascii_lowercase().as_str()) {
        return Nature::Placeholder;
    }
    let literal = EXPRESSION.find_iter(text).any(|found| LITERAL.is_match(found.as_str()));
    let fallbacks = EXPRESSION.find_iter(text).flat_map(|found| FALLBACK.captures_iter(found.as_str()));
    let fallbacks = fallbacks.filter_map(|found| Some(nature(found.name("quoted").or(found.name("raw"))?.as_str())));
    let fallback = fallbacks.max().unwrap_or(Nature::Harmless);
    let rest = Zeroizing::new(EXPRESSION.replace_all(text, "${default}").into_owned());
    // Letters or digits beside expressions are a value, or a part of one; names whose values are expressions are none.
    let is_value = |line: &str| line.chars().any(char::is_alphanumeric) && !(*rest != *text && NAME.is_match(line));
    if literal || rest.lines().any(is_value) { Nature::Clear } else { fallback }
}

/// The same for an item of a Secret's `data`, which Kubernetes decodes.
pub(crate) fn nature_of_base64(text: &str) -> Nature {
    let compact: Zeroizing<String> = Zeroizing::new(text.chars().filter(|c| !c.is_ascii_whitespace()).collect());
    let decoded = base64::decode(&compact).map(Zeroizing::new);
    match decoded.as_ref().map(|bytes| std::str::from_utf8(bytes)) {
        // Substitution happens before decoding: an expression inside base64 stays what it is.
        Some(Ok(decoded)) if !decoded.trim().is_empty() && !compact.is_empty() => match nature(decoded) {
            Nature::Harmless if EXPRESSION.is_match(decoded) => Nature::Clear,
            nature => nature,
        },
        Some(Ok(_)) => Nature::Harmless,
        Some(Err(_)) => Nature::Clear,
        None => nature(text),
    }
}

/// Certificates, public keys, and what is encrypted: as the whole text.
fn is_public(text: &str) -> bool {
    if text.starts_with("-----BEGIN ") {
        let known = ARMOR.captures_iter(text).all(|found| {
            let name = |part| found.name(part).map(|part| part.as_str()).unwrap_or_default();
            PUBLIC.contains(&name("kind")) && name("kind") == name("end")
        });
        return known && ARMOR.replace_all(text, "").trim().is_empty();
    }
    text.lines().map(str::trim).all(|line| line.is_empty() || PUBLIC_SSH.is_match(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_filled_in_or_public_is_harmless() {
        for text in [
            "",
            " ",
            "{}",
            "true",
            "{{ .Values.password }}",
            "{{- .Values.a | b64enc -}}",
            "{{ quote .Values.a }}",
            "{{ .Values.a | default \"\" }}",
            "{{ printf \"%s-%s\" .a .b }}",
            "${PASSWORD}",
            "$(PASSWORD)",
            "${A}-{{ .B }}",
            "${PASSWORD:=}",
            "[client]\nhost={{ .Values.host }}\npassword: \"${PASSWORD}\"\n",
            "<path:secret/data/db#password>",
            "ref+vault://secret/db#/password",
            "op://vault/item/field",
            "vault:secret/data/db#password",
            "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
            "github.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl",
        ] {
            assert_eq!(nature(text), Nature::Harmless, "{text}");
        }
        for text in ["<your password>", "changeme", "REPLACE_ME", "{{ default \"changeme\" .a }}"] {
            assert_eq!(nature(text), Nature::Placeholder, "{text}");
        }
    }

    #[test]
    fn look_alikes_are_values() {
        for text in [
            "hunter2",
            "hunter2${EMPTY}",
            "user=${USER}\npassword=hunter2\n",
            "user=${USER}\nhunter2\n",
            "password=${PASSWORD:-hunter2}\n",
            "password=\n[hunter2]\n",
            "${PASSWORD:-hunter2}",
            "{{ \"hunter2\" | b64enc }}",
            "{{ `hunter2` }}",
            "{{ (\"hunter2\") }}",
            "{{ printf \"hunter2\" }}",
            "{{ .Values.a | default \"hunter2\" | quote }}",
            "{{ default `hunter2` .Values.a }}",
            "changeme123",
            "<hunter2>",
            "${not closed",
            "op://hunter2",
            "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\nhunter2",
            "-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----",
            "-----BEGIN CERTIFICATE-----\nMIIB\n-----END PRIVATE KEY-----",
        ] {
            assert_eq!(nature(text), Nature::Clear, "{text}");
        }
    }

    #[test]
    fn base64_is_looked_into() {
        assert_eq!(nature_of_base64("aHVudGVyMg=="), Nature::Clear);
        assert_eq!(nature_of_base64("Y2hhbmdlbWU="), Nature::Placeholder);
        assert_eq!(nature_of_base64("JHtBfQ=="), Nature::Clear, "nobody substitutes inside base64");
        assert_eq!(nature_of_base64("${A}"), Nature::Harmless);
        assert_eq!(nature_of_base64("Cg=="), Nature::Harmless);
        assert_eq!(nature_of_base64("hunter2"), Nature::Clear);
        assert_eq!(nature_of_base64("////"), Nature::Clear, "bytes that are no text");
    }
}
