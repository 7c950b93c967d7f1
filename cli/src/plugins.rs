//! age plugins and passphrases: the recipients and identities that need another program or a person.

use age::secrecy::SecretString;
use sealwax_format::keys::{Recipient, RecipientError, Strength};

use crate::ui;

/// Lets plugins and encrypted keys ask their questions on the terminal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terminal;

impl age::Callbacks for Terminal {
    fn display_message(&self, message: &str) {
        ui::message(message);
    }

    fn confirm(&self, message: &str, yes: &str, no: Option<&str>) -> Option<bool> {
        ui::is_interactive()
            .then(|| ui::confirm(&format!("{message} ({yes}{})", no.map(|n| format!("/{n}")).unwrap_or_default())))
    }

    fn request_public_string(&self, description: &str) -> Option<String> {
        ui::ask(description)
    }

    fn request_passphrase(&self, description: &str) -> Option<SecretString> {
        ui::hidden_prompt(description).map(|text| SecretString::from(text.as_str()))
    }
}

/// Why a recipient cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PluginError {
    #[error(transparent)]
    Recipient(#[from] RecipientError),
    #[error("not a valid recipient of an age plugin")]
    Text,
    #[error("the program age-plugin-{0} is not in PATH; install it")]
    Missing(String),
}

/// Reads a recipient of any kind.
pub(crate) fn recipient(name: &str, text: &str) -> Result<Recipient, PluginError> {
    let plugin = match Recipient::parse(name, text) {
        Err(RecipientError::Plugin(plugin)) => plugin,
        other => return Ok(other?),
    };
    let text = text.trim();
    let parsed: age::plugin::Recipient = text.parse().map_err(|_| PluginError::Text)?;
    let wraps = age::plugin::RecipientPluginV1::new(&plugin, &[parsed], &[], Terminal)
        .map_err(|_| PluginError::Missing(plugin))?;
    Ok(Recipient::external(name, text.to_owned(), Strength::Classical, Box::new(wraps))?)
}

/// An identity of a plugin, from its `AGE-PLUGIN-NAME-1…` line.
pub(crate) fn identity(text: &str) -> Result<Box<dyn age::Identity + Send + Sync>, PluginError> {
    let parsed: age::plugin::Identity = text.parse().map_err(|_| PluginError::Text)?;
    let plugin = parsed.plugin().to_owned();
    let opened = age::plugin::IdentityPluginV1::new(&plugin, &[parsed], Terminal);
    opened.map(|identity| Box::new(identity) as _).map_err(|_| PluginError::Missing(plugin))
}
