//! What finds have in common: the names that are looked for, and how many may be.

use regex::Regex;

use crate::{Query, SourceError};

/// Names that one find looks at.
pub(crate) const MOST_SEEN: usize = 100_000;

/// Names that one find may give: each becomes an item, and is read.
const MOST_FOUND: usize = 10_000;

/// An error once a find has seen more names than one may.
pub(crate) fn within_bounds(provider: &'static str, seen: usize) -> Result<(), SourceError> {
    let why = "there are more than 100000 secrets to look through: find less";
    if seen > MOST_SEEN { Err(SourceError::invalid(provider, "find", why)) } else { Ok(()) }
}

/// What a find found, unless that is more than any Secret could hold.
pub(crate) fn few_enough(provider: &'static str, found: Vec<String>) -> Result<Vec<String>, SourceError> {
    let why = "more than 10000 secrets are found: narrow it down";
    if found.len() > MOST_FOUND { Err(SourceError::invalid(provider, "find", why)) } else { Ok(found) }
}

/// The regular expression of a query, if it has one. Its size is bounded: it comes from a manifest.
pub(crate) fn name_pattern(provider: &'static str, query: &Query) -> Result<Option<Regex>, SourceError> {
    let build = |text: &String| regex::RegexBuilder::new(text).size_limit(1 << 20).build();
    let invalid = |_| SourceError::invalid(provider, "find", "the regular expression is not valid");
    query.name.as_ref().map(build).transpose().map_err(invalid)
}
