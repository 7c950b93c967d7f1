//! The rule of a `.sops.yaml` that governs a file: for which keys it is encrypted, and which of its values.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use sealwax_format::sops::{Expression, Group, Metadata, Selector, Wrap};

use super::groups::group;
use super::{Config, CreationRule, NAME, strict};
use crate::accepted::{self, Accepted, Subject};
use crate::error::{CommandError, chain};
use crate::files;
use crate::sops::keys;

/// The environment variable that names the configuration.
const VARIABLE: &str = "SOPS_CONFIG";

/// What a rule says of a file that is to be encrypted.
#[derive(Clone, Debug)]
pub(crate) struct Creation {
    /// Its configuration, and which of the rules there it is, counted from 1.
    pub(crate) rule: String,
    /// The keys; one group, or several that hold shares.
    pub(crate) groups: Vec<Group>,
    /// How many groups are needed.
    pub(crate) threshold: Option<usize>,
    /// Which values.
    pub(crate) selector: Selector,
    /// Whether only those are in the checksum.
    pub(crate) mac_only_encrypted: bool,
    /// Where it stands, unless it is of a command line or a file itself.
    pub(super) source: Option<Source>,
}

/// The place of a rule.
#[derive(Clone, Debug)]
pub(super) struct Source {
    config: PathBuf,
    position: usize,
}

impl Creation {
    /// For keys that the command line names: every value, as SOPS does it without a rule.
    pub(crate) fn of_command_line(wraps: Vec<Wrap>) -> Self {
        Self {
            rule: "the command line".to_owned(),
            groups: vec![group(wraps)],
            threshold: None,
            selector: Selector::default(),
            mac_only_encrypted: false,
            source: None,
        }
    }

    /// By what a file says of itself.
    pub(crate) fn of_file(shown: &str, metadata: &Metadata) -> Self {
        Self {
            rule: format!("{shown} itself"),
            groups: metadata.groups.clone(),
            threshold: metadata.threshold,
            selector: metadata.selector.clone(),
            mac_only_encrypted: metadata.mac_only_encrypted,
            source: None,
        }
    }

    /// The keys as people know them.
    pub(crate) fn readers(&self) -> String {
        let wraps = self.groups.iter().flat_map(|group| &group.wraps);
        wraps.map(keys::shown).collect::<Vec<_>>().join(", ")
    }
}

/// What configurations say of a file.
pub(crate) enum Ruling {
    /// There is none, or it has no rules.
    Silent,
    /// None of the rules matches.
    NoMatch,
    /// The first that does.
    Rule(Box<Creation>),
}

/// The configurations of this run, each read once.
#[derive(Default)]
pub(crate) struct Configs {
    /// The only one, whatever stands above a file.
    named: Option<PathBuf>,
    accepted: Mutex<HashMap<PathBuf, Arc<Accepted>>>,
    read: Mutex<HashMap<PathBuf, Arc<Config>>>,
}

impl Configs {
    /// The rule for a file, as [`Self::of`] finds it; an error where there is none.
    pub(crate) fn required(&self, file: &Path) -> Result<Creation, CommandError> {
        let missing = || {
            let message = format!("{}: no creation rule of a {NAME} matches it", file.display());
            CommandError::usage(message)
                .hint("Each path_regex is held against the path from the configuration's folder.")
        };
        self.of(file)?.ok_or_else(missing)
    }

    /// The rule for a file: the first that matches in the nearest configuration upward, if there is one.
    pub(crate) fn of(&self, file: &Path) -> Result<Option<Creation>, CommandError> {
        match self.ruling(file, None)? {
            Ruling::Rule(creation) => Ok(Some(*creation)),
            Ruling::Silent | Ruling::NoMatch => Ok(None),
        }
    }

    /// With this configuration and no other.
    pub(crate) fn named(path: PathBuf) -> Self {
        Self { named: Some(path), ..Self::default() }
    }

    /// The configuration for a file.
    pub(crate) fn path(&self, file: &Path) -> Result<Option<PathBuf>, CommandError> {
        Ok(self.find(&absolute(file)?))
    }

    /// What the configuration for a file says of it. Keys that are given stand in for those of the rule.
    pub(crate) fn ruling(&self, file: &Path, given: Option<&[Wrap]>) -> Result<Ruling, CommandError> {
        let absolute = absolute(file)?;
        let Some(path) = self.find(&absolute) else { return Ok(Ruling::Silent) };
        let config = self.load(&path)?;
        let shown = shown(&path);
        let folder = absolute_folder(&path)?;
        let relative = absolute.strip_prefix(&folder).unwrap_or(&absolute).to_string_lossy();
        for (position, rule) in config.creation_rules.iter().flatten().enumerate() {
            let name = format!("creation_rules[{position}] of {shown}");
            if matches(rule, &relative).map_err(|reason| CommandError::usage(format!("{name}: {reason}")))? {
                let source = Some(Source { config: path.clone(), position });
                let creation = Creation { source, ..rule.creation(name, given)? };
                return Ok(Ruling::Rule(Box::new(creation)));
            }
        }
        let has_rules = config.creation_rules.as_ref().is_some_and(|rules| !rules.is_empty());
        Ok(if has_rules { Ruling::NoMatch } else { Ruling::Silent })
    }

    /// Agrees to the readers of a rule, as [`Accepted::check`] does: whoever can change a `.sops.yaml` could add a reader
    /// whom the next honest write would hand the values.
    pub(crate) fn agree(&self, creation: &Creation, accept: bool) -> Result<(), CommandError> {
        let Some(Source { config, position }) = &creation.source else { return Ok(()) };
        let mut known = self.accepted.lock().map_err(|_| CommandError::refused("another thread failed"))?;
        let accepted = known.entry(config.clone()).or_insert_with(|| Arc::new(Accepted::of_sops(config)));
        let accepted = Arc::clone(accepted);
        drop(known);
        let subjects = self.load(config)?.subjects();
        match subjects.get(*position) {
            Some(subject) => accepted.check(subject, &subjects, accept),
            None => Ok(()),
        }
    }

    fn find(&self, file: &Path) -> Option<PathBuf> {
        if let Some(named) = &self.named {
            return Some(named.clone());
        }
        if let Some(named) = std::env::var_os(VARIABLE).filter(|value| !value.is_empty()) {
            return Some(named.into());
        }
        // SOPS looks from the working directory only, and encrypts by another file's rules when called from elsewhere.
        let here = std::env::current_dir().ok();
        let above = file.parent().into_iter().chain(here.as_deref()).flat_map(Path::ancestors);
        above.map(|folder| folder.join(NAME)).find(|path| path.is_file())
    }

    fn load(&self, path: &Path) -> Result<Arc<Config>, CommandError> {
        let mut read = self.read.lock().map_err(|_| CommandError::refused("another thread failed"))?;
        if let Some(known) = read.get(path) {
            return Ok(Arc::clone(known));
        }
        let text = files::read_text(path)?;
        let shown = shown(path);
        strict::check(&shown, &text)?;
        let config = serde_yaml::from_str(&text)
            .map_err(|error| CommandError::usage(format!("{shown}: not a valid configuration of SOPS: {error}")))?;
        let config = Arc::new(config);
        read.insert(path.to_owned(), Arc::clone(&config));
        Ok(config)
    }
}

/// As people in this folder know it.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).display().to_string()
}

fn absolute(file: &Path) -> Result<PathBuf, CommandError> {
    // A symbolic link leads to another folder's rules.
    let real = file.canonicalize().or_else(|_| {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Ok::<_, std::io::Error>(folder.canonicalize()?.join(file.file_name().unwrap_or_default()))
    });
    real.or_else(|_| std::path::absolute(file))
        .map_err(|error| CommandError::usage(format!("{}: {error}", file.display())))
}

fn absolute_folder(config: &Path) -> Result<PathBuf, CommandError> {
    // Of the link, if it is one: SOPS holds expressions against paths from there.
    let folder = config.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    absolute(folder)
}

impl Config {
    /// The rules as somebody agrees to them: one that cannot be used has no readers.
    fn subjects(&self) -> Vec<Subject> {
        let mut subjects: Vec<Subject> = Vec::new();
        for rule in self.creation_rules.iter().flatten() {
            let title = rule.path_regex.as_deref().unwrap_or("every file");
            let groups = rule.creation(String::new(), None).map(|creation| creation.groups).unwrap_or_default();
            let readers = groups.iter().flat_map(|group| &group.wraps).map(keys::shown).collect();
            let after = subjects.iter().map(|subject| subject.name.clone()).collect();
            subjects.push(Subject { name: accepted::rule_name(title), readers, after });
        }
        subjects
    }
}

fn matches(rule: &CreationRule, relative: &str) -> Result<bool, String> {
    let Some(source) = rule.path_regex.as_deref().filter(|source| !source.is_empty()) else { return Ok(true) };
    let expression = Expression::parse("path_regex", source).map_err(|error| chain(&error))?;
    Ok(expression.matches(relative))
}
