//! The tokens of an earlier state of a file, and how they were written: what did not change keeps both.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::cipher::{Cipher, Token, Type};
use super::comment_items::CommentItems;
use super::comments::Comment;
use super::kept_block::KeptBlock;
use super::read::{Layout, OpenedValue, associated};
use super::scalar::normalised;
use crate::document::present::Written;
use crate::document::{File, Syntax};
use crate::path::Path;
use crate::primitives::{Random, RandomError};

/// What an earlier state of a file held, by what is in its tokens and where.
pub struct Stash {
    /// For [`Digest`]s: nobody who sees one can try values against it.
    secret: Zeroizing<[u8; 32]>,
    /// Opens under the data key of the file, and under no other.
    witness: Token,
    values: Vec<Known>,
    /// By document and path.
    places: HashMap<(usize, Path), usize>,
    /// By what is in them and what they are bound to, in order.
    alike: HashMap<Digest, Vec<usize>>,
    comments: Vec<KnownComment>,
    comments_alike: HashMap<Digest, Vec<usize>>,
    blocks: Vec<Option<KeptBlock>>,
}

/// A token and how it was written.
pub(super) struct Known {
    kind: Type,
    digest: Digest,
    pub(super) token: Token,
    pub(super) written: Written,
}

/// A comment: where it stood, and how.
pub(super) struct KnownComment {
    document: usize,
    pub(super) container: Path,
    pub(super) state: CommentState,
}

/// How a comment stood in the earlier state.
#[derive(Clone)]
pub(super) enum CommentState {
    /// As it is.
    Clear,
    /// As an encrypted comment.
    Token(Token),
    /// As an encrypted item of a list.
    Item(Token),
}

/// A value to be encrypted, as the stash is asked for it.
pub(super) struct Wanted<'w> {
    pub(super) document: usize,
    pub(super) path: &'w Path,
    pub(super) kind: Type,
    pub(super) bytes: &'w [u8],
}

/// Stands for a value in the tables, so that they hold no further copy of it.
type Digest = [u8; 32];

/// What the witness is bound to: no path, of which each ends with a colon.
const WITNESS: &[u8] = b"stash";

impl Stash {
    /// Of a file that was opened.
    pub fn of(
        layout: &Layout<'_>,
        file: &File<'_>,
        cipher: &Cipher,
        opened: &[OpenedValue],
        random: &mut dyn Random,
    ) -> Result<Self, RandomError> {
        let mut secret = Zeroizing::new([0; 32]);
        random.fill(&mut *secret)?;
        let mut stash = Self {
            secret,
            witness: cipher.seal(random, Type::Text, WITNESS, WITNESS)?,
            values: Vec::new(),
            places: HashMap::new(),
            alike: HashMap::new(),
            comments: Vec::new(),
            comments_alike: HashMap::new(),
            blocks: file.documents.iter().map(|document| KeptBlock::of(file, &document.root)).collect(),
        };
        stash.add(layout, file, cipher, opened);
        Ok(stash)
    }

    /// Whether its tokens are under the key of this cipher: under another they would not open.
    pub(super) fn is_under(&self, cipher: &Cipher) -> bool {
        cipher.open(&self.witness, WITNESS).is_some_and(|opened| opened.as_slice() == WITNESS)
    }

    fn digest(&self, associated: &[u8], value: &[u8]) -> Digest {
        // A key of HMAC has any length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&*self.secret) else { unreachable!("HMAC takes every key") };
        mac.update(&crate::path::length(associated.len()));
        mac.update(associated);
        mac.update(value);
        mac.finalize().into_bytes().into()
    }

    /// The tokens of another file under the same data key too, after those that are known; under another key there are
    /// none of use.
    pub fn add(&mut self, layout: &Layout<'_>, file: &File<'_>, cipher: &Cipher, opened: &[OpenedValue]) {
        if !self.is_under(cipher) {
            return;
        }
        let items = CommentItems::of(layout);
        // In the order of the file, whether they are comments or items.
        let mut comments = BTreeMap::new();
        for one in opened.iter().filter(|one| one.kind == Type::Comment) {
            let Some((at, comment)) = comment_item(layout, one, &items) else { continue };
            comments.insert(at, comment);
        }
        for one in opened.iter().filter(|one| one.kind != Type::Comment) {
            self.add_value(layout, file, one, &items);
        }
        for comment in layout.comments(file, cipher) {
            let source = file.source.get(comment.text.clone()).unwrap_or_default();
            let (text, state) = match comment.opened {
                Some((token, text)) => (text, CommentState::Token(token)),
                None => (Zeroizing::new(Comment::said(source, file.syntax).into_owned()), CommentState::Clear),
            };
            let known = KnownComment { document: comment.document, container: comment.container, state };
            comments.insert(comment.text.start, (text, known));
        }
        for (text, known) in comments.into_values() {
            let digest = self.digest(&associated(&known.container), text.as_bytes());
            self.comments_alike.entry(digest).or_default().push(self.comments.len());
            self.comments.push(known);
        }
    }

    fn add_value(&mut self, layout: &Layout<'_>, file: &File<'_>, one: &OpenedValue, items: &CommentItems) {
        let Some(value) = layout.values.get(one.value) else { return };
        let (Some(token), Some(scalar)) = (value.token.clone(), value.leaf.scalar) else { return };
        let Some(bytes) = normalised(one.kind, &one.plaintext) else { return };
        let source = |range: Range<usize>| file.source.get(range).unwrap_or_default().to_owned();
        let written = Written { head: source(scalar.head.clone()), body: scalar.body.clone().map(source) };
        let digest = self.digest(&associated(&value.leaf.path), &bytes);
        let index = self.values.len();
        self.values.push(Known { kind: one.kind, digest, token, written });
        self.places.entry((value.document, items.plain(value.document, &value.leaf.path))).or_insert(index);
        self.alike.entry(digest).or_default().push(index);
    }

    /// The tokens for values, one for each: that which stood in the same place, else the first that is left.
    pub(super) fn find(&self, wanted: &[Wanted<'_>], syntax: Syntax) -> Vec<Option<&Known>> {
        let mut left = vec![true; self.values.len()];
        let mut take = |index: usize, want: &Wanted<'_>, digest: &Digest| {
            let known = self.values.get(index)?;
            let fits = known.digest == *digest && reads_as(known.kind, want.kind, syntax);
            let free = left.get_mut(index)?;
            (fits && std::mem::take(free)).then_some(known)
        };
        let digests: Vec<_> = wanted.iter().map(|want| self.digest(&associated(want.path), want.bytes)).collect();
        let same_place = |want: &Wanted<'_>| self.places.get(&(want.document, want.path.clone())).copied();
        let mut found: Vec<_> = wanted
            .iter()
            .zip(&digests)
            .map(|(want, digest)| same_place(want).and_then(|index| take(index, want, digest)))
            .collect();
        // Where the search among equal values goes on: a list may hold thousands of them.
        let mut next: HashMap<&Digest, std::slice::Iter<'_, usize>> = HashMap::new();
        for ((found, want), digest) in
            found.iter_mut().zip(wanted).zip(&digests).filter(|((found, _), _)| found.is_none())
        {
            let alike =
                next.entry(digest).or_insert_with(|| self.alike.get(digest).map_or(&[][..], Vec::as_slice).iter());
            *found = alike.find_map(|index| take(*index, want, digest));
        }
        found
    }

    /// The token of a value that stands alone in its file.
    pub(super) fn find_one(&self, path: &Path, kind: Type, bytes: &[u8]) -> Option<&Token> {
        let found = self.find(&[Wanted { document: 0, path, kind, bytes }], Syntax::Json);
        found.into_iter().next().flatten().map(|known| &known.token)
    }

    /// The earlier state of a comment that stood in one of the containers that it may stand in now; `left` are those
    /// that were not found yet.
    pub(super) fn find_comment(
        &self,
        document: usize,
        containers: &[Path],
        text: &str,
        left: &mut CommentsLeft,
    ) -> Option<&KnownComment> {
        left.free.resize(self.comments.len(), true);
        let mut candidates = Vec::new();
        for container in containers {
            let digest = self.digest(&associated(container), text.as_bytes());
            let alike = self.comments_alike.get(&digest).map_or(&[][..], Vec::as_slice);
            // The first ones are mostly taken: a file may hold thousands of the same.
            let from = left.from.entry(digest).or_default();
            *from += alike.iter().skip(*from).take_while(|index| left.free.get(**index) == Some(&false)).count();
            candidates.push(alike.get(*from..).unwrap_or_default());
        }
        let mut candidates = candidates.into_iter().flatten().filter(|index| left.free.get(**index) == Some(&true));
        let same = |known: &KnownComment| known.document == document && containers.first() == Some(&known.container);
        let first = candidates.clone().find(|index| self.comments.get(**index).is_some_and(same));
        let index = *first.or_else(|| candidates.next())?;
        left.free.get_mut(index).map(std::mem::take);
        self.comments.get(index)
    }

    /// The block of a document of the earlier file.
    pub(super) fn block(&self, document: usize) -> Option<&KeptBlock> {
        self.blocks.get(document).and_then(Option::as_ref)
    }
}

/// An encrypted comment that is an item of a list: where it stands, what it says, and what is known of it.
fn comment_item(
    layout: &Layout<'_>,
    one: &OpenedValue,
    items: &CommentItems,
) -> Option<(usize, (Zeroizing<String>, KnownComment))> {
    let value = layout.values.get(one.value)?;
    let (document, container) = items.place(value);
    let text = Zeroizing::new(std::str::from_utf8(&one.plaintext).ok()?.to_owned());
    let state = CommentState::Item(value.token.clone()?);
    Some((value.leaf.node.span.start, (text, KnownComment { document, container, state })))
}

/// Which comments of a stash were not found yet.
#[derive(Default)]
pub(super) struct CommentsLeft {
    free: Vec<bool>,
    /// Among those alike, how many at the beginning are taken.
    from: HashMap<Digest, usize>,
}

/// Whether a value of one type, written into a plain file, is read as the other: a float without a fraction reads as an
/// integer, and what has no type of its own in a file reads as text.
fn reads_as(kind: Type, seen: Type, syntax: Syntax) -> bool {
    kind == seen
        || matches!(syntax, Syntax::Dotenv | Syntax::Ini)
        || (kind == Type::Float && seen == Type::Int)
        || (seen == Type::Text && (kind == Type::Bytes || (kind == Type::Time && syntax == Syntax::Json)))
}
