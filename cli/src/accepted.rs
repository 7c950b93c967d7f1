//! The readers that were agreed to on this machine, by rule: when the policy names others, somebody looks first.
//!
//! Whoever can change the policy can add a reader, and the next honest write would hand him the values. What is in a
//! commit is reviewed there; this catches what was not, on the machine that is about to obey it. The first use of a
//! rule is taken as it is. The record holds public things only, and losing it costs one more first use.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use sealwax_format::keys::{Fingerprint, Label, Recipient};
use serde::{Deserialize, Serialize};

use crate::error::CommandError;
use crate::{files, state, ui};

/// What has been agreed to for the policy of one folder.
pub(crate) struct Accepted {
    root: PathBuf,
    record: Mutex<Option<Record>>,
}

#[derive(Default, Deserialize, Serialize)]
struct Record {
    /// For people who look at the file.
    policy: PathBuf,
    /// Labels by rule.
    rules: BTreeMap<String, BTreeSet<String>>,
    /// Rules whose change was declined in this run: asked once, not once for each file.
    #[serde(skip)]
    declined: BTreeSet<String>,
}

impl Accepted {
    /// For the policy in a folder.
    pub(crate) fn of(root: &Path) -> Self {
        Self { root: root.to_owned(), record: Mutex::default() }
    }

    /// Agrees to the readers of a rule or the members of a team: because they are those of last time, because it is the first time, because
    /// `accept` says so, or because someone at the terminal does.
    pub(crate) fn check(&self, subject: &str, readers: &[Recipient], accept: bool) -> Result<(), CommandError> {
        let now: BTreeSet<_> = readers.iter().map(|reader| reader.label().to_string()).collect();
        let mut record = self.record.lock().map_err(|_| CommandError::refused("another thread failed"))?;
        let record = record.get_or_insert_with(|| self.load());
        match record.rules.get(subject) {
            Some(before) if *before == now => return Ok(()),
            Some(before) if !accept => {
                let question = format!("{}: the readers of {subject} changed: {}", self.shown(), change(before, &now));
                let asked = !record.declined.contains(subject) && ui::is_interactive();
                if !asked || !ui::agree(&format!("{question}.\nEncrypt for them?")) {
                    record.declined.insert(subject.to_owned());
                    return Err(CommandError::refused(format!("{question}; nothing was written")).hint(
                        "Is it meant? `git log -p` shows who changed the policy; then pass --accept-recipients.",
                    ));
                }
            }
            _ => {}
        }
        record.rules.insert(subject.to_owned(), now);
        self.save(record);
        Ok(())
    }

    /// The readers that were agreed to last, where they are others than these; for people.
    pub(crate) fn difference(&self, subject: &str, readers: &[Recipient]) -> Option<String> {
        let now: BTreeSet<_> = readers.iter().map(|reader| reader.label().to_string()).collect();
        let mut record = self.record.lock().ok()?;
        let before = record.get_or_insert_with(|| self.load()).rules.get(subject)?;
        (*before != now).then(|| change(before, &now))
    }

    fn shown(&self) -> String {
        self.root.join(crate::policy::FILE_NAME).display().to_string()
    }

    fn file(&self) -> Option<PathBuf> {
        // Named after the folder, so that two clones do not agree for each other.
        let name = Fingerprint::of(&self.root.to_string_lossy());
        Some(state::folder()?.join("accepted").join(format!("{name}.json")))
    }

    fn load(&self) -> Record {
        let text = self.file().and_then(|file| std::fs::read_to_string(file).ok());
        let record = text.and_then(|text| serde_json::from_str(&text).ok());
        record.unwrap_or_else(|| Record { policy: self.root.clone(), ..Record::default() })
    }

    /// Where nothing can be kept, as in a container without a home, every use is the first.
    fn save(&self, record: &Record) {
        if let (Some(file), Ok(text)) = (self.file(), serde_json::to_vec_pretty(record)) {
            let _ = files::put_private(&file, &text);
        }
    }
}

/// Who came, who went, and whose key is another one.
fn change(before: &BTreeSet<String>, now: &BTreeSet<String>) -> String {
    let name = |label: &str| label.parse::<Label>().map_or_else(|_| label.to_owned(), |label| label.name().to_owned());
    let (gone, new): (Vec<_>, Vec<_>) = (before.difference(now).collect(), now.difference(before).collect());
    let mut parts = Vec::new();
    for label in &new {
        match gone.iter().find(|old| name(old) == name(label)) {
            Some(old) => parts.push(format!("{old} is now {label}")),
            None => parts.push(format!("{label} came")),
        }
    }
    let replaced = |old: &&&String| new.iter().any(|label| name(label) == name(old));
    parts.extend(gone.iter().filter(|old| !replaced(old)).map(|label| format!("{label} went")));
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_who_came_went_and_has_another_key() {
        let set = |labels: &[&str]| labels.iter().map(|label| (*label).to_owned()).collect::<BTreeSet<_>>();
        let (a, b) = ("a".repeat(20), "b".repeat(20));
        let before = set(&[&format!("alice@{a}"), &format!("prod@{a}")]);
        let now = set(&[&format!("mallory@{b}"), &format!("prod@{b}")]);
        assert_eq!(change(&before, &now), format!("mallory@{b} came, prod@{a} is now prod@{b}, alice@{a} went"));
    }
}
