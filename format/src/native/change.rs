//! Changing single values: no private key is needed, and no key that stands in the document is used.

use zeroize::Zeroizing;

use super::keyblock::KeyBlock;
use super::layout::{Layout, in_block, is_identifying};
use super::seal::{Request, is_selected, put_block, put_token, same_place, sealed_for};
use super::value::{Readers, seal_alone};
use crate::document::entry::{self, EntryError};
use crate::document::present::{Target, write_token};
use crate::document::rewrite::Rewrite;
use crate::document::{File, Syntax};
use crate::error::{Error, Problem};
use crate::padding::{Plaintext, ValueType};
use crate::path::{Path, Step};
use crate::primitives::Random;

/// Seals one value and writes it at a path, in the place of what is there or as a new entry.
pub fn set_value<R: Readers + ?Sized>(
    file: &File<'_>,
    layout: &Layout<'_>,
    request: &Request<'_, R>,
    path: &Path,
    plaintext: &Plaintext,
    random: &mut dyn Random,
) -> Result<Zeroizing<String>, Error> {
    let here = |problem: Problem| Error { line: None, path: Some(path.clone()), problem };
    if in_block(path, layout.in_spec()) {
        return Err(here(Problem::InBlock));
    }
    if is_identifying(layout, path) {
        return Err(here(Problem::Identifying));
    }
    if file.syntax == Syntax::Json && plaintext.value_type == ValueType::Binary {
        return Err(here(Problem::Unwritable));
    }
    if layout.in_spec() && !matches!(plaintext.value_type, ValueType::String | ValueType::Binary) {
        return Err(here(Problem::NotAString));
    }
    match &layout.block {
        Some(block) => same_place(layout, block, &request.place).map_err(here)?,
        None => refuse_clear_neighbours(file, layout, request, path)?,
    }
    let mut rewrite = Rewrite::new(file);
    let token = seal_alone(random, request.readers, &request.place, path, plaintext).map_err(here)?;
    if let Some(leaf) = layout.leaf(path) {
        if let Some(hazard) = leaf.hazard {
            return Err(here(hazard.into()));
        }
        put_token(file, layout, leaf, &token, &mut rewrite);
    } else {
        let written = |target: Target| Some(write_token(&token.lines(), target));
        entry::insert(file, layout.index, path, written, &mut rewrite).map_err(|error| here(no_place(error)))?;
    }
    if layout.block.is_none() {
        let block = KeyBlock { sealed_for: sealed_for(&request.place), key: None };
        put_block(file, layout, &block, &mut rewrite).map_err(here)?;
    }
    rewrite.finish().map_err(|error| here(error.into()))
}

/// Takes the entry at a path out of its mapping.
pub fn unset_value(file: &File<'_>, layout: &Layout<'_>, path: &Path) -> Result<Zeroizing<String>, Error> {
    let here = |problem: Problem| Error { line: None, path: Some(path.clone()), problem };
    let Some((Step::Key(key), parent)) = path.0.split_last() else {
        return Err(here(Problem::NoSuchPath));
    };
    let parent =
        file.documents[layout.index].root.at(&Path(parent.to_vec())).ok_or_else(|| here(Problem::NoSuchPath))?;
    let index = parent.entries().iter().position(|(k, _)| k.text() == Some(key));
    let mut rewrite = Rewrite::new(file);
    let index = index.ok_or_else(|| here(Problem::NoSuchPath))?;
    rewrite.remove(layout.index, parent, index).map_err(|error| here(error.into()))?;
    rewrite.finish().map_err(|error| here(error.into()))
}

/// A first token makes the document look encrypted, so nothing selected may still stand in the clear beside it.
fn refuse_clear_neighbours<R: Readers + ?Sized>(
    file: &File<'_>,
    layout: &Layout<'_>,
    request: &Request<'_, R>,
    path: &Path,
) -> Result<(), Error> {
    for leaf in layout.leaves.iter().filter(|leaf| leaf.path != *path) {
        let empty = leaf.scalar.is_some_and(|s| s.value.is_empty() && s.head.is_empty());
        if !empty && is_selected(layout, request.select, &leaf.path) && layout.token(file, leaf)?.is_none() {
            return Err(super::layout::at(file, leaf, Problem::ClearNeighbours));
        }
    }
    Ok(())
}

fn no_place(error: EntryError) -> Problem {
    match error {
        EntryError::Exists => Problem::NotAValue,
        EntryError::NoMapping => Problem::NoSuchPath,
        EntryError::Unwritable => Problem::Unwritable,
        EntryError::Hazard(hazard) => hazard.into(),
    }
}
