//! What has opened in this run: one version of a file after another has the same wraps, and asking for each costs a
//! person's, a device's or a server's time.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sealwax_format::sops::{Group, Service, Wrap};

use super::Share;

/// Everything that an entry says, and that its answer may depend on.
type Entry = (Service, String, String, Vec<(&'static str, String)>, Vec<(String, String)>);

/// Shares by the entry that gave them.
#[derive(Default)]
pub(super) struct Known(Mutex<HashMap<Entry, Share>>);

impl Known {
    /// The share of a group of which a key has opened.
    pub(super) fn of(&self, group: &Group) -> Option<Share> {
        let known = self.lock();
        if known.is_empty() {
            return None;
        }
        group.wraps.iter().find_map(|wrap| known.get(&entry(wrap)).cloned())
    }

    pub(super) fn keep(&self, wrap: &Wrap, share: &Share) {
        self.lock().insert(entry(wrap), share.clone());
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Entry, Share>> {
        // An entry is there or not: a panic leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn entry(wrap: &Wrap) -> Entry {
    (wrap.service, wrap.key.clone(), wrap.enc.clone(), wrap.fields.clone(), wrap.context.clone())
}
