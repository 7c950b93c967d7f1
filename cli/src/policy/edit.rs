//! Changes of the policy file that leave its comments and layout as they are.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sealwax_format::SecretBytes;
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, Value};

use super::Policy;
use super::origin::{Disk, Origin};
use crate::error::CommandError;
use crate::files;

/// Where a new recipient's key stands.
pub(crate) enum Source {
    Text(String),
    File(String),
    Team(String),
}

/// The rules that a change was about, for people.
#[derive(Debug, Default)]
pub(crate) struct Rules(Vec<String>);

impl Rules {
    pub(crate) fn is_none(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { f.write_str("no rule") } else { write!(f, "the rules for {}", self.0.join(", ")) }
    }
}

/// A policy file that is being changed.
pub(crate) struct Edit<'p> {
    policy: &'p Policy,
    before: String,
    document: DocumentMut,
}

impl<'p> Edit<'p> {
    /// Reads the policy's own file; included ones belong to others.
    pub(crate) fn begin(policy: &'p Policy) -> Result<Self, CommandError> {
        let before = files::read_text(policy.file())?;
        let document = before.parse().map_err(|_| wrong(policy, "cannot be changed as it is written"))?;
        Ok(Self { policy, before, document })
    }

    /// A path as the policy writes it: below its folder.
    pub(crate) fn inside(&self, file: &Path) -> Result<String, CommandError> {
        let real = super::discover::real_path(file)?;
        let inside = real.strip_prefix(self.policy.folder()).ok().and_then(Path::to_str);
        inside.map(str::to_owned).ok_or_else(|| {
            CommandError::usage(format!("{}: lies outside of the policy's folder", file.display()))
                .hint("Copy it into the repository, such as to keys/, so that everyone has it.")
        })
    }

    /// Adds a recipient under a new name.
    pub(crate) fn add_recipient(&mut self, name: &str, source: &Source) -> Result<(), CommandError> {
        let recipients = self.document.entry("recipients").or_insert(Item::Table(Table::new()));
        let recipients = recipients.as_table_like_mut().ok_or_else(|| wrong(self.policy, "recipients is no table"))?;
        if recipients.contains_key(name) {
            return Err(wrong(self.policy, &format!("the recipient {name} is there already")).hint(
                "For a newer key of it, change the key where it stands: its wraps are replaced by `sealwax rekey`.",
            ));
        }
        let value = match source {
            Source::Text(text) => Value::from(text.as_str()),
            Source::File(file) => table("file", file),
            Source::Team(team) => table("team", team),
        };
        recipients.insert(name, Item::Value(value));
        Ok(())
    }

    /// Adds a recipient to the readers of rules.
    pub(crate) fn add_reader(&mut self, name: &str, paths: &[String], all: bool) -> Result<Rules, CommandError> {
        let mut changed = Rules::default();
        for (path, readers) in self.rules() {
            let is_meant = all || paths.contains(&path);
            if is_meant && !readers.iter().any(|reader| reader.as_str() == Some(name)) {
                readers.push(name);
                changed.0.push(path);
            }
        }
        if let Some(missing) = paths.iter().find(|path| !changed.0.contains(path)) {
            let known: Vec<_> = self.rules().map(|(path, _)| path).collect();
            if known.contains(missing) {
                return Err(wrong(self.policy, &format!("{name} is a reader of the rule for {missing} already")));
            }
            let error = wrong(self.policy, &format!("no rule has the path {missing}"));
            return Err(error.hint(format!("There are rules for {}.", known.join(", "))));
        }
        Ok(changed)
    }

    /// Takes a recipient out, with every rule that names it.
    pub(crate) fn remove_recipient(&mut self, name: &str) -> Result<Rules, CommandError> {
        let recipients = self.document.get_mut("recipients").and_then(Item::as_table_like_mut);
        if recipients.and_then(|recipients| recipients.remove(name)).is_none() {
            return Err(wrong(self.policy, &format!("no recipient is called {name}")));
        }
        let mut changed = Rules::default();
        let mut emptied = None;
        for (path, readers) in self.rules() {
            let before = readers.len();
            readers.retain(|reader| reader.as_str() != Some(name));
            if readers.is_empty() {
                emptied = Some(path.clone());
            }
            if readers.len() < before {
                changed.0.push(path);
            }
        }
        match emptied {
            Some(path) => Err(wrong(self.policy, &format!("{name} is the only reader of the rule for {path}"))
                .hint("Name another reader there first: values without a reader are lost.")),
            None => Ok(changed),
        }
    }

    fn rules(&mut self) -> impl Iterator<Item = (String, &mut Array)> {
        let rules = self.document.get_mut("rule").and_then(Item::as_array_of_tables_mut);
        rules.into_iter().flat_map(|rules| rules.iter_mut()).filter_map(|rule| {
            let path = rule.get("path")?.as_str()?.to_owned();
            Some((path, rule.get_mut("recipients")?.as_array_mut()?))
        })
    }

    /// Writes the file, and agrees to what changed: whoever changed it here has looked.
    pub(crate) fn finish(self) -> Result<(), CommandError> {
        let text = self.document.to_string();
        let changed = Changed { file: self.policy.file().to_owned(), text: text.clone() };
        // Included policies name recipients of this one: whoever cannot use the policy afterwards is not left with it.
        Policy::load_from(Arc::new(changed), self.policy.file())?.rules().try_for_each(|rule| rule.map(drop))?;
        let undisputed = self.policy.undisputed();
        files::replace(self.policy.file(), &SecretBytes::from(self.before), text.as_bytes())?;
        Policy::load(self.policy.file())?.agree_to(&undisputed)
    }
}

/// The disk, with the policy as it will be.
struct Changed {
    file: PathBuf,
    text: String,
}

impl Origin for Changed {
    fn text(&self, path: &Path) -> Result<String, CommandError> {
        if path == self.file { Ok(self.text.clone()) } else { Disk.text(path) }
    }

    fn is_link(&self, path: &Path) -> bool {
        Disk.is_link(path)
    }
}

fn table(key: &str, value: &str) -> Value {
    let mut table = InlineTable::new();
    table.insert(key, value.into());
    Value::InlineTable(table)
}

fn wrong(policy: &Policy, reason: &str) -> CommandError {
    CommandError::usage(format!("{}: {reason}", policy.file().display()))
}
