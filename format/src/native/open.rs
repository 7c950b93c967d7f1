//! Opening: tokens to values, and a whole document back to its plain source.

use std::collections::{HashMap, HashSet};

use zeroize::Zeroizing;

use super::keyblock::BLOCK_KEY;
use super::keyblock::{KeyBlock, SPEC_FIELDS};
use super::layout::{Layout, at};
use super::place::Place;
use super::token::{Token, TokenKey};
use super::value::open_sealed;
use crate::document::File;
use crate::document::present::{self, Expected};
use crate::document::rewrite::{Rewrite, RewriteError};
use crate::document::walk::Leaf;
use crate::error::{Error, Problem};
use crate::keys::{Keyring, Label, OpenKeyError};
use crate::padding::{Plaintext, ValueType};
use crate::path::Path;
use crate::primitives::{DataKey, KeyId, ValueKey};

/// Opens data keys once and remembers them for this operation, by their full id: the id commits to the key.
pub struct Opener<'k> {
    keyring: &'k Keyring,
    keys: HashMap<KeyId, (DataKey, ValueKey)>,
}

impl<'k> Opener<'k> {
    /// With these identities.
    pub fn new(keyring: &'k Keyring) -> Self {
        Self { keyring, keys: HashMap::new() }
    }

    /// Opens a value.
    pub fn open(
        &mut self,
        block: Option<&KeyBlock>,
        place: &Place,
        path: &Path,
        token: &Token,
    ) -> Result<Plaintext, Problem> {
        let (id, wraps) = key_of(block, token)?;
        if matches!(token.key, TokenKey::Own { .. }) {
            // Its own wraps must open, even where the key is known from elsewhere: they are what readers will have.
            let key = self.keyring.open(id, wraps).map_err(|error| open_key_problem(error, wraps))?;
            return open_sealed(&key.value_key(), id, place, path, &token.sealed);
        }
        let key = &self.key(id, wraps)?.1;
        open_sealed(key, id, place, path, &token.sealed)
    }

    /// The data key itself, to be wrapped for added readers. It never encrypts.
    pub(super) fn data_key(&mut self, id: &KeyId, wraps: &[(Label, Vec<u8>)]) -> Result<&DataKey, Problem> {
        Ok(&self.key(id, wraps)?.0)
    }

    fn key(&mut self, id: &KeyId, wraps: &[(Label, Vec<u8>)]) -> Result<&(DataKey, ValueKey), Problem> {
        // Two look-ups instead of one: the entry API would clone the id for every value.
        if !self.keys.contains_key(id) {
            let key = self.keyring.open(id, wraps).map_err(|error| open_key_problem(error, wraps))?;
            let value_key = key.value_key();
            self.keys.insert(id.clone(), (key, value_key));
        }
        self.keys.get(id).ok_or(Problem::Altered)
    }
}

fn open_key_problem(error: OpenKeyError, wraps: &[(Label, Vec<u8>)]) -> Problem {
    match error {
        OpenKeyError::NoIdentity => {
            Problem::NoIdentity { readers: wraps.iter().map(|(label, _)| label.clone()).collect() }
        }
        other => Problem::OpenKey(other),
    }
}

/// A data key's id and its wraps.
pub type WrappedKey<'t> = (&'t KeyId, &'t [(Label, Vec<u8>)]);

/// The id and wraps of the key that a token needs.
pub fn key_of<'t>(block: Option<&'t KeyBlock>, token: &'t Token) -> Result<WrappedKey<'t>, Problem> {
    match &token.key {
        TokenKey::Own { id, wraps } => Ok((id, wraps)),
        TokenKey::Document(short) => {
            let key = block.and_then(|block| block.key.as_ref()).ok_or(Problem::NoBlock)?;
            if key.id.short() == short { Ok((&key.id, &key.wraps)) } else { Err(Problem::MixedKeys) }
        }
    }
}

/// A value of a document, opened.
#[derive(Debug)]
pub struct Opened {
    /// Its position in [`Layout::leaves`].
    pub leaf: usize,
    /// The token it came from.
    pub token: Token,
    /// What was in it.
    pub plaintext: Plaintext,
}

/// Opens every token of a document, at the place that its block states and its object fits.
pub fn open_all(file: &File<'_>, layout: &Layout<'_>, opener: &mut Opener<'_>) -> Result<Vec<Opened>, Error> {
    match layout.stated_place().map_err(Error::of_file)? {
        Some(place) => open_all_at(file, layout, opener, &place),
        None => match first_token(file, layout)? {
            Some(leaf) => Err(at(file, leaf, Problem::NoBlock)),
            None => Ok(Vec::new()),
        },
    }
}

/// Opens every token of a document at a place that the object need no longer fit: for moving values.
pub fn open_all_at(
    file: &File<'_>,
    layout: &Layout<'_>,
    opener: &mut Opener<'_>,
    place: &Place,
) -> Result<Vec<Opened>, Error> {
    let mut opened = Vec::new();
    for (position, leaf) in layout.leaves.iter().enumerate() {
        if let Some(token) = layout.token(file, leaf)? {
            let plaintext = open_at(file, layout, opener, leaf, &token, place)?;
            opened.push(Opened { leaf: position, token, plaintext });
        }
    }
    Ok(opened)
}

fn first_token<'l, 'd>(file: &File<'_>, layout: &'l Layout<'d>) -> Result<Option<&'l Leaf<'d>>, Error> {
    for leaf in &layout.leaves {
        if layout.token(file, leaf)?.is_some() {
            return Ok(Some(leaf));
        }
    }
    Ok(None)
}

/// Opens the token at one leaf.
pub fn open_leaf(
    file: &File<'_>,
    layout: &Layout<'_>,
    opener: &mut Opener<'_>,
    leaf: &Leaf<'_>,
    token: &Token,
) -> Result<Plaintext, Error> {
    let place = layout.stated_place().map_err(|problem| at(file, leaf, problem))?;
    let place = place.ok_or_else(|| at(file, leaf, Problem::NoBlock))?;
    open_at(file, layout, opener, leaf, token, &place)
}

fn open_at(
    file: &File<'_>,
    layout: &Layout<'_>,
    opener: &mut Opener<'_>,
    leaf: &Leaf<'_>,
    token: &Token,
    place: &Place,
) -> Result<Plaintext, Error> {
    if let Some(hazard) = leaf.hazard {
        return Err(at(file, leaf, hazard));
    }
    let opened =
        opener.open(layout.block.as_ref(), place, &leaf.path, token).map_err(|problem| at(file, leaf, problem))?;
    // Kubernetes knows no numbers in a Secret; whoever sealed one there did not use this format.
    if layout.in_spec() && !matches!(opened.value_type, ValueType::String | ValueType::Binary) {
        return Err(at(file, leaf, Problem::Altered));
    }
    Ok(opened)
}

/// A file decrypted.
#[derive(Debug)]
pub struct Decrypted {
    /// The plain source.
    pub text: Zeroizing<String>,
    /// How many values were opened.
    pub values: usize,
    /// Values whose recorded way of writing no longer fits, written in the canonical way instead.
    pub rewritten: Vec<Path>,
}

/// Opens every token of every document and takes the key blocks out.
pub fn decrypt(file: &File<'_>, opener: &mut Opener<'_>) -> Result<Decrypted, Error> {
    let mut documents = Vec::with_capacity(file.documents.len());
    for index in 0..file.documents.len() {
        let layout = Layout::read(file, index)?;
        let opened = open_all(file, &layout, opener)?;
        documents.push((layout, opened));
    }
    let values = documents.iter().map(|(_, opened)| opened.len()).sum();
    let mut plainly = HashSet::new();
    // First as it was written; then the canonical way for what did not fit; then, if the culprit cannot be told
    // apart because the whole no longer parses, the canonical way for everything.
    for attempt in 0..3 {
        match restore(file, &documents, &plainly) {
            Ok(text) => {
                let rewritten = paths_of(&documents, &plainly);
                return Ok(Decrypted { text, values, rewritten });
            }
            Err(Error { problem: Problem::Rewrite(RewriteError::Values(wrong)), .. }) if attempt < 2 => {
                plainly.extend(wrong);
            }
            Err(Error { problem: Problem::Rewrite(_) | Problem::Unwritable, .. }) if attempt < 2 => {
                plainly.extend(everything(&documents));
            }
            Err(error) => return Err(error),
        }
    }
    Err(Error::of_file(Problem::Unwritable))
}

type Documents<'d> = [(Layout<'d>, Vec<Opened>)];

fn everything(documents: &Documents<'_>) -> Vec<(usize, usize)> {
    let ids = documents
        .iter()
        .flat_map(|(layout, opened)| opened.iter().map(|value| (layout.index, layout.leaves[value.leaf].node.id)));
    ids.collect()
}

fn paths_of(documents: &Documents<'_>, ids: &HashSet<(usize, usize)>) -> Vec<Path> {
    let all = documents.iter().flat_map(|(layout, opened)| opened.iter().map(move |value| (layout, value)));
    all.filter(|(layout, value)| ids.contains(&(layout.index, layout.leaves[value.leaf].node.id)))
        .filter(|(_, value)| !value.plaintext.presentation.is_empty())
        .map(|(layout, value)| layout.leaves[value.leaf].path.clone())
        .collect()
}

fn restore(
    file: &File<'_>,
    documents: &Documents<'_>,
    plainly: &HashSet<(usize, usize)>,
) -> Result<Zeroizing<String>, Error> {
    let mut rewrite = Rewrite::new(file);
    for (layout, opened) in documents {
        for value in opened {
            let leaf = &layout.leaves[value.leaf];
            let (Some(scalar), Some(around)) = (leaf.scalar, leaf.around) else {
                continue;
            };
            let Plaintext { value_type, value: bytes, presentation } = &value.plaintext;
            let canonical = plainly.contains(&(layout.index, leaf.node.id));
            let presentation = if canonical { &[] } else { presentation.expose() };
            let target = layout.target(file, around);
            let written = present::write(*value_type, bytes.expose(), presentation, target)
                .ok_or_else(|| at(file, leaf, Problem::Unwritable))?;
            let expected = Expected { value_type: *value_type, value: bytes.duplicate() };
            rewrite.replace(layout.index, leaf.node, scalar, written, expected);
        }
        remove_block(&mut rewrite, layout).map_err(Error::of_file)?;
    }
    rewrite.finish().map_err(Error::of_file)
}

pub(super) fn remove_block(rewrite: &mut Rewrite<'_, '_>, layout: &Layout<'_>) -> Result<(), RewriteError> {
    let (Some(_), Some(host)) = (&layout.block, layout.host) else {
        return Ok(());
    };
    let in_spec = layout.in_spec();
    for (index, (key, _)) in host.entries().iter().enumerate() {
        let ours = key.text().is_some_and(|k| if in_spec { SPEC_FIELDS.contains(&k) } else { k == BLOCK_KEY });
        if ours {
            rewrite.remove(layout.index, host, index)?;
        }
    }
    Ok(())
}
