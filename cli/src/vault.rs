//! Vault as its own command would be used by whoever runs this: the server, token and certificates of the environment.

use std::path::Path;
use std::sync::Arc;

use sealwax_format::SecretBytes;

use crate::error::CommandError;
use crate::files::Input;

/// Where Vault's own command keeps the token of a login, below the home folder.
const TOKEN_FILE: &str = ".vault-token";

/// A certificate and its key.
type Certificate = (Vec<u8>, Arc<SecretBytes>);

/// The server that the token is of.
pub(crate) fn server() -> Option<String> {
    variable("VAULT_ADDR")
}

/// The namespace that is worked in.
pub(crate) fn namespace() -> Option<String> {
    variable("VAULT_NAMESPACE")
}

/// The token of a login.
pub(crate) fn token() -> Result<SecretBytes, CommandError> {
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

/// Certificates that vouch for the server.
pub(crate) fn authorities() -> Result<Option<Vec<u8>>, CommandError> {
    let file = variable("VAULT_CACERT");
    file.map(|file| Ok(Input::read(Path::new(&file))?.bytes.expose().to_vec())).transpose()
}

/// The certificate that the user shows.
pub(crate) fn client_certificate() -> Result<Option<Certificate>, CommandError> {
    match (variable("VAULT_CLIENT_CERT"), variable("VAULT_CLIENT_KEY")) {
        (Some(certificate), Some(key)) => {
            let certificate = Input::read(Path::new(&certificate))?.bytes.expose().to_vec();
            Ok(Some((certificate, Arc::new(Input::read(Path::new(&key))?.bytes))))
        }
        (None, None) => Ok(None),
        _ => Err(CommandError::usage("VAULT_CLIENT_CERT and VAULT_CLIENT_KEY are set together or not at all")),
    }
}

/// Whether it is an address that people may copy to their shell.
pub(crate) fn is_plain(server: &str) -> bool {
    let host = server.strip_prefix("https://").or_else(|| server.strip_prefix("http://")).unwrap_or_default();
    !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:/".contains(&byte))
}

/// Whether both are the same server, but for a slash at the end.
pub(crate) fn same_server(one: &str, other: &str) -> bool {
    one.trim_end_matches('/').eq_ignore_ascii_case(other.trim_end_matches('/'))
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
