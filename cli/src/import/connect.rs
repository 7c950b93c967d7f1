//! Clients of stores, logged in as whoever runs this: what a store says of logging in is the controller's and not used.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use sealwax_crds::{AwsProvider, AwsService, FakeProvider, KvVersion, OneProvider, StoreSpec, VaultProvider};
use sealwax_format::{SecretBytes, base64};
use sealwax_sources::{Fake, Source, SourceError, aws, vault};

use crate::error::CommandError;
use crate::files::Input;

/// Where Vault's own command keeps the token of a login, below the home folder.
const TOKEN_FILE: &str = ".vault-token";

/// A certificate and its key.
type Certificate = (Vec<u8>, Arc<SecretBytes>);

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
    variable("VAULT_ADDR").ok_or_else(|| {
        let server = &provider.server;
        CommandError::usage("VAULT_ADDR does not say which server may be sent your token").hint(if is_plain(server) {
            format!("The store names this one. If you trust it: export VAULT_ADDR={server}")
        } else {
            "Set VAULT_ADDR to the server's address.".to_owned()
        })
    })
}

/// Whether it is an address that people may copy to their shell.
fn is_plain(server: &str) -> bool {
    let host = server.strip_prefix("https://").or_else(|| server.strip_prefix("http://")).unwrap_or_default();
    !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:/".contains(&byte))
}

/// Whether both are the same server, but for a slash at the end.
pub(super) fn same_server(one: &str, other: &str) -> bool {
    one.trim_end_matches('/').eq_ignore_ascii_case(other.trim_end_matches('/'))
}

fn vault(provider: &VaultProvider) -> Result<Box<dyn Source>, CommandError> {
    let own_namespace = variable("VAULT_NAMESPACE");
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
        client_certificate: client_certificate()?,
        // Those of the store go to the store's server, at the controller's risk.
        headers: BTreeMap::new(),
        forward_inconsistent: provider.forward_inconsistent == Some(true),
        server,
    };
    let login = vault::Login::Token(Arc::new(token()?));
    let client = vault::Vault::new(settings, login).map_err(source_failed)?;
    Ok(Box::new(client))
}

fn token() -> Result<SecretBytes, CommandError> {
    let missing =
        || CommandError::usage("there is no token for Vault").hint("Log in with `vault login`, or set VAULT_TOKEN.");
    if let Some(token) = variable("VAULT_TOKEN") {
        return Ok(SecretBytes::from(token));
    }
    let file = std::env::home_dir().map(|home| home.join(TOKEN_FILE)).filter(|file| file.is_file());
    let held = Input::read(&file.ok_or_else(missing)?)?.bytes;
    let trimmed = held.expose().trim_ascii();
    if trimmed.is_empty() { Err(missing()) } else { Ok(SecretBytes::from(trimmed.to_vec())) }
}

/// Certificates that vouch for the server. Those of the store vouch for the store's own, and for no other.
fn authorities(provider: &VaultProvider, server: &str) -> Result<Option<Vec<u8>>, CommandError> {
    if let Some(file) = variable("VAULT_CACERT") {
        return Ok(Some(Input::read(Path::new(&file))?.bytes.expose().to_vec()));
    }
    let bundle = provider.ca_bundle.as_deref().filter(|bundle| !bundle.is_empty());
    let Some(bundle) = bundle.filter(|_| same_server(&provider.server, server)) else { return Ok(None) };
    base64::decode(bundle.trim()).map(Some).ok_or_else(|| CommandError::refused("its caBundle is not base64"))
}

/// The certificate that the user shows.
fn client_certificate() -> Result<Option<Certificate>, CommandError> {
    match (variable("VAULT_CLIENT_CERT"), variable("VAULT_CLIENT_KEY")) {
        (Some(certificate), Some(key)) => {
            let certificate = Input::read(Path::new(&certificate))?.bytes.expose().to_vec();
            Ok(Some((certificate, Arc::new(Input::read(Path::new(&key))?.bytes))))
        }
        (None, None) => Ok(None),
        _ => Err(CommandError::usage("VAULT_CLIENT_CERT and VAULT_CLIENT_KEY are set together or not at all")),
    }
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
pub(super) fn source_failed(mut error: SourceError) -> CommandError {
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
        "SecretsManager" | "ParameterStore" if denied => failed.hint(
            "AWS is read with your own credentials: those of the environment, AWS_PROFILE, or what they lead to.",
        ),
        "SecretsManager" | "ParameterStore" if error.operation == "connect" => failed.hint("Set AWS_REGION."),
        _ => failed,
    }
}

/// A variable of the environment that says something.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_no_shell_understands_is_offered_to_it() {
        for server in ["https://vault.example:8200", "http://10.0.0.1:8200/vault"] {
            assert!(is_plain(server), "{server}");
        }
        for server in ["", "https://", "vault.example", "https://a;b", "https://a$(b)", "https://a b", "https://a\n"] {
            assert!(!is_plain(server), "{server}");
        }
    }

    #[test]
    fn a_slash_makes_no_other_server() {
        assert!(same_server("https://vault.example", "https://Vault.example/"));
        assert!(!same_server("https://vault.example", "https://vault.example:8200"));
        assert!(!same_server("", "https://vault.example"));
    }
}
