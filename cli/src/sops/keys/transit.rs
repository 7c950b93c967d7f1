//! Which servers are sent the user's token of Vault. A file of SOPS names its server, and a file can come from anybody.

use sealwax_format::SecretBytes;
use sealwax_sources::vault::{Settings, Transit};

use crate::error::CommandError;
use crate::import::source_failed;
use crate::vault;

/// The variable of SOPS that lists servers.
const ALLOWED: &str = "SOPS_HC_VAULT_ALLOWLIST";

/// Refuses a server that the user has not named: by the list of SOPS, or else as the server that the token is of.
pub(super) fn is_trusted(server: &str) -> Result<(), CommandError> {
    let list = std::env::var(ALLOWED).ok().filter(|list| !list.is_empty());
    let trusted = match &list {
        Some(list) => is_listed(list, server)?,
        None => vault::server().is_some_and(|own| vault::same_server(&own, server)),
    };
    if trusted {
        return Ok(());
    }
    let shown = server.escape_debug();
    if list.is_some() {
        return Err(CommandError::refused(format!("{ALLOWED} does not list {shown}, so your token is not sent there"))
            .hint(format!("If you trust that server, add it to {ALLOWED}.")));
    }
    let error = CommandError::refused(format!("VAULT_ADDR is not {shown}, so your token is not sent there"));
    Err(error.hint(if vault::is_plain(server) {
        format!("If you trust that server: export VAULT_ADDR={server}, or list it in {ALLOWED}.")
    } else {
        "Set VAULT_ADDR to the server that your token is of.".to_owned()
    }))
}

/// As SOPS reads the list: `all`, `none`, or the beginnings of addresses, whole up to a slash.
fn is_listed(list: &str, server: &str) -> Result<bool, CommandError> {
    let whole = |text: &str| format!("{}/", text.trim_end_matches('/'));
    match list {
        "all" => return Ok(true),
        "none" => return Ok(false),
        _ => {}
    }
    let entries: Vec<&str> = list.split(',').map(str::trim).collect();
    if entries.contains(&"") {
        return Err(CommandError::usage(format!("{ALLOWED} has an empty entry")));
    }
    Ok(entries.iter().any(|entry| whole(server).starts_with(&whole(entry))))
}

/// A client with the user's own token and certificates.
pub(super) fn client(server: &str) -> Result<Transit, CommandError> {
    let settings = Settings {
        server: server.to_owned(),
        namespace: vault::namespace(),
        ca: vault::authorities()?,
        client_certificate: vault::client_certificate()?,
        ..Settings::default()
    };
    let token: SecretBytes = vault::token()?;
    Transit::new(&settings, token).map_err(source_failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_as_sops_does() {
        let vault = "https://vault.example:8200";
        for list in ["all", vault, "https://other, https://vault.example:8200/"] {
            assert!(is_listed(list, vault).unwrap(), "{list}");
        }
        for list in ["none", "https://vault.example", "https://vault.example:82", "https://other"] {
            assert!(!is_listed(list, vault).unwrap(), "{list}");
        }
        assert!(!is_listed("https://vault.example", "https://vault.example.evil").unwrap());
        assert!(is_listed("https://a,,", vault).is_err());
    }
}
