//! The data key, or a share of it, wrapped for each key of the groups.

use sealwax_format::OsRandom;
use sealwax_format::sops::{FileKey, Group, Metadata, Service, Wrap, shamir};
use zeroize::Zeroizing;

use super::{Keys, Share, age, entry, unsupported};
use crate::error::CommandError;

/// Wraps it for all.
pub(super) fn all(
    keys: &Keys<'_>,
    groups: &[Group],
    threshold: Option<usize>,
    key: &FileKey,
) -> Result<Vec<Group>, CommandError> {
    missing_from(keys, None, groups, threshold, key)
}

/// Wraps it for those who do not have it yet. Shares are made anew: those of the old groups are not at hand, and would
/// still open with people who are to be left out.
pub(super) fn missing(
    keys: &Keys<'_>,
    old: &Metadata,
    groups: &[Group],
    threshold: Option<usize>,
    key: &FileKey,
) -> Result<Vec<Group>, CommandError> {
    match (old.groups.as_slice(), groups) {
        ([old], [_]) => missing_from(keys, Some(old), groups, threshold, key),
        _ => all(keys, groups, threshold, key),
    }
}

fn missing_from(
    keys: &Keys<'_>,
    old: Option<&Group>,
    groups: &[Group],
    threshold: Option<usize>,
    key: &FileKey,
) -> Result<Vec<Group>, CommandError> {
    if groups.is_empty() || groups.iter().any(|group| group.wraps.is_empty()) {
        return Err(CommandError::usage("there is no key to encrypt the data key with, or a key group has none"));
    }
    let shares = shares(groups.len(), threshold, key)?;
    let mut wrapped = Vec::with_capacity(groups.len());
    for (group, share) in groups.iter().zip(&shares) {
        let wraps = group.wraps.iter().map(|wrap| {
            let known = old.and_then(|old| old.wraps.iter().find(|known| entry::is_same(known, wrap)));
            known.map_or_else(|| one(keys, wrap, share), |known| Ok(kept(known, wrap)))
        });
        wrapped.push(Group { wraps: wraps.collect::<Result<_, _>>()? });
    }
    Ok(wrapped)
}

/// One group has the key itself, several have shares of it.
fn shares(groups: usize, threshold: Option<usize>, key: &FileKey) -> Result<Vec<Share>, CommandError> {
    if groups == 1 {
        return Ok(vec![Zeroizing::new(key.expose().to_vec())]);
    }
    let threshold = threshold.filter(|threshold| *threshold > 0).unwrap_or(groups);
    let shares = shamir::split(&mut OsRandom, key.expose(), groups, threshold)
        .map_err(|error| CommandError::refused(error.to_string()))?;
    shares.ok_or_else(|| {
        CommandError::usage(format!("a shamir_threshold of {threshold} does not fit {groups} key groups"))
            .hint("It is at least 2, and at most the number of groups.")
    })
}

/// What the file holds, under the names of today.
fn kept(known: &Wrap, named: &Wrap) -> Wrap {
    let created = known.fields.iter().filter(|(name, _)| *name == entry::CREATED_AT);
    let fields = named.fields.iter().filter(|(name, _)| *name != entry::CREATED_AT).chain(created).cloned();
    Wrap { enc: known.enc.clone(), fields: fields.collect(), ..named.clone() }
}

fn one(keys: &Keys<'_>, wrap: &Wrap, share: &[u8]) -> Result<Wrap, CommandError> {
    let enc = match wrap.service {
        Service::Age => age::wrap(&wrap.key, share)?,
        Service::Pgp => keys.pgp().wrap(&wrap.key, share)?,
        Service::AwsKms | Service::VaultTransit => {
            keys.network.wrap(wrap, share).map_err(|error| error.of(&entry::shown(wrap)))?
        }
        service => {
            return Err(CommandError::refused(format!("{}: {}", entry::shown(wrap), unsupported(service))));
        }
    };
    let mut fields = wrap.fields.clone();
    fields.retain(|(name, _)| *name != entry::CREATED_AT);
    if wrap.service != Service::Age {
        fields.push((entry::CREATED_AT, crate::sops::now()));
    }
    Ok(Wrap { enc, fields, ..wrap.clone() })
}
