//! Functions that encode, decode and hash bytes.

use data_encoding::{BASE32, BASE64, BASE64URL_NOPAD, DecodeError, Encoding, HEXLOWER};
use gotmpl::Value;
use sha2::Digest;

use super::{Function, Outcome, Refused, bytes, string, text};
use crate::bytes::to_text;

pub(super) const FUNCTIONS: &[Function] = &[
    ("b64enc", 1, 1, |a| Ok(string(BASE64.encode(&bytes(&a[0])?)))),
    ("b64dec", 1, 1, |a| decoded(&BASE64, text(&a[0])?)),
    ("b64urlenc", 1, 1, |a| Ok(string(BASE64URL_NOPAD.encode(&bytes(&a[0])?)))),
    ("b64urldec", 1, 1, |a| decoded(&BASE64URL_NOPAD, text(&a[0])?.trim_end_matches(['=', '\r', '\n']))),
    ("b32enc", 1, 1, |a| Ok(string(BASE32.encode(&bytes(&a[0])?)))),
    ("b32dec", 1, 1, |a| decoded(&BASE32, text(&a[0])?)),
    ("sha1sum", 1, 1, |a| Ok(string(HEXLOWER.encode(&sha1::Sha1::digest(bytes(&a[0])?))))),
    ("sha256sum", 1, 1, |a| Ok(string(HEXLOWER.encode(&sha2::Sha256::digest(bytes(&a[0])?))))),
    ("sha512sum", 1, 1, |a| Ok(string(HEXLOWER.encode(&sha2::Sha512::digest(bytes(&a[0])?))))),
];

/// Ends of lines do not count, as in Go.
fn decoded(encoding: &Encoding, text: &str) -> Outcome {
    let bytes: Result<Vec<u8>, DecodeError> = if text.contains(['\r', '\n']) {
        encoding.decode(text.replace(['\r', '\n'], "").as_bytes())
    } else {
        encoding.decode(text.as_bytes())
    };
    bytes.map(|bytes| Value::String(to_text(&bytes).into())).map_err(|_| Refused::Arguments)
}
