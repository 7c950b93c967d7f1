//! Merging: three opened files become one, value by value, by the same rules as files of sealwax.
//!
//! A value of SOPS has another ciphertext whenever it is written anew, under another data key above all. So each token
//! gives way to a mark that stands for what is in it, and the marks have the form of sealwax's tokens: equal values are
//! equal then, and the merge of those decides. What comes out has the values in the clear again, and is encrypted by
//! whoever asked; what is left to a person has tokens of SOPS between the usual markers.

use std::collections::HashMap;

use sha2::{Digest as _, Sha512};
use zeroize::Zeroizing;

use super::cipher::{Cipher, Token, Type};
use super::flat_merge;
use super::metadata::BLOCK_KEY;
use super::read::{Layout, OpenedValue, Value, associated};
use super::selector::Selector;
use super::tree::{Tree, TreeValue, tree};
use crate::document::present::{Expected, Written, double_quoted};
use crate::document::rewrite::Rewrite;
use crate::document::{File, Node, Syntax};
use crate::keys::{Fingerprint, Label};
use crate::native::{self, Conflict, Markers, Texts, TokenKey};
use crate::padding::ValueType;
use crate::primitives::{DataKey, KeyId, Random, RandomError};
use crate::secret::SecretBytes;

/// The root key of the block of sealwax, which stands for that of SOPS while texts are compared.
const STAND_IN: &str = "sealwax";
/// How a mark begins.
const MARK: &str = "ENC[wax1,";

/// A file that was opened.
pub struct Side<'s, 'd> {
    /// The file.
    pub file: &'s File<'d>,
    /// Its values.
    pub layout: &'s Layout<'s>,
    /// Under its data key.
    pub cipher: &'s Cipher,
    /// What is in them.
    pub opened: &'s [OpenedValue],
}

/// What became of three files.
pub enum Merged {
    /// The merged file without encryption.
    Clean(Zeroizing<String>),
    /// The file with markers, encrypted under the key of the leading side, with its block; the checksum does not fit.
    Conflicts {
        /// The text.
        text: Zeroizing<String>,
        /// What is left to a person.
        conflicts: Vec<Conflict>,
    },
}

/// Merges two sides that started from one. `leading` is the side whose data key and metadata the result has. `None`
/// where the files cannot be told apart value by value.
pub fn merge<'s>(
    base: Option<&Side<'s, '_>>,
    ours: &Side<'s, '_>,
    theirs: &Side<'s, '_>,
    leading: &Side<'s, '_>,
    markers: &Markers<'_>,
    random: &mut dyn Random,
) -> Result<Option<Merged>, RandomError> {
    if matches!(leading.file.syntax, Syntax::Dotenv | Syntax::Ini) {
        return Ok(flat_merge::merge(base, ours, theirs).map(Merged::Clean));
    }
    let mut marks = Marks::new(random)?;
    // First the side whose tokens are used again.
    let Some(_) = marks.text(leading, leading.cipher, random)? else { return Ok(None) };
    let mut text = |side: &Side<'s, '_>| marks.text(side, leading.cipher, random);
    let base = match base {
        Some(base) => text(base)?,
        None => Some(Zeroizing::new(String::new())),
    };
    let (Some(base), Some(ours), Some(theirs)) = (base, text(ours)?, text(theirs)?) else { return Ok(None) };
    let texts = Texts { base: &base, ours: &ours, theirs: &theirs };
    let syntax = leading.file.syntax;
    let Some(merged) = native::merge(&texts, syntax, markers) else { return Ok(None) };
    if merged.conflicts.is_empty() {
        return Ok(marks.plain(&merged.text, leading).map(Merged::Clean));
    }
    let text = marks.with_tokens(&merged.text, leading, random)?;
    Ok(text.map(|text| Merged::Conflicts { text, conflicts: merged.conflicts }))
}

/// A value behind a mark.
struct Marked {
    kind: Type,
    plaintext: Zeroizing<Vec<u8>>,
    associated: Vec<u8>,
    /// Its token under the key of the leading side, if it has one.
    token: Option<String>,
}

/// The marks of one merge.
struct Marks {
    /// Nobody who sees a mark can try values against it.
    secret: Zeroizing<[u8; 64]>,
    id: KeyId,
    values: HashMap<String, Marked>,
    /// Tokens of comments under the key of the leading side, by what stands for what they are bound to and say.
    comments: HashMap<Vec<u8>, String>,
}

impl Marks {
    fn new(random: &mut dyn Random) -> Result<Self, RandomError> {
        let mut secret = Zeroizing::new([0; 64]);
        random.fill(&mut *secret)?;
        Ok(Self { secret, id: DataKey::mint(random)?.id(), values: HashMap::new(), comments: HashMap::new() })
    }

    /// A file with marks for its tokens and another block; `None` if that cannot be written.
    fn text(
        &mut self,
        side: &Side<'_, '_>,
        cipher: &Cipher,
        random: &mut dyn Random,
    ) -> Result<Option<Zeroizing<String>>, RandomError> {
        let file = side.file;
        let is_leading = std::ptr::eq(side.cipher, cipher);
        let mut rewrite = Rewrite::new(file);
        for one in side.opened {
            let Some(value) = side.layout.values.get(one.value) else { return Ok(None) };
            let (Some(scalar), Some(around)) = (value.leaf.scalar, value.leaf.around) else { return Ok(None) };
            let Some(mark) = self.mark(value, one, is_leading) else { return Ok(None) };
            let quoted = around.flow || file.syntax == Syntax::Json;
            let head = if quoted { double_quoted(&mark, Syntax::Json) } else { mark.clone() };
            let expected = Expected { value_type: ValueType::String, value: SecretBytes::from(mark.into_bytes()) };
            rewrite.replace(value.document, value.leaf.node, scalar, Written { head, body: None }, expected);
        }
        for comment in side.layout.comments(file, side.cipher) {
            let Some((token, plain)) = comment.opened else { continue };
            let associated = associated(&comment.container);
            let name = self.digest(Type::Comment, &associated, plain.as_bytes());
            let known = match self.comments.get(&name) {
                Some(known) => known.clone(),
                None if is_leading => token.to_string(),
                None => cipher.seal(random, Type::Comment, plain.as_bytes(), &associated)?.to_string(),
            };
            rewrite.comment(comment.text.clone(), &known);
            self.comments.insert(name, known);
        }
        for (index, document) in file.documents.iter().enumerate() {
            let Some((block, _)) = block_of(&document.root) else { continue };
            let text = stand_in(file, &document.root);
            if rewrite.replace_entry(index, &document.root, block, STAND_IN, &text).is_err() {
                return Ok(None);
            }
        }
        Ok(rewrite.finish().ok())
    }

    /// As long as a ciphertext has to be.
    fn digest(&self, kind: Type, associated: &[u8], plaintext: &[u8]) -> Vec<u8> {
        let parts = [0, 1].map(|part| {
            let mut hash = Sha512::new();
            hash.update(*self.secret);
            hash.update([part, kind as u8]);
            hash.update(crate::path::length(associated.len()));
            hash.update(associated);
            hash.update(plaintext);
            hash.finalize()
        });
        parts.concat()
    }

    /// What stands for a value: the same for the same value under the same names.
    fn mark(&mut self, value: &Value<'_>, one: &OpenedValue, is_leading: bool) -> Option<String> {
        let associated = associated(&value.leaf.path);
        let sealed = self.digest(one.kind, &associated, &one.plaintext);
        let label = Label::new("sops", Fingerprint::of("sops")).ok()?;
        let key = TokenKey::Own { id: self.id.clone(), wraps: vec![(label, vec![1])] };
        let mark = native::Token { key, sealed }.to_string();
        let token = value.token.as_ref().filter(|_| is_leading).map(Token::to_string);
        let known = self.values.entry(mark.clone()).or_insert_with(|| Marked {
            kind: one.kind,
            plaintext: one.plaintext.clone(),
            associated,
            token: None,
        });
        known.token = known.token.take().or(token);
        Some(mark)
    }

    /// The merged text in the clear.
    fn plain(&self, text: &str, leading: &Side<'_, '_>) -> Option<Zeroizing<String>> {
        let file = File::parse(text, leading.file.syntax).ok()?;
        let mut rewrite = Rewrite::new(&file);
        for (index, document) in file.documents.iter().enumerate() {
            let root = &document.root;
            let Some(block) = root.entries().iter().position(|(key, _)| key.text() == Some(STAND_IN)) else { continue };
            let gone =
                if root.entries().len() == 1 { rewrite.empty(index, root) } else { rewrite.remove(index, root, block) };
            gone.ok()?;
        }
        let text = rewrite.finish().ok()?;
        let file = File::parse(&text, leading.file.syntax).ok()?;
        let Tree { values, comments } = tree(&file, &Selector::default()).ok()?;
        let value = |TreeValue { document, leaf, .. }| Value { document, leaf, token: None, selected: false };
        let values: Vec<_> = values.into_iter().map(value).collect();
        let opened = values.iter().enumerate().filter_map(|(position, value)| {
            let Marked { kind, plaintext, .. } = self.values.get(value.leaf.scalar?.value.as_str())?;
            Some(OpenedValue { value: position, kind: *kind, plaintext: plaintext.clone() })
        });
        let opened: Vec<_> = opened.collect();
        let layout = Layout { metadata: leading.layout.metadata.clone(), values, comments };
        layout.decrypt(&file, leading.cipher, &opened).ok()
    }

    /// The merged text with tokens of SOPS for the marks, and the block of the leading side.
    fn with_tokens(
        &self,
        text: &str,
        leading: &Side<'_, '_>,
        random: &mut dyn Random,
    ) -> Result<Option<Zeroizing<String>>, RandomError> {
        let mut out = Zeroizing::new(String::with_capacity(text.len()));
        let mut rest = text;
        while let Some(at) = rest.find(MARK) {
            let (before, from) = rest.split_at(at);
            let Some(end) = from.find(']') else { return Ok(None) };
            let (mark, after) = from.split_at(end + 1);
            let Some(known) = self.values.get(mark) else { return Ok(None) };
            out.push_str(before);
            if let Some(token) = &known.token {
                out.push_str(token);
            } else {
                let token = leading.cipher.seal(random, known.kind, &known.plaintext, &known.associated)?;
                out.push_str(&token.to_string());
            }
            rest = after;
        }
        out.push_str(rest);
        for document in &leading.file.documents {
            let Some((_, (key, value))) = block_of(&document.root) else { continue };
            let block = leading.file.source.get(key.span.start..value.span.end).unwrap_or_default();
            *out = out.replacen(&stand_in(leading.file, &document.root), block, 1);
        }
        Ok(Some(out))
    }
}

fn block_of(root: &Node) -> Option<(usize, &(Node, Node))> {
    root.entries().iter().enumerate().find(|(_, (key, _))| key.text() == Some(BLOCK_KEY))
}

/// The block that stands for that of SOPS: the same in every text.
fn stand_in(file: &File<'_>, root: &Node) -> String {
    if file.syntax == Syntax::Json || root.is_flow() {
        return format!("\"{STAND_IN}\": {{\"version\": 1, \"sealedFor\": {{\"context\": \"sops\"}}}}");
    }
    [&format!("{STAND_IN}:"), "  version: 1", "  sealedFor: {context: sops}"].join(file.line_break())
}
