//! The private key of whoever works here.

use super::{Setup, State};
use crate::error::CommandError;
use crate::keyring::{self, IdentityArgs};
use crate::unix;

pub(super) fn look(_: &Setup) -> Result<State, CommandError> {
    let file = keyring::configured().filter(|file| file.is_file());
    match file {
        Some(file) if unix::is_open_to_others(&file) => {
            let shown = file.display();
            Ok(State::Yours(format!("{shown}: others can read your private key"), format!("chmod 600 {shown}")))
        }
        Some(file) => Ok(State::Good(file.display().to_string())),
        None if keyring::Identities::new(&IdentityArgs::default()).any_configured() => {
            Ok(State::Good("named by the environment".to_owned()))
        }
        None if keyring::has_ssh_key() => Ok(State::Good("an SSH key in ~/.ssh".to_owned())),
        None => Ok(State::Missing("there is no private key, so nothing can be read here".to_owned())),
    }
}

pub(super) fn make(setup: &Setup) -> Result<String, CommandError> {
    let file = keyring::configured_or_error()?;
    let recipient = keyring::create(&file, setup.post_quantum)?;
    Ok(format!("private key written to {}; its public half is {recipient}", file.display()))
}
