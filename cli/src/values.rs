//! The values of a decrypted file by name, for programs that take environment variables or files.

use std::collections::BTreeMap;

use sealwax_format::document::File;
use sealwax_format::document::resolve::resolve;
use sealwax_format::native::{self, Layout, Opener};
use sealwax_format::{Path, SecretBytes, Step, ValueType};

use crate::error::CommandError;
use crate::paths::{DocumentArgs, is_base64_item};

/// Items of a Secret or EncryptedSecret by their keys, decoded where Kubernetes wants base64; of any other file all values,
/// the keys of nested ones joined by `_`. Null is left out.
pub(crate) fn named(
    shown: &str,
    file: &File<'_>,
    document: &DocumentArgs,
) -> Result<BTreeMap<String, SecretBytes>, CommandError> {
    let mut values = BTreeMap::new();
    let layouts = match (&document.document, file.documents.len()) {
        (None, n) if n > 1 => (0..n).map(|index| Layout::read(file, index)).collect::<Result<Vec<_>, _>>(),
        _ => Ok(vec![document.choose(shown, file)?]),
    };
    for layout in layouts.map_err(|error| CommandError::in_file(shown, &error))? {
        for leaf in &layout.leaves {
            let Some(name) = name(&layout, &leaf.path) else { continue };
            let Some(scalar) = leaf.scalar else { continue };
            let resolved = resolve(leaf.node, scalar)
                .map_err(|error| CommandError::refused(format!("{shown}: {}: {error}", leaf.path)))?;
            if resolved.value_type == ValueType::Null {
                continue;
            }
            let value = if is_base64_item(&layout, &leaf.path) {
                decoded(&resolved.value)
                    .ok_or_else(|| CommandError::refused(format!("{shown}: {}: is not base64", leaf.path)))?
            } else {
                resolved.value
            };
            if values.insert(name.clone(), value).is_some() {
                return Err(CommandError::refused(format!("{shown}: two values are called {name}"))
                    .hint("Choose a document with --doc, or rename one of them."));
            }
        }
    }
    Ok(values)
}

/// Everything that is encrypted in a file, and what Kubernetes makes of it where it is base64: what a log must not show.
pub(crate) fn sealed(file: &File<'_>, opener: &mut Opener<'_>) -> Result<Vec<SecretBytes>, sealwax_format::Error> {
    let mut values = Vec::new();
    for index in 0..file.documents.len() {
        let layout = Layout::read(file, index)?;
        for opened in native::open_all(file, &layout, opener)? {
            let is_base64 = layout.leaves.get(opened.leaf).is_some_and(|leaf| is_base64_item(&layout, &leaf.path));
            let value = opened.plaintext.value;
            values.extend(is_base64.then(|| decoded(&value)).flatten());
            values.push(value);
        }
    }
    Ok(values)
}

/// What a program calls a value; `None` for what is no value of its own, such as `metadata`.
fn name(layout: &Layout<'_>, path: &Path) -> Option<String> {
    if let Some(object) = &layout.object {
        return match path.0.as_slice() {
            [Step::Key(spec), Step::Key(data), Step::Key(item)]
                if object.is_encrypted_secret() && spec == "spec" && data == "data" =>
            {
                Some(item.clone())
            }
            [Step::Key(field), Step::Key(item)]
                if object.kind == "Secret" && (field == "data" || field == "stringData") =>
            {
                Some(item.clone())
            }
            _ => None,
        };
    }
    let steps = path.0.iter().map(|step| match step {
        Step::Key(key) => key.clone(),
        Step::Item(index) => index.to_string(),
    });
    Some(steps.collect::<Vec<_>>().join("_"))
}

fn decoded(text: &SecretBytes) -> Option<SecretBytes> {
    sealwax_format::base64::decode_spaced(text.expose_str()?).map(SecretBytes::from)
}
