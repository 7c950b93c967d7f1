//! What an entry of a file's block says of its key: the fields, whether another names the same key, and how people know it.

use sealwax_format::keys::Fingerprint;
use sealwax_format::sops::{Group, Service, Wrap};

/// When the data key was wrapped.
pub(super) const CREATED_AT: &str = "created_at";
/// The role of AWS that may use the key.
pub(super) const ROLE: &str = "role";
/// The user's profile of AWS's tools.
pub(super) const PROFILE: &str = "aws_profile";
/// Where the transit engine of Vault is mounted.
pub(super) const ENGINE_PATH: &str = "engine_path";
/// The name of its key.
pub(super) const KEY_NAME: &str = "key_name";
/// The name of a key of Azure.
pub(super) const NAME: &str = "name";
/// Its version.
pub(super) const VERSION: &str = "version";

/// The longest key that is shown in full.
const LONGEST: usize = 120;

/// A field of the entry that says something.
pub(super) fn field<'w>(wrap: &'w Wrap, name: &str) -> Option<&'w str> {
    let found = wrap.fields.iter().find(|(known, _)| *known == name);
    found.map(|(_, text)| text.as_str()).filter(|text| !text.is_empty())
}

/// What tells a key from any other, however it is written.
#[derive(Eq, PartialEq)]
struct Identity {
    service: Service,
    key: String,
    fields: Vec<(&'static str, String)>,
    context: Vec<(String, String)>,
}

impl Identity {
    fn of(wrap: &Wrap) -> Self {
        let named = [ENGINE_PATH, KEY_NAME, NAME, VERSION, ROLE];
        let fields = named.into_iter().filter_map(|name| Some((name, field(wrap, name)?.to_owned()))).collect();
        let mut context = wrap.context.clone();
        context.sort();
        let key = match wrap.service {
            Service::Pgp => wrap.key.trim_start_matches("0x").to_ascii_uppercase(),
            // An SSH key may have a comment after it.
            Service::Age => wrap.key.split_whitespace().take(2).collect::<Vec<_>>().join(" "),
            _ => wrap.key.clone(),
        };
        Self { service: wrap.service, key, fields, context }
    }
}

/// Whether both name the same key: what opens one opens the other. The profile is a name on one machine only.
pub(crate) fn is_same(one: &Wrap, other: &Wrap) -> bool {
    Identity::of(one) == Identity::of(other)
}

/// All that tells a key from any other, as somebody agrees to it: no two keys have the same text.
pub(crate) fn identified(wrap: &Wrap) -> String {
    let Identity { service, key, fields, context } = Identity::of(wrap);
    let context = context.iter().map(|(name, value)| format!(" with {name:?}: {value:?}"));
    let fields = fields.iter().map(|(name, value)| format!(" {name} {value:?}"));
    let rest: String = fields.chain(context).collect();
    format!("{} {}{rest}", service.shown(), shortened(&key).escape_debug())
}

/// Whether the same keys are in the same groups, in whatever order.
pub(crate) fn are_same(one: &[Group], other: &[Group]) -> bool {
    let within = |a: &Group, b: &Group| a.wraps.iter().all(|wrap| b.wraps.iter().any(|known| is_same(known, wrap)));
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| within(one, other) && within(other, one))
}

/// The key as people know it.
pub(crate) fn shown(wrap: &Wrap) -> String {
    let service = wrap.service.shown();
    let key = match (wrap.service, field(wrap, ENGINE_PATH), field(wrap, KEY_NAME), field(wrap, NAME)) {
        (Service::VaultTransit, Some(engine), Some(name), _) => format!("{}/v1/{engine}/keys/{name}", wrap.key),
        (Service::AzureKeyVault, .., Some(name)) => format!("{}/keys/{name}", wrap.key),
        _ => wrap.key.clone(),
    };
    format!("{service} {}", shortened(&key).escape_debug())
}

/// Post-quantum and RSA keys are longer than a screen is wide; their fingerprints tell them apart, as in a policy.
fn shortened(key: &str) -> String {
    let key = key.trim();
    if key.chars().count() <= LONGEST {
        return key.to_owned();
    }
    let key = key.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    let start: String = key.chars().take(12).collect();
    format!("{start}… (fingerprint {})", Fingerprint::of(&key))
}

#[cfg(test)]
mod tests {
    use super::super::name::{parse_age, parse_azure, parse_kms, parse_vault_transit};
    use super::*;

    #[test]
    fn the_same_key_in_other_words() {
        let ssh = |text: &str| parse_age(text).unwrap();
        assert!(is_same(&ssh("ssh-ed25519 AAAA alice"), &ssh("ssh-ed25519 AAAA")));
        let arn = "arn:aws:kms:us-east-1:1:key/1";
        let kms = |context: &[(&str, &str)], profile| {
            let context = context.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
            parse_kms(arn, context, profile).unwrap()
        };
        assert!(is_same(&kms(&[("a", "1"), ("b", "2")], Some("x")), &kms(&[("b", "2"), ("a", "1")], None)));
        assert!(!is_same(&kms(&[("a", "1")], None), &kms(&[("a", "2")], None)));
        let pgp = |text: &str| super::super::name::parse_pgp(text).unwrap();
        assert!(is_same(&pgp("0xfbc7b9e2a4f9289a"), &pgp("FBC7B9E2A4F9289A")));
        assert!(!is_same(&pgp("FBC7B9E2A4F9289A"), &pgp("FBC7B9E2A4F9289A!")), "this key of several, and no other");
        let transit = |name: &str| parse_vault_transit(&format!("https://v/v1/transit/keys/{name}")).unwrap();
        assert!(!is_same(&transit("a"), &transit("b")));
    }

    #[test]
    fn long_keys_are_shown_by_their_fingerprint() {
        let long =
            |middle: &str| parse_age(&format!("age1pq1{}{middle}{}", "q".repeat(1000), "q".repeat(1000))).unwrap();
        let (one, other) = (long("a"), long("b"));
        assert_eq!(shown(&one), format!("age age1pq1qqqqq… (fingerprint {})", Fingerprint::of(&one.key)));
        assert_ne!(shown(&one), shown(&other), "alike at both ends");
        assert_ne!(identified(&one), identified(&other));
    }

    #[test]
    fn what_is_agreed_to_is_the_key_with_what_it_is_used_by() {
        let ssh = |comment: &str| parse_age(&format!("ssh-rsa {} {comment}", "A".repeat(400))).unwrap();
        assert_eq!(identified(&ssh("alice")), identified(&ssh("bob, who has the same key")));
        let kms = |role: &str, context: &[(&str, &str)]| {
            let context = context.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
            identified(&parse_kms(&format!("arn:aws:kms:us-east-1:1:key/1{role}"), context, None).unwrap())
        };
        assert_ne!(kms("", &[]), kms("+arn:aws:iam::1:role/a", &[]));
        assert_ne!(kms("", &[("a", "1")]), kms("", &[("a", "2")]));
        let azure = |rest: &str| identified(&parse_azure(&format!("https://v/keys/{rest}")).unwrap());
        assert_ne!(azure("n version v"), azure("n/v"), "a name that looks like a name and a version");
        assert_eq!(kms("", &[("a", "1")]), r#"AWS KMS arn:aws:kms:us-east-1:1:key/1 with "a": "1""#);
    }
}
