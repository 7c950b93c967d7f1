//! Changing single values: no private key is needed, and no key that stands in the document is used.

use zeroize::Zeroizing;

use super::keyblock::KeyBlock;
use super::layout::{Layout, in_block, is_identifying};
use super::seal::{Request, is_selected, put_block, put_token, same_place, sealed_for};
use super::token::Token;
use super::value::{Readers, seal_alone};
use crate::document::present::{double_quoted, quote_if_needed, write_token};
use crate::document::rewrite::Rewrite;
use crate::document::walk::{Around, Hazard};
use crate::document::{File, Kind, Node, Syntax};
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
    match layout.leaf(path) {
        Some(leaf) => {
            if let Some(hazard) = leaf.hazard {
                return Err(here(hazard.into()));
            }
            put_token(file, layout, leaf, &token, &mut rewrite);
        }
        None => insert_token(file, layout, path, &token, &mut rewrite).map_err(here)?,
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

/// Adds the token under the deepest mapping of the path that exists, with the mappings in between.
fn insert_token(
    file: &File<'_>,
    layout: &Layout<'_>,
    path: &Path,
    token: &Token,
    rewrite: &mut Rewrite<'_, '_>,
) -> Result<(), Problem> {
    let root = &file.documents[layout.index].root;
    let mut parent = root;
    let mut missing = path.0.as_slice();
    while let Some((Step::Key(key), rest)) = missing.split_first() {
        match parent.get(key) {
            Some(next) => (parent, missing) = (next, rest),
            None => break,
        }
    }
    if missing.is_empty() {
        return Err(Problem::NotAValue);
    }
    if !matches!(parent.kind, Kind::Mapping { .. }) {
        return Err(Problem::NoSuchPath);
    }
    refuse_anchors(root, path)?;
    let mut keys = Vec::new();
    for step in missing {
        match step {
            Step::Key(key) => keys.push(key.as_str()),
            Step::Item(_) => return Err(Problem::NoSuchPath),
        }
    }
    let text = if parent.is_flow() {
        flow_entry(file, &keys, token)
    } else {
        block_entry(file, layout, parent.column, &keys, token)
    };
    rewrite.insert(layout.index, parent, keys[0], &text);
    Ok(())
}

fn refuse_anchors(root: &Node, path: &Path) -> Result<(), Problem> {
    let mut node = root;
    for step in &path.0 {
        if node.anchor != 0 {
            return Err(Hazard::Anchor.into());
        }
        match step {
            Step::Key(key) if key == "<<" => return Err(Hazard::Merge.into()),
            Step::Key(key) => match node.get(key) {
                Some(next) => node = next,
                None => return Ok(()),
            },
            Step::Item(_) => return Ok(()),
        }
    }
    Ok(())
}

fn flow_entry(file: &File<'_>, keys: &[&str], token: &Token) -> String {
    let around = Around { flow: true, column: 0 };
    let quote =
        |key: &str| if file.syntax == Syntax::Json { double_quoted(key, Syntax::Json) } else { quote_if_needed(key) };
    let target = crate::document::present::Target { syntax: file.syntax, around, line_break: "\n" };
    let mut text = write_token(&token.lines(), target).head.clone();
    for (position, key) in keys.iter().enumerate().rev() {
        text = format!("{}: {text}", quote(key));
        if position > 0 {
            text = format!("{{{text}}}");
        }
    }
    text
}

fn block_entry(file: &File<'_>, layout: &Layout<'_>, column: usize, keys: &[&str], token: &Token) -> String {
    let mut lines = Vec::new();
    for (depth, key) in keys.iter().enumerate() {
        lines.push(format!("{}{}:", " ".repeat(column + 2 * depth), quote_if_needed(key)));
    }
    let around = Around { flow: false, column: column + 2 * (keys.len() - 1) };
    let written = write_token(&token.lines(), layout.target(file, around));
    if let Some(line) = lines.last_mut() {
        line.push(' ');
        line.push_str(&written.head);
    }
    lines.extend(written.body.clone());
    lines.join(file.line_break())
}
