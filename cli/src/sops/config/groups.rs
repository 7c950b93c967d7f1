//! What a rule of `.sops.yaml` says, made of its keys and its selector.

use sealwax_format::sops::{Group, Wrap};

use super::creation::Creation;
use super::{CreationRule, GroupKeys, RuleKeys, Strings};
use crate::error::{CommandError, chain};
use crate::sops::keys;

impl CreationRule {
    /// What the rule says; keys that are given stand in for its own.
    pub(super) fn creation(&self, rule: String, given: Option<&[Wrap]>) -> Result<Creation, CommandError> {
        let wrong = |reason: String| CommandError::usage(format!("{rule}: {reason}"));
        let groups = match self.key_groups.as_deref() {
            _ if given.is_some() => Ok(vec![group(given.unwrap_or_default().to_vec())]),
            Some(groups) if !groups.is_empty() => groups.iter().map(GroupKeys::group).collect::<Result<Vec<_>, _>>(),
            _ => self.keys.group().map(|group| vec![group]),
        };
        let groups = groups.map_err(|error| error.of(&rule))?;
        if let Some(position) = groups.iter().position(|group| group.wraps.is_empty()) {
            return Err(if groups.len() == 1 {
                wrong("names no key, so nobody could decrypt the file".to_owned())
            } else {
                wrong(format!("key_groups[{position}] names no key, so nobody could open its share"))
            });
        }
        // Keys that are given are one group.
        let threshold = self.shamir_threshold.filter(|threshold| *threshold > 0 && given.is_none());
        if let Some(threshold) = threshold.filter(|threshold| *threshold > groups.len()) {
            return Err(wrong(format!("shamir_threshold is {threshold}, and there are {} key groups", groups.len())));
        }
        let selector = self.fields.selector().map_err(|error| wrong(chain(&error)))?;
        let mac_only_encrypted = self.mac_only_encrypted == Some(true);
        Ok(Creation { rule, groups, threshold, selector, mac_only_encrypted, source: None })
    }
}

/// Keys of a list, each read the same way.
fn each<'t>(
    texts: Option<&'t Strings>,
    read: impl Fn(&'t str) -> Result<Wrap, CommandError>,
    into: &mut Vec<Wrap>,
) -> Result<(), CommandError> {
    for text in texts.into_iter().flat_map(Strings::each) {
        into.push(read(text)?);
    }
    Ok(())
}

impl RuleKeys {
    fn group(&self) -> Result<Group, CommandError> {
        let mut wraps = Vec::new();
        let profile = self.aws_profile.as_deref();
        each(self.age.as_ref(), keys::parse_age, &mut wraps)?;
        each(self.pgp.as_ref(), keys::parse_pgp, &mut wraps)?;
        each(self.kms.as_ref(), |arn| keys::parse_kms(arn, Vec::new(), profile), &mut wraps)?;
        each(self.gcp_kms.as_ref(), keys::parse_gcp_kms, &mut wraps)?;
        each(self.hckms.as_ref(), keys::parse_huawei_kms, &mut wraps)?;
        each(self.azure_keyvault.as_ref(), keys::parse_azure, &mut wraps)?;
        each(self.hc_vault_transit_uri.as_ref(), keys::parse_vault_transit, &mut wraps)?;
        Ok(group(wraps))
    }
}

impl GroupKeys {
    fn group(&self) -> Result<Group, CommandError> {
        let mut wraps = Vec::new();
        for merged in self.merge.iter().flatten() {
            wraps.extend(merged.group()?.wraps);
        }
        each(self.age.as_ref(), keys::parse_age, &mut wraps)?;
        each(self.pgp.as_ref(), keys::parse_pgp, &mut wraps)?;
        for key in self.kms.iter().flatten() {
            let arn = match key.role.as_deref().filter(|role| !role.is_empty()) {
                Some(role) => format!("{}+{role}", key.arn),
                None => key.arn.clone(),
            };
            let context = key.context.iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect();
            wraps.push(keys::parse_kms(&arn, context, key.aws_profile.as_deref())?);
        }
        for key in self.gcp_kms.iter().flatten() {
            wraps.push(keys::parse_gcp_kms(&key.resource_id)?);
        }
        for key in self.hckms.iter().flatten() {
            wraps.push(keys::parse_huawei_kms(&key.key_id)?);
        }
        for key in self.azure_keyvault.iter().flatten() {
            let version = key.version.as_deref().unwrap_or_default();
            wraps.push(keys::parse_azure(&format!("{}/keys/{}/{version}", key.vault_url, key.key))?);
        }
        each(self.hc_vault.as_ref(), keys::parse_vault_transit, &mut wraps)?;
        Ok(group(wraps))
    }
}

/// Each key once.
pub(super) fn group(wraps: Vec<Wrap>) -> Group {
    let mut unique: Vec<Wrap> = Vec::with_capacity(wraps.len());
    for wrap in wraps {
        if !unique.contains(&wrap) {
            unique.push(wrap);
        }
    }
    Group { wraps: unique }
}
