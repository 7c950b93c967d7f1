//! How a file is to be encrypted: keys and selectors of flags and variables first, then those of `.sops.yaml`.

use std::path::Path;

use sealwax_format::sops::{FIELDS, Group, Selector, Wrap};

use super::call::Call;
use super::failure::{Code, Failure};
use crate::error::{CommandError, chain};
use crate::files::Store;
use crate::sops::config::{Creation, Ruling};
use crate::sops::keys;
use crate::ui::Note;

/// What flags, variables and rules say of a file with this name.
pub(super) fn of(call: &Call<'_>, name: &Path, store: Store) -> Result<Creation, Failure> {
    let given = keys_of(call, "")?;
    let given = Some(given.as_slice()).filter(|keys| !keys.is_empty());
    let mut creation = match (call.configs()?.ruling(name, given)?, given) {
        (Ruling::Rule(creation), _) => *creation,
        (Ruling::NoMatch, _) => {
            let message = "error loading config: no matching creation rules found";
            return Err(Failure::new(Code::Generic, message)
                .hint("Each path_regex is held against the path from the configuration's folder."));
        }
        (Ruling::Silent, Some(keys)) => Creation::of_command_line(keys.to_vec()),
        (Ruling::Silent, None) => {
            let message =
                "config file not found, or has no creation rules, and no keys provided through command line options";
            return Err(Failure::new(Code::Generic, message)
                .hint("Name a key with --age or another flag, or write a .sops.yaml."));
        }
    };
    if store == Store::Binary {
        return Ok(whole(call, creation));
    }
    creation.selector = selector(call, &creation.selector)?;
    creation.mac_only_encrypted |= call.root.is_on("mac-only-encrypted");
    creation.threshold = call.given.count("shamir-secret-sharing-threshold").or(creation.threshold);
    Ok(creation)
}

/// Bytes are one value: nothing of them is left in the clear.
fn whole(call: &Call<'_>, mut creation: Creation) -> Creation {
    let named = FIELDS.iter().map(|field| field.replace('_', "-")).find(|flag| !call.text(flag).is_empty());
    let of_rule = creation.selector.field() != Selector::default().field();
    if named.is_some() || of_rule {
        let text = "the file is of bytes, which are one value: selectors are passed over, and all of it is encrypted";
        call.ui.notes(&[Note::Warning(text.to_owned())]);
    }
    creation.selector = Selector::default();
    creation.mac_only_encrypted = false;
    creation
}

/// The selector of the flags, or that of the rule.
fn selector(call: &Call<'_>, of_rule: &Selector) -> Result<Selector, Failure> {
    let (rule_field, rule_text) = of_rule.field();
    let has_rule = (rule_field, rule_text) != Selector::default().field();
    let mut stated: Vec<(&'static str, &str)> = Vec::new();
    for field in FIELDS {
        let text = call.text(&field.replace('_', "-"));
        match text {
            "" if has_rule && field == rule_field => stated.push((field, rule_text)),
            "" => {}
            text => stated.push((field, text)),
        }
    }
    if stated.len() > 1 {
        let message = format!("Error: cannot use more than one of {} in the same file", FIELDS.join(", "));
        return Err(Failure::new(Code::ConflictingFlags, message));
    }
    Selector::of(stated).map_err(|error| Failure::new(Code::CannotEncrypt, chain(&error)))
}

/// The keys behind flags with this beginning: `age` and the others, `add-age`, `rm-age`.
pub(super) fn keys_of(call: &Call<'_>, beginning: &str) -> Result<Vec<Wrap>, Failure> {
    let context = keys::parse_context(call.text("encryption-context"))
        .map_err(|error| Failure::of(Code::BadContext, &error).said("Invalid KMS encryption context format: "))?;
    let profile = Some(call.text("aws-profile")).filter(|profile| !profile.is_empty());
    let mut found = Vec::new();
    let mut each = |flag: &str, read: &dyn Fn(&str) -> Result<Wrap, CommandError>| {
        let flag = format!("{beginning}{flag}");
        let texts = call.given.list(&flag).iter().flat_map(|text| text.split(','));
        for text in texts.map(str::trim).filter(|text| !text.is_empty()) {
            found.push(read(text).map_err(|error| error.of(&format!("--{flag}")))?);
        }
        Ok::<(), CommandError>(())
    };
    each("kms", &|text| keys::parse_kms(text, context.clone(), profile))?;
    each("gcp-kms", &keys::parse_gcp_kms)?;
    each("hckms", &keys::parse_huawei_kms)?;
    each("azure-kv", &keys::parse_azure)?;
    each("pgp", &keys::parse_pgp)?;
    each("hc-vault-transit", &keys::parse_vault_transit)?;
    each("age", &keys::parse_age)?;
    Ok(found)
}

/// What a file says of itself, with keys added to its first group and taken out of all.
pub(super) fn changed(mut creation: Creation, added: Vec<Wrap>, removed: &[Wrap]) -> Creation {
    let groups = &mut creation.groups;
    if let Some(first) = groups.first_mut() {
        for wrap in added {
            if !first.wraps.iter().any(|known| keys::is_same(known, &wrap)) {
                first.wraps.push(wrap);
            }
        }
    }
    for Group { wraps } in groups {
        wraps.retain(|wrap| !removed.iter().any(|gone| keys::is_same(gone, wrap)));
    }
    creation
}
