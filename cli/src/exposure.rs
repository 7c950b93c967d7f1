//! What was encrypted in a file of sealwax before `edit` or `copy` and would stand in the clear after it: neither writes such
//! a file. For files of SOPS see `sops/exposed.rs`.

use std::collections::HashSet;

use sealwax_format::document::File;
use sealwax_format::document::resolve::resolve;
use sealwax_format::native::{self, Layout, Opener};
use sealwax_format::{Path, SecretBytes, ValueType};

use crate::commented::{Comments, line_of};
use crate::error::CommandError;

/// The encrypted values of a file, and what of it stood in the clear.
#[derive(Default)]
pub(crate) struct Guarded {
    secrets: Vec<(Place, Path, SecretBytes)>,
    clear: HashSet<Place>,
    comments: Comments,
    by: By,
}

/// How a document is found again.
#[derive(Clone, Copy, Default)]
pub(crate) enum By {
    /// As the same object, wherever it moved in its file.
    #[default]
    Object,
    /// In the same position, under whatever name.
    Position,
}

/// An object (or the position of a document that is none) and an encoded path in it.
type Place = (String, Vec<u8>);

impl Guarded {
    /// Opens everything in a file.
    pub(crate) fn of(file: &File<'_>, opener: &mut Opener<'_>, by: By) -> Result<Self, sealwax_format::Error> {
        let mut guarded = Self { by, comments: Comments::of([file]), ..Self::default() };
        for index in 0..file.documents.len() {
            let layout = Layout::read(file, index)?;
            for opened in native::open_all(file, &layout, opener)? {
                let path = &layout.leaves[opened.leaf].path;
                guarded.secrets.push((place(&layout, path, by), path.clone(), opened.plaintext.value));
            }
            for leaf in &layout.leaves {
                if layout.token(file, leaf)?.is_none() {
                    guarded.clear.insert(place(&layout, &leaf.path, by));
                }
            }
        }
        Ok(guarded)
    }

    /// Refuses a result in which a value that was encrypted stands in the clear: at its path, or, where its path is no
    /// longer encrypted, anywhere else.
    pub(crate) fn check(&self, shown: &str, result: &str, like: &File<'_>) -> Result<(), CommandError> {
        let in_file = |error: sealwax_format::Error| CommandError::in_file(shown, &error);
        let file = File::parse(result, like.syntax).map_err(|error| in_file(error.into()))?;
        let (mut encrypted, mut clear) = (HashSet::new(), Vec::new());
        for index in 0..file.documents.len() {
            let layout = Layout::read(&file, index).map_err(in_file)?;
            for leaf in &layout.leaves {
                let here = place(&layout, &leaf.path, self.by);
                if layout.token(&file, leaf).map_err(in_file)?.is_some() {
                    encrypted.insert(here);
                } else if !self.clear.contains(&here)
                    && let Some(resolved) = leaf.scalar.and_then(|scalar| resolve(leaf.node, scalar).ok())
                    && resolved.value_type != ValueType::Null
                    && !resolved.value.expose().is_empty()
                {
                    clear.push((here, leaf.path.clone(), resolved.value));
                }
            }
        }
        let paths: HashSet<_> = self.secrets.iter().map(|(place, ..)| place).collect();
        let moved = self.secrets.iter().filter(|(place, ..)| !encrypted.contains(place));
        let moved: HashSet<_> = moved.map(|(.., value)| value.expose()).collect();
        let exposed = clear.iter().find(|(here, _, value)| paths.contains(here) || moved.contains(value.expose()));
        match exposed {
            None => self.check_comments(shown, &file),
            Some((_, path, _)) => {
                Err(CommandError::refused(format!("{shown}: {path}: was encrypted and would stand in the clear"))
                    .hint("Add the path to encrypt in the policy's rule, or pass --select PATTERN."))
            }
        }
    }

    fn check_comments(&self, shown: &str, result: &File<'_>) -> Result<(), CommandError> {
        let values = self.secrets.iter().map(|(_, path, value)| (path, value.expose()));
        let Some(comment) = self.comments.exposing(result, values) else { return Ok(()) };
        let line = line_of(result.source, comment);
        Err(CommandError::refused(format!("{shown}:{line}: what the comment says was encrypted"))
            .hint("Comments stand in the clear: take the value out of it."))
    }
}

fn place(layout: &Layout<'_>, path: &Path, by: By) -> Place {
    let document = match (&layout.object, by) {
        (Some(object), By::Object) => {
            format!("{}/{}/{:?}/{:?}", object.group, object.kind, object.namespace, object.name)
        }
        _ => layout.index.to_string(),
    };
    (document, path.encode())
}
