//! A policy's rules as the gate looks at them: all at once, and their readers without any plugin or key at hand.

use std::path::{Path, PathBuf};

use sealwax_format::Pattern;
use sealwax_format::keys::{Fingerprint, Label, Recipient, RecipientError, Strength};
use sealwax_format::native::Scope;

use super::parse::Rule;
use super::rule::refuse_classical;
use super::{Part, Policy, in_file};
use crate::error::CommandError;

/// Someone who shall be able to read.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    /// Name and fingerprint, as wraps are labelled.
    pub(crate) label: Label,
    /// Whether the key withstands a quantum computer.
    pub(crate) strength: Strength,
}

/// A rule, ready to be compared with files.
pub(crate) struct Listed {
    /// Its policy file and path, for messages.
    pub(crate) shown: String,
    /// The file that it stands in.
    pub(crate) file: PathBuf,
    /// The files that it is for, as written.
    pub(crate) path: String,
    /// Which values.
    pub(crate) select: Vec<Pattern>,
    /// For whom.
    pub(crate) readers: Vec<Reader>,
    /// How wide, if the rule says.
    pub(crate) scope: Option<Scope>,
    /// `namespace/name` patterns, if the rule says.
    pub(crate) target: Option<String>,
    /// The context of files that are no Kubernetes objects.
    pub(crate) context: Option<String>,
    /// The kinds of Kubernetes objects that it is limited to.
    pub(crate) kinds: Option<Vec<String>>,
    /// Whether classical readers are an error.
    pub(crate) strict: bool,
}

impl Policy {
    /// Every rule, in the order in which they are tried. What would stop `encrypt` is an error here too.
    pub(crate) fn list(&self) -> Result<Vec<Listed>, CommandError> {
        let rules = self.parts.iter().flat_map(|part| part.parsed.rule.iter().map(move |rule| (part, rule)));
        rules.map(|(part, rule)| self.listed(part, rule)).collect()
    }

    /// The position in [`Policy::list`] of the rule that governs a document. The path starts where the policy's does.
    pub(crate) fn governing(&self, path: &Path, kind: Option<&str>) -> Option<usize> {
        let (found, rule) = self.find(path, kind)?;
        let before = self.parts.iter().take_while(|part| !std::ptr::eq(*part, found));
        Some(before.map(|part| part.parsed.rule.len()).sum::<usize>() + rule)
    }

    /// Whether any rule's path matches, whatever kinds it is for: its position in [`Policy::list`].
    pub(crate) fn matching(&self, path: &Path) -> Vec<usize> {
        let rules = self.parts.iter().flat_map(|part| part.globs.iter().map(move |glob| (part, glob)));
        let fits = |part: &Part, glob: &globset::GlobMatcher| {
            path.strip_prefix(&part.folder).is_ok_and(|relative| glob.is_match(relative))
        };
        rules.enumerate().filter(|(_, (part, glob))| fits(part, glob)).map(|(position, _)| position).collect()
    }

    /// The files that say who reads: the policy, what it includes, and the public keys that these name.
    pub(crate) fn sources(&self) -> Vec<PathBuf> {
        let keys = self.parts.iter().flat_map(|part| {
            part.parsed.recipients.values().filter_map(|source| Some(part.folder.join(source.file()?)))
        });
        self.parts.iter().map(|part| part.file.clone()).chain(keys).collect()
    }

    fn listed(&self, part: &Part, rule: &Rule) -> Result<Listed, CommandError> {
        let select = rule.encrypt.iter().map(|pattern| Pattern::parse(pattern)).collect::<Result<_, _>>();
        let readers = rule.recipients.iter().map(|name| self.reader(part, name)).collect::<Result<Vec<_>, _>>()?;
        let strict = self.is_strict(part);
        refuse_classical(&part.file, strict, readers.iter().map(|reader| (&reader.label, reader.strength)))?;
        Ok(Listed {
            shown: format!("the rule for {} in {}", rule.path.escape_debug(), part.file.display()),
            file: part.file.clone(),
            path: rule.path.clone(),
            select: select.map_err(|error| in_file(&part.file, &error.to_string()))?,
            readers,
            scope: rule.scope(),
            target: rule.target.clone(),
            context: rule.context.clone(),
            kinds: rule.kinds.clone(),
            strict,
        })
    }

    /// A reader by the text of the public key alone: the plugin that it may need is not needed to compare labels.
    pub(super) fn reader(&self, part: &Part, name: &str) -> Result<Reader, CommandError> {
        let (part, source) =
            self.recipient(part, name).ok_or_else(|| in_file(&part.file, &format!("no recipient is called {name}")))?;
        let text = self.recipient_text(part, source)?;
        let wrong = |reason: String| in_file(&part.file, &format!("recipient {name}: {reason}"));
        match Recipient::parse(name, &text) {
            Ok(recipient) => Ok(Reader { label: recipient.label().clone(), strength: recipient.strength() }),
            Err(RecipientError::Plugin(_)) => {
                let label = Label::new(name, Fingerprint::of(text.trim()));
                let label = label.map_err(|error| wrong(error.to_string()))?;
                Ok(Reader { label, strength: Strength::Classical })
            }
            Err(error) => Err(wrong(crate::error::chain(&error))),
        }
    }
}
