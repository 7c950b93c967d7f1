//! What an entry of a file's block says of its key: the fields, whether another names the same key, and how people know it.

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

/// Whether both name the same key: what opens one opens the other. The profile is a name on one machine only.
pub(crate) fn is_same(one: &Wrap, other: &Wrap) -> bool {
    let named = |wrap: &Wrap| {
        let fields = [ROLE, ENGINE_PATH, KEY_NAME, NAME, VERSION].map(|name| field(wrap, name).map(str::to_owned));
        let mut context = wrap.context.clone();
        context.sort();
        // An SSH key may have a comment after it.
        let mut key = wrap.key.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
        if wrap.service == Service::Pgp {
            key.make_ascii_uppercase();
        }
        (wrap.service, key, fields, context)
    };
    named(one) == named(other)
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

/// Post-quantum and RSA keys are longer than a screen is wide; both ends tell them apart.
fn shortened(key: &str) -> String {
    let length = key.chars().count();
    if length <= LONGEST {
        return key.to_owned();
    }
    let (start, end): (String, String) = (key.chars().take(24).collect(), key.chars().skip(length - 12).collect());
    format!("{start}…{end}")
}

#[cfg(test)]
mod tests {
    use super::super::name::{parse_age, parse_kms, parse_vault_transit};
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
        let transit = |name: &str| parse_vault_transit(&format!("https://v/v1/transit/keys/{name}")).unwrap();
        assert!(!is_same(&transit("a"), &transit("b")));
    }

    #[test]
    fn long_keys_are_shown_by_their_ends() {
        let long = format!("age1pq1{}end", "q".repeat(2000));
        assert_eq!(shown(&parse_age(&long).unwrap()), format!("age age1pq1{}…{}end", "q".repeat(17), "q".repeat(9)));
    }
}
