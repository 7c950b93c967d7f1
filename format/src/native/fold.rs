//! Changing readers and places: wrapping known keys for more readers, and folding everything under a fresh key.

use super::keyblock::{DocumentKey, KeyBlock};
use super::layout::{Layout, at};
use super::open::{Opened, Opener};
use super::place::Place;
use super::seal::{put_block, put_token, sealed_for};
use super::token::{Token, TokenKey};
use super::value::{FreshKey, Readers};
use crate::document::File;
use crate::document::rewrite::Rewrite;
use crate::error::{Error, Problem};
use crate::keys::{Label, Recipient};
use crate::primitives::{KeyId, Random};

/// Re-encrypts every value of a document for a place and its readers, under one freshly minted key.
pub fn fold<R: Readers + ?Sized>(
    file: &File<'_>,
    layout: &Layout<'_>,
    opened: &[Opened],
    place: &Place,
    readers: &R,
    random: &mut dyn Random,
    rewrite: &mut Rewrite<'_, '_>,
) -> Result<(), Error> {
    let key = FreshKey::mint(random).map_err(Error::of_file)?;
    for value in opened {
        let leaf = &layout.leaves[value.leaf];
        let sealed =
            key.seal(random, place, &leaf.path, &value.plaintext).map_err(|problem| at(file, leaf, problem))?;
        let token = Token { key: TokenKey::Document(key.id().short().to_owned()), sealed };
        put_token(file, layout, leaf, &token, rewrite);
    }
    let wraps = key.wraps(readers).map_err(Error::of_file)?;
    let block = KeyBlock { sealed_for: sealed_for(place), key: Some(DocumentKey { id: key.id().clone(), wraps }) };
    put_block(file, layout, &block, rewrite).map_err(Error::of_file)
}

/// Which wraps stay, and which are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rewrap {
    /// Exactly the wanted readers are named afterwards.
    Match,
    /// All stay; missing ones are made.
    Add,
    /// A wanted reader's wrap takes the place of those for older keys of the same name; all others stay.
    Supersede,
}

/// Changes the wraps of every key without touching a value.
///
/// For added readers, and for those whose wrap is replaced because the same name has a newer key. A reader who
/// must lose access needs a [`fold`]: he may have kept the keys.
pub fn rewrap(
    file: &File<'_>,
    layout: &Layout<'_>,
    opener: &mut Opener<'_>,
    wanted: &[Recipient],
    how: Rewrap,
    rewrite: &mut Rewrite<'_, '_>,
) -> Result<(), Error> {
    for leaf in &layout.leaves {
        let Some(Token { key: TokenKey::Own { id, wraps }, sealed }) = layout.token(file, leaf)? else {
            continue;
        };
        let renewed = renew(opener, &id, &wraps, wanted, how).map_err(|problem| at(file, leaf, problem))?;
        if renewed != wraps {
            let token = Token { key: TokenKey::Own { id, wraps: renewed }, sealed };
            put_token(file, layout, leaf, &token, rewrite);
        }
    }
    if let Some(KeyBlock { sealed_for, key: Some(DocumentKey { id, wraps }) }) = &layout.block {
        let renewed = renew(opener, id, wraps, wanted, how).map_err(Error::of_file)?;
        if renewed != *wraps {
            let key = DocumentKey { id: id.clone(), wraps: renewed };
            let block = KeyBlock { sealed_for: sealed_for.clone(), key: Some(key) };
            put_block(file, layout, &block, rewrite).map_err(Error::of_file)?;
        }
    }
    Ok(())
}

type Wraps = Vec<(Label, Vec<u8>)>;

fn renew(
    opener: &mut Opener<'_>,
    id: &KeyId,
    wraps: &Wraps,
    wanted: &[Recipient],
    how: Rewrap,
) -> Result<Wraps, Problem> {
    if wanted.is_empty() {
        return Err(Problem::NoReaders);
    }
    let stays = |label: &Label| match how {
        Rewrap::Match => wanted.iter().any(|recipient| recipient.label() == label),
        Rewrap::Add => true,
        Rewrap::Supersede => !wanted.iter().any(|recipient| supersedes(recipient.label(), label)),
    };
    let is_made = |label: &Label| how != Rewrap::Supersede || wraps.iter().any(|(old, _)| supersedes(label, old));
    let mut renewed: Wraps = wraps.iter().filter(|(label, _)| stays(label)).cloned().collect();
    for recipient in wanted {
        let label = recipient.label();
        if renewed.iter().any(|(standing, _)| standing == label) || !is_made(label) {
            continue;
        }
        let wrap = recipient.wrap(opener.data_key(id, wraps)?);
        renewed.push((label.clone(), wrap.map_err(|source| Problem::Wrap { label: label.clone(), source })?));
    }
    renewed.sort_by_key(|(label, _)| label.to_string());
    if renewed.len() > crate::keys::MAX_READERS { Err(Problem::TooManyReaders) } else { Ok(renewed) }
}

/// Whether one label is another key of the other's name.
fn supersedes(new: &Label, old: &Label) -> bool {
    new.name() == old.name() && new != old
}
