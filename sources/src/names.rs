//! What bounds a find, whatever the provider.

use crate::SourceError;

/// Names that one find looks at.
pub(crate) const MOST_SEEN: usize = 100_000;

/// An error once a find has seen more names than one may.
pub(crate) fn within_bounds(provider: &'static str, seen: usize) -> Result<(), SourceError> {
    let why = "there are more than 100000 secrets to look through: find less";
    if seen > MOST_SEEN { Err(SourceError::invalid(provider, "find", why)) } else { Ok(()) }
}
