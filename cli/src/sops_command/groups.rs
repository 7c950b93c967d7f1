//! `sops groups add` and `sops groups delete`.

use std::process::ExitCode;

use sealwax_format::sops::{Group, Metadata};

use super::call::Call;
use super::creation;
use super::failure::{Code, Failure};
use super::source::{OpenSource, Source, layout};
use super::target::{self, Kind};

pub(super) fn add(call: &Call<'_>) -> Result<ExitCode, Failure> {
    if !call.given.words.is_empty() {
        return Err(Failure::new(Code::Generic, "error: no positional arguments allowed"));
    }
    let wraps = creation::keys_of(call, "")?;
    if wraps.is_empty() {
        return Err(
            Failure::new(Code::Generic, "error: the new group has no key").hint("Name one, such as --age age1….")
        );
    }
    change(call, |groups| {
        groups.push(Group { wraps });
        Ok(())
    })
}

pub(super) fn delete(call: &Call<'_>) -> Result<ExitCode, Failure> {
    let [index] = call.given.words.as_slice() else {
        return Err(Failure::new(Code::Generic, "error: exactly one positional argument (index) required"));
    };
    let index: usize = index.to_str().and_then(|index| index.parse().ok()).ok_or_else(|| {
        Failure::new(Code::Generic, "failed to parse [index] argument").hint("It is a number; the first group is 0.")
    })?;
    change(call, |groups| {
        if index >= groups.len() {
            let message = format!("there is no key group {index}: the file has {}", groups.len());
            return Err(Failure::new(Code::Generic, message).hint("The first group is 0."));
        }
        groups.remove(index);
        Ok(())
    })
}

/// Wraps the data key for other groups, and writes the result to where the flags say.
fn change(call: &Call<'_>, change: impl FnOnce(&mut Vec<Group>) -> Result<(), Failure>) -> Result<ExitCode, Failure> {
    let path = call.path("file").ok_or_else(|| Failure::new(Code::NoFile, "Error: no file specified"))?;
    let source = Source::of_file(call, path)?;
    let keys = call.keys()?;
    let file = source.parse()?;
    let old = layout(&source, &file)?.metadata;
    let mut groups = old.groups.clone();
    change(&mut groups)?;
    let named = call.given.count("shamir-secret-sharing-threshold").or(old.threshold);
    let threshold = named.filter(|_| groups.len() > 1).or((groups.len() > 1).then_some(groups.len()));
    if let Some(wanted) = named.filter(|named| *named > groups.len()) {
        let message = format!(
            "removing this key group will make the Shamir threshold impossible to satisfy: \
             Shamir threshold is {wanted}, but we only have {} key groups",
            groups.len()
        );
        return Err(Failure::new(Code::Generic, message).hint("Lower it with --shamir-secret-sharing-threshold."));
    }
    let opened = OpenSource::of(call, &source, &file, &keys)?;
    let groups = keys.rewrap(&old, &groups, threshold, opened.key())?;
    let text = opened.sealed(&opened.plain()?, &Metadata { groups, threshold, ..old })?;
    target::write(call, &source, text.as_bytes(), Kind::Encrypted)
}
