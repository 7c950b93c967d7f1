//! age identities and recipients of every kind.

use std::sync::{Mutex, PoisonError};

use sealwax_format::keys::{DecryptFileError, Fingerprint, decrypt_file, encrypt_file};
use sealwax_format::sops::Wrap;
use zeroize::Zeroizing;

use super::failure::Attempt;
use super::{Share, Tried};
use crate::error::{CommandError, chain};
use crate::keyring::{Found, Identities, Stage};
use crate::plugins;

/// What stands for the name that recipients have in a policy; files of SOPS do not hold it.
const NAME: &str = "sops";

/// What to do where no identity fits.
const HINT: &str =
    "Pass --identity FILE, or set SEALWAX_IDENTITY, SOPS_AGE_KEY_FILE or SOPS_AGE_KEY to what holds your age key.";

/// The age keys of a run.
#[derive(Default)]
pub(super) struct Age {
    /// Held while a plugin works: it may have the only device, and the terminal.
    device: Mutex<()>,
}

impl Age {
    /// Tries every identity on every wrap, those first that trouble nobody: somebody is asked only if nothing else helps.
    pub(super) fn open<'w>(&self, identities: &Identities<'_>, wraps: &[&'w Wrap]) -> Result<Tried<'w>, CommandError> {
        let mut whys: Vec<Option<String>> = vec![None; wraps.len()];
        let mut problems: Vec<String> = Vec::new();
        for stage in Stage::ALL {
            // Only what commands print depends on the recipient.
            let asked = if stage == Stage::Commands { wraps } else { wraps.get(..1).unwrap_or_default() };
            for recipient in asked {
                for found in identities.for_sops(stage, &recipient.key)? {
                    if let Some(opened) = self.try_all(stage, &found, wraps, &mut whys) {
                        return Ok(Ok(opened));
                    }
                    problems.extend_from_slice(&found.problems);
                }
            }
        }
        let attempts = wraps.iter().zip(whys).map(|(wrap, why)| {
            let why = why.unwrap_or_else(|| "none of your identities is for it".to_owned());
            problems.iter().fold(Attempt::new(wrap, why), |attempt, problem| attempt.hint(problem.as_str())).hint(HINT)
        });
        Ok(Err(attempts.collect()))
    }

    fn try_all<'w>(
        &self,
        stage: Stage,
        found: &Found,
        wraps: &[&'w Wrap],
        whys: &mut [Option<String>],
    ) -> Option<(&'w Wrap, Share)> {
        if found.ring.is_empty() {
            return None;
        }
        // The recipient is a claim; but as a rule it is true, and saves trying the others'.
        let own = |wrap: &Wrap| {
            let fingerprint = Fingerprint::of(wrap.key.trim());
            found.ring.fingerprints().any(|known| *known == fingerprint)
        };
        let (first, rest): (Vec<usize>, Vec<usize>) =
            (0..wraps.len()).partition(|index| wraps.get(*index).is_some_and(|wrap| own(wrap)));
        for index in first.into_iter().chain(rest) {
            let (Some(wrap), Some(why)) = (wraps.get(index), whys.get_mut(index)) else { continue };
            let _alone = (stage == Stage::Plugins).then(|| self.device.lock().unwrap_or_else(PoisonError::into_inner));
            match decrypt_file(wrap.enc.as_bytes(), &found.ring) {
                Ok(share) => return Some((wrap, Zeroizing::new(share.expose().to_vec()))),
                Err(DecryptFileError::NoIdentity) => {}
                Err(error) => *why = Some(chain(&error)),
            }
        }
        None
    }
}

/// An age file of its own for this recipient.
pub(super) fn wrap(recipient: &str, share: &[u8]) -> Result<String, CommandError> {
    let failed = |why: String| CommandError::refused(format!("age {}: {why}", recipient.escape_debug()));
    let recipient = plugins::recipient(NAME, recipient).map_err(|error| failed(chain(&error)))?;
    encrypt_file(&[recipient], share).map_err(|error| failed(chain(&error)))
}
