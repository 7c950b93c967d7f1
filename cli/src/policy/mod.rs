//! `.sealwax.toml`: which values of which files are encrypted, for whom, and for which place.

mod discover;
pub(crate) mod edit;
mod listing;
mod origin;
mod parse;
mod recipients;
mod rule;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

pub(crate) use discover::discover;
pub(crate) use listing::{Listed, Reader};
pub(crate) use origin::Origin;
pub(crate) use parse::parts as place_parts;
pub(crate) use recipients::ListedRecipient;
pub(crate) use rule::Governing;

use origin::Disk;

use parse::{Parsed, RecipientSource, TeamSource};
use sealwax_format::keys::{Fingerprint, Recipient};

use crate::accepted::{Accepted, Subject};
use crate::error::CommandError;
use crate::{files, plugins};

/// The name of a policy file.
pub(crate) const FILE_NAME: &str = ".sealwax.toml";

/// A policy with everything that it includes.
pub(crate) struct Policy {
    /// Where it and the files that it names are read from.
    origin: Arc<dyn Origin>,
    /// The file itself, then the included ones.
    parts: Vec<Part>,
    /// Recipients already read: a call over a thousand files reads each key once.
    known: Mutex<BTreeMap<(PathBuf, String), Recipient>>,
    /// The readers that were agreed to before.
    pub(crate) accepted: Accepted,
    /// The rules as the record of these knows them.
    subjects: OnceLock<Vec<Subject>>,
}

struct Part {
    /// The folder that its rules are limited to.
    folder: PathBuf,
    file: PathBuf,
    parsed: Parsed,
    globs: Vec<globset::GlobMatcher>,
}

impl Policy {
    /// Reads a policy file and what it includes.
    pub(crate) fn load(file: &Path) -> Result<Self, CommandError> {
        Self::load_from(Arc::new(Disk), file)
    }

    /// The same from elsewhere than the disk.
    pub(crate) fn load_from(origin: Arc<dyn Origin>, file: &Path) -> Result<Self, CommandError> {
        if origin.is_link(file) {
            return Err(in_file(
                file,
                "is a symbolic link, which Git keeps without what it points to; put the file itself here",
            ));
        }
        let root = file.parent().unwrap_or(Path::new(".")).to_owned();
        let main = Part::load(&*origin, &root, file)?;
        let mut parts = vec![];
        for include in &main.parsed.include {
            let path = inside(&*origin, &root, include).map_err(|reason| in_file(file, &reason))?;
            let folder = path.parent().unwrap_or(&root).to_owned();
            let part = Part::load(&*origin, &folder, &path)?;
            if !part.parsed.include.is_empty() {
                return Err(in_file(&path, "an included policy cannot include others"));
            }
            parts.push(part);
        }
        parts.insert(0, main);
        let accepted = Accepted::of(&root);
        let policy = Self { origin, parts, known: Mutex::default(), accepted, subjects: OnceLock::new() };
        policy.refuse_shadowing()?;
        Ok(policy)
    }

    /// The recipient of a name: the rule's own file knows it, or the main one. What an included file defines is no
    /// business of others, else it could fill in readers of theirs.
    fn recipient<'p>(&'p self, part: &'p Part, name: &str) -> Option<(&'p Part, &'p RecipientSource)> {
        [part, &self.parts[0]].into_iter().find_map(|part| Some((part, part.parsed.recipients.get(name)?)))
    }

    /// Whether a file is the policy or included in it.
    pub(crate) fn is_part(&self, file: &Path) -> bool {
        self.parts.iter().any(|part| part.file == file)
    }

    fn refuse_shadowing(&self) -> Result<(), CommandError> {
        for (index, part) in self.parts.iter().enumerate() {
            for name in part.parsed.recipients.keys() {
                let earlier = self.parts[..index].iter().any(|earlier| earlier.parsed.recipients.contains_key(name));
                if earlier {
                    return Err(in_file(
                        &part.file,
                        &format!("the recipient {name} has this name in the policy already"),
                    ));
                }
            }
        }
        Ok(())
    }

    /// Loads the public key of a named recipient.
    fn load_recipient(&self, part: &Part, name: &str) -> Result<Recipient, CommandError> {
        let Some((part, source)) = self.recipient(part, name) else {
            return Err(in_file(&part.file, &format!("no recipient is called {name}")));
        };
        let key = (part.file.clone(), name.to_owned());
        if let Some(known) = self.known.lock().ok().and_then(|known| known.get(&key).cloned()) {
            return Ok(known);
        }
        let text = self.recipient_text(part, source)?;
        let recipient = plugins::recipient(name, &text)
            .map_err(|error| in_file(&part.file, &format!("recipient {name}: {}", crate::error::chain(&error))))?;
        if let Ok(mut known) = self.known.lock() {
            known.insert(key, recipient.clone());
        }
        Ok(recipient)
    }

    /// The public key of a recipient as it is written.
    fn recipient_text(&self, part: &Part, source: &RecipientSource) -> Result<String, CommandError> {
        let Some(file) = source.file() else {
            return Ok(if let RecipientSource::Text(text) = source { text.clone() } else { String::new() });
        };
        let path = inside(&*self.origin, &part.folder, &file).map_err(|reason| in_file(&part.file, &reason))?;
        recipient_line(&path, &self.origin.text(&path)?)
    }

    /// The files that hold the identities of those teams that are among the readers of these keys, wrapped for their
    /// members. Where a key has none, all teams: somebody may have left one, whose file holds its earlier identities too.
    pub(crate) fn team_identities(&self, keys: &[&BTreeSet<Fingerprint>]) -> Vec<PathBuf> {
        let (mut files, mut others) = (Vec::new(), Vec::new());
        let mut closed = keys.to_vec();
        for part in &self.parts {
            for (name, source) in &part.parsed.recipients {
                let RecipientSource::Team(TeamSource { team }) = source else { continue };
                let recipient = self.load_recipient(part, name).ok();
                let opens = |readers: &&BTreeSet<Fingerprint>| {
                    recipient.as_ref().is_some_and(|recipient| readers.contains(recipient.label().fingerprint()))
                };
                let is_reader = keys.iter().any(opens);
                closed.retain(|readers| !opens(readers));
                let file = inside(&*self.origin, &part.folder, &format!("{team}.age")).ok();
                if is_reader { files.extend(file) } else { others.extend(file) }
            }
        }
        if !closed.is_empty() {
            files.extend(others);
        }
        files
    }
}

impl Part {
    fn load(origin: &dyn Origin, folder: &Path, file: &Path) -> Result<Self, CommandError> {
        let text = origin.text(file)?;
        let parsed = parse::parse(&text).map_err(|error| {
            let line = error.line.map(|line| format!(":{line}")).unwrap_or_default();
            CommandError::usage(format!("{}{line}: {}", file.display(), error.reason))
        })?;
        let globs = parsed.rule.iter().map(|rule| {
            let glob = globset::GlobBuilder::new(&rule.path).literal_separator(true).build();
            glob.map(|glob| glob.compile_matcher())
                .map_err(|_| in_file(file, &format!("path = \"{}\" is no glob", rule.path)))
        });
        let globs = globs.collect::<Result<_, _>>()?;
        Ok(Self { folder: folder.to_owned(), file: file.to_owned(), parsed, globs })
    }
}

/// Joins a path of the policy to its folder; it must stay inside and pass no symbolic link.
fn inside(origin: &dyn Origin, folder: &Path, relative: &str) -> Result<PathBuf, String> {
    let mut path = folder.to_owned();
    for component in Path::new(relative).components() {
        match component {
            std::path::Component::Normal(name) => path.push(name),
            std::path::Component::CurDir => continue,
            _ => return Err(format!("the path {relative} leaves the policy's folder")),
        }
        if origin.is_link(&path) {
            return Err(format!("the path {relative} passes a symbolic link"));
        }
    }
    Ok(path)
}

/// The first line of a `.pub` file that is no comment.
pub(crate) fn first_recipient(path: &Path) -> Result<String, CommandError> {
    recipient_line(path, &files::read_text(path)?)
}

fn recipient_line(path: &Path, text: &str) -> Result<String, CommandError> {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    line.map(str::to_owned).ok_or_else(|| CommandError::usage(format!("{}: holds no recipient", path.display())))
}

fn in_file(file: &Path, reason: &str) -> CommandError {
    CommandError::usage(format!("{}: {reason}", file.display()))
}
