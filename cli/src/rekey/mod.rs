//! Many files made to fit their readers: looked at without a key, then wrapped or folded, replaced in batches.
//!
//! A file is replaced as a whole or not at all, and one that fits already is left alone: a run that was cut off is
//! taken up by running it again.

mod heads;
mod sops_file;
mod summary;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use sealwax_format::OsRandom;
use sealwax_format::document::File;
use sealwax_format::document::rewrite::Rewrite;
use sealwax_format::keys::{Fingerprint, Label};
use sealwax_format::native::{self, Layout, Opener, Rewrap};
use sealwax_format::{Error, sops};

use crate::error::{Code, CommandError};
use crate::files::{self, Batch, Input, Staged};
use crate::job::{Plan, Policies, WriteArgs};
use crate::keyring::{Identities, IdentityArgs};
use crate::readers::{Change, Named, readable};
use crate::sops::config::Configs;
use crate::sops::keys::Keys;
use crate::survey::{self, Found};
use crate::ui::Ui;
use summary::Summary;
pub(crate) use summary::{Exposed, exposures};

/// Files that become visible together. As many as are worth one call to make them durable, and no more in memory.
const BATCH: usize = 512;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The readers shall be those wanted: a fold where somebody was removed, else wraps.
    Match,
    /// Every value under a new key.
    Fold,
    /// The same, but not for documents whose key is another one than at Git's HEAD.
    Resume,
    /// Missing readers get their wraps; nobody loses any.
    Add,
    /// Wraps for older keys of a name give way to wraps for the newer one.
    Supersede,
}

/// What is to be done with one document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Nothing,
    Wrap(Rewrap),
    Fold,
}

impl Mode {
    fn step(self, change: &Change) -> Step {
        let wrap_if = |wanted: bool, how| if wanted { Step::Wrap(how) } else { Step::Nothing };
        match self {
            Self::Fold | Self::Resume => Step::Fold,
            Self::Match if !change.removed.is_empty() => Step::Fold,
            Self::Match => wrap_if(!change.is_none(), Rewrap::Match),
            Self::Add => wrap_if(!change.added.is_empty(), Rewrap::Add),
            Self::Supersede => wrap_if(!change.superseded.is_empty(), Rewrap::Supersede),
        }
    }
}

/// What was asked for.
pub(crate) struct Order<'a> {
    pub(crate) paths: &'a [PathBuf],
    pub(crate) mode: Mode,
    /// Only say what would be done; needs no key.
    pub(crate) dry_run: bool,
    /// Whether a file of SOPS may lose the encryption of what its rule does not select any more.
    pub(crate) accept_clear: bool,
    pub(crate) write: WriteArgs,
    pub(crate) identities: &'a IdentityArgs,
}

/// Carries out an order.
pub(crate) fn run(order: &Order<'_>, ui: &Ui) -> Result<Code, CommandError> {
    let found = survey::files(order.paths)?;
    let identities = Identities::new(order.identities);
    let work = Work {
        order,
        policies: Policies::default(),
        identities: &identities,
        keys: Keys::new(&identities),
        configs: Configs::default(),
        heads: if order.mode == Mode::Resume { heads::keys(&found)? } else { HashMap::new() },
    };
    let mut summary = Summary::new(order, found.iter().any(|file| !file.named));
    let mut code = Code::Done;
    let progress = ui.progress("rekeying", found.len());
    for some in found.chunks(BATCH) {
        let results = files::each(some, |file| {
            let result = work.file(file);
            progress.step();
            result
        });
        let mut batch = Batch::default();
        let mut waiting = Vec::new();
        for result in results {
            match result {
                Ok(Some(mut file)) => {
                    if let Some(staged) = file.staged.take() {
                        batch.add(staged);
                        waiting.push(file);
                    } else {
                        summary.add(file);
                    }
                }
                Ok(None) => {}
                Err(error) => code = code.max(progress.hidden(|| ui.failed(&error))),
            }
        }
        for (file, written) in waiting.into_iter().zip(batch.commit()) {
            match written {
                Ok(()) => summary.add(file),
                Err(error) => code = code.max(progress.hidden(|| ui.failed(&error))),
            }
        }
    }
    progress.end();
    ui.notes(&summary.notes());
    Ok(code)
}

/// What was done with a file, or would be.
struct Done {
    shown: String,
    path: PathBuf,
    documents: Vec<Document>,
    staged: Option<Staged>,
}

/// What was done with a document of it.
struct Document {
    step: Step,
    values: usize,
    plan: String,
    /// Readers who lose their right, and what they could open.
    exposed: Vec<(String, Vec<String>)>,
    /// They get a wrap that they did not have.
    came: Vec<String>,
    /// They are named, shall not read, and stay.
    left: Vec<String>,
}

struct Work<'a> {
    order: &'a Order<'a>,
    policies: Policies,
    identities: &'a Identities<'a>,
    keys: Keys<'a>,
    /// The keys of documents at HEAD, by file.
    heads: HashMap<PathBuf, Vec<String>>,
    configs: Configs,
}

impl Work<'_> {
    /// Looks at a file and changes what is to be changed; `None` for a file that holds nothing of ours.
    fn file(&self, found: &Found) -> Result<Option<Done>, CommandError> {
        let path = found.path.as_path();
        let input = Input::read(path)?;
        if !found.named && !survey::claims_values(input.bytes.expose()) {
            return Ok(None);
        }
        let shown = input.shown.as_str();
        let in_file = |error: Error| CommandError::in_file(shown, &error);
        let file = input.parse()?;
        if sops::Layout::is_one(&file) {
            return self.sops(found, &input, &file).map(Some);
        }
        let plans = self.plans(path, shown, &file)?;
        if plans.is_empty() && found.named {
            let message = format!("{shown}: holds no encrypted document that a rule of the policy covers");
            return Err(CommandError::usage(message));
        }
        let mut documents = Vec::new();
        for (layout, plan) in &plans {
            documents.push(self.look(path, &file, layout, plan).map_err(in_file)?);
        }
        let idle = documents.iter().all(|document| document.step == Step::Nothing);
        let staged =
            if idle || self.order.dry_run { None } else { self.change(path, &input, &file, &plans, &documents)? };
        Ok(Some(Done { shown: input.shown.clone(), path: path.to_owned(), documents, staged }))
    }

    fn plans<'d>(&self, path: &Path, shown: &str, file: &'d File<'_>) -> Result<Vec<(Layout<'d>, Plan)>, CommandError> {
        let in_file = |error: Error| CommandError::in_file(shown, &error);
        let policy = self.policies.of(path)?;
        let mut plans = Vec::new();
        for index in 0..file.documents.len() {
            let layout = Layout::read(file, index).map_err(in_file)?;
            let Some(block) = &layout.block else { continue };
            let Some(plan) = self.order.write.plan(shown, Some(path), policy.as_deref(), &layout)? else { continue };
            native::same_place(&layout, block, &plan.place).map_err(|problem| in_file(Error::of_file(problem)))?;
            plans.push((layout, plan));
        }
        Ok(plans)
    }

    /// What is to be done with a document: told without any key.
    fn look(&self, path: &Path, file: &File<'_>, layout: &Layout<'_>, plan: &Plan) -> Result<Document, Error> {
        let change = Change::between(&Named::of(file, layout)?, &plan.readers);
        let mut step = self.order.mode.step(&change);
        if self.order.mode == Mode::Resume && self.is_new(path, layout) {
            step = Step::Nothing;
        }
        let (mut exposed, mut left) = (Vec::new(), Vec::new());
        for label in change.removed {
            if step == Step::Fold {
                let paths = readable(file, layout, &label)?;
                exposed.push((label.to_string(), paths.iter().map(ToString::to_string).collect()));
            } else {
                left.push(label.to_string());
            }
        }
        let replaces = |label: &Label| change.superseded.iter().any(|old| old.name() == label.name());
        let comes = |label: &Label| step != Step::Nothing && (self.order.mode != Mode::Supersede || replaces(label));
        let came = change.added.into_iter().filter(comes).map(|label| label.to_string()).collect();
        let mut values = 0;
        for leaf in &layout.leaves {
            values += usize::from(layout.token(file, leaf)?.is_some());
        }
        Ok(Document { step, values, plan: plan.describe(), exposed, came, left })
    }

    fn is_new(&self, path: &Path, layout: &Layout<'_>) -> bool {
        // Whichever document it was of: documents may have changed places.
        let Some(before) = self.heads.get(path).filter(|keys| !keys.is_empty()) else { return false };
        let now = layout.block.as_ref().and_then(|block| block.key.as_ref());
        now.is_some_and(|now| !before.contains(&now.id.to_string()))
    }

    fn change(
        &self,
        path: &Path,
        input: &Input,
        file: &File<'_>,
        plans: &[(Layout<'_>, Plan)],
        documents: &[Document],
    ) -> Result<Option<Staged>, CommandError> {
        let in_file = |error: Error| CommandError::in_file(&input.shown, &error);
        let keyring = crate::open::keyring(&input.shown, Some(path), file, &self.policies, self.identities)?;
        let mut opener = Opener::new(&keyring);
        let mut rewrite = Rewrite::new(file);
        for ((layout, plan), document) in plans.iter().zip(documents) {
            match document.step {
                Step::Nothing => {}
                Step::Wrap(how) => {
                    native::rewrap(file, layout, &mut opener, &plan.readers, how, &mut rewrite).map_err(in_file)?;
                }
                Step::Fold => {
                    let opened = native::open_all(file, layout, &mut opener).map_err(in_file)?;
                    let readers = plan.readers.as_slice();
                    native::fold(file, layout, &opened, &plan.place, readers, &mut OsRandom, &mut rewrite)
                        .map_err(in_file)?;
                }
            }
        }
        let text = rewrite.finish().map_err(|error| in_file(Error::of_file(error)))?;
        let changed = text.as_bytes() != input.bytes.expose();
        changed.then(|| Staged::write(path, Some(&input.bytes), text.as_bytes())).transpose()
    }
}

/// Every value below a folder whose key is wrapped for one of these keys, under whatever name.
pub(crate) fn readable_by(folder: &Path, keys: &BTreeSet<Fingerprint>) -> Result<Vec<Exposed>, CommandError> {
    let found = survey::files(&[folder.to_owned()])?;
    let looked = files::each(&found, |file| -> Result<Vec<Exposed>, CommandError> {
        let input = Input::read(&file.path)?;
        if !survey::claims_values(input.bytes.expose()) {
            return Ok(Vec::new());
        }
        let in_file = |error: Error| CommandError::in_file(&input.shown, &error);
        let parsed = input.parse()?;
        if sops::Layout::is_one(&parsed) {
            return Ok(sops_file::readable_by(&file.path, &parsed, keys));
        }
        let mut by_label: BTreeMap<Label, Vec<String>> = BTreeMap::new();
        for index in 0..parsed.documents.len() {
            let layout = Layout::read(&parsed, index).map_err(in_file)?;
            let named = Named::of(&parsed, &layout).map_err(in_file)?.anywhere;
            for label in named.into_iter().filter(|label| keys.contains(label.fingerprint())) {
                let paths = readable(&parsed, &layout, &label).map_err(in_file)?;
                by_label.entry(label).or_default().extend(paths.iter().map(ToString::to_string));
            }
        }
        by_label.retain(|_, values| !values.is_empty());
        let exposed =
            |(label, values): (Label, _)| Exposed { reader: label.to_string(), path: file.path.clone(), values };
        Ok(by_label.into_iter().map(exposed).collect())
    });
    Ok(looked.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}
