//! From what a store says, and the credentials that it names, to a client of its source.

use std::sync::Arc;

use kube::Client;
use sealwax_crds::{
    FakeProvider, KvVersion, OneProvider, ServiceAccountSelector, StoreSpec, VaultAuth, VaultJwt, VaultKubernetes,
    VaultProvider,
};
use sealwax_format::SecretBytes;
use sealwax_sources::{Fake, Source, Tokens, vault};

use super::StoreError;
use super::aws::connect_aws;
use super::credentials::Credentials;
use super::home::Home;
use super::kubernetes::connect_kubernetes;
use super::tokens::{GivenToken, ServiceAccountTokens, Wanted};

/// For whom tokens are made if nobody says.
const VAULT_AUDIENCE: &str = "vault";

/// What connections are made with.
#[derive(Clone, Copy)]
pub(super) struct Connector<'a> {
    /// Reads credentials, and makes tokens.
    pub client: &'a Client,
    /// For whom.
    pub home: Home<'a>,
    /// Whether stores of one namespace may act as the controller.
    pub ambient: bool,
}

impl<'a> Connector<'a> {
    /// A client of the store's source. It logs in when it is first used.
    pub(super) async fn connect(self, spec: &'a StoreSpec) -> Result<Box<dyn Source>, StoreError> {
        match spec.provider.one().ok_or(StoreError::NoProvider)? {
            OneProvider::Vault(provider) => self.vault(provider).await,
            OneProvider::Aws(provider) => connect_aws(self, provider).await,
            OneProvider::Kubernetes(provider) => connect_kubernetes(self, provider).await,
            OneProvider::Fake(provider) => Ok(fake(provider)),
        }
    }

    pub(super) fn credentials(&self) -> Credentials<'a> {
        Credentials { client: self.client, home: self.home }
    }

    /// That the controller may use its own identity here.
    pub(super) fn as_itself(&self) -> Result<(), StoreError> {
        if self.home.may_be_ambient(self.ambient) { Ok(()) } else { Err(StoreError::Ambient) }
    }

    /// Tokens of a service account that the store names.
    pub(super) fn account(
        &self,
        account: &'a ServiceAccountSelector,
        wanted: &[String],
        seconds: Option<i64>,
    ) -> Result<Arc<dyn Tokens>, StoreError> {
        let namespace = self.home.namespace_of(account.namespace.as_deref())?;
        let wanted_of = Wanted { namespace, stated: account.namespace.is_some(), name: &account.name, seconds };
        let mut audiences = wanted.to_vec();
        audiences.extend(account.audiences.iter().filter(|audience| !wanted.contains(audience)).cloned());
        Ok(Arc::new(ServiceAccountTokens::new(self.client.clone(), &self.home, wanted_of, audiences)))
    }

    async fn vault(&self, provider: &'a VaultProvider) -> Result<Box<dyn Source>, StoreError> {
        let credentials = self.credentials();
        let client_certificate = match provider.tls.as_ref().map(|tls| (&tls.cert_secret_ref, &tls.key_secret_ref)) {
            Some((Some(certificate), Some(key))) => Some((
                credentials.secret(certificate, "tls.crt").await?.expose().to_vec(),
                Arc::new(credentials.secret(key, "tls.key").await?),
            )),
            Some((None, None)) | None => None,
            Some(_) => return Err(StoreError::Invalid("tls needs certSecretRef and keySecretRef".to_owned())),
        };
        let settings = vault::Settings {
            server: provider.server.clone(),
            mount: provider.path.clone(),
            version: match provider.version.unwrap_or_default() {
                KvVersion::V1 => vault::Version::V1,
                KvVersion::V2 => vault::Version::V2,
            },
            namespace: provider.namespace.clone(),
            auth_namespace: provider.auth.namespace.clone(),
            ca: credentials.authorities(provider.ca_bundle.as_deref(), provider.ca_provider.as_ref()).await?,
            client_certificate,
            headers: provider.headers.clone(),
            forward_inconsistent: provider.forward_inconsistent == Some(true),
        };
        let login = self.vault_login(&provider.auth).await?;
        Ok(Box::new(vault::Vault::new(settings, login)?))
    }

    async fn vault_login(&self, auth: &'a VaultAuth) -> Result<vault::Login, StoreError> {
        let credentials = self.credentials();
        if let Some(token) = &auth.token_secret_ref {
            return Ok(vault::Login::Token(Arc::new(credentials.text(token, "token").await?)));
        }
        if let Some(role) = &auth.app_role {
            let role_id = match (&role.role_id, &role.role_ref) {
                (Some(id), _) => id.clone(),
                (None, Some(reference)) => text(&credentials.text(reference, "role-id").await?, "the role id")?,
                (None, None) => return Err(StoreError::Invalid("appRole needs roleId or roleRef".to_owned())),
            };
            return Ok(vault::Login::AppRole {
                mount: role.path.clone().unwrap_or_else(|| "approle".to_owned()),
                role_id,
                secret_id: Arc::new(credentials.text(&role.secret_ref, "secret-id").await?),
            });
        }
        if let Some(kubernetes) = &auth.kubernetes {
            return Ok(vault::Login::Kubernetes {
                mount: kubernetes.mount_path.clone().unwrap_or_else(|| "kubernetes".to_owned()),
                role: kubernetes.role.clone(),
                jwt: self.vault_account(kubernetes).await?,
            });
        }
        match &auth.jwt {
            Some(jwt) => Ok(vault::Login::Jwt {
                mount: jwt.path.clone().unwrap_or_else(|| "jwt".to_owned()),
                role: jwt.role.clone(),
                jwt: self.vault_jwt(jwt).await?,
            }),
            None => Err(StoreError::Invalid("auth names no way to log in".to_owned())),
        }
    }

    async fn vault_account(&self, kubernetes: &'a VaultKubernetes) -> Result<Arc<dyn Tokens>, StoreError> {
        if let Some(account) = &kubernetes.service_account_ref {
            // What a role asks for is up to Vault; without a word on it, tokens are for Vault alone.
            let wanted = if account.audiences.is_empty() { vec![VAULT_AUDIENCE.to_owned()] } else { Vec::new() };
            return self.account(account, &wanted, None);
        }
        if let Some(token) = &kubernetes.secret_ref {
            return Ok(Arc::new(GivenToken(self.credentials().text(token, "token").await?)));
        }
        // Never the controller's own token: it is good for the API server, and the author of the store says where it goes.
        let what = "auth.kubernetes names nobody to log in as: name a serviceAccountRef";
        Err(StoreError::Invalid(what.to_owned()))
    }

    async fn vault_jwt(&self, jwt: &'a VaultJwt) -> Result<Arc<dyn Tokens>, StoreError> {
        if let Some(token) = &jwt.secret_ref {
            return Ok(Arc::new(GivenToken(self.credentials().text(token, "jwt").await?)));
        }
        let Some(made) = &jwt.kubernetes_service_account_token else {
            let what = "auth.jwt needs secretRef or kubernetesServiceAccountToken";
            return Err(StoreError::Invalid(what.to_owned()));
        };
        let stated = !made.audiences.is_empty() || !made.service_account_ref.audiences.is_empty();
        let wanted = if stated { made.audiences.clone() } else { vec![VAULT_AUDIENCE.to_owned()] };
        self.account(&made.service_account_ref, &wanted, made.expiration_seconds)
    }
}

fn fake(provider: &FakeProvider) -> Box<dyn Source> {
    let values = provider.data.iter();
    let values = values.map(|value| (value.key.clone(), value.version.clone(), SecretBytes::from(value.value.clone())));
    Box::new(Fake::new(values.collect()))
}

/// What must be text.
pub(super) fn text(value: &SecretBytes, what: &str) -> Result<String, StoreError> {
    value.expose_str().map(str::to_owned).ok_or_else(|| StoreError::Invalid(format!("{what} is not text")))
}

#[cfg(test)]
mod tests {
    use sealwax_crds::StoreKind;
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn nobody_logs_in_to_vault_with_the_controllers_own_token() {
        let config = kube::Config::new("http://127.0.0.1:1".parse().unwrap());
        let client = Client::try_from(config).unwrap();
        let auth = json!({"kubernetes": {"role": "r"}});
        let spec = json!({"provider": {"vault": {"server": "https://vault", "path": "secret", "auth": auth}}});
        let spec: StoreSpec = serde_json::from_value(spec).unwrap();
        for (kind, namespace) in [(StoreKind::SecretStore, Some("prod")), (StoreKind::ClusterSecretStore, None)] {
            let home = Home { kind, store: "vault", user: Some("prod"), namespace };
            let refused = Connector { client: &client, home, ambient: true }.connect(&spec).await.err().unwrap();
            assert!(refused.is_final() && refused.to_string().contains("name a serviceAccountRef"), "{refused}");
        }
    }
}
