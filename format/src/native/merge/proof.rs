//! The proof that a merge lost nothing: the result is read again, and its tokens are counted against the sides'.

use std::collections::HashSet;

use super::rule::{Core, Outcome, core};
use super::slots::Plan;
use super::version::{Side, Spot, Three, Version, What, spot};
use crate::document::{File, Syntax};
use crate::native::keyblock::DocumentKey;
use crate::native::layout::Layout;
use crate::native::token::{TOKEN_PREFIX, Token};

/// A value where it stands: the place it is for, its path, and its ciphertext.
type Value = (Spot, Vec<u8>, Core);

/// What stands in one text.
struct Contents {
    values: HashSet<Value>,
    tokens: HashSet<String>,
    keys: Vec<DocumentKey>,
    /// Whether every token has its key.
    whole: bool,
}

/// Whether a text can pass for merged: it names no token, or each of its tokens has a key.
///
/// For texts that were merged as lines, without looking at what they mean: that can mix two keys.
pub fn is_sound(text: &str, syntax: Syntax) -> bool {
    !text.contains(TOKEN_PREFIX) || read(text, syntax).is_some_and(|contents| contents.whole)
}

/// Whether a merge is right, told from what it would be with everything that is not decided resolved to either side
/// (the same text twice if there is nothing):
///
/// * each value that a side brought, and each that both kept, is there, and no other;
/// * a path that both sides have is there, whichever side is kept;
/// * what is decided stands at a place where a side has it, and what both sides have is decided;
/// * no token, wrap or document key stands there that is not a side's, or the join of the sides' readers;
/// * at least one of the two texts has a key for each token.
pub(super) fn holds(ours: &str, theirs: &str, syntax: Syntax, versions: &Three<Version<'_>>, plan: &Plan) -> bool {
    let (Some(left), Some(right)) = (read(ours, syntax), read(theirs, syntax)) else {
        return false;
    };
    let [base, ours, theirs] = [Side::Base, Side::Ours, Side::Theirs].map(|side| values_of(versions.of(side)));
    let kept: HashSet<_> = ours.intersection(&theirs).collect();
    let brought: HashSet<_> = ours.difference(&base).chain(theirs.difference(&base)).collect();
    let decided: HashSet<_> = left.values.intersection(&right.values).collect();
    // What is not decided may be shown at a place for which it was not sealed: that can be why it is not decided.
    let shown: HashSet<_> = left.values.iter().chain(&right.values).map(placeless).collect();
    let sides: HashSet<_> = ours.iter().chain(&theirs).map(placeless).collect();
    let [in_left, in_right, in_ours, in_theirs] = [&left.values, &right.values, &ours, &theirs].map(paths);
    let both: HashSet<_> = in_ours.intersection(&in_theirs).copied().collect();
    let known = Known::of(versions, plan);
    kept.is_subset(&decided)
        && decided.iter().all(|value| kept.contains(value) || brought.contains(value))
        && brought.iter().all(|value| shown.contains(&placeless(value)))
        && shown.is_subset(&sides)
        && both.is_subset(&in_left)
        && both.is_subset(&in_right)
        && [&left, &right].iter().all(|contents| known.covers(contents))
        && (left.whole || right.whole)
}

fn paths(values: &HashSet<Value>) -> HashSet<&[u8]> {
    values.iter().map(|value| value.1.as_slice()).collect()
}

fn placeless(value: &Value) -> (&[u8], &Core) {
    (&value.1, &value.2)
}

fn values_of(version: &Version<'_>) -> HashSet<Value> {
    let values = version.pieces.iter().filter_map(|piece| match &piece.what {
        What::Token { path, token } => Some((version.documents[piece.document].spot(), path.encode(), core(token))),
        _ => None,
    });
    values.collect()
}

fn read(text: &str, syntax: Syntax) -> Option<Contents> {
    let mut contents = Contents { values: HashSet::new(), tokens: HashSet::new(), keys: Vec::new(), whole: true };
    if text.is_empty() {
        return Some(contents);
    }
    let file = File::parse(text, syntax).ok()?;
    for index in 0..file.documents.len() {
        let layout = Layout::read(&file, index).ok()?;
        let spot = spot(layout.object.as_ref(), layout.block.as_ref());
        for leaf in &layout.leaves {
            let Some(scalar) = leaf.scalar.filter(|scalar| Token::is_claimed_by(&scalar.value)) else { continue };
            let token = Token::parse(&scalar.value).ok()?;
            contents.whole &= layout.block.is_some() && layout.token(&file, leaf).is_ok();
            contents.values.insert((spot.clone(), leaf.path.encode(), core(&token)));
            contents.tokens.insert(token.to_string());
        }
        contents.keys.extend(layout.block.and_then(|block| block.key));
    }
    Some(contents)
}

/// What a merge may write.
struct Known {
    tokens: HashSet<String>,
    keys: Vec<DocumentKey>,
}

impl Known {
    fn of(versions: &Three<Version<'_>>, plan: &Plan) -> Self {
        let mut known = Self { tokens: HashSet::new(), keys: Vec::new() };
        for version in [&versions.ours, &versions.theirs] {
            known.keys.extend(version.documents.iter().filter_map(|document| document.key().cloned()));
            known.tokens.extend(version.pieces.iter().filter_map(|piece| match &piece.what {
                What::Token { token, .. } => Some(token.to_string()),
                _ => None,
            }));
        }
        for slot in &plan.slots {
            match &slot.outcome {
                Outcome::Token(token) => known.tokens.extend([token.to_string()]),
                Outcome::Readers(key) => known.keys.push(key.clone()),
                Outcome::Take(_) | Outcome::Clash(_) => {}
            }
        }
        known
    }

    fn covers(&self, contents: &Contents) -> bool {
        contents.tokens.is_subset(&self.tokens) && contents.keys.iter().all(|key| self.keys.contains(key))
    }
}
