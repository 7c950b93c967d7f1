//! What a file held, value by value: the encrypted ones opened, and those that stood in the clear beside them.

use sealwax_format::document::walk::Leaf;
use sealwax_format::document::{File, Syntax};
use sealwax_format::sops::{Layout, Seen, normalised, see};
use sealwax_format::{Path, SecretBytes};

use super::Open;

/// A value by its document and its path in the plain file, and what SOPS encrypts for it or would: `True` for `true`, the
/// bytes of `!!binary`.
pub(crate) type Text = (usize, Path, SecretBytes);

/// The values of a file.
#[derive(Default)]
pub(crate) struct Held {
    /// What was encrypted. A comment that is an item of a list stands at the list.
    pub(crate) secrets: Vec<Text>,
    /// What was not.
    pub(crate) clear: Vec<Text>,
}

impl Open<'_> {
    /// What the file holds.
    pub(crate) fn held(&self, file: &File<'_>) -> Held {
        let places = self.layout.plain_places();
        let secrets = self.values.iter().filter_map(|one| {
            let (document, path) = places.get(one.value)?.clone();
            let text = normalised(one.kind, &one.plaintext).unwrap_or_else(|| one.plaintext.clone());
            Some((document, path, SecretBytes::from(text)))
        });
        Held { secrets: secrets.collect(), clear: clear_of(file, &self.layout) }
    }
}

/// The values of a file that stand in the clear.
pub(super) fn clear_of(file: &File<'_>, layout: &Layout<'_>) -> Vec<Text> {
    let values = layout.values.iter().zip(layout.plain_places()).filter(|(value, _)| value.token.is_none());
    let texts =
        values.filter_map(|(value, (document, path))| Some((document, path, text_of(file.syntax, &value.leaf)?)));
    texts.collect()
}

/// What SOPS takes a value in the clear for; nothing for null and for collections.
pub(crate) fn text_of(syntax: Syntax, leaf: &Leaf<'_>) -> Option<SecretBytes> {
    let scalar = leaf.scalar?;
    match see(syntax, leaf.node, scalar) {
        Ok(Seen::Null) => None,
        Ok(Seen::Value(_, bytes)) => Some(SecretBytes::from(bytes)),
        Err(_) => Some(SecretBytes::from(scalar.value.as_bytes().to_vec())),
    }
}

impl Held {
    /// The same as if all of it stood in one document.
    pub(super) fn in_one_document(mut self) -> Self {
        for (document, ..) in self.secrets.iter_mut().chain(&mut self.clear) {
            *document = 0;
        }
        self
    }
}
