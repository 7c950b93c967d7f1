//! Sealing: values of a document to tokens, under keys minted here and nowhere else.

use std::collections::HashMap;

use zeroize::Zeroizing;

use super::keyblock::{DocumentKey, KeyBlock, SealedFor};
use super::layout::{Layout, OwnTokens, at, is_identifying};
use super::open::remove_block;
use super::place::Place;
use super::token::{Token, TokenKey};
use super::value::{FreshKey, Readers, seal_alone};
use crate::document::present::{self, Expected, Target};
use crate::document::resolve::{Resolved, resolve};
use crate::document::rewrite::Rewrite;
use crate::document::walk::{Around, Hazard, Leaf, hidden};
use crate::document::{File, Node, Scalar};
use crate::error::{Error, Problem};
use crate::padding::{Plaintext, ValueType};
use crate::path::{Path, Step};
use crate::primitives::Random;
use crate::secret::SecretBytes;
use crate::select::Pattern;

/// What to do with one document.
pub struct Request<'r, R: Readers + ?Sized> {
    /// Which values. `spec.data.*` of an `EncryptedSecret` is always among them.
    pub select: &'r [Pattern],
    /// For which place.
    pub place: Place,
    /// For whom.
    pub readers: &'r R,
    /// Values of an earlier state of the document, whose tokens are used again.
    pub previous: Option<&'r Previous>,
}

/// An earlier encrypted state of a document, opened.
#[derive(Debug)]
pub struct Previous {
    /// Its key block.
    pub block: KeyBlock,
    /// Its values by encoded path: list items share a path, so there may be several.
    pub values: HashMap<Vec<u8>, Vec<(Plaintext, Token)>>,
}

impl Previous {
    /// Collects what [`super::open::open_all`] opened.
    pub fn new(layout: &Layout<'_>, opened: Vec<super::open::Opened>) -> Option<Self> {
        let mut values: HashMap<Vec<u8>, Vec<(Plaintext, Token)>> = HashMap::new();
        for value in opened {
            let path = layout.leaves[value.leaf].path.encode();
            values.entry(path).or_default().push((value.plaintext, value.token));
        }
        Some(Self { block: layout.block.clone()?, values })
    }

    fn token(&self, path: &Path, value_type: ValueType, value: &SecretBytes) -> Option<&Token> {
        let candidates = self.values.get(&path.encode())?;
        let same = |plaintext: &Plaintext| plaintext.value_type == value_type && plaintext.value == *value;
        candidates.iter().find(|(plaintext, _)| same(plaintext)).map(|(_, token)| token)
    }
}

/// What was done with one document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Values that the patterns selected.
    pub selected: usize,
    /// Values newly sealed.
    pub sealed: Vec<Path>,
    /// Tokens kept or used again.
    pub kept: usize,
    /// Selected nulls, which stay in the clear.
    pub nulls: Vec<Path>,
    /// Tokens with a key of their own, after this operation.
    pub own: OwnTokens,
}

/// Encrypts the selected values of one document; the edits go into `rewrite`.
pub(super) fn encrypt_document<R: Readers + ?Sized>(
    file: &File<'_>,
    layout: &Layout<'_>,
    request: &Request<'_, R>,
    random: &mut dyn Random,
    rewrite: &mut Rewrite<'_, '_>,
) -> Result<(Report, Vec<(usize, Plaintext)>), Error> {
    let mut report = Report::default();
    let values = collect(file, layout, request, &mut report)?;
    if values.is_empty() {
        return Ok((report, Vec::new()));
    }
    let line = Error::at_line;
    let host = layout.host.ok_or_else(|| line(1, Problem::NoMapping))?;
    if !matches!(host.kind, crate::document::Kind::Mapping { .. }) {
        return Err(line(file.line(host.span.start), Problem::NoMapping));
    }
    let standing = layout.block.as_ref().or(request.previous.map(|previous| &previous.block));
    // A document key is minted once, with the block; every later value brings its own.
    let fresh = match standing {
        Some(block) => {
            same_place(layout, block, &request.place).map_err(|problem| line(file.line(host.span.start), problem))?;
            None
        }
        None => Some(FreshKey::mint(random).map_err(Error::of_file)?),
    };
    for value in &values {
        let token =
            token_for(value, fresh.as_ref(), request, random).map_err(|problem| at(file, value.leaf, problem))?;
        if value.token.is_some() {
            report.kept += 1;
        } else {
            report.sealed.push(value.leaf.path.clone());
        }
        report.own.add(&token.to_string());
        put_token(file, layout, value.leaf, &token, rewrite);
    }
    if layout.block.is_none() {
        let key = match &fresh {
            Some(key) => {
                let wraps = key.wraps(request.readers).map_err(Error::of_file)?;
                Some(DocumentKey { id: key.id().clone(), wraps })
            }
            None => standing.and_then(|block| block.key.clone()),
        };
        let block = KeyBlock { sealed_for: sealed_for(&request.place), key };
        put_block(file, layout, &block, rewrite).map_err(Error::of_file)?;
    }
    Ok((report, values.into_iter().map(|value| (value.position, value.plaintext)).collect()))
}

/// The token for a value: the one it had, or one under the document key minted now, or one with a key of its own.
fn token_for<R: Readers + ?Sized>(
    value: &Value<'_, '_>,
    fresh: Option<&FreshKey>,
    request: &Request<'_, R>,
    random: &mut dyn Random,
) -> Result<Token, Problem> {
    let (place, path) = (&request.place, &value.leaf.path);
    match (&value.token, fresh) {
        (Some(token), _) => Ok(token.clone()),
        (None, Some(key)) => {
            let sealed = key.seal(random, place, path, &value.plaintext)?;
            Ok(Token { key: TokenKey::Document(key.id().short().to_owned()), sealed })
        }
        (None, None) => seal_alone(random, request.readers, place, path, &value.plaintext),
    }
}

/// A value to be written as a token: sealed anew, or the token it had.
struct Value<'v, 'd> {
    /// Of the leaf among the document's.
    position: usize,
    leaf: &'v Leaf<'d>,
    plaintext: Plaintext,
    token: Option<Token>,
}

fn collect<'v, 'd, R: Readers + ?Sized>(
    file: &File<'_>,
    layout: &'v Layout<'d>,
    request: &Request<'_, R>,
    report: &mut Report,
) -> Result<Vec<Value<'v, 'd>>, Error> {
    refuse_hidden(file, layout, request.select)?;
    let mut values = Vec::new();
    for (position, leaf) in layout.leaves.iter().enumerate() {
        if !is_selected(layout, request.select, &leaf.path) {
            // A token that no rule selects any more is still a token, and a text that only looks like one an error.
            if let Some(token) = layout.token(file, leaf)? {
                report.kept += 1;
                report.own.add(&token.to_string());
            }
            continue;
        }
        report.selected += 1;
        if is_identifying(layout, &leaf.path) {
            return Err(at(file, leaf, Problem::Identifying));
        }
        if let Some(hazard) = leaf.hazard {
            return Err(at(file, leaf, hazard));
        }
        let (Some(scalar), Some(around)) = (leaf.scalar, leaf.around) else {
            return Err(at(file, leaf, Problem::NoMapping));
        };
        if let Some(token) = layout.token(file, leaf)? {
            report.kept += 1;
            report.own.add(&token.to_string());
            continue;
        }
        let resolved = resolve(leaf.node, scalar).map_err(|error| at(file, leaf, error))?;
        if resolved.value_type == ValueType::Null {
            report.nulls.push(leaf.path.clone());
            continue;
        }
        let token = request.previous.and_then(|p| p.token(&leaf.path, resolved.value_type, &resolved.value)).cloned();
        let target = layout.target(file, around);
        let plaintext = plaintext_of(file, layout, (leaf.node, scalar), resolved, target);
        values.push(Value { position, leaf, token, plaintext: plaintext.map_err(|problem| at(file, leaf, problem))? });
    }
    Ok(values)
}

/// What a token will hold: the value, and how it was written.
fn plaintext_of(
    file: &File<'_>,
    layout: &Layout<'_>,
    (node, scalar): (&Node, &Scalar),
    resolved: Resolved,
    target: Target,
) -> Result<Plaintext, Problem> {
    let Resolved { value_type, value } = resolved;
    if layout.in_spec() && !matches!(value_type, ValueType::String | ValueType::Binary) {
        return Err(Problem::NotAString);
    }
    if value.len() > crate::padding::MAX_VALUE {
        return Err(Problem::TooLarge);
    }
    let presentation = present::capture(file.source, node, scalar, value_type, value.expose(), target);
    Ok(Plaintext { value_type, value, presentation: SecretBytes::from(presentation) })
}

/// Values that a program sees at a selected path, and that stand elsewhere: behind an alias or a merge key.
fn refuse_hidden(file: &File<'_>, layout: &Layout<'_>, select: &[Pattern]) -> Result<(), Error> {
    let found = hidden(&file.documents[layout.index]).ok_or_else(|| Error::at_line(1, Hazard::Alias))?;
    for hidden in found {
        if is_selected(layout, select, &hidden.path) {
            let line = Some(file.line(hidden.offset));
            return Err(Error { line, path: Some(hidden.path), problem: hidden.hazard.into() });
        }
    }
    Ok(())
}

/// Whether a path is to be encrypted.
pub fn is_selected(layout: &Layout<'_>, select: &[Pattern], path: &Path) -> bool {
    let always = layout.in_spec()
        && matches!(path.0.as_slice(), [Step::Key(spec), Step::Key(data), _, ..] if spec == "spec" && data == "data");
    always || select.iter().any(|pattern| pattern.matches(path))
}

/// What is written into the block for a place.
pub(super) fn sealed_for(place: &Place) -> SealedFor {
    match place {
        Place::Object { namespace, name, .. } => SealedFor::Object { namespace: namespace.clone(), name: name.clone() },
        Place::Context(context) => SealedFor::Context(context.clone()),
    }
}

/// A write goes where policy, command line and manifest say, never where the block says.
pub fn same_place(layout: &Layout<'_>, block: &KeyBlock, wanted: &Place) -> Result<(), Problem> {
    if block.sealed_for == sealed_for(wanted) {
        return Ok(());
    }
    let found = match &block.sealed_for {
        SealedFor::Object { namespace, name } => {
            let kind = layout.object.as_ref().map_or("object", |object| object.kind.as_str());
            format!("{kind} {namespace}/{name}")
        }
        SealedFor::Context(context) => Place::Context(context.clone()).to_string(),
    };
    Err(Problem::OtherPlace { found, wanted: wanted.to_string() })
}

/// Writes a token in the place of a leaf.
pub(super) fn put_token(
    file: &File<'_>,
    layout: &Layout<'_>,
    leaf: &Leaf<'_>,
    token: &Token,
    rewrite: &mut Rewrite<'_, '_>,
) {
    if let (Some(scalar), Some(around)) = (leaf.scalar, leaf.around) {
        let lines = token.lines();
        // Not for values within brackets: thousands of them may stand on the line above the same comments.
        let crowded = || {
            is_crowded(file.source, leaf.node.span.end, around.column + 2)
            // The line break after a block scalar's header goes with its body, and comes back as the file's usual one.
            && (scalar.body.is_none() || !file.has_mixed_line_breaks())
        };
        let around = Around { flow: around.flow || crowded(), ..around };
        let written = present::write_token(&lines, layout.target(file, around));
        let value = SecretBytes::from(lines.join(" "));
        rewrite.replace(layout.index, leaf.node, scalar, written, Expected { value_type: ValueType::String, value });
    }
}

/// Whether the lines right below an offset would become part of a block scalar with this indentation: comments and blanks
/// that stand further in. There a token stays on its line, in quotes.
fn is_crowded(source: &str, from: usize, indent: usize) -> bool {
    let below = source[from..].find('\n').map_or("", |at| &source[from + at + 1..]);
    for line in below.lines() {
        let text = line.trim_start_matches(' ');
        let blanks = line.len() - text.len();
        match text.chars().next() {
            None if blanks > indent => return true,
            Some('#') if blanks >= indent => return true,
            None | Some('#') => {}
            Some(_) => return false,
        }
    }
    false
}

/// Adds the key block, or replaces the one that is there.
pub(super) fn put_block(
    file: &File<'_>,
    layout: &Layout<'_>,
    block: &KeyBlock,
    rewrite: &mut Rewrite<'_, '_>,
) -> Result<(), Problem> {
    let host = layout.host.ok_or(Problem::NoMapping)?;
    let entries = if host.is_flow() {
        block.flow_entries(layout.in_spec())
    } else {
        block.block_entries(layout.in_spec(), host.column, file.line_break())
    };
    for (key, text) in entries {
        match host.entries().iter().position(|(k, _)| k.text() == Some(key)) {
            Some(index) => rewrite.replace_entry(layout.index, host, index, key, &text)?,
            None => rewrite.insert(layout.index, host, key, &text),
        }
    }
    Ok(())
}

/// Encrypts every document for which there is a request.
pub fn encrypt<R: Readers + ?Sized>(
    file: &File<'_>,
    requests: &[Option<Request<'_, R>>],
    random: &mut dyn Random,
) -> Result<(Zeroizing<String>, Vec<Report>), Error> {
    let mut rewrite = Rewrite::new(file);
    let mut reports = Vec::with_capacity(requests.len());
    let mut sealed = Vec::with_capacity(requests.len());
    for (index, request) in requests.iter().enumerate() {
        let layout = Layout::read(file, index)?;
        let (report, values) = match request {
            Some(request) => encrypt_document(file, &layout, request, random, &mut rewrite)?,
            None => Default::default(),
        };
        let added = layout.block.is_none() && !values.is_empty();
        reports.push(report);
        sealed.push((values, added));
    }
    let text = rewrite.finish().map_err(Error::of_file)?;
    if comes_back(file, &text, &sealed)? { Ok((text, reports)) } else { Err(Error::of_file(Problem::NotReversible)) }
}

/// Whether decrypting gives back the source byte for byte. Tried on every file that is written: no key is needed, as the
/// values are at hand.
fn comes_back(file: &File<'_>, text: &str, sealed: &[(Vec<(usize, Plaintext)>, bool)]) -> Result<bool, Error> {
    let after = File::parse(text, file.syntax)?;
    let mut rewrite = Rewrite::new(&after);
    for (index, (values, added)) in sealed.iter().enumerate() {
        let layout = Layout::read(&after, index)?;
        for (position, plaintext) in values {
            let leaf = layout.leaves.get(*position);
            let Some((leaf, scalar, around)) = leaf.and_then(|leaf| Some((leaf, leaf.scalar?, leaf.around?))) else {
                return Ok(false);
            };
            let Plaintext { value_type, value, presentation } = plaintext;
            let target = layout.target(&after, around);
            let Some(written) = present::write(*value_type, value.expose(), presentation.expose(), target) else {
                return Ok(false);
            };
            let expected = Expected { value_type: *value_type, value: SecretBytes::default() };
            rewrite.replace(index, leaf.node, scalar, written, expected);
        }
        if *added {
            remove_block(&mut rewrite, &layout).map_err(Error::of_file)?;
        }
    }
    Ok(rewrite.apply().is_ok_and(|restored| *restored == *file.source))
}
