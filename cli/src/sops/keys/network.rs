//! Keys that a service holds: AWS KMS, and the transit engine of Vault. Nothing of it is made before a file needs it.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use sealwax_format::sops::{Service, Wrap};
use sealwax_format::{SecretBytes, base64};
use sealwax_sources::aws::{Kms, KmsSettings};
use sealwax_sources::vault::{Transit, TransitKey};
use sealwax_sources::{Kind, SourceError};
use tokio::runtime::Runtime;
use zeroize::Zeroizing;

use super::{Share, entry, name, transit};
use crate::error::CommandError;
use crate::import::source_failed;

/// The clients of a run. Files that are opened at the same time use them at the same time.
#[derive(Default)]
pub(super) struct Network {
    runtime: OnceLock<Option<Runtime>>,
    /// One for each region, role and profile.
    kms: Clients<KmsSettings, Kms>,
    /// One for each server.
    transit: Clients<String, Result<Transit, CommandError>>,
    /// Servers and regions that did not answer: a thousand files need not wait for each of them a thousand times.
    away: Mutex<HashMap<String, SourceError>>,
}

impl Network {
    pub(super) fn open(&self, wrap: &Wrap) -> Result<Share, CommandError> {
        let key = if wrap.service == Service::AwsKms {
            let client = self.kms(wrap)?;
            let blob = base64::decode(wrap.enc.trim());
            let blob = blob.ok_or_else(|| CommandError::refused("the encrypted data key is not base64"))?;
            let context = wrap.context.iter().cloned().collect();
            self.wait(wrap, client.decrypt(&wrap.key, &context, blob))?
        } else {
            let (client, key) = (self.transit(wrap)?, transit_key(wrap)?);
            let client = client.as_ref().as_ref().map_err(CommandError::clone)?;
            self.wait(wrap, client.decrypt(key, wrap.enc.trim()))?
        };
        Ok(Zeroizing::new(key.expose().to_vec()))
    }

    pub(super) fn wrap(&self, wrap: &Wrap, share: &[u8]) -> Result<String, CommandError> {
        let share = SecretBytes::from(share.to_vec());
        if wrap.service == Service::AwsKms {
            let client = self.kms(wrap)?;
            let context = wrap.context.iter().cloned().collect();
            return self.wait(wrap, client.encrypt(&wrap.key, &context, &share)).map(|blob| base64::encode(&blob));
        }
        let (client, key) = (self.transit(wrap)?, transit_key(wrap)?);
        let client = client.as_ref().as_ref().map_err(CommandError::clone)?;
        self.wait(wrap, client.encrypt(key, &share))
    }

    fn kms(&self, wrap: &Wrap) -> Result<Arc<Kms>, CommandError> {
        let settings = KmsSettings {
            region: name::region_of(&wrap.key)?.to_owned(),
            role: entry::field(wrap, entry::ROLE).map(str::to_owned),
            profile: entry::field(wrap, entry::PROFILE).map(str::to_owned),
        };
        let runtime = self.runtime()?;
        Ok(self.kms.get(&settings, || runtime.block_on(Kms::open(&settings))))
    }

    fn transit(&self, wrap: &Wrap) -> Result<Arc<Result<Transit, CommandError>>, CommandError> {
        transit::is_trusted(&wrap.key)?;
        Ok(self.transit.get(&wrap.key, || transit::client(&wrap.key)))
    }

    fn wait<T>(&self, wrap: &Wrap, call: impl Future<Output = Result<T, SourceError>>) -> Result<T, CommandError> {
        let place = match wrap.service {
            Service::AwsKms => name::region_of(&wrap.key)?,
            _ => &wrap.key,
        };
        if let Some(error) = self.away().get(place) {
            return Err(source_failed(error.clone()));
        }
        let answer = self.runtime()?.block_on(call);
        if let Err(error) = &answer
            && has_no_answer(error)
        {
            self.away().insert(place.to_owned(), error.clone());
        }
        answer.map_err(source_failed)
    }

    fn away(&self) -> MutexGuard<'_, HashMap<String, SourceError>> {
        self.away.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn runtime(&self) -> Result<&Runtime, CommandError> {
        let runtime =
            self.runtime.get_or_init(|| tokio::runtime::Builder::new_current_thread().enable_all().build().ok());
        runtime.as_ref().ok_or_else(|| CommandError::refused("this system lets nothing wait for the network"))
    }
}

/// Whether nobody answered at all: an answer, and a login that failed, may be of one key, or one profile, alone.
fn has_no_answer(error: &SourceError) -> bool {
    matches!(error.kind, Kind::Unavailable { .. }) && error.code.is_none() && error.operation != "login"
}

#[cfg(test)]
impl Network {
    pub(super) fn is_unused(&self) -> bool {
        self.runtime.get().is_none()
    }
}

fn transit_key(wrap: &Wrap) -> Result<TransitKey<'_>, CommandError> {
    let named = entry::field(wrap, entry::ENGINE_PATH).zip(entry::field(wrap, entry::KEY_NAME));
    let key = named.and_then(|(engine, name)| TransitKey::new(engine, name));
    key.ok_or_else(|| CommandError::refused("engine_path and key_name do not name a key of a transit engine"))
}

/// Clients by what they are for, each made once, while only those wait who want the same.
struct Clients<K, C>(Mutex<HashMap<K, Slot<C>>>);

/// Where a client is, or will be.
type Slot<C> = Arc<OnceLock<Arc<C>>>;

impl<K, C> Default for Clients<K, C> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Clone + Eq + std::hash::Hash, C> Clients<K, C> {
    fn get(&self, of: &K, make: impl FnOnce() -> C) -> Arc<C> {
        // A slot is there or not: a panic leaves nothing half done.
        let slot = Arc::clone(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(of.clone()).or_default());
        Arc::clone(slot.get_or_init(|| Arc::new(make())))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};

    use sealwax_sources::vault::Settings;

    use super::*;

    /// Answers every request on a connection that stays open.
    fn serve(stream: TcpStream) {
        let mut lines = BufReader::new(stream);
        let mut length = 0;
        let mut line = String::new();
        while lines.read_line(&mut line).is_ok_and(|read| read > 0) {
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                lines.read_exact(&mut vec![0; length]).unwrap();
                let body = r#"{"data":{"plaintext":"c2hhcmU="}}"#;
                let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                lines.get_mut().write_all(answer.as_bytes()).unwrap();
            }
            line.clear();
        }
    }

    #[test]
    fn files_wait_for_the_network_at_the_same_time() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(|| serve(stream));
            }
        });
        let wrap = name::parse_vault_transit(&format!("{server}/v1/transit/keys/sops")).unwrap();
        let settings = Settings { server, ..Settings::default() };
        let network = Network::default();
        let client = Transit::new(&settings, SecretBytes::from("token".to_owned())).unwrap();
        let key = TransitKey::new("transit", "sops").unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        let share = network.wait(&wrap, client.decrypt(key, "vault:v1:x")).unwrap();
                        assert_eq!(share.expose(), b"share");
                    }
                });
            }
        });
    }

    #[test]
    fn who_does_not_answer_is_asked_once() {
        let network = Network::default();
        let named = |server: &str| name::parse_vault_transit(&format!("{server}/v1/transit/keys/sops")).unwrap();
        let asked = std::cell::Cell::new(0);
        let ask = |wrap: &Wrap, kind: Kind| {
            let answer = async {
                asked.set(asked.get() + 1);
                Err::<(), _>(SourceError::new("Vault", "decrypt", kind))
            };
            assert!(network.wait(wrap, answer).is_err());
            asked.get()
        };
        let (away, here) = (named("https://away"), named("https://here"));
        assert_eq!((ask(&away, Kind::Unavailable { after: None }), ask(&away, Kind::Denied)), (1, 1));
        assert_eq!((ask(&here, Kind::Denied), ask(&here, Kind::Denied)), (2, 3), "the next file may be another key's");
        let answered = SourceError::new("Vault", "decrypt", Kind::Unavailable { after: None }).with_code("500");
        assert!(!has_no_answer(&answered));
    }

    #[test]
    fn a_client_is_made_once() {
        let clients = Clients::<&str, usize>::default();
        let made = std::sync::atomic::AtomicUsize::new(0);
        let make = || made.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| clients.get(&"one", make));
            }
        });
        assert_eq!((*clients.get(&"one", make), *clients.get(&"two", make)), (0, 1));
    }
}
