//! Values that are kept in base64, and null bytes.

use data_encoding::{BASE64, BASE64URL, Encoding, Specification};
use sealwax_crds::{DecodingStrategy, NullBytePolicy};
use sealwax_format::SecretBytes;
use zeroize::Zeroizing;

use super::error::EntryProblem;

/// The item's value, decoded and looked through as the entry says.
pub(super) fn value(
    item: &str,
    value: SecretBytes,
    strategy: DecodingStrategy,
    null_bytes: NullBytePolicy,
) -> Result<SecretBytes, EntryProblem> {
    let refused = |encoding| EntryProblem::Encoding { item: item.to_owned(), encoding };
    let bytes = value.expose();
    let decoded = match strategy {
        DecodingStrategy::None => value,
        DecodingStrategy::Base64 => decode(&BASE64, bytes).ok_or_else(|| refused("base64"))?,
        DecodingStrategy::Base64Url => decode(&BASE64URL, bytes).ok_or_else(|| refused("base64url"))?,
        DecodingStrategy::Auto => decode(&BASE64, bytes).or_else(|| decode(&BASE64URL, bytes)).unwrap_or(value),
    };
    if null_bytes == NullBytePolicy::Fail && decoded.expose().contains(&0) {
        return Err(EntryProblem::NullByte(item.to_owned()));
    }
    Ok(decoded)
}

/// As Go decodes: padded, without regard to ends of lines and to the bits that the last character has too many.
fn decode(strict: &Encoding, bytes: &[u8]) -> Option<SecretBytes> {
    let mut specification: Specification = strict.specification();
    specification.check_trailing_bits = false;
    let encoding = specification.encoding().ok()?;
    let text: Zeroizing<Vec<u8>> =
        Zeroizing::new(bytes.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect());
    // The library takes several padded texts one after the other, too.
    let unpadded = text.len() - text.iter().rev().take(2).take_while(|byte| **byte == b'=').count();
    if text[..unpadded].contains(&b'=') {
        return None;
    }
    encoding.decode(&text).ok().map(SecretBytes::from)
}
