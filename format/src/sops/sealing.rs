//! Tokens in place of values and comments, and the block at the end of each document: the edits of a file that is encrypted.

use std::cell::LazyCell;
use std::ops::Range;

use zeroize::Zeroizing;

use super::cipher::{Token, Type};
use super::comments::{Comment, Containers, stands_in_list};
use super::kept_block::{self, KeptBlock};
use super::read::associated;
use super::stash::{CommentState, CommentsLeft, Known, Wanted};
use super::tree::{Tree, TreeComment};
use super::write::{Request, Selected, WriteError};
use crate::document::lines::Lines;
use crate::document::present::{Expected, Written, double_quoted};
use crate::document::rewrite::{Rewrite, RewriteError};
use crate::document::walk::Leaf;
use crate::document::{File, Syntax};
use crate::padding::ValueType;
use crate::path::Path;
use crate::primitives::Random;
use crate::secret::SecretBytes;

/// A file on its way to being encrypted.
pub(super) struct Sealing<'s, 'r, 'f, 'a> {
    file: &'f File<'a>,
    request: &'s Request<'r>,
    random: &'s mut dyn Random,
    as_before: bool,
    rewrite: Rewrite<'f, 'a>,
    /// Values encrypted anew.
    pub(super) sealed: usize,
    /// Tokens used again.
    pub(super) kept: usize,
}

impl<'s, 'r, 'f, 'a> Sealing<'s, 'r, 'f, 'a> {
    pub(super) fn new(
        file: &'f File<'a>,
        request: &'s Request<'r>,
        random: &'s mut dyn Random,
        as_before: bool,
    ) -> Self {
        Self { file, request, random, as_before, rewrite: Rewrite::new(file), sealed: 0, kept: 0 }
    }

    pub(super) fn finish(self) -> Result<Zeroizing<String>, RewriteError> {
        self.rewrite.finish()
    }

    pub(super) fn values<'l, 'd>(&mut self, selected: &[Selected<'l, 'd>]) -> Result<(), (&'l Leaf<'d>, WriteError)> {
        let wanted = selected.iter().map(|one| Wanted {
            document: one.document,
            path: &one.leaf.path,
            kind: one.kind,
            bytes: &one.bytes,
        });
        let wanted: Vec<_> = wanted.collect();
        let syntax = self.file.syntax;
        let known = self.request.tokens().map(|stash| stash.find(&wanted, syntax)).unwrap_or_default();
        for (index, one) in selected.iter().enumerate() {
            let known = known.get(index).copied().flatten();
            let token = match known {
                Some(known) => known.token.clone(),
                None => {
                    self.seal(one.kind, &one.bytes, &associated(&one.leaf.path)).map_err(|error| (one.leaf, error))?
                }
            };
            self.kept += usize::from(known.is_some());
            self.sealed += usize::from(known.is_none());
            let text = token.to_string();
            let written = known.and_then(|known| self.as_it_was(known, one)).unwrap_or_else(|| Written {
                head: if one.around.flow { double_quoted(&text, Syntax::Json) } else { text.clone() },
                body: None,
            });
            let expected = Expected { value_type: ValueType::String, value: SecretBytes::from(text) };
            self.rewrite.replace(one.document, one.leaf.node, one.scalar, written, expected);
        }
        Ok(())
    }

    /// A token as it was written in the earlier state, if it can stand so here.
    fn as_it_was(&self, known: &Known, one: &Selected<'_, '_>) -> Option<Written> {
        let plain = !known.written.head.starts_with(['"', '\'']);
        let fits =
            !one.around.flow || (!plain && self.file.syntax == Syntax::Yaml) || known.written.head.starts_with('"');
        (self.as_before && fits).then(|| Written { head: known.written.head.clone(), body: known.written.body.clone() })
    }

    pub(super) fn comments(&mut self, tree: &Tree<'_>) -> Result<(), WriteError> {
        let source = self.file.source;
        let mut left = CommentsLeft::default();
        let tokens = self.request.tokens();
        let mut containers = Containers::among(tree.values.iter().map(|value| &value.leaf));
        let lines = LazyCell::new(|| Lines::of(source));
        for TreeComment { document, text: range, container, selected } in &tree.comments {
            let text = source.get(range.clone()).unwrap_or_default();
            let text = &Zeroizing::new(Comment::said(text, self.file.syntax).into_owned());
            let known = tokens.and_then(|stash| {
                stash.find_comment(*document, containers.of(container, range.start), text, &mut left)
            });
            match known.map(|known| (&known.state, &known.container)) {
                Some((CommentState::Token(token), _)) => self.rewrite.comment(range.clone(), &token.to_string()),
                Some((CommentState::Item(token), list)) => self.item((*document, list), range.clone(), token, &lines),
                // An empty one stays: SOPS reads no token of nothing.
                Some((CommentState::Clear, _)) | None if text.is_empty() || !selected => {}
                // Nor is one of somebody else's encrypted twice.
                Some((CommentState::Clear, _)) if Token::parse(text).is_ok() => {}
                // One that stood in the clear and is selected was left so by somebody; SOPS encrypts it when it writes.
                Some((CommentState::Clear, _)) | None => {
                    let token = self.seal(Type::Comment, text.as_bytes(), &associated(container))?;
                    self.rewrite.comment(range.clone(), &token.to_string());
                }
            }
        }
        Ok(())
    }

    /// A comment that SOPS had made an item of a list is one again if its list is there; it is as good as a comment.
    fn item(&mut self, (document, list): (usize, &Path), text: Range<usize>, token: &Token, lines: &Lines) {
        let whole = text.start - 1..text.end;
        let root = self.file.documents.get(document).map(|document| &document.root);
        let list =
            root.and_then(|root| root.at(list)).filter(|list| stands_in_list(self.file.source, lines, list, &whole));
        match list {
            Some(list) => self.rewrite.comment_to_item(document, list, whole, &token.to_string()),
            None => self.rewrite.comment(text, &token.to_string()),
        }
    }

    pub(super) fn blocks(&mut self, digest: &[u8]) -> Result<(), WriteError> {
        let metadata = self.request.metadata;
        let text = Zeroizing::new(data_encoding::HEXUPPER.encode(digest));
        let bound_to = metadata.last_modified.as_bytes();
        let kept = self.request.stash.and_then(|stash| stash.block(0)).and_then(KeptBlock::mac);
        let kept = kept.filter(|(mac, time)| {
            *time == metadata.last_modified
                && self.request.cipher.open(mac, bound_to).is_some_and(|old| old.as_slice() == text.as_bytes())
        });
        let mac = match kept {
            Some((mac, _)) => mac.clone(),
            None => self.seal(Type::Text, text.as_bytes(), bound_to)?,
        };
        for document in 0..self.file.documents.len() {
            let kept = self.request.stash.and_then(|stash| stash.block(document));
            kept_block::put(kept, metadata, &mac, self.file, document, &mut self.rewrite);
        }
        Ok(())
    }

    fn seal(&mut self, kind: Type, bytes: &[u8], bound_to: &[u8]) -> Result<Token, WriteError> {
        Ok(self.request.cipher.seal(self.random, kind, bytes, bound_to)?)
    }
}
