//! Files of SOPS made to fit their rule of `.sops.yaml`: its keys, and its selector, which SOPS itself never applies again.

use std::collections::BTreeSet;
use std::path::Path;

use sealwax_format::document::File;
use sealwax_format::keys::Fingerprint;
use sealwax_format::native::Rewrap;
use sealwax_format::sops::{Layout, Metadata, Service, Wrap};

use super::{Document, Done, Exposed, Mode, Step, Work};
use crate::error::CommandError;
use crate::files::{Input, Staged, Store};
use crate::sops::config::Creation;
use crate::sops::keys;
use crate::sops::{Change, Opened, in_file};
use crate::survey::Found;

/// Who narrows a selector in a commit has the values written out by whoever rekeys next.
const SELECT_AGAIN: &str = "The rule in .sops.yaml does not select it any more. `git log -p` shows who changed it; is it meant, pass --accept-clear.";

impl Work<'_> {
    /// Looks at a file of SOPS and changes what is to be changed.
    pub(super) fn sops(&self, found: &Found, input: &Input, file: &File<'_>) -> Result<Done, CommandError> {
        let shown = input.shown.as_str();
        let creation = match self.configs.of(&found.path)? {
            Some(creation) => creation,
            None if found.named => self.configs.required(&found.path)?,
            None => return Ok(done(input, found, Vec::new(), None)),
        };
        let layout = Layout::read(file).map_err(|at| in_file(shown, &at))?;
        let change = Change::between(&layout.metadata, &creation);
        let is_new = self.order.mode == Mode::Resume && self.is_rotated(found, &layout.metadata);
        let step = if is_new { Step::Nothing } else { change.step(self.order.mode) };
        let document = describe(&layout, &creation, &change, step);
        let staged = match step {
            Step::Nothing => None,
            _ if self.order.dry_run => None,
            _ => {
                self.configs.agree(&creation, self.order.write.accept_recipients)?;
                let opened =
                    Opened::read(shown, (Store::of_text(Some(&found.path), file.source), file), &self.keys, true)?;
                let report = match step {
                    Step::Fold => opened.rotate(&creation, &self.keys)?,
                    _ if self.order.mode == Mode::Add => opened.rewrap(&change.with_old(&creation), &self.keys)?,
                    _ => opened.rewrap(&creation, &self.keys)?,
                };
                if !self.order.accept_clear {
                    opened.refuse_exposed(&opened.plain, &report.text, SELECT_AGAIN)?;
                }
                Some(Staged::write(&found.path, Some(&input.bytes), report.text.as_bytes())?)
            }
        };
        Ok(done(input, found, vec![document], staged))
    }

    /// Whether its data key is another one than at HEAD.
    fn is_rotated(&self, found: &Found, metadata: &Metadata) -> bool {
        let before = self.heads.get(&found.path).filter(|wraps| !wraps.is_empty());
        before.is_some_and(|before| metadata.wraps().all(|wrap| !before.contains(&wrap.enc)))
    }
}

fn done(input: &Input, found: &Found, documents: Vec<Document>, staged: Option<Staged>) -> Done {
    Done { shown: input.shown.clone(), path: found.path.clone(), documents, staged }
}

impl Change {
    fn step(&self, mode: Mode) -> Step {
        match mode {
            Mode::Fold | Mode::Resume => Step::Fold,
            Mode::Match if !self.removed.is_empty() || self.reselected => Step::Fold,
            Mode::Match if !self.added.is_empty() || self.regrouped => Step::Wrap(Rewrap::Match),
            Mode::Add if !self.added.is_empty() => Step::Wrap(Rewrap::Add),
            Mode::Match | Mode::Add | Mode::Supersede => Step::Nothing,
        }
    }

    /// A rule by which nobody loses anything.
    fn with_old(&self, creation: &Creation) -> Creation {
        let mut creation = creation.clone();
        if let [group] = creation.groups.as_mut_slice() {
            group.wraps.extend(self.removed.iter().cloned());
        }
        creation
    }
}

/// What whoever holds one of these keys can open of a file.
pub(super) fn readable_by(path: &Path, file: &File<'_>, readers: &BTreeSet<Fingerprint>) -> Vec<Exposed> {
    let Ok(layout) = Layout::read(file) else { return Vec::new() };
    let has = |wrap: &&Wrap| wrap.service == Service::Age && readers.contains(&Fingerprint::of(&wrap.key));
    let named = layout.metadata.wraps().filter(has);
    let exposed = |wrap| Exposed { reader: keys::shown(wrap), path: path.to_owned(), values: encrypted(&layout) };
    named.map(exposed).collect()
}

fn encrypted(layout: &Layout<'_>) -> Vec<String> {
    layout.values.iter().filter(|value| value.token.is_some()).map(|value| value.leaf.path.to_string()).collect()
}

fn describe(layout: &Layout<'_>, creation: &Creation, change: &Change, step: Step) -> Document {
    let paths = encrypted(layout);
    let names = |wraps: &[Wrap]| wraps.iter().map(keys::shown).collect::<Vec<_>>();
    let removed = names(&change.removed);
    let (exposed, left) = match step {
        Step::Fold => (removed.into_iter().map(|reader| (reader, paths.clone())).collect(), Vec::new()),
        _ => (Vec::new(), removed),
    };
    let came = if step == Step::Nothing { Vec::new() } else { names(&change.added) };
    let selects = if change.reselected { ", which selects other values" } else { "" };
    let plan = format!("{}{selects}, readers: {}", creation.rule, creation.readers());
    Document { step, values: paths.len(), plan, exposed, came, left }
}
