//! Merging dotenv and INI, name by name: what one side changed is done to the other.

use std::collections::{BTreeSet, HashMap};

use zeroize::Zeroizing;

use super::comments::comments;
use super::merge::Side;
use crate::document::entry::{self, Value};
use crate::document::rewrite::Rewrite;
use crate::document::walk::leaves;
use crate::document::{File, Syntax, removal};
use crate::padding::ValueType;
use crate::path::Path;

/// The merged file without encryption; `None` where both sides changed the same name otherwise, or both their comments.
pub(super) fn merge(
    base: Option<&Side<'_, '_>>,
    ours: &Side<'_, '_>,
    theirs: &Side<'_, '_>,
) -> Option<Zeroizing<String>> {
    let syntax = ours.file.syntax;
    let plain = |side: &Side<'_, '_>| side.layout.decrypt(side.file, side.cipher, side.opened).ok();
    let base = if let Some(base) = base { plain(base)? } else { Zeroizing::default() };
    let (ours, theirs) = (plain(ours)?, plain(theirs)?);
    let said = |text: &str| Some(comments_of(&File::parse(text, syntax).ok()?));
    let (before, our, their) = (said(&base)?, said(&ours)?, said(&theirs)?);
    // Comments are taken from one side, whole. A section that goes is gone from one of them only.
    let onto_ours = (their == before || their == our).then(|| applied(&base, ours.clone(), &theirs, syntax));
    let onto_theirs = || (our == before || our == their).then(|| applied(&base, theirs, &ours, syntax));
    onto_ours.flatten().or_else(|| onto_theirs().flatten())
}

/// A value and its path.
type Text = (Path, Zeroizing<String>);

fn comments_of(file: &File<'_>) -> Vec<Zeroizing<String>> {
    let texts = comments(file).into_iter().filter_map(|comment| file.source.get(comment.text));
    texts.map(|text| Zeroizing::new(text.to_owned())).collect()
}

/// A text with what another one changed since they were the same.
fn applied(base: &str, mut onto: Zeroizing<String>, from: &str, syntax: Syntax) -> Option<Zeroizing<String>> {
    let (before, after, own) = (values(base, syntax)?, values(from, syntax)?, values(&onto, syntax)?);
    let by_path = |values: &'_ [Text]| -> HashMap<Path, Zeroizing<String>> { values.iter().cloned().collect() };
    let (known, new, held) = (by_path(&before), by_path(&after), by_path(&own));
    let gone = before.iter().filter(|(path, _)| !new.contains_key(path));
    let mut changes = Vec::new();
    for (path, _) in gone.chain(&after) {
        let (was, is, own) = (known.get(path), new.get(path), held.get(path));
        if was == is || own == is {
            continue;
        }
        if own != was {
            return None;
        }
        changes.push((path, is.map(|text| Value::Scalar(ValueType::String, text.as_bytes()))));
    }
    let sections = merged_sections([base, from, &onto], syntax)?;
    // What is there changes in one go. Each new entry goes behind the last one.
    let (there, new): (Vec<_>, Vec<_>) = changes.iter().partition(|(path, _)| held.contains_key(*path));
    let mut steps = vec![there];
    steps.extend(new.into_iter().map(|one| vec![one]));
    for step in steps {
        let file = File::parse(&onto, syntax).ok()?;
        let mut rewrite = Rewrite::new(&file);
        for (path, value) in step {
            match value {
                Some(value) => entry::put(&file, 0, path, value, &mut rewrite).ok()?,
                None => removal::remove(&file, 0, path, &mut rewrite).ok()?,
            }
        }
        onto = rewrite.finish().ok()?;
    }
    (roots(&onto, syntax)? == sections).then_some(onto)
}

/// The names on the first level that a merged file has: sections of INI may be empty.
fn merged_sections([base, from, onto]: [&str; 3], syntax: Syntax) -> Option<BTreeSet<String>> {
    let (before, after, own) = (roots(base, syntax)?, roots(from, syntax)?, roots(onto, syntax)?);
    let is_merged = |name: &&String| after.contains(*name) || !before.contains(*name);
    let came = after.iter().filter(|name| !before.contains(*name));
    Some(own.iter().filter(is_merged).chain(came).cloned().collect())
}

fn roots(text: &str, syntax: Syntax) -> Option<BTreeSet<String>> {
    let file = File::parse(text, syntax).ok()?;
    let entries = file.documents.iter().flat_map(|document| document.root.entries());
    entries.map(|(key, _)| Some(key.text()?.to_owned())).collect()
}

/// The values of a text in their order; `None` for something that is no file.
fn values(text: &str, syntax: Syntax) -> Option<Vec<Text>> {
    let file = File::parse(text, syntax).ok()?;
    let leaves = file.documents.iter().flat_map(leaves);
    leaves.map(|leaf| Some((leaf.path, Zeroizing::new(leaf.scalar?.value.to_string())))).collect()
}
