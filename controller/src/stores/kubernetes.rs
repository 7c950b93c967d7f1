//! Clients of other namespaces and clusters.

use std::sync::Arc;

use sealwax_crds::KubernetesProvider;
use sealwax_sources::Source;
use sealwax_sources::kubernetes::{Kubernetes, Login, Settings};

use super::StoreError;
use super::connect::Connector;

/// Logs in with what the store names: never as the controller itself.
pub(super) async fn connect_kubernetes<'a>(
    connector: Connector<'a>,
    provider: &'a KubernetesProvider,
) -> Result<Box<dyn Source>, StoreError> {
    let (credentials, auth) = (connector.credentials(), &provider.auth);
    let login = if let Some(token) = &auth.token {
        Login::Token(Arc::new(credentials.text(&token.bearer_token, "token").await?))
    } else if let Some(account) = &auth.service_account {
        Login::ServiceAccount(connector.account(account, &[], None)?)
    } else if let Some(cert) = &auth.cert {
        Login::ClientCertificate {
            certificate: credentials.secret(&cert.client_cert, "tls.crt").await?.expose().to_vec(),
            key: Arc::new(credentials.secret(&cert.client_key, "tls.key").await?),
        }
    } else {
        return Err(StoreError::Invalid("auth names no way to log in".to_owned()));
    };
    let server = provider.server.as_ref();
    let bundle = server.and_then(|server| server.ca_bundle.as_deref());
    let settings = Settings {
        server: server.and_then(|server| server.url.clone()),
        namespace: provider.remote_namespace.clone().unwrap_or_else(|| "default".to_owned()),
        ca: credentials.authorities(bundle, server.and_then(|server| server.ca_provider.as_ref())).await?,
    };
    Ok(Box::new(Kubernetes::new(settings, login)?))
}
