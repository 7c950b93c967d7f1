//! The rule of a `.sops.yaml` that governs a file: for which keys it is encrypted, and which of its values.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use sealwax_format::sops::{Expression, Group, Metadata, Selector, Wrap};

use super::groups::group;
use super::{Config, CreationRule, NAME, strict};
use crate::accepted::Accepted;
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

/// Which values a rule wants to be encrypted.
pub(crate) struct Selection {
    /// As [`Creation::rule`] says.
    pub(crate) rule: String,
    pub(crate) selector: Selector,
}

/// The place of a rule.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// The configuration.
    pub(super) config: PathBuf,
    /// Which of its rules.
    pub(super) position: usize,
    /// The file that the rule was looked up for.
    pub(super) file: PathBuf,
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
    pub(super) accepted: Mutex<HashMap<PathBuf, Arc<Accepted>>>,
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
        let rules = config.creation_rules.as_deref().unwrap_or_default();
        let found = self.first_match(&path, &absolute)?;
        let Some((position, rule)) = found.and_then(|position| Some((position, rules.get(position)?))) else {
            return Ok(if rules.is_empty() { Ruling::Silent } else { Ruling::NoMatch });
        };
        let creation = rule.creation(name_of(&path, position), given)?;
        let source = Some(Source { config: path, position, file: absolute });
        Ok(Ruling::Rule(Box::new(Creation { source, ..creation })))
    }

    /// Which values the rule for a file wants to be encrypted; its keys need not be such as can be used here.
    pub(crate) fn selection(&self, file: &Path) -> Result<Option<Selection>, CommandError> {
        let absolute = absolute(file)?;
        let Some(path) = self.find(&absolute) else { return Ok(None) };
        let Some(position) = self.first_match(&path, &absolute)? else { return Ok(None) };
        let config = self.load(&path)?;
        let Some(fields) = config.creation_rules.iter().flatten().nth(position).map(|rule| &rule.fields) else {
            return Ok(None);
        };
        let rule = name_of(&path, position);
        let selector = fields.selector().map_err(|error| CommandError::usage(format!("{rule}: {}", chain(&error))))?;
        Ok(Some(Selection { rule, selector }))
    }

    /// Which rule of a configuration is the first that matches a file, by the absolute paths of both.
    pub(super) fn first_match(&self, config: &Path, file: &Path) -> Result<Option<usize>, CommandError> {
        let folder = absolute_folder(config)?;
        let relative = file.strip_prefix(&folder).unwrap_or(file).to_string_lossy();
        for (position, rule) in self.load(config)?.creation_rules.iter().flatten().enumerate() {
            let wrong = |reason| CommandError::usage(format!("{}: {reason}", name_of(config, position)));
            if matches(rule, &relative).map_err(wrong)? {
                return Ok(Some(position));
            }
        }
        Ok(None)
    }

    fn find(&self, file: &Path) -> Option<PathBuf> {
        if let Some(named) = &self.named {
            return Some(real(named));
        }
        if let Some(named) = std::env::var_os(VARIABLE).filter(|value| !value.is_empty()) {
            return Some(real(Path::new(&named)));
        }
        // SOPS looks from the working directory only, and encrypts by another file's rules when called from elsewhere.
        let here = std::env::current_dir().ok();
        let above = file.parent().into_iter().chain(here.as_deref()).flat_map(Path::ancestors);
        above.map(|folder| folder.join(NAME)).find(|path| path.is_file())
    }

    pub(super) fn load(&self, path: &Path) -> Result<Arc<Config>, CommandError> {
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

/// What messages call a rule.
fn name_of(config: &Path, position: usize) -> String {
    format!("creation_rules[{position}] of {}", shown(config))
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

/// Where a configuration that somebody named stands, so that it is the same one under every name.
fn real(config: &Path) -> PathBuf {
    let folder = absolute_folder(config).ok();
    folder.zip(config.file_name()).map_or_else(|| config.to_owned(), |(folder, name)| folder.join(name))
}

fn absolute_folder(config: &Path) -> Result<PathBuf, CommandError> {
    // Of the link, if it is one: SOPS holds expressions against paths from there.
    let folder = config.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    absolute(folder)
}

fn matches(rule: &CreationRule, relative: &str) -> Result<bool, String> {
    let Some(source) = rule.path_regex.as_deref().filter(|source| !source.is_empty()) else { return Ok(true) };
    let expression = Expression::parse("path_regex", source).map_err(|error| chain(&error))?;
    Ok(expression.matches(relative))
}
