//! Keys of the transit engine that others' data keys are wrapped with, used with a token that is at hand.

use std::fmt;

use data_encoding::BASE64;
use sealwax_format::SecretBytes;
use serde::Deserialize;
use vaultrs::api::transit::requests::{DecryptDataRequest, EncryptDataRequest};
use zeroize::{Zeroize as _, Zeroizing};

use super::client::Caller;
use super::kv::{Enclosed, parse};
use super::transport::Transport;
use super::{PROVIDER, Settings};
use crate::SourceError;

/// A client of one server. It makes one request for each call: a token that is dead is refused there and then.
pub struct Transit {
    transport: Transport,
    token: SecretBytes,
    namespace: Option<String>,
}

/// A key, where its engine is mounted.
#[derive(Clone, Copy, Debug)]
pub struct TransitKey<'k> {
    engine: &'k str,
    name: &'k str,
}

impl<'k> TransitKey<'k> {
    /// Both stand in a URL, and may come from anybody: nothing in them may lead to another path.
    pub fn new(engine: &'k str, name: &'k str) -> Option<Self> {
        (is_path(engine) && is_path(name) && !name.contains('/')).then_some(Self { engine, name })
    }
}

impl Transit {
    /// Says nothing to the server yet.
    pub fn new(settings: &Settings, token: SecretBytes) -> Result<Self, SourceError> {
        Ok(Self { transport: Transport::new(settings)?, token, namespace: settings.namespace.clone() })
    }

    /// Encrypts under the newest version of a key.
    pub async fn encrypt(&self, key: TransitKey<'_>, plaintext: &SecretBytes) -> Result<String, SourceError> {
        let mut request = EncryptDataRequest {
            mount: key.engine.to_owned(),
            name: key.name.to_owned(),
            plaintext: BASE64.encode(plaintext.expose()),
            ..EncryptDataRequest::default()
        };
        let answer = self.transport.send(&request, self.caller("encrypt")).await;
        request.plaintext.zeroize();
        let answer: Enclosed<Encrypted> = parse(&answer?, "encrypt")?;
        let ciphertext = answer.data.map(|data| data.ciphertext).filter(|ciphertext| !ciphertext.is_empty());
        ciphertext.ok_or_else(|| SourceError::invalid(PROVIDER, "encrypt", "the answer holds no ciphertext"))
    }

    /// Opens what was encrypted under a key.
    pub async fn decrypt(&self, key: TransitKey<'_>, ciphertext: &str) -> Result<SecretBytes, SourceError> {
        let request = DecryptDataRequest {
            mount: key.engine.to_owned(),
            name: key.name.to_owned(),
            ciphertext: ciphertext.to_owned(),
            ..DecryptDataRequest::default()
        };
        let answer = self.transport.send(&request, self.caller("decrypt")).await?;
        let answer: Enclosed<Decrypted> = parse(&answer, "decrypt")?;
        let decode = |data: Decrypted| BASE64.decode(data.plaintext.as_bytes()).ok().map(Zeroizing::new);
        let plaintext = answer.data.and_then(decode).filter(|plaintext| !plaintext.is_empty());
        plaintext
            .map(SecretBytes::from)
            .ok_or_else(|| SourceError::invalid(PROVIDER, "decrypt", "the answer holds no plaintext in base64"))
    }

    fn caller(&self, operation: &'static str) -> Caller<'_> {
        Caller { operation, namespace: self.namespace.as_deref(), token: Some(&self.token) }
    }
}

impl fmt::Debug for Transit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Transit({PROVIDER} at {})", self.transport.base)
    }
}

#[derive(Deserialize)]
struct Encrypted {
    ciphertext: String,
}

#[derive(Deserialize)]
struct Decrypted {
    plaintext: Zeroizing<String>,
}

/// Segments that stay what they are in a URL.
fn is_path(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    text.split('/').all(|segment| !segment.is_empty() && !matches!(segment, "." | "..") && segment.bytes().all(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_leads_nowhere_else() {
        assert!(TransitKey::new("team/transit", "sops-1").is_some());
        for (engine, name) in [
            ("transit", "../../auth/token/revoke-self"),
            ("transit", ".."),
            ("..", "x"),
            ("auth/./token", "x"),
            ("transit/", "x"),
            ("", "x"),
            ("transit", ""),
            ("transit", "a?b"),
            ("transit", "a#b"),
            ("transit", "%2e%2e"),
            ("trans\\it", "a"),
            ("transit", "a/b"),
        ] {
            assert!(TransitKey::new(engine, name).is_none(), "{engine} {name}");
        }
    }
}
