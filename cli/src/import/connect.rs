//! Clients of stores, logged in as whoever runs this: what a store says of logging in is the controller's and not used.

use std::collections::BTreeMap;
use std::sync::Arc;

use sealwax_crds::{AwsProvider, AwsService, FakeProvider, KvVersion, OneProvider, StoreSpec, VaultProvider};
use sealwax_format::{SecretBytes, base64};
use sealwax_sources::{Fake, Source, SourceError, aws, vault};

use crate::error::CommandError;
use crate::vault as user;

/// A client of a store.
pub(super) async fn connect(spec: &StoreSpec) -> Result<Box<dyn Source>, CommandError> {
    match spec.provider.one() {
        Some(OneProvider::Vault(provider)) => vault(provider),
        Some(OneProvider::Aws(provider)) => aws(provider).await,
        Some(OneProvider::Fake(provider)) => Ok(fake(provider)),
        Some(OneProvider::Kubernetes(_)) => Err(CommandError::refused("stores of Kubernetes are not read")
            .hint("Seal those Secrets themselves: kubectl get secret NAME -o yaml | sealwax seal")),
        None => Err(CommandError::refused("has not exactly one provider")),
    }
}

fn fake(provider: &FakeProvider) -> Box<dyn Source> {
    let values = provider.data.iter();
    let values = values.map(|value| (value.key.clone(), value.version.clone(), SecretBytes::from(value.value.clone())));
    Box::new(Fake::new(values.collect()))
}

/// The server that is asked: that of the environment, which the token is of. A manifest says where the controller reads,
/// and can come from anybody; it would get the token by naming a server.
fn vault_server(provider: &VaultProvider) -> Result<String, CommandError> {
    user::server().ok_or_else(|| {
        let server = &provider.server;
        CommandError::usage("VAULT_ADDR does not say which server may be sent your token").hint(
            if user::is_plain(server) {
                format!("The store names this one. If you trust it: export VAULT_ADDR={server}")
            } else {
                "Set VAULT_ADDR to the server's address.".to_owned()
            },
        )
    })
}

fn vault(provider: &VaultProvider) -> Result<Box<dyn Source>, CommandError> {
    let own_namespace = user::namespace();
    let server = vault_server(provider)?;
    let settings = vault::Settings {
        mount: provider.path.clone(),
        version: match provider.version.unwrap_or_default() {
            KvVersion::V1 => vault::Version::V1,
            KvVersion::V2 => vault::Version::V2,
        },
        namespace: provider.namespace.clone().or_else(|| own_namespace.clone()),
        auth_namespace: own_namespace.or_else(|| provider.namespace.clone()),
        ca: authorities(provider, &server)?,
        client_certificate: user::client_certificate()?,
        // Those of the store go to the store's server, at the controller's risk.
        headers: BTreeMap::new(),
        forward_inconsistent: provider.forward_inconsistent == Some(true),
        server,
    };
    let login = vault::Login::Token(Arc::new(user::token()?));
    let client = vault::Vault::new(settings, login).map_err(source_failed)?;
    Ok(Box::new(client))
}

/// Certificates that vouch for the server. Those of the store vouch for the store's own, and for no other.
fn authorities(provider: &VaultProvider, server: &str) -> Result<Option<Vec<u8>>, CommandError> {
    if let Some(own) = user::authorities()? {
        return Ok(Some(own));
    }
    let bundle = provider.ca_bundle.as_deref().filter(|bundle| !bundle.is_empty());
    let Some(bundle) = bundle.filter(|_| user::same_server(&provider.server, server)) else { return Ok(None) };
    base64::decode(bundle.trim()).map(Some).ok_or_else(|| CommandError::refused("its caBundle is not base64"))
}

/// As whom the environment and the files of AWS's own command say. The store's roles trust the controller, not people.
async fn aws(provider: &AwsProvider) -> Result<Box<dyn Source>, CommandError> {
    let service = match provider.service {
        AwsService::SecretsManager => aws::Service::SecretsManager,
        AwsService::ParameterStore => aws::Service::ParameterStore,
    };
    let settings = aws::Settings {
        region: provider.region.clone(),
        prefix: provider.prefix.clone().unwrap_or_default(),
        ..aws::Settings::new(service)
    };
    let source = aws::open(&settings, aws::Credentials::Ambient).await.map_err(source_failed)?;
    Ok(Box::new(source))
}

/// A failure of a source in the words of a command, which does not ask again by itself.
pub(crate) fn source_failed(mut error: SourceError) -> CommandError {
    use sealwax_sources::Kind;
    let plain = match error.kind {
        Kind::Throttled { .. } => Some("too many calls; try again later"),
        Kind::Unavailable { .. } => Some("the server does not answer as it should"),
        _ => None,
    };
    error.detail = error.detail.or(plain);
    let denied = error.kind == Kind::Denied || error.operation == "login";
    let failed = CommandError::refused(error.to_string()).transient(error.is_transient());
    match error.provider {
        "Vault" if denied => failed.hint("Vault is read with your own token: VAULT_TOKEN, or what `vault login` left."),
        "SecretsManager" | "ParameterStore" | "AWS KMS" if denied => failed.hint(
            "AWS is read with your own credentials: those of the environment, AWS_PROFILE, or what they lead to.",
        ),
        "SecretsManager" | "ParameterStore" if error.operation == "connect" => failed.hint("Set AWS_REGION."),
        _ => failed,
    }
}
