//! The policy file: proposed from what the repository holds.

use sealwax_format::keys::Label;

use super::{Setup, State, proposal};
use crate::error::CommandError;
use crate::policy::{FILE_NAME, Policy};
use crate::ui::count;
use crate::{files, keyring};

pub(super) fn look(setup: &Setup) -> Result<State, CommandError> {
    let file = setup.repository.root().join(FILE_NAME);
    if !file.exists() {
        return Ok(State::Missing(format!("there is no {FILE_NAME}, so nothing says what is encrypted, and for whom")));
    }
    let policy = match Policy::load(&file) {
        Ok(policy) => policy,
        Err(error) => return Ok(State::Yours(error.message().to_owned(), "Mend the policy.".to_owned())),
    };
    for rule in policy.rules() {
        if let Err(error) = rule {
            return Ok(State::Yours(error.message().to_owned(), "Mend the policy.".to_owned()));
        }
    }
    Ok(State::Good(format!("{FILE_NAME} has {}", count(policy.rules().count(), "rule"))))
}

pub(super) fn make(setup: &Setup) -> Result<String, CommandError> {
    let recipient = keyring::own_recipient().ok_or_else(|| {
        CommandError::usage("no public key of yours is known, so the policy would have no reader")
            .hint("Make a key with `sealwax keygen`, or write the policy yourself.")
    })?;
    let found = proposal::look(&setup.repository)?;
    let text = proposal::text(&found, &name_of(setup), &recipient);
    files::create(&setup.repository.root().join(FILE_NAME), text.as_bytes(), false)?;
    Ok(format!("{FILE_NAME}: proposed from {}; look at it, change it, commit it", proposal::seen(&found)))
}

/// What the policy calls whoever runs this: the user's name in Git, as far as a label takes it.
fn name_of(setup: &Setup) -> String {
    let name = setup.repository.setting("user.name").unwrap_or_default().to_lowercase();
    let mapped = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' });
    let name = mapped.collect::<String>().split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-");
    let fits = Label::new(&name, sealwax_format::keys::Fingerprint::of("")).is_ok();
    if fits { name } else { "me".to_owned() }
}
