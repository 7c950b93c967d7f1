//! Changes of names by regular expressions, in the syntax and with the meaning of Go.

use regex::RegexBuilder;
use sealwax_crds::Rewrite;

use super::Items;
use super::convert::renamed;
use super::error::EntryProblem;
use crate::functions::Pattern;

/// The most that a compiled expression may take.
const MAX_SIZE: usize = 1 << 20;
/// The longest expression, and the longest replacement.
const MAX_SOURCE: usize = 1024;
/// The most characters of classes whose other case is looked up, one by one.
const MAX_FOLDED: usize = 1 << 20;
/// The longest name while it is changed.
const MAX_NAME: usize = 4096;

/// Does all the changes, one after the other.
pub(super) fn names(mut items: Items, rewrite: &[Rewrite]) -> Result<Items, EntryProblem> {
    for (index, one) in rewrite.iter().enumerate() {
        let (source, target) = (&one.regexp.source, one.regexp.target.as_str());
        let expression = compiled(source).filter(|_| target.len() <= MAX_SOURCE);
        let expression = expression.ok_or(EntryProblem::Expression(index))?;
        items = renamed(items, &format!("rewrite[{index}]"), |name| {
            let short = |name: &str| name.len() <= MAX_NAME;
            let changed = short(name).then(|| expression.replace_all(name, target).into_owned());
            changed.filter(|name| short(name)).ok_or(EntryProblem::TooLong(index))
        })?;
    }
    Ok(items)
}

fn compiled(source: &str) -> Option<regex::Regex> {
    if source.len() > MAX_SOURCE {
        return None;
    }
    let pattern = Pattern::of_go(source).filter(|pattern| pattern.folded <= MAX_FOLDED)?;
    RegexBuilder::new(&pattern.text).size_limit(MAX_SIZE).dfa_size_limit(MAX_SIZE).build().ok()
}
