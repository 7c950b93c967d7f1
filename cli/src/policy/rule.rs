//! From a file and a document's kind to the rule that governs it, with its patterns, readers and place.

use std::collections::BTreeSet;
use std::path::Path;

use sealwax_format::Pattern;
use sealwax_format::keys::{Label, Recipient, Strength};
use sealwax_format::native::Scope;

use super::discover::real_path;
use super::parse::{PostQuantum, Rule, ScopeName};
use super::{Part, Policy, in_file};
use crate::accepted::{self, Subject};
use crate::error::CommandError;

/// The rule for one document, ready for use.
pub(crate) struct Governing {
    /// Which rule: its path and kinds, as the policy writes them.
    pub(crate) rule: String,
    /// Which values.
    pub(crate) select: Vec<Pattern>,
    /// For whom.
    pub(crate) readers: Vec<Recipient>,
    /// How wide, if the rule says.
    pub(crate) scope: Option<Scope>,
    /// `namespace/name` patterns, if the rule says.
    pub(crate) target: Option<String>,
    /// The context of files that are no Kubernetes objects.
    pub(crate) context: Option<String>,
}

impl Policy {
    /// The first rule that matches a file and the kind of one of its documents.
    pub(crate) fn govern(&self, file: &Path, kind: Option<&str>) -> Result<Option<Governing>, CommandError> {
        let path = real_path(file)?;
        self.find(&path, kind).map(|(part, rule)| self.resolve(part, &part.parsed.rule[rule])).transpose()
    }

    /// The same without reading any key: the part and the number of its rule. The path starts as the policy's does.
    pub(super) fn find(&self, path: &Path, kind: Option<&str>) -> Option<(&Part, usize)> {
        let fits =
            |rule: &Rule| rule.kinds.as_ref().is_none_or(|kinds| kind.is_some_and(|k| kinds.iter().any(|x| x == k)));
        self.parts.iter().find_map(|part| {
            let relative = path.strip_prefix(&part.folder).ok()?;
            let mut rules = part.parsed.rule.iter().zip(&part.globs);
            let rule = rules.position(|(rule, glob)| fits(rule) && glob.is_match(relative))?;
            Some((part, rule))
        })
    }

    /// Agrees to the readers of a rule, or refuses where others were agreed to.
    pub(crate) fn agree(&self, rule: &Governing, accept: bool) -> Result<(), CommandError> {
        self.accepted.check(&self.subject(rule), self.subjects(), accept)
    }

    /// What differs from what was agreed to for a rule.
    pub(crate) fn disagreement(&self, rule: &Governing) -> Option<String> {
        self.accepted.difference(&self.subject(rule))
    }

    /// The rules whose readers are those that were agreed to, before a change that this machine makes.
    pub(crate) fn undisputed(&self) -> Vec<String> {
        let usable = self.rules().filter_map(Result::ok);
        usable.filter(|rule| self.disagreement(rule).is_none()).map(|rule| rule.rule).collect()
    }

    /// Agrees to these rules after that change: a change that somebody else made stays to be looked at.
    pub(crate) fn agree_to(&self, undisputed: &[String]) -> Result<(), CommandError> {
        for rule in self.rules() {
            let rule = rule?;
            if undisputed.contains(&rule.rule) {
                self.agree(&rule, true)?;
            }
        }
        Ok(())
    }

    fn subject(&self, rule: &Governing) -> Subject {
        let name = accepted::rule_name(&rule.rule);
        let after = self.subjects().iter().find(|one| one.name == name).map(|one| one.after.clone());
        let readers = rule.readers.iter().map(|reader| reader.label().to_string()).collect();
        Subject { name, readers, after: after.unwrap_or_default() }
    }

    /// All rules, in the order in which they are tried. One that cannot be used is seen when it can.
    pub(crate) fn subjects(&self) -> &[Subject] {
        self.subjects.get_or_init(|| {
            let mut after = BTreeSet::new();
            let mut found = Vec::new();
            for (part, rule) in self.parts.iter().flat_map(|part| part.parsed.rule.iter().map(move |rule| (part, rule)))
            {
                let name = accepted::rule_name(&self.title(part, rule));
                let readers = rule.recipients.iter().map(|name| self.reader(part, name));
                if let Ok(readers) =
                    readers.map(|reader| Ok(reader?.label.to_string())).collect::<Result<_, CommandError>>()
                {
                    found.push(Subject { name: name.clone(), readers, after: after.clone() });
                }
                after.insert(name);
            }
            found
        })
    }

    /// Refuses a recipient of the command line that the policy's `post_quantum` forbids.
    pub(crate) fn allow(&self, readers: &[Recipient]) -> Result<(), CommandError> {
        let main = &self.parts[0];
        let strict = main.parsed.post_quantum == PostQuantum::Require;
        refuse_classical(&main.file, strict, strengths(readers))
    }

    /// What people call a rule: its path, below the folder of an included policy, and its kinds.
    pub(super) fn title(&self, part: &Part, rule: &Rule) -> String {
        let kinds = rule.kinds.as_ref().map(|kinds| format!(" ({})", kinds.join(", "))).unwrap_or_default();
        let inside = part.folder.strip_prefix(&self.parts[0].folder).unwrap_or(Path::new(""));
        format!("{}{kinds}", inside.join(&rule.path).display())
    }

    pub(super) fn resolve(&self, part: &Part, rule: &Rule) -> Result<Governing, CommandError> {
        let select = rule.encrypt.iter().map(|pattern| Pattern::parse(pattern)).collect::<Result<_, _>>();
        let readers =
            rule.recipients.iter().map(|name| self.load_recipient(part, name)).collect::<Result<Vec<_>, _>>()?;
        refuse_classical(&part.file, self.is_strict(part), strengths(&readers))?;
        Ok(Governing {
            rule: self.title(part, rule),
            select: select.map_err(|error| in_file(&part.file, &error.to_string()))?,
            readers,
            scope: rule.scope(),
            target: rule.target.clone(),
            context: rule.context.clone(),
        })
    }

    /// Whether a part's readers must withstand a quantum computer: where it says so, or the main policy does.
    pub(super) fn is_strict(&self, part: &Part) -> bool {
        [&self.parts[0], part].iter().any(|part| part.parsed.post_quantum == PostQuantum::Require)
    }
}

impl Rule {
    pub(super) fn scope(&self) -> Option<Scope> {
        self.scope.map(|scope| match scope {
            ScopeName::Strict => Scope::Strict,
            ScopeName::Namespace => Scope::Namespace,
            ScopeName::Cluster => Scope::Cluster,
        })
    }
}

fn strengths(readers: &[Recipient]) -> impl Iterator<Item = (&Label, Strength)> {
    readers.iter().map(|reader| (reader.label(), reader.strength()))
}

pub(super) fn refuse_classical<'l>(
    policy: &Path,
    strict: bool,
    mut readers: impl Iterator<Item = (&'l Label, Strength)>,
) -> Result<(), CommandError> {
    match readers.find(|(_, strength)| strict && *strength == Strength::Classical) {
        Some((weak, _)) => {
            let reason = format!("{weak} is no post-quantum recipient, and post_quantum = \"require\"");
            Err(in_file(policy, &reason))
        }
        None => Ok(()),
    }
}
