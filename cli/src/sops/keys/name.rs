//! Keys as `.sops.yaml`, a flag or a variable names them: wraps without their encrypted data key.

use sealwax_format::sops::{Service, Wrap};
use sealwax_sources::vault::TransitKey;

use super::entry::{ENGINE_PATH, KEY_NAME, NAME, PROFILE, ROLE, VERSION};
use crate::error::CommandError;

/// How a URI of Vault's transit engine looks.
const VAULT_EXAMPLE: &str = "https://vault.example.com:8200/v1/transit/keys/NAME";

fn key(service: Service, key: impl Into<String>, fields: Vec<(&'static str, String)>) -> Wrap {
    Wrap { service, key: key.into(), enc: String::new(), fields, context: Vec::new() }
}

/// An age recipient of any kind.
pub(crate) fn parse_age(text: &str) -> Result<Wrap, CommandError> {
    let text = text.trim();
    let upper = text.get(..15).unwrap_or(text).to_ascii_uppercase();
    if ["AGE-SECRET-KEY-", "AGE-PLUGIN-", "-----BEGIN"].iter().any(|start| upper.starts_with(start)) {
        // Not repeated: it is a secret.
        return Err(CommandError::usage("an age recipient is wanted, and this is a private key")
            .hint("Name the public half, and replace the private key now: it was in a place for public ones."));
    }
    if !text.starts_with("age1") && !text.starts_with("ssh-") {
        return Err(CommandError::usage("an age recipient starts with age1, ssh-ed25519 or ssh-rsa"));
    }
    Ok(key(Service::Age, text, Vec::new()))
}

/// The fingerprint of a PGP key; blanks in it are dropped.
pub(crate) fn parse_pgp(text: &str) -> Result<Wrap, CommandError> {
    let fingerprint: String = text.split_whitespace().collect();
    let digits = fingerprint.strip_suffix('!').unwrap_or(&fingerprint);
    // Also keeps anything that gpg would take for an option, or for somebody's name, away from its command line.
    let digits = digits.strip_prefix("0x").unwrap_or(digits);
    // Keys with the same eight digits are made in seconds.
    if !(16..=64).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let shown = fingerprint.escape_debug();
        return Err(CommandError::usage(format!("{shown} is not the fingerprint of a PGP key"))
            .hint("gpg --list-keys --fingerprint shows it: 40 hexadecimal digits."));
    }
    Ok(key(Service::Pgp, fingerprint, Vec::new()))
}

/// The ARN of a key of AWS KMS, or of an alias; a role to assume may follow after `+`.
pub(crate) fn parse_kms(
    text: &str,
    context: Vec<(String, String)>,
    profile: Option<&str>,
) -> Result<Wrap, CommandError> {
    let text: String = text.split_whitespace().collect();
    let (arn, role) = match text.split_once("+arn:") {
        Some((arn, role)) => (arn, Some(format!("arn:{role}"))),
        None => (text.as_str(), None),
    };
    region_of(arn)?;
    let mut fields: Vec<_> = role.map(|role| (ROLE, role)).into_iter().collect();
    // SOPS writes it even where there is none.
    fields.push((PROFILE, profile.unwrap_or_default().to_owned()));
    Ok(Wrap { context, ..key(Service::AwsKms, arn, fields) })
}

/// An encryption context as flags write it: `name:value`, with commas between them. SOPS drops one that it cannot read, and
/// encrypts without any.
pub(crate) fn parse_context(text: &str) -> Result<Vec<(String, String)>, CommandError> {
    let pairs = text.split(',').filter(|_| !text.is_empty());
    let pairs = pairs.map(|pair| {
        let (name, value) = pair.split_once(':').filter(|(name, value)| !name.is_empty() && !value.contains(':'))?;
        Some((name.to_owned(), value.to_owned()))
    });
    pairs
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| CommandError::usage("the encryption context is not NAME:VALUE, with commas between several"))
}

/// The region that an ARN of AWS KMS names. It becomes part of a host's name: it must not be able to end it.
pub(super) fn region_of(arn: &str) -> Result<&str, CommandError> {
    let wrong = || {
        CommandError::usage(format!("{} is not the ARN of a key of AWS KMS", arn.escape_debug()))
            .hint("It looks like arn:aws:kms:REGION:ACCOUNT:key/ID, or …:alias/NAME.")
    };
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let &["arn", partition, "kms", region, account, resource] = parts.as_slice() else { return Err(wrong()) };
    let plain = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    let name = resource.strip_prefix("key/").or_else(|| resource.strip_prefix("alias/"));
    let good = partition.starts_with("aws")
        && plain(partition)
        && plain(region)
        && !account.is_empty()
        && account.bytes().all(|byte| byte.is_ascii_digit())
        && name.is_some_and(|name| !name.is_empty());
    if good { Ok(region) } else { Err(wrong()) }
}

/// The URI of a key of Vault's transit engine.
pub(crate) fn parse_vault_transit(text: &str) -> Result<Wrap, CommandError> {
    let text = text.trim();
    let wrong = || {
        CommandError::usage(format!("{} is not the URI of a key of Vault's transit engine", text.escape_debug()))
            .hint(format!("It looks like {VAULT_EXAMPLE}."))
    };
    let scheme = ["https://", "http://"].into_iter().find(|scheme| text.starts_with(scheme)).ok_or_else(wrong)?;
    let (host, path) = text.get(scheme.len()..).and_then(|rest| rest.split_once('/')).ok_or_else(wrong)?;
    let (engine, name) = path
        .trim_end_matches('/')
        .split_once('/')
        .filter(|(version, _)| is_version(version))
        .and_then(|(_, rest)| rest.rsplit_once('/'))
        .and_then(|(engine, name)| Some((engine.strip_suffix("/keys")?, name)))
        .filter(|(engine, name)| !host.is_empty() && TransitKey::new(engine, name).is_some())
        .ok_or_else(wrong)?;
    let fields = vec![(ENGINE_PATH, engine.to_owned()), (KEY_NAME, name.to_owned())];
    Ok(key(Service::VaultTransit, format!("{scheme}{host}"), fields))
}

/// `v1`, the version of Vault's interface.
fn is_version(text: &str) -> bool {
    text.strip_prefix('v').is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// The resource id of a key of GCP KMS.
pub(crate) fn parse_gcp_kms(text: &str) -> Result<Wrap, CommandError> {
    given(text, "the resource id of a key of GCP KMS").map(|text| key(Service::GcpKms, text, Vec::new()))
}

/// A key of Huawei Cloud KMS: `region:id`.
pub(crate) fn parse_huawei_kms(text: &str) -> Result<Wrap, CommandError> {
    given(text, "the id of a key of Huawei Cloud KMS").map(|text| key(Service::HuaweiKms, text, Vec::new()))
}

/// A key of Azure Key Vault: `https://VAULT/keys/NAME/VERSION`, the version being the newest if none.
pub(crate) fn parse_azure(text: &str) -> Result<Wrap, CommandError> {
    let text = given(text, "the URL of a key of Azure Key Vault")?;
    let wrong = || {
        CommandError::usage(format!("{} is not the URL of a key of Azure Key Vault", text.escape_debug()))
            .hint("It looks like https://NAME.vault.azure.net/keys/KEY/VERSION.")
    };
    let (vault, rest) =
        text.split_once("/keys/").filter(|(vault, _)| vault.starts_with("https://")).ok_or_else(wrong)?;
    let (name, version) = rest.split_once('/').unwrap_or((rest, ""));
    if name.is_empty() || version.contains('/') {
        return Err(wrong());
    }
    Ok(key(Service::AzureKeyVault, vault, vec![(NAME, name.to_owned()), (VERSION, version.to_owned())]))
}

fn given<'t>(text: &'t str, what: &str) -> Result<&'t str, CommandError> {
    let text = text.trim();
    if text.is_empty() { Err(CommandError::usage(format!("{what} is empty"))) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::super::entry::field;
    use super::*;

    #[test]
    fn a_uri_of_transit_is_taken_apart() {
        let read = |uri: &str| {
            parse_vault_transit(uri).ok().map(|wrap| {
                let field = |name| field(&wrap, name).unwrap_or_default().to_owned();
                (wrap.key.clone(), field(ENGINE_PATH), field(KEY_NAME))
            })
        };
        let expected = |server: &str, engine: &str| Some((server.to_owned(), engine.to_owned(), "sops".to_owned()));
        assert_eq!(read("https://vault:8200/v1/transit/keys/sops"), expected("https://vault:8200", "transit"));
        assert_eq!(read(" http://vault/v1/team/a/transit/keys/sops/ "), expected("http://vault", "team/a/transit"));
        for wrong in [
            "vault:8200/v1/transit/keys/sops",
            "https://vault/transit/keys/sops",
            "https://vault/prefix/v1/transit/keys/sops",
            "https://vault/v1/keys/sops",
            "https://vault/v1/transit/sops",
            "https:///v1/transit/keys/sops",
            "https://vault/v1/../keys/sops",
            "https://vault/v1/transit/keys/sops?x",
            "",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_arn_may_have_a_role() {
        let arn = "arn:aws:kms:us-east-1:123456789012:key/1-2";
        let plain = parse_kms(arn, Vec::new(), None).unwrap();
        assert_eq!((plain.key.as_str(), field(&plain, ROLE)), (arn, None));
        assert!(plain.fields.contains(&(PROFILE, String::new())), "SOPS writes it even where there is none");
        let context = vec![("app".to_owned(), "shop".to_owned())];
        let role = parse_kms(&format!(" {arn}+arn:aws:iam::1:role/a "), context.clone(), Some("ops")).unwrap();
        assert_eq!((field(&role, ROLE), field(&role, PROFILE)), (Some("arn:aws:iam::1:role/a"), Some("ops")));
        assert_eq!(role.context, context);
        assert_eq!(region_of("arn:aws-us-gov:kms:us-gov-west-1:1:alias/a/b").unwrap(), "us-gov-west-1");
        for wrong in [
            "",
            "arn:aws:kms:us-east-1:1:grant/1",
            "arn:aws:s3:us-east-1:1:key/1",
            "arn:aws:kms::1:key/1",
            "arn:aws:kms:us-east-1::key/1",
            "arn:aws:kms:us.evil/:1:key/1",
            "arn:aws:kms:us-east-1@evil:1:key/1",
            "arn:aws:kms:us-east-1:1:key/",
        ] {
            assert!(region_of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_context_is_read_or_refused() {
        let pairs = |pairs: &[(&str, &str)]| -> Vec<_> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        assert_eq!(parse_context("").unwrap(), pairs(&[]));
        assert_eq!(parse_context("app:shop,env:").unwrap(), pairs(&[("app", "shop"), ("env", "")]));
        for wrong in ["app", "app:shop,", ":shop", "app:shop:x"] {
            assert!(parse_context(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_fingerprint_is_hexadecimal() {
        assert_eq!(parse_pgp("FBC7 B9E2 A4F9 289A!").unwrap().key, "FBC7B9E2A4F9289A!");
        for wrong in ["", "alice", "--output", "FBC7B9E2A4F9289A!!", "-rFBC7B9E2A4F9289A", "A4F9289A", "0xA4F9289A"] {
            assert!(parse_pgp(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_private_key_is_not_repeated() {
        let error = parse_age("AGE-SECRET-KEY-1QQQQ").unwrap_err();
        assert!(!error.message().contains("QQQQ") && !error.hints().concat().contains("QQQQ"));
        assert!(parse_age("alice").is_err());
    }
}
