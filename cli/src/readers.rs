//! Who a document names as its readers, how that differs from who shall read it, and what each has been able to read.

use std::collections::BTreeSet;

use sealwax_format::document::File;
use sealwax_format::keys::{Label, Recipient};
use sealwax_format::native::{Layout, TokenKey, key_of};
use sealwax_format::{Error, Path};

/// The labels on a document's wraps. Claims, until a wrap was opened.
pub(crate) struct Named {
    /// On at least one of its keys.
    pub(crate) anywhere: BTreeSet<Label>,
    /// On each of its keys.
    pub(crate) everywhere: BTreeSet<Label>,
}

impl Named {
    /// Of one document.
    pub(crate) fn of(file: &File<'_>, layout: &Layout<'_>) -> Result<Self, Error> {
        let mut sets: Vec<BTreeSet<Label>> = Vec::new();
        if let Some(key) = layout.block.as_ref().and_then(|block| block.key.as_ref()) {
            sets.push(key.wraps.iter().map(|(label, _)| label.clone()).collect());
        }
        for leaf in &layout.leaves {
            if let Some(token) = layout.token(file, leaf)?
                && let TokenKey::Own { wraps, .. } = token.key
            {
                sets.push(wraps.into_iter().map(|(label, _)| label).collect());
            }
        }
        let everywhere = sets.iter().skip(1).fold(sets.first().cloned().unwrap_or_default(), |all, set| &all & set);
        Ok(Self { anywhere: sets.into_iter().flatten().collect(), everywhere })
    }
}

/// What separates the named readers from the wanted ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    /// They read and shall not.
    pub(crate) removed: BTreeSet<Label>,
    /// Older keys of names that shall read.
    pub(crate) superseded: BTreeSet<Label>,
    /// They shall read, and at least one key is not wrapped for them.
    pub(crate) added: BTreeSet<Label>,
}

impl Change {
    /// A reader of the same name with another key is superseded, not removed.
    pub(crate) fn between(named: &Named, wanted: &[Recipient]) -> Self {
        let wanted: BTreeSet<_> = wanted.iter().map(Recipient::label).cloned().collect();
        let gone = named.anywhere.difference(&wanted).cloned();
        let same_name = |label: &Label| wanted.iter().any(|other| other.name() == label.name());
        let (superseded, removed) = gone.partition(same_name);
        Self { removed, superseded, added: wanted.difference(&named.everywhere).cloned().collect() }
    }

    /// Whether the readers are those wanted.
    pub(crate) fn is_none(&self) -> bool {
        self.removed.is_empty() && self.superseded.is_empty() && self.added.is_empty()
    }
}

/// The values whose keys are wrapped for a label: told without any key.
pub(crate) fn readable(file: &File<'_>, layout: &Layout<'_>, label: &Label) -> Result<Vec<Path>, Error> {
    let mut paths = Vec::new();
    for leaf in &layout.leaves {
        if let Some(token) = layout.token(file, leaf)?
            && key_of(layout.block.as_ref(), &token).is_ok_and(|(_, wraps)| wraps.iter().any(|(l, _)| l == label))
        {
            paths.push(leaf.path.clone());
        }
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipient(name: &str) -> Recipient {
        Recipient::parse(name, &age::x25519::Identity::generate().to_public().to_string()).unwrap()
    }

    fn labels(recipients: &[&Recipient]) -> BTreeSet<Label> {
        recipients.iter().map(|recipient| recipient.label().clone()).collect()
    }

    #[test]
    fn a_newer_key_of_a_name_supersedes_and_removes_nobody() {
        let (alice, old, new, bob) = (recipient("alice"), recipient("prod"), recipient("prod"), recipient("bob"));
        let named = Named { anywhere: labels(&[&alice, &old, &bob]), everywhere: labels(&[&alice, &old]) };
        let change = Change::between(&named, &[alice.clone(), new.clone()]);
        let expected = Change { removed: labels(&[&bob]), superseded: labels(&[&old]), added: labels(&[&new]) };
        assert_eq!(change, expected);
        assert!(
            Change::between(&Named { anywhere: labels(&[&alice]), everywhere: labels(&[&alice]) }, &[alice]).is_none()
        );
    }
}
