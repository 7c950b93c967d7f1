//! Tokens: the text that stands where a value was. `ENC[wax1,…]` in two forms, one grammar, no leniency.

use std::fmt;

use crate::base64;
use crate::keys::{Label, MAX_READERS, MAX_WRAP};
use crate::padding::MAX_PLAINTEXT;
use crate::primitives::{KeyId, NONCE_LEN, SHORT_ID_CHARS, TAG_LEN};

/// What any encrypted value starts with, ours or another tool's.
pub(super) const MARKER: &str = "ENC[";
/// What every token starts with.
pub(super) const TOKEN_PREFIX: &str = "ENC[wax1,";
const MAX_CIPHERTEXT: usize = NONCE_LEN + MAX_PLAINTEXT + MAX_PLAINTEXT / 16 + TAG_LEN;

/// Which data key a token needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenKey {
    /// The document key, by the first 8 characters of its id.
    Document(String),
    /// A key of its own, with a wrap for every reader, sorted by label.
    Own {
        /// The key's full id.
        id: KeyId,
        /// Reader and age file.
        wraps: Vec<(Label, Vec<u8>)>,
    },
}

/// A parsed token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Which key opens it.
    pub key: TokenKey,
    /// Nonce, ciphertext and tag.
    pub sealed: Vec<u8>,
}

/// A text that starts like a token and is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// An encrypted value of another tool or a later version.
    #[error("encrypted in a form that this version does not know")]
    Foreign,
    /// The closing bracket, a comma or the space after one is missing.
    #[error("the token is cut off or has white space where none belongs")]
    Layout,
    /// Neither 8 nor 52 characters of a key id.
    #[error("the token's key id is malformed")]
    KeyId,
    /// Not strict base64.
    #[error("the token's base64 is malformed")]
    Base64,
    /// Too short to be a ciphertext, or above the limits.
    #[error("the token's size is outside the limits")]
    Size,
    /// A label that is none, or labels out of order or repeated.
    #[error("the token's readers are malformed or not sorted")]
    Readers,
}

impl Token {
    /// Whether a string claims to be encrypted, rightly or not.
    pub fn is_claimed_by(text: &str) -> bool {
        text.starts_with(MARKER)
    }

    /// Whether a token has wraps of its own, told without decoding it; `false` for anything malformed.
    pub fn names_readers(text: &str) -> bool {
        text.strip_prefix(TOKEN_PREFIX).and_then(|body| body.find(',')).is_some_and(|length| length > SHORT_ID_CHARS)
    }

    /// Whether a token, or what claims to be one, stands anywhere in the text of a file: told without parsing it.
    pub fn occurs_in(contents: &[u8]) -> bool {
        contents.windows(TOKEN_PREFIX.len()).any(|window| window == TOKEN_PREFIX.as_bytes())
    }

    /// Parses the whole of a scalar's value.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let body = text.strip_prefix(TOKEN_PREFIX).ok_or(TokenError::Foreign)?;
        let body = body.strip_suffix(']').ok_or(TokenError::Layout)?;
        let (id, body) = body.split_once(',').ok_or(TokenError::Layout)?;
        let mut parts = body.split(", ");
        let sealed = decode(parts.next().unwrap_or_default())?;
        if !(NONCE_LEN + TAG_LEN + 64..=MAX_CIPHERTEXT).contains(&sealed.len()) {
            return Err(TokenError::Size);
        }
        let wraps = parts.map(parse_wrap).collect::<Result<Vec<_>, _>>()?;
        let key = match id.len() {
            SHORT_ID_CHARS if wraps.is_empty() && is_short_id(id) => TokenKey::Document(id.to_owned()),
            SHORT_ID_CHARS => return Err(TokenError::KeyId),
            _ => TokenKey::Own { id: KeyId::parse(id).ok_or(TokenError::KeyId)?, wraps: sorted(wraps)? },
        };
        Ok(Self { key, sealed })
    }

    /// The pieces of the token that stand on lines of their own in block YAML; joined by single spaces they are the
    /// token.
    pub fn lines(&self) -> Vec<String> {
        let sealed = base64::encode(&self.sealed);
        match &self.key {
            TokenKey::Document(short) => vec![format!("{TOKEN_PREFIX}{short},{sealed}]")],
            TokenKey::Own { id, wraps } => {
                let mut lines = vec![format!("{TOKEN_PREFIX}{id},{sealed}")];
                for (label, wrap) in wraps {
                    if let Some(line) = lines.last_mut() {
                        line.push(',');
                    }
                    lines.push(format!("{label}:{}", base64::encode(wrap)));
                }
                if let Some(line) = lines.last_mut() {
                    line.push(']');
                }
                lines
            }
        }
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines().join(" "))
    }
}

fn decode(text: &str) -> Result<Vec<u8>, TokenError> {
    if text.contains([' ', ',']) {
        return Err(TokenError::Layout);
    }
    base64::decode(text).ok_or(TokenError::Base64)
}

fn parse_wrap(text: &str) -> Result<(Label, Vec<u8>), TokenError> {
    let (label, wrap) = text.split_once(':').ok_or(TokenError::Readers)?;
    let label = label.parse().map_err(|_| TokenError::Readers)?;
    let wrap = decode(wrap)?;
    if wrap.is_empty() || wrap.len() > MAX_WRAP {
        return Err(TokenError::Size);
    }
    Ok((label, wrap))
}

fn sorted(wraps: Vec<(Label, Vec<u8>)>) -> Result<Vec<(Label, Vec<u8>)>, TokenError> {
    let ascending = wraps.windows(2).all(|pair| pair[0].0.to_string() < pair[1].0.to_string());
    if wraps.is_empty() || wraps.len() > MAX_READERS || !ascending {
        return Err(TokenError::Readers);
    }
    Ok(wraps)
}

pub(crate) fn is_short_id(id: &str) -> bool {
    id.len() == SHORT_ID_CHARS && id.bytes().all(|b| b.is_ascii_lowercase() || (b'2'..=b'7').contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Fingerprint;
    use crate::primitives::{DataKey, tests::Counter};

    fn own() -> Token {
        let label = |name: &str| Label::new(name, Fingerprint::of(name)).unwrap();
        Token {
            key: TokenKey::Own {
                id: DataKey::mint(&mut Counter(0)).unwrap().id(),
                wraps: vec![(label("ops"), vec![1; 40]), (label("prod"), vec![2; 41])],
            },
            sealed: vec![7; 92],
        }
    }

    #[test]
    fn both_forms_read_what_they_write() {
        let document = Token { key: TokenKey::Document("abcdefg2".into()), sealed: vec![7; 92] };
        for token in [document, own()] {
            assert_eq!(Token::parse(&token.to_string()).unwrap(), token);
        }
        assert_eq!(own().lines().len(), 3);
    }

    #[test]
    fn refuses_every_other_text() {
        let good = own().to_string();
        let (head, tail) = good.split_once(", ").unwrap();
        let (first, second) = tail.strip_suffix(']').unwrap().split_once(", ").unwrap();
        let bad = [
            ("ENC[AES256_GCM,data:x]".to_owned(), TokenError::Foreign),
            (good.strip_suffix(']').unwrap().to_owned(), TokenError::Layout),
            (format!("{head},{tail}"), TokenError::Layout),
            (format!("{head}]"), TokenError::Readers),
            (format!("{head}, {second}, {first}]"), TokenError::Readers),
            (format!("{head}, {first}, {first}]"), TokenError::Readers),
            (format!("{head}, {first},  {second}]"), TokenError::Readers),
            (good.replace(']', "=]"), TokenError::Base64),
            ("ENC[wax1,abcdefg2,AAAA]".to_owned(), TokenError::Size),
            (good.replacen("wax1,", "wax1,A", 1), TokenError::KeyId),
        ];
        for (text, expected) in bad {
            assert_eq!(Token::parse(&text), Err(expected), "{text}");
        }
    }
}
