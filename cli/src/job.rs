//! What a write does to a document: which values, for whom, for which place; from policy, command line and manifest.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use sealwax_format::document::Syntax;
use sealwax_format::keys::Recipient;
use sealwax_format::native::{Layout, Object, OwnTokens, Place, Previous, Request, Scope};
use sealwax_format::{Pattern, Problem};

use crate::error::CommandError;
use crate::files;
use crate::policy::{self, Governing, Policy};
use crate::recipient;
use crate::ui::Note;

/// Flags that stand in for a policy, or narrow what it says.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct WriteArgs {
    /// Encrypt for this recipient: age1…, ssh-…, NAME=RECIPIENT, or a .pub file (repeatable; instead of the policy's)
    #[arg(long = "to", value_name = "RECIPIENT")]
    pub(crate) to: Vec<String>,
    /// Encrypt the values that this pattern matches, such as 'data.*' or '**.password' (repeatable)
    #[arg(long, value_name = "PATTERN")]
    pub(crate) select: Vec<String>,
    /// For files that are no Kubernetes objects: a text that keeps their values from opening in other files
    #[arg(long, value_name = "TEXT")]
    pub(crate) context: Option<String>,
    /// Encrypt for the readers that the policy names, also where they are others than when this machine last wrote
    #[arg(long)]
    pub(crate) accept_recipients: bool,
    /// Only a look at what would be done.
    #[arg(skip)]
    pub(crate) preview: bool,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
}

/// Flags that say where values open.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct PlaceArgs {
    /// Where values open: only in this object, in any object of its namespace, or anywhere in the cluster
    #[arg(long, value_enum, value_name = "SCOPE")]
    pub(crate) scope: Option<ScopeArg>,
    /// Where values open, as NAMESPACE/NAME with * for any characters, such as 'preview-*/db'
    #[arg(long = "for", value_name = "NAMESPACE/NAME", conflicts_with = "scope")]
    pub(crate) target: Option<String>,
    /// The namespace, where the manifest does not say
    #[arg(long, value_name = "NAMESPACE")]
    pub(crate) namespace: Option<String>,
    /// The name, where the manifest does not say
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
}

/// The scopes on the command line.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum ScopeArg {
    Strict,
    Namespace,
    Cluster,
}

/// What is to be done with one document.
pub(crate) struct Plan {
    pub(crate) select: Vec<Pattern>,
    pub(crate) readers: Vec<Recipient>,
    pub(crate) place: Place,
    /// No one named a context for a file that needs one.
    pub(crate) context_missing: bool,
}

impl Plan {
    /// The same for the format: with the values of an earlier state, whose tokens are used again.
    pub(crate) fn request<'r>(&'r self, previous: Option<&'r Previous>) -> Request<'r, [Recipient]> {
        Request { select: &self.select, place: self.place.clone(), readers: &self.readers, previous }
    }

    /// Says where and for whom values were sealed.
    pub(crate) fn describe(&self) -> String {
        let readers = self.readers.iter().map(|reader| reader.label().name()).collect::<Vec<_>>().join(", ");
        format!("{}, readers: {readers}", self.place)
    }

    pub(crate) fn hints(&self, shown: &str) -> Option<Note> {
        self.context_missing.then(|| {
            Note::Hint(format!(
                "{shown}: sealed without a context, so its values also open in other files without one; pass --context \
                 TEXT or write context in the policy's rule."
            ))
        })
    }
}

/// The policies of this run, each read once.
#[derive(Default)]
pub(crate) struct Policies {
    by_folder: Mutex<HashMap<PathBuf, Option<Arc<Policy>>>>,
    /// A policy is read once, and asks once, however many folders it is for.
    by_file: Mutex<HashMap<PathBuf, Arc<Policy>>>,
}

impl Policies {
    /// The policy that governs a file.
    pub(crate) fn of(&self, file: &Path) -> Result<Option<Arc<Policy>>, CommandError> {
        // A symbolic link leads to another folder's policy.
        let real = if file.is_symlink() { file.canonicalize().unwrap_or(file.to_owned()) } else { file.to_owned() };
        let folder = real.parent().unwrap_or(Path::new(".")).to_owned();
        if let Some(known) = self.by_folder.lock().ok().and_then(|known| known.get(&folder).cloned()) {
            return Ok(known);
        }
        let found = policy::discover(file, |file| self.load(file))?;
        if let Ok(mut known) = self.by_folder.lock() {
            known.insert(folder, found.clone());
        }
        Ok(found)
    }

    fn load(&self, file: &Path) -> Result<Arc<Policy>, CommandError> {
        let mut known = self.by_file.lock().map_err(|_| CommandError::refused("another thread failed"))?;
        if let Some(known) = known.get(file) {
            return Ok(Arc::clone(known));
        }
        let policy = Arc::new(Policy::load(file)?);
        known.insert(file.to_owned(), Arc::clone(&policy));
        Ok(policy)
    }
}

impl WriteArgs {
    /// Decides for one document; `None` where a policy covers the file and no rule this document.
    pub(crate) fn plan(
        &self,
        shown: &str,
        path: Option<&Path>,
        policy: Option<&Policy>,
        layout: &Layout<'_>,
    ) -> Result<Option<Plan>, CommandError> {
        if let Some(path) = path.filter(|path| matches!(files::syntax_of(Some(path)), Syntax::Dotenv | Syntax::Ini)) {
            let message = format!("{shown}: sealwax's own form has YAML and JSON, and not {}", path.display());
            return Err(CommandError::usage(message)
                .hint("SOPS has it: write a rule in .sops.yaml, or pass --format sops --to RECIPIENT to encrypt."));
        }
        let kind = layout.object.as_ref().map(|object| object.kind.as_str());
        let governing = match (policy, path) {
            (Some(policy), Some(path)) => policy.govern(path, kind)?,
            _ => None,
        };
        if governing.is_none() && self.to.is_empty() {
            return match policy {
                Some(_) => Ok(None),
                None => Err(CommandError::usage(format!("{shown}: no policy governs this file, and there is no --to"))
                    .hint(format!(
                        "Write a {} at the root of the repository, or pass --to RECIPIENT; no rule of a .sops.yaml \
                         matches it either.",
                        policy::FILE_NAME
                    ))),
            };
        }
        let readers = if self.to.is_empty() {
            if let (Some(policy), Some(rule), false) = (policy, &governing, self.preview) {
                policy.agree(rule, self.accept_recipients)?;
            }
            governing.as_ref().map(|rule| rule.readers.clone()).unwrap_or_default()
        } else {
            let readers = self.to.iter().map(|text| recipient::parse("--to", text)).collect::<Result<Vec<_>, _>>()?;
            policy.map_or(Ok(()), |policy| policy.allow(&readers))?;
            readers
        };
        let select = self.patterns(shown, layout, governing.as_ref())?;
        let (place, context_missing) = self.place(shown, layout, governing.as_ref())?;
        if layout.admit(&place).is_err() {
            let object = layout.object.as_ref().map(Object::shown).unwrap_or_default();
            return Err(CommandError::usage(format!("{shown}: {place} does not fit the object, which is {object}"))
                .hint("Values sealed so would not open. What an overlay sets later, leave out of the manifest."));
        }
        Ok(Some(Plan { select, readers, place, context_missing }))
    }

    fn patterns(
        &self,
        shown: &str,
        layout: &Layout<'_>,
        rule: Option<&Governing>,
    ) -> Result<Vec<Pattern>, CommandError> {
        let named = self.select.iter().map(|pattern| Pattern::parse(pattern)).collect::<Result<Vec<_>, _>>();
        let named = named.map_err(|error| CommandError::usage(format!("--select: {error}")))?;
        // The command line adds to the rule and takes nothing away: what the rule protects stays protected.
        let mut select = rule.map(|rule| rule.select.clone()).unwrap_or_default();
        select.extend(named);
        if select.is_empty() && !layout.in_spec() {
            return Err(CommandError::usage(format!("{shown}: nothing says which values to encrypt")).hint(
                "Write encrypt = [\"data.*\", …] in the policy's rule, or pass --select 'data.*' (everything: '**').",
            ));
        }
        Ok(select)
    }

    fn place(&self, shown: &str, layout: &Layout<'_>, rule: Option<&Governing>) -> Result<(Place, bool), CommandError> {
        let Some(object) = &layout.object else {
            if self.place.scope.is_some() || self.place.target.is_some() {
                return Err(CommandError::usage(format!("{shown}: --scope and --for are for Kubernetes objects"))
                    .hint("This file has no apiVersion and kind; use --context TEXT."));
            }
            let context = self.context.clone().or_else(|| rule.and_then(|rule| rule.context.clone()));
            if context.is_none() && rule.is_some() {
                return Err(CommandError::usage(format!(
                    "{shown}: is no Kubernetes object, and its rule has no context"
                ))
                .hint(
                    "Write context = \"…\" in the policy's rule: a text that keeps its values from opening elsewhere.",
                ));
            }
            return Ok((Place::Context(context.clone().unwrap_or_default()), context.is_none()));
        };
        let stated = rule.filter(|_| self.place.scope.is_none()).and_then(|rule| rule.target.as_deref());
        if let Some(target) = self.place.target.as_deref().or(stated) {
            let (namespace, name) = policy::place_parts(target).ok_or_else(|| {
                CommandError::usage(format!("--for {target}: write NAMESPACE/NAME, such as 'preview-*/db'"))
            })?;
            let (group, kind) = (object.group.clone(), object.kind.clone());
            return Ok((Place::Object { group, kind, namespace: namespace.to_owned(), name: name.to_owned() }, false));
        }
        let scope = match self.place.scope {
            Some(ScopeArg::Strict) => Scope::Strict,
            Some(ScopeArg::Namespace) => Scope::Namespace,
            Some(ScopeArg::Cluster) => Scope::Cluster,
            None => rule.and_then(|rule| rule.scope).unwrap_or_default(),
        };
        let place = object.place(scope, self.place.namespace.as_deref(), self.place.name.as_deref());
        place
            .map(|place| (place, false))
            .map_err(|problem: Problem| CommandError::in_file(shown, &sealwax_format::Error::of_file(problem)))
    }
}

/// Tokens with keys of their own cost space: time for a fold.
pub(crate) fn fold_hint(shown: &str, own: OwnTokens) -> Option<Note> {
    own.want_fold().then(|| {
        Note::Hint(format!(
            "{shown}: {} values carry a key of their own; someone who can read them may run `sealwax rekey --fold`.",
            own.count
        ))
    })
}
