//! The readers that were agreed to on this machine, by rule: when the policy names others, somebody looks first.
//!
//! Whoever can change the policy can add a reader, and the next honest write would hand him the values. What is in a
//! commit is reviewed there; this catches what was not, on the machine that is about to obey it. The first use of a
//! policy is taken as it is. Rules are told apart by what they match, and a rule reads more files when it is new or
//! when one that was tried before it is gone. The record holds public things only, and losing it costs one more first
//! use.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use sealwax_format::keys::{Fingerprint, Label, Recipient};
use serde::{Deserialize, Serialize};

use crate::error::CommandError;
use crate::{files, state, ui};

/// What has been agreed to for the policy of one folder.
pub(crate) struct Accepted {
    /// What the record is for: a folder with a policy, or a `.sops.yaml`; absolute.
    root: PathBuf,
    /// The file that says who reads.
    policy: PathBuf,
    record: Mutex<Option<Record>>,
}

/// A rule of the policy or a team, as it is now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Subject {
    /// What the record and people call it.
    pub(crate) name: String,
    /// Labels of its readers or members.
    pub(crate) readers: BTreeSet<String>,
    /// The rules that are tried before it: what one of them matches is no business of this one.
    pub(crate) after: BTreeSet<String>,
}

/// What decided for a file before, in another policy.
pub(crate) struct Former {
    /// The record of that policy.
    pub(crate) accepted: Arc<Accepted>,
    /// The rule that decided, where that is known.
    pub(crate) rule: Option<String>,
}

#[derive(Default, Deserialize, Serialize)]
struct Record {
    /// For people who look at the file.
    policy: PathBuf,
    /// Rules and teams by their names.
    agreed: BTreeMap<String, Agreed>,
    /// Subjects whose change was declined in this run: asked once, not once for each file.
    #[serde(skip)]
    declined: BTreeSet<String>,
}

#[derive(Clone, Default, Deserialize, Serialize)]
struct Agreed {
    readers: BTreeSet<String>,
    /// The rules that were tried before it.
    #[serde(default)]
    after: BTreeSet<String>,
}

impl Subject {
    /// A team, by its members.
    pub(crate) fn team(name: &str, members: impl Iterator<Item = Recipient>) -> Self {
        let readers = members.map(|member| member.label().to_string()).collect();
        Self { name: format!("the team {name}"), readers, after: BTreeSet::new() }
    }

    fn agreed(&self) -> Agreed {
        Agreed { readers: self.readers.clone(), after: self.after.clone() }
    }
}

impl Accepted {
    /// For the policy in a folder.
    pub(crate) fn of(root: &Path) -> Self {
        Self { root: root.to_owned(), policy: root.join(crate::policy::FILE_NAME), record: Mutex::default() }
    }

    /// For a `.sops.yaml`, by its absolute path.
    pub(crate) fn of_sops(config: &Path) -> Self {
        Self { root: config.to_owned(), policy: config.to_owned(), record: Mutex::default() }
    }

    /// Agrees to the readers of a rule or the members of a team: because they are those of last time, because it is the
    /// first time, because `accept` says so, or because someone at the terminal does. `rules` are all of the policy:
    /// the first use of a policy agrees to them together, so that a rule that appears later is seen.
    pub(crate) fn check(&self, subject: &Subject, rules: &[Subject], accept: bool) -> Result<(), CommandError> {
        self.check_after(None, subject, rules, accept)
    }

    /// The same for a file for which another policy decided before: the rule takes the file from that one's.
    pub(crate) fn check_after(
        &self,
        former: Option<&Former>,
        subject: &Subject,
        rules: &[Subject],
        accept: bool,
    ) -> Result<(), CommandError> {
        let gained = former.and_then(|former| self.gained(former, subject, rules));
        let is_changed = self.with(|record| self.settle(record, gained, subject, rules, accept))?;
        // Only of what somebody has looked at: the other files of a policy that is gone are still to be asked about.
        if let Some(former) = former.filter(|_| is_changed) {
            former.accepted.end();
        }
        Ok(())
    }

    /// Agrees, or not; whether anything was other than last time.
    fn settle(
        &self,
        record: &mut Record,
        gained: Option<String>,
        subject: &Subject,
        rules: &[Subject],
        accept: bool,
    ) -> Result<bool, CommandError> {
        let change = record.change(subject).or(gained);
        if change.is_none() && record.agreed.contains_key(&subject.name) {
            return Ok(false);
        }
        let is_changed = change.is_some();
        if let Some(change) = change.filter(|_| !accept) {
            let question = format!("{}: {change}", self.shown());
            let asked = !record.declined.contains(&subject.name) && ui::is_interactive();
            if !asked || !ui::agree(&format!("{question}.\nEncrypt for them?")) {
                record.declined.insert(subject.name.clone());
                return Err(CommandError::refused(format!("{question}; nothing was written"))
                    .hint("Is it meant? `git log -p` shows who changed the policy; then pass --accept-recipients."));
            }
        }
        self.agree(record, subject, rules);
        Ok(is_changed)
    }

    /// Asks the record, which is read before the first question. A thread that panicked left it as good as it was.
    fn with<T>(&self, ask: impl FnOnce(&mut Record) -> T) -> T {
        let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        ask(record.get_or_insert_with(|| self.load()))
    }

    /// Who reads by this rule, and did not by the one that decided in another policy. The first use of a policy agrees to
    /// all of its rules, so that all of them are asked about.
    fn gained(&self, former: &Former, subject: &Subject, rules: &[Subject]) -> Option<String> {
        let own = former.accepted.gives_away(former.rule.as_deref(), subject);
        let mut others = rules.iter().filter(|rule| rule.name != subject.name && !self.knows_rules());
        own.or_else(|| others.find_map(|rule| former.accepted.gives_away(None, rule)))
    }

    /// Whether any rule was agreed to.
    pub(crate) fn knows_rules(&self) -> bool {
        self.with(|record| record.knows_rules())
    }

    /// Who reads by a rule of another policy, and did not by this one: by the rule that decided, or else by each.
    fn gives_away(&self, rule: Option<&str>, now: &Subject) -> Option<String> {
        self.with(|record| {
            let rule = rule.filter(|rule| record.agreed.contains_key(*rule));
            let mut rules =
                record.agreed.keys().filter(|name| rule.map_or(name.starts_with(RULE), |rule| rule == *name));
            rules.find_map(|other| record.takes_from(now, other, &format!("{other} of {}", self.shown())))
        })
    }

    /// Forgets what a policy said that is gone.
    fn end(&self) {
        if let Some(file) = self.file().filter(|_| !self.policy.exists()) {
            let _ = std::fs::remove_file(file);
        }
    }

    /// What differs from what was agreed to last; for people.
    pub(crate) fn difference(&self, subject: &Subject) -> Option<String> {
        self.with(|record| record.change(subject))
    }

    /// Another run may have agreed to something meanwhile.
    fn agree(&self, record: &mut Record, subject: &Subject, rules: &[Subject]) {
        record.agreed.extend(self.load().agreed);
        for rule in rules.iter().filter(|_| !record.knows_rules()).rev().collect::<Vec<_>>() {
            record.agreed.insert(rule.name.clone(), rule.agreed());
        }
        record.agreed.insert(subject.name.clone(), subject.agreed());
        self.save(record);
    }

    fn shown(&self) -> String {
        self.policy.display().to_string()
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

impl Record {
    fn knows_rules(&self) -> bool {
        self.agreed.keys().any(|name| name.starts_with(RULE))
    }

    /// Who could read something that he could not when this was agreed to; or who cannot any more.
    fn change(&self, now: &Subject) -> Option<String> {
        if let Some(before) = self.agreed.get(&now.name) {
            if before.readers != now.readers {
                return Some(format!("the readers of {} changed: {}", now.name, change(&before.readers, &now.readers)));
            }
            return before.after.difference(&now.after).find_map(|other| self.takes_from(now, other, other));
        }
        // A rule that is new, renamed or split: it takes files from those that are not tried before it.
        let others = self.agreed.keys().filter(|name| name.starts_with(RULE) && !now.after.contains(*name));
        others.filter(|_| now.name.starts_with(RULE)).find_map(|other| self.takes_from(now, other, other))
    }

    /// Who reads by one rule, and did not by another that decided before.
    fn takes_from(&self, now: &Subject, other: &str, shown: &str) -> Option<String> {
        let readers = self.agreed.get(other).map(|agreed| agreed.readers.clone()).unwrap_or_default();
        let came: Vec<_> = now.readers.difference(&readers).map(|label| format!("{label} came")).collect();
        (!came.is_empty()).then(|| format!("{} may now decide for files of {shown}: {}", now.name, came.join(", ")))
    }
}

/// How the names of rules start, and those of teams do not.
const RULE: &str = "the rule for ";

/// The name of a rule.
pub(crate) fn rule_name(title: &str) -> String {
    format!("{RULE}{title}")
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
    fn subject(title: &str, readers: &[&str], after: &[&str]) -> Subject {
        let set = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<BTreeSet<_>>();
        let after = after.iter().map(|title| rule_name(title)).collect();
        Subject { name: rule_name(title), readers: set(readers), after }
    }

    #[test]
    fn a_rule_that_may_decide_for_more_files_is_a_change_if_somebody_gains() {
        let mut record = Record::default();
        for known in [subject("prod/**", &["alice"], &[]), subject("**", &["alice", "mallory"], &["prod/**"])] {
            record.agreed.insert(known.name.clone(), known.agreed());
        }
        let gains = |now: &Subject| record.change(now).is_some();
        assert!(!gains(&subject("**", &["alice", "mallory"], &["prod/**"])));
        assert!(gains(&subject("**", &["alice", "mallory"], &[])), "moved up, or prod/** is gone or narrower");
        assert!(gains(&subject("**", &["alice", "mallory"], &["prod/a*"])), "prod/** is narrower");
        assert!(gains(&subject("prod/db.yaml", &["alice", "mallory"], &[])), "new, before what it takes from");
        assert!(!gains(&subject("prod/db.yaml", &["alice"], &[])), "split, and nobody gains");
        assert!(!gains(&subject("other/**", &["bob"], &["prod/**", "**"])), "new, for what no rule decided for");
        assert!(!Record::default().knows_rules());
    }
}
