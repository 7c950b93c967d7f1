//! The data keys that files have at Git's HEAD: what a rotation has not reached yet has them still.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use sealwax_format::document::File;
use sealwax_format::native::Layout;
use sealwax_format::{SecretBytes, sops};

use crate::error::CommandError;
use crate::files;
use crate::repo::Repository;
use crate::survey::Found;

/// What tells the keys apart that the documents of these files have at HEAD.
pub(super) fn keys(found: &[Found]) -> Result<HashMap<PathBuf, Vec<String>>, CommandError> {
    let repository = Repository::here()?;
    let mut blobs = repository.blobs()?;
    let mut keys = HashMap::new();
    for file in found {
        let Ok(real) = file.path.canonicalize() else { continue };
        let Some(inside) = real.strip_prefix(repository.root()).ok().and_then(Path::to_str) else { continue };
        if let Some(contents) = blobs.read(&format!("HEAD:{inside}"), files::MAX_INPUT)? {
            keys.insert(file.path.clone(), document_keys(&contents, &file.path));
        }
    }
    Ok(keys)
}

fn document_keys(contents: &SecretBytes, path: &Path) -> Vec<String> {
    let file = contents.expose_str().and_then(|text| File::parse(text, files::syntax_of(Some(path))).ok());
    let Some(file) = file else { return Vec::new() };
    if sops::Layout::is_one(&file) {
        let layout = sops::Layout::read(&file).ok();
        return layout.iter().flat_map(|layout| layout.metadata.wraps()).map(|wrap| wrap.enc.clone()).collect();
    }
    let key = |index| Some(Layout::read(&file, index).ok()?.block?.key?.id.to_string());
    (0..file.documents.len()).filter_map(key).collect()
}
