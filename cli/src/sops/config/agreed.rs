//! Whether somebody has agreed to whom a rule of `.sops.yaml` encrypts for: each file's record, and those above and below it.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use sealwax_format::sops::Group;

use super::creation::{Configs, Creation, Source};
use super::{Config, NAME};
use crate::accepted::{self, Accepted, Former, Subject};
use crate::error::CommandError;
use crate::sops::keys;

impl Configs {
    /// Agrees to the readers of a rule, as [`Accepted::check`] does: whoever can change a `.sops.yaml` could add a reader
    /// whom the next honest write would hand the values.
    pub(crate) fn agree(&self, creation: &Creation, accept: bool) -> Result<(), CommandError> {
        let Some(source) = &creation.source else { return Ok(()) };
        let subjects = self.load(&source.config)?.subjects();
        let Some(subject) = subjects.get(source.position) else { return Ok(()) };
        let former = self.former(source)?;
        self.accepted(&source.config)?.check_after(former.as_ref(), subject, &subjects, accept)
    }

    /// Which other configuration decided for the file when somebody last agreed, and its rule if it still has one: a
    /// `.sops.yaml` that is put below another one takes files from it, and one that is taken away gives them back.
    fn former(&self, source: &Source) -> Result<Option<Former>, CommandError> {
        let above = source.file.parent().into_iter().flat_map(Path::ancestors).map(|folder| folder.join(NAME));
        // A configuration that somebody has named himself is not found by its place.
        if !above.clone().any(|path| path == source.config) {
            return Ok(None);
        }
        for path in above {
            let accepted = self.accepted(&path)?;
            if !accepted.knows_rules() {
                continue;
            }
            if path == source.config {
                return Ok(None);
            }
            let rule = if path.is_file() { self.rule_in(&path, &source.file)? } else { None };
            return Ok(Some(Former { accepted, rule }));
        }
        Ok(None)
    }

    /// What the record calls the rule of a configuration that matches a file.
    fn rule_in(&self, config: &Path, file: &Path) -> Result<Option<String>, CommandError> {
        let position = self.first_match(config, file)?;
        let subjects = self.load(config)?.subjects();
        Ok(position.and_then(|position| subjects.get(position)).map(|subject| subject.name.clone()))
    }

    /// The record of a configuration, read once.
    fn accepted(&self, config: &Path) -> Result<Arc<Accepted>, CommandError> {
        let mut known = self.accepted.lock().map_err(|_| CommandError::refused("another thread failed"))?;
        let accepted = known.entry(config.to_owned()).or_insert_with(|| Arc::new(Accepted::of_sops(config)));
        Ok(Arc::clone(accepted))
    }
}

/// The keys of one group, or those of several with what each of them is good for.
fn readers(groups: &[Group], threshold: Option<usize>) -> BTreeSet<String> {
    if let [group] = groups {
        return group.wraps.iter().map(keys::identified).collect();
    }
    let wanted = threshold.filter(|threshold| *threshold > 0).unwrap_or(groups.len());
    let each = groups.iter().enumerate().flat_map(|(index, group)| {
        group.wraps.iter().map(move |wrap| format!("{} in group {}", keys::identified(wrap), index + 1))
    });
    each.chain((!groups.is_empty()).then(|| format!("{wanted} of {} groups", groups.len()))).collect()
}

impl Config {
    /// The rules as somebody agrees to them: one that cannot be used has no readers.
    fn subjects(&self) -> Vec<Subject> {
        let mut subjects: Vec<Subject> = Vec::new();
        for rule in self.creation_rules.iter().flatten() {
            let title = rule.path_regex.as_deref().unwrap_or("every file");
            let groups = rule.creation(String::new(), None).map(|creation| creation.groups).unwrap_or_default();
            let readers = readers(&groups, rule.shamir_threshold);
            let after = subjects.iter().map(|subject| subject.name.clone()).collect();
            subjects.push(Subject { name: accepted::rule_name(title), readers, after });
        }
        subjects
    }
}
