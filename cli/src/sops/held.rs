//! What a file held, value by value: the encrypted ones opened, and those that stood in the clear beside them.

use sealwax_format::{Path, SecretBytes};

use super::Open;

/// Values by their document and their path in the plain file.
#[derive(Default)]
pub(crate) struct Held {
    /// What was encrypted. A comment that is an item of a list stands at the list.
    pub(crate) secrets: Vec<(usize, Path, SecretBytes)>,
    /// What was not.
    pub(crate) clear: Vec<(usize, Path, SecretBytes)>,
}

impl Open<'_> {
    /// What the file holds.
    pub(crate) fn held(&self) -> Held {
        let places = self.layout.plain_places();
        let opened = self.values.iter().filter_map(|one| Some((places.get(one.value)?, &*one.plaintext)));
        let clear = self.layout.values.iter().zip(&places).filter(|(value, _)| value.token.is_none());
        let clear = clear.filter_map(|(value, place)| Some((place, value.leaf.scalar?.value.as_bytes())));
        let of = |((document, path), text): (&(usize, Path), &[u8])| {
            (*document, path.clone(), SecretBytes::from(text.to_vec()))
        };
        Held { secrets: opened.map(|(place, text)| of((place, text))).collect(), clear: clear.map(of).collect() }
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
