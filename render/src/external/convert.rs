//! Names of items: what a name may be, and how other characters are written.

use sealwax_crds::ConversionStrategy;

use super::Items;
use super::error::EntryProblem;

/// The longest name of an item.
const MAX_NAME: usize = 253;

/// Writes every name so that it is one of an item.
pub(super) fn names(items: Items, strategy: ConversionStrategy) -> Result<Items, EntryProblem> {
    let by = match strategy {
        ConversionStrategy::Default => "conversionStrategy Default",
        ConversionStrategy::Unicode => "conversionStrategy Unicode",
    };
    renamed(items, by, |name| Ok(convert(name, strategy)))
}

fn convert(name: &str, strategy: ConversionStrategy) -> String {
    let mut converted = String::with_capacity(name.len());
    for c in name.chars() {
        match strategy {
            _ if is_usable(c) => converted.push(c),
            ConversionStrategy::Default => converted.push('_'),
            ConversionStrategy::Unicode => converted.push_str(&format!("_U{:04x}_", u32::from(c))),
        }
    }
    converted
}

/// Gives every item a new name. Two with the same one are an error: which of them would win is nobody's choice.
pub(super) fn renamed(
    items: Items,
    by: &str,
    mut rename: impl FnMut(&str) -> Result<String, EntryProblem>,
) -> Result<Items, EntryProblem> {
    let names = items.iter().map(|(name, _)| rename(name)).collect::<Result<Vec<_>, _>>()?;
    let mut sorted: Vec<&String> = names.iter().collect();
    sorted.sort_unstable();
    if let Some(twice) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        let same = items.iter().zip(&names).filter(|(_, name)| *name == twice[0]);
        let mut names: Vec<String> = same.map(|((before, _), _)| before.clone()).collect();
        names.sort_unstable();
        return Err(EntryProblem::Collision { names, by: by.to_owned() });
    }
    Ok(names.into_iter().zip(items).map(|(name, (_, value))| (name, value)).collect())
}

/// Kubernetes takes these names alone.
pub(super) fn is_name(name: &str) -> bool {
    let length = (1..=MAX_NAME).contains(&name.len());
    length && name.chars().all(is_usable) && name != "." && !name.starts_with("..")
}

fn is_usable(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_')
}
