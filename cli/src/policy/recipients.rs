//! All recipients and all rules of a policy, for the commands that show or change them.

use std::path::{Path, PathBuf};

use sealwax_format::keys::{Recipient, Strength};

use super::parse::{FileSource, RecipientSource, TeamSource};
use super::{Governing, Policy, inside};
use crate::error::CommandError;

/// A recipient as the policy lists it.
pub(crate) struct ListedRecipient {
    pub(crate) name: String,
    /// Where its key stands, for people.
    pub(crate) source: String,
    /// The file that its key stands in.
    pub(crate) file: Option<PathBuf>,
    /// The folder and name of its team's files.
    pub(crate) team: Option<PathBuf>,
    pub(crate) recipient: Result<Recipient, CommandError>,
    /// The rules that name it.
    pub(crate) rules: Vec<String>,
}

impl ListedRecipient {
    /// What kind of key it is, for people.
    pub(crate) fn kind(&self, recipient: &Recipient) -> &'static str {
        let post_quantum = recipient.strength() == Strength::PostQuantum;
        match (self.team.is_some(), post_quantum) {
            (true, true) => "post-quantum team",
            (true, false) => "team",
            (false, true) => "post-quantum age key",
            (false, false) if recipient.canonical().starts_with("ssh-") => "SSH key",
            (false, false) => "age key",
        }
    }
}

impl Policy {
    /// The folder of the policy.
    pub(crate) fn folder(&self) -> &Path {
        &self.parts[0].folder
    }

    /// The policy file.
    pub(crate) fn file(&self) -> &Path {
        &self.parts[0].file
    }

    /// Every recipient, those of included policies too.
    pub(crate) fn listed_recipients(&self) -> Vec<ListedRecipient> {
        let mut found = Vec::new();
        for part in &self.parts {
            for (name, source) in &part.parsed.recipients {
                let at = |file: &str| inside(&*self.origin, &part.folder, file).ok();
                let (source, file, team) = match source {
                    RecipientSource::Text(_) => ("in the policy".to_owned(), None, None),
                    RecipientSource::File(FileSource { file }) => (file.clone(), at(file), None),
                    RecipientSource::Team(TeamSource { team }) => {
                        (format!("{team}.pub"), at(&format!("{team}.pub")), at(team))
                    }
                };
                let recipient = self.load_recipient(part, name);
                let rules = self.rules_naming(part, name);
                found.push(ListedRecipient { name: name.clone(), source, file, team, recipient, rules });
            }
        }
        found
    }

    /// Every rule, ready for use, in the order in which they are tried.
    pub(crate) fn rules(&self) -> impl Iterator<Item = Result<Governing, CommandError>> {
        self.parts.iter().flat_map(|part| part.parsed.rule.iter().map(|rule| self.resolve(part, rule)))
    }

    fn rules_naming(&self, owner: &super::Part, name: &str) -> Vec<String> {
        let mut rules = Vec::new();
        for part in &self.parts {
            let seen = self.recipient(part, name).is_some_and(|(of, _)| of.file == owner.file);
            let naming = part.parsed.rule.iter().filter(|rule| seen && rule.recipients.iter().any(|one| one == name));
            rules.extend(naming.map(|rule| self.title(part, rule)));
        }
        rules
    }
}
