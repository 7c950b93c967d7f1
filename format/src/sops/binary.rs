//! Files of any bytes, as SOPS wraps them: a JSON file with the one value `data`.

use sha2::{Digest as _, Sha512};
use zeroize::Zeroizing;

use super::cipher::Type;
use super::metadata::BLOCK_KEY;
use super::read::{At, Layout, OpenedValue, ReadError, associated, new_digest};
use super::scalar::{Seen, see};
use super::sealing::Sealing;
use super::write::{Report, Request, WriteError};
use crate::document::present::double_quoted;
use crate::document::{File, Syntax};
use crate::path::Path;
use crate::primitives::Random;

/// The name under which the bytes stand.
const DATA: &str = "data";

/// Whether an encrypted file has the shape of one: nothing but the one value, and the block.
pub fn is_one(file: &File<'_>) -> bool {
    let [document] = file.documents.as_slice() else { return false };
    let known = |name: &str| name == DATA || name == BLOCK_KEY;
    let entries = document.root.entries();
    entries.len() == 2 && entries.iter().all(|(key, _)| key.text().is_some_and(known))
}

/// Encrypts bytes: the text of a JSON file, laid out as SOPS does.
pub fn encrypt(bytes: &[u8], request: &Request<'_>, random: &mut dyn Random) -> Result<Report, At<WriteError>> {
    let of_file = |error: WriteError| At { line: None, path: None, error };
    if !request.metadata.selector.selects([DATA], std::iter::empty()) {
        return Err(of_file(WriteError::NothingSelected));
    }
    let path = Path::of_keys(&[DATA]);
    let mut digest: Sha512 = new_digest(request.metadata);
    digest.update(bytes);
    let known = request.tokens().and_then(|stash| stash.find_one(&path, Type::Text, bytes));
    let token = match known {
        _ if bytes.is_empty() => String::new(),
        Some(token) => token.to_string(),
        None => {
            let sealed = request.cipher.seal(random, Type::Text, bytes, &associated(&path));
            sealed.map_err(|error| of_file(error.into()))?.to_string()
        }
    };
    let envelope = format!("{{\n\t\"{DATA}\": {}\n}}\n", double_quoted(&token, Syntax::Json));
    let file = File::parse(&envelope, Syntax::Json).map_err(|_| of_file(WriteError::NoMapping))?;
    let mut sealing = Sealing::new(&file, request, random, true);
    sealing.blocks(&digest.finalize()).map_err(of_file)?;
    let text = sealing.finish().map_err(|error| of_file(ReadError::from(error).into()))?;
    let kept = usize::from(known.is_some());
    Ok(Report { text, sealed: usize::from(!bytes.is_empty()) - kept, kept })
}

/// The bytes of an opened file; `None` if it holds no text `data`.
pub fn decrypt(file: &File<'_>, layout: &Layout<'_>, opened: &[OpenedValue]) -> Option<Zeroizing<Vec<u8>>> {
    let path = Path::of_keys(&[DATA]);
    let (position, value) =
        layout.values.iter().enumerate().find(|(_, value)| value.document == 0 && value.leaf.path == path)?;
    match opened.iter().find(|one| one.value == position) {
        Some(one) if one.kind == Type::Text => Some(one.plaintext.clone()),
        Some(_) => None,
        None => match see(file.syntax, value.leaf.node, value.leaf.scalar?).ok()? {
            Seen::Value(Type::Text, bytes) => Some(bytes),
            _ => None,
        },
    }
}
