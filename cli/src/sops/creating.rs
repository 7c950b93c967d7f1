//! From a plain file to one of SOPS.

use sealwax_format::SecretBytes;
use sealwax_format::document::{File, Syntax};
use sealwax_format::sops::{Layout, Seen, Selector, Value, see};
use zeroize::Zeroizing;

use super::config::Creation;
use super::keys::Keys;
use super::{Opened, in_file, opened};
use crate::error::CommandError;
use crate::files::Store;
use crate::ui::{Note, count};

/// Encrypts a file by a rule; one that is encrypted already has to be so in whole. What an earlier state for the same
/// keys holds too keeps its tokens.
pub(crate) fn encrypt(
    shown: &str,
    (store, file): (Store, &File<'_>),
    creation: &Creation,
    keys: &Keys<'_>,
    previous: Option<&Opened>,
) -> Result<(Zeroizing<String>, Vec<Note>), CommandError> {
    if Layout::is_one(file) {
        let values = complete(shown, file)?;
        let note = format!("{shown}: nothing new to encrypt ({values} encrypted)");
        return Ok((Zeroizing::new(file.source.to_owned()), vec![Note::Done(note)]));
    }
    if store == Store::Binary {
        return encrypt_bytes(shown, &SecretBytes::from(file.source.as_bytes().to_vec()), creation, keys);
    }
    let report = match previous {
        Some(previous) => previous.seal(file.source.as_bytes())?,
        None => opened::encrypt(shown, file.source.as_bytes(), store, creation, keys)?,
    };
    let kept = if report.kept > 0 { format!(" ({} kept)", report.kept) } else { String::new() };
    let (sealed, readers) = (count(report.sealed, "value"), creation.readers());
    let note = format!("{shown}: sealed {sealed}{kept} by {} for {readers}", creation.rule);
    Ok((report.text, vec![Note::Done(note)]))
}

/// Encrypts bytes by a rule, whose selector has nothing to select: all of it is one value.
pub(crate) fn encrypt_bytes(
    shown: &str,
    bytes: &SecretBytes,
    creation: &Creation,
    keys: &Keys<'_>,
) -> Result<(Zeroizing<String>, Vec<Note>), CommandError> {
    if let Some(text) = bytes.expose_str().filter(|text| text.starts_with('{'))
        && File::parse(text, Syntax::Json).is_ok_and(|file| Layout::is_one(&file))
    {
        let note = Note::Done(format!("{shown}: nothing new to encrypt"));
        return Ok((Zeroizing::new(text.to_owned()), vec![note]));
    }
    let mut creation = creation.clone();
    (creation.selector, creation.mac_only_encrypted) = (Selector::default(), false);
    let report = opened::encrypt(shown, bytes.expose(), Store::Binary, &creation, keys)?;
    let note = format!("{shown}: sealed as a whole by {} for {}", creation.rule, creation.readers());
    Ok((report.text, vec![Note::Done(note)]))
}

/// How many values of a file are encrypted; an error if its selector wants more to be.
fn complete(shown: &str, file: &File<'_>) -> Result<usize, CommandError> {
    let layout = Layout::read(file).map_err(|at| in_file(shown, &at))?;
    if let Some(value) = layout.values.iter().find(|value| is_clear(file, value)) {
        let (line, path) = (file.line(value.leaf.node.span.start), &value.leaf.path);
        let message = format!("{shown}:{line}: {path}: stands in the clear in a file that is encrypted");
        return Err(CommandError::refused(message).hint(
            "Values of SOPS files are added with `sealwax set` or `sealwax edit`, which need a key of the file.",
        ));
    }
    Ok(layout.values.iter().filter(|value| value.token.is_some()).count())
}

/// Whether a value is selected, and not encrypted. Null and empty text never are.
pub(crate) fn is_clear(file: &File<'_>, value: &Value<'_>) -> bool {
    let clear = value.selected && value.token.is_none();
    clear
        && match value.leaf.scalar.map(|scalar| see(file.syntax, value.leaf.node, scalar)) {
            Some(Ok(Seen::Null)) => false,
            Some(Ok(Seen::Value(_, bytes))) => !bytes.is_empty(),
            Some(Err(_)) | None => true,
        }
}
