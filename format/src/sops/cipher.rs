//! The encrypted scalar of SOPS: `ENC[AES256_GCM,data:…,iv:…,tag:…,type:…]`, and the cipher in it.
//!
//! The data key of a file encrypts directly, without derivation, under nonces of 32 bytes. Associated data are the
//! mapping keys from the root, each followed by a colon: they bind a value to its path and to nothing else.

use std::fmt;

use aes_gcm::aead::consts::{U12, U16, U32};
use aes_gcm::aead::{Aead, Payload};
use aes_gcm::aes::Aes256;
use aes_gcm::{AesGcm, KeyInit, Nonce};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::base64;
use crate::primitives::{Random, RandomError};

const PREFIX: &str = "ENC[AES256_GCM,";
const KEY_LEN: usize = 32;
const NONCE_LEN: usize = 32;
const TAG_LEN: usize = 16;

/// What a value was before it became text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// `str`
    Text,
    /// `int`
    Int,
    /// `float`
    Float,
    /// `bool`
    Bool,
    /// `time`
    Time,
    /// `bytes`: read as text, never written.
    Bytes,
    /// `comment`
    Comment,
}

const TYPES: [(Type, &str); 7] = [
    (Type::Text, "str"),
    (Type::Int, "int"),
    (Type::Float, "float"),
    (Type::Bool, "bool"),
    (Type::Time, "time"),
    (Type::Bytes, "bytes"),
    (Type::Comment, "comment"),
];

impl Type {
    /// As it stands in a token.
    pub fn as_str(self) -> &'static str {
        TYPES.iter().find(|(known, _)| *known == self).map_or("str", |(_, name)| name)
    }
}

/// A text that claims to be an encrypted scalar and is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not `ENC[AES256_GCM,…]` from the first to the last character.
    #[error("the value starts like one that SOPS encrypted, and does not go on like one")]
    Layout,
    /// A part that is not base64.
    #[error("a part of the encrypted value is not base64")]
    Base64,
    /// A nonce or tag of a length that is not supported.
    #[error("the nonce or the tag of the encrypted value has a length that is not supported")]
    Length,
    /// A type that nobody writes.
    #[error("the encrypted value has a type that is not known")]
    Type,
}

/// A parsed token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Ciphertext and tag.
    sealed: Vec<u8>,
    nonce: Vec<u8>,
    /// What the value was.
    pub kind: Type,
}

impl Token {
    /// Ciphertext and tag: two of the same are the same encryption of the same value.
    pub fn sealed(&self) -> &[u8] {
        &self.sealed
    }

    /// Whether a text claims to be one.
    pub fn is_claimed_by(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    /// Whether a file holds, or claims to hold, one.
    pub fn occurs_in(contents: &[u8]) -> bool {
        contents.windows(PREFIX.len()).any(|window| window == PREFIX.as_bytes())
    }

    /// Parses the whole of a scalar's value.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let body = text.strip_prefix(PREFIX).and_then(|body| body.strip_suffix(']')).ok_or(TokenError::Layout)?;
        let mut parts = body.split(',');
        let mut part = |name: &str| {
            let value = parts.next().and_then(|part| part.strip_prefix(name)).and_then(|part| part.strip_prefix(':'));
            value.ok_or(TokenError::Layout)
        };
        let (data, iv, tag, kind) = (part("data")?, part("iv")?, part("tag")?, part("type")?);
        if parts.next().is_some() {
            return Err(TokenError::Layout);
        }
        let decode = |text: &str| base64::decode(text).ok_or(TokenError::Base64);
        let (mut sealed, nonce, tag) = (decode(data)?, decode(iv)?, decode(tag)?);
        if tag.len() != TAG_LEN || ![12, 16, NONCE_LEN].contains(&nonce.len()) {
            return Err(TokenError::Length);
        }
        sealed.extend_from_slice(&tag);
        let kind = TYPES.iter().find(|(_, name)| *name == kind).map(|(kind, _)| *kind).ok_or(TokenError::Type)?;
        Ok(Self { sealed, nonce, kind })
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (data, tag) = self.sealed.split_at(self.sealed.len().saturating_sub(TAG_LEN));
        let (data, iv, tag) = (base64::encode(data), base64::encode(&self.nonce), base64::encode(tag));
        write!(f, "{PREFIX}data:{data},iv:{iv},tag:{tag},type:{}]", self.kind.as_str())
    }
}

/// The data key of one file.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct FileKey([u8; KEY_LEN]);

impl fmt::Debug for FileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FileKey(<redacted>)")
    }
}

impl FileKey {
    /// Makes a new key.
    pub fn mint(random: &mut dyn Random) -> Result<Self, RandomError> {
        let mut key = Self([0; KEY_LEN]);
        random.fill(&mut key.0)?;
        Ok(key)
    }

    /// Takes what a wrap held.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The bytes to be wrapped.
    pub fn expose(&self) -> &[u8; KEY_LEN] {
        &self.0
    }

    /// The cipher under this key.
    pub fn cipher(&self) -> Cipher {
        Cipher {
            usual: Box::new(AesGcm::new((&self.0).into())),
            others: Box::new((AesGcm::new((&self.0).into()), AesGcm::new((&self.0).into()))),
        }
    }
}

/// AES-256-GCM under the data key of a file, with the nonces that occur.
///
/// The key schedules are wiped when it is dropped. They are boxed, so that moving it does not copy them; but each is made
/// on the stack and moved into its box once, and what the compiler leaves there of it is wiped by nobody.
pub struct Cipher {
    usual: Box<AesGcm<Aes256, U32>>,
    others: Box<(AesGcm<Aes256, U12>, AesGcm<Aes256, U16>)>,
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cipher(<redacted>)")
    }
}

impl Cipher {
    /// Encrypts a text that is not empty: SOPS leaves empty ones alone, and reads no token of one.
    pub fn seal(
        &self,
        random: &mut dyn Random,
        kind: Type,
        plaintext: &[u8],
        associated: &[u8],
    ) -> Result<Token, RandomError> {
        let mut nonce = [0; NONCE_LEN];
        random.fill(&mut nonce)?;
        // Fails only above 64 GiB; files are bounded far below.
        match self.usual.encrypt(&Nonce::from(nonce), Payload { msg: plaintext, aad: associated }) {
            Ok(sealed) => Ok(Token { sealed, nonce: nonce.to_vec(), kind }),
            Err(_) => unreachable!("files are bounded far below the limit of AES-GCM"),
        }
    }

    /// Opens a token, or says no without a reason.
    pub fn open(&self, token: &Token, associated: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let payload = Payload { msg: token.sealed.as_slice(), aad: associated };
        let nonce = token.nonce.as_slice();
        let opened = match nonce.len() {
            NONCE_LEN => self.usual.decrypt(&Nonce::<U32>::try_from(nonce).ok()?, payload),
            12 => self.others.0.decrypt(&Nonce::<U12>::try_from(nonce).ok()?, payload),
            _ => self.others.1.decrypt(&Nonce::<U16>::try_from(nonce).ok()?, payload),
        };
        opened.ok().map(Zeroizing::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OsRandom;
    use crate::primitives::tests::Counter;

    #[test]
    fn reads_what_it_writes() {
        let key = FileKey::mint(&mut Counter(1)).unwrap();
        let token = key.cipher().seal(&mut OsRandom, Type::Int, b"42", b"a:b:").unwrap();
        let read = Token::parse(&token.to_string()).unwrap();
        assert_eq!(read, token);
        assert_eq!(key.cipher().open(&read, b"a:b:").unwrap().as_slice(), b"42");
        assert_eq!(key.cipher().open(&read, b"a:c:"), None);
        let other = FileKey::mint(&mut Counter(2)).unwrap();
        assert_eq!(other.cipher().open(&read, b"a:b:"), None);
    }

    #[test]
    fn refuses_every_other_text() {
        let good = FileKey::mint(&mut Counter(1)).unwrap().cipher();
        let good = good.seal(&mut OsRandom, Type::Text, b"x", b"").unwrap().to_string();
        let cases = [
            (format!("{good} "), TokenError::Layout),
            (good.replace(",tag:", ",tga:"), TokenError::Layout),
            (good.replace("type:str", "type:str,x:y"), TokenError::Layout),
            (good.replace("type:str", "type:int8"), TokenError::Type),
            (good.replace("data:", "data:*"), TokenError::Base64),
            (good.replace("tag:", "tag:AAAA"), TokenError::Length),
        ];
        for (text, expected) in cases {
            assert_eq!(Token::parse(&text), Err(expected), "{text}");
        }
    }
}
