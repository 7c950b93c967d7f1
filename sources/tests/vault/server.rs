//! A server of one test's own, and clients of it.

use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use sealwax_format::SecretBytes;
use sealwax_sources::vault::{Login, Settings, Vault};
use sealwax_sources::{Address, Content, Payload, Source as _, SourceError};
use sealwax_test_servers::Bao;

pub(crate) struct Server(Bao);

impl Deref for Server {
    type Target = Bao;

    fn deref(&self) -> &Bao {
        &self.0
    }
}

impl Server {
    pub(crate) fn start() -> Self {
        Self(Bao::start())
    }

    pub(crate) fn start_with(more: impl FnOnce(&Path, u16) -> String) -> Self {
        Self(Bao::start_with(more))
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings { server: self.url().to_owned(), mount: Some("secret".to_owned()), ..Settings::default() }
    }

    pub(crate) fn client(&self, login: Login) -> Vault {
        Vault::new(self.settings(), login).unwrap()
    }

    /// The administrator's token as a login.
    pub(crate) fn root_login(&self) -> Login {
        token(self.root_token())
    }

    /// A client of the administrator's.
    pub(crate) fn root(&self) -> Vault {
        self.client(self.root_login())
    }
}

pub(crate) fn secret(text: &str) -> Arc<SecretBytes> {
    Arc::new(SecretBytes::from(text.to_owned()))
}

pub(crate) fn token(text: &str) -> Login {
    Login::Token(secret(text))
}

pub(crate) async fn read(vault: &Vault, address: Address) -> Result<Payload, SourceError> {
    vault.read(&[address]).await.remove(0)
}

/// The JSON text that was read.
pub(crate) fn text(payload: &Payload) -> String {
    match &payload.content {
        Content::Fields(bytes) => bytes.expose_str().unwrap().to_owned(),
        other => panic!("{other:?}"),
    }
}
