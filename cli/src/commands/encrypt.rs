//! `sealwax encrypt`.

use std::path::{Path, PathBuf};

use sealwax_format::OsRandom;
use sealwax_format::document::{File, Node};
use sealwax_format::native::{self, Layout, Report};
use sealwax_format::sops;
use zeroize::Zeroizing;

use crate::error::{Code, CommandError};
use crate::files::{self, Input, STDIN, Staged, Store};
use crate::history;
use crate::job::{self, Plan, Policies, WriteArgs};
use crate::keyring::{Identities, IdentityArgs};
use crate::manifest;
use crate::outcomes::Outcomes;
use crate::policy::Policy;
use crate::sops::config::{Configs, Creation};
use crate::sops::keys::{self, Keys};
use crate::ui::{Note, Ui};

/// Encrypt the selected values of files, in place; everything else stays byte for byte as it is
///
/// Which values, and for whom, comes from the policy (.sealwax.toml) or from --select and --to.
/// Values that are encrypted already stay as they are. No private key is needed. Files that no policy
/// covers and a rule of .sops.yaml does become files of SOPS.
///
/// Examples:
///   sealwax encrypt clusters/prod/*.yaml
///   sealwax encrypt values.yaml --to age1… --select '**.password' --context 'helm values of payments'
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The files; - for standard input, which goes to standard output
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print the result instead of replacing the file
    #[arg(long)]
    stdout: bool,
    /// Where standard input would be in the repository, to find its rule
    #[arg(long, value_name = "FILE")]
    path: Option<PathBuf>,
    /// Encrypt as SOPS does, by .sops.yaml; without this flag where that covers the file and no policy does
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Codec>,
    #[command(flatten)]
    write: WriteArgs,
    #[command(flatten)]
    identities: IdentityArgs,
}

/// What encrypted files look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Codec {
    Sealwax,
    Sops,
}

impl Args {
    /// The rule of `.sops.yaml` by which a file is to be encrypted, if that is how.
    fn sops(
        &self,
        configs: &Configs,
        shown: &str,
        path: Option<&Path>,
        policy: Option<&Policy>,
        file: &File<'_>,
    ) -> Result<Option<Creation>, CommandError> {
        let wanted = self.format.or(sops::Layout::is_one(file).then_some(Codec::Sops));
        match (wanted, path) {
            (Some(Codec::Sops), _) if !self.write.to.is_empty() => self.for_recipients(shown).map(Some),
            (Some(Codec::Sops), Some(path)) => configs.required(path).map(Some),
            (Some(Codec::Sops), None) => {
                Err(CommandError::usage(format!("{shown}: nothing says which rule is for it"))
                    .hint("Say where it would be: --path FILE."))
            }
            (None, Some(path)) if self.write.to.is_empty() && !is_governed(path, policy, file)? => configs.of(path),
            (Some(Codec::Sealwax) | None, _) => Ok(None),
        }
    }

    /// Everything, for those whom the command line names.
    fn for_recipients(&self, shown: &str) -> Result<Creation, CommandError> {
        if !self.write.select.is_empty() {
            return Err(CommandError::usage(format!("{shown}: SOPS selects values by names, and not by patterns"))
                .hint("Write a rule in .sops.yaml, with encrypted_regex, and leave --to and --select away."));
        }
        let wraps = self.write.to.iter().map(|text| keys::parse_age(text)).collect::<Result<Vec<_>, _>>()?;
        Ok(Creation::of_command_line(wraps))
    }
}

/// Whether a rule of the policy is for a document of the file.
fn is_governed(path: &Path, policy: Option<&Policy>, file: &File<'_>) -> Result<bool, CommandError> {
    let Some(policy) = policy else { return Ok(false) };
    for document in &file.documents {
        let kind = document.root.get("kind").and_then(Node::string);
        if policy.govern(path, kind)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Code, CommandError> {
    let policies = Policies::default();
    let identities = Identities::new(&args.identities);
    let (configs, keys) = (Configs::default(), Keys::new(&identities));
    let sops = (&configs, &keys);
    let results =
        files::each_shown(ui, "encrypting", &args.files, |path| one(args, &policies, &identities, sops, path));
    let mut outcomes = Outcomes::default();
    for result in results {
        outcomes.add(result.and_then(|Encrypted { staged, printed, notes }| {
            if let Some(text) = printed {
                ui.data(text.as_bytes())?;
            }
            Ok((staged, notes))
        }));
    }
    Ok(ui.outcomes(outcomes.commit()))
}

/// One file, encrypted and waiting to be published.
struct Encrypted {
    staged: Option<Staged>,
    printed: Option<Zeroizing<String>>,
    notes: Vec<Note>,
}

fn one(
    args: &Args,
    policies: &Policies,
    identities: &Identities<'_>,
    (configs, keys): (&Configs, &Keys<'_>),
    path: &Path,
) -> Result<Encrypted, CommandError> {
    let input = Input::read(path)?;
    let shown = input.shown.as_str();
    if let Some(done) = bytes(args, (configs, keys), policies, path, &input)? {
        return Ok(done);
    }
    let governed = if path == Path::new(STDIN) { args.path.as_deref() } else { Some(path) };
    let policy = governed.map(|path| policies.of(path)).transpose()?.flatten();
    let syntax = crate::files::syntax_of(governed);
    let in_file = |error: sealwax_format::Error| CommandError::in_file(shown, &error);
    let file = files::parse(shown, input.text()?, syntax)?;
    let store = Store::of_text(governed, file.source);
    if let Some(creation) = args.sops(configs, shown, governed, policy.as_deref(), &file)? {
        configs.agree(&creation, args.write.accept_recipients)?;
        let previous = input.path.as_deref().and_then(|path| history::sops(path, &creation, &args.identities));
        let (text, notes) = crate::sops::encrypt(shown, (store, &file), &creation, keys, previous.as_ref())?;
        return encrypted(args, &input, text, notes);
    }

    let mut plans = Vec::with_capacity(file.documents.len());
    let mut layouts = Vec::with_capacity(file.documents.len());
    for index in 0..file.documents.len() {
        let layout = Layout::read(&file, index).map_err(in_file)?;
        let plan = args.write.plan(shown, governed, policy.as_deref(), &layout)?;
        if let (Some(plan), Some(block)) = (&plan, &layout.block) {
            // Also where nothing new is to be encrypted: "nothing to do" would hide that the values do not open.
            native::same_place(&layout, block, &plan.place)
                .map_err(|problem| in_file(sealwax_format::Error::of_file(problem)))?;
        }
        refuse_clear_copy(shown, &layout)?;
        plans.push(plan);
        layouts.push(layout);
    }
    let mut previous = history::previous(path, &layouts, policy.as_deref(), identities);
    for (plan, previous) in plans.iter().zip(&mut previous) {
        // Tokens for other readers than those wanted now are no use: one would be shut out, or stay.
        previous.take_if(|previous| !plan.as_ref().is_some_and(|plan| history::is_for(previous, &plan.readers)));
    }
    let requests: Vec<_> = plans
        .iter()
        .zip(&previous)
        .map(|(plan, previous)| plan.as_ref().map(|plan| plan.request(previous.as_ref())))
        .collect();
    let (text, reports) = native::encrypt(&file, &requests, &mut OsRandom).map_err(in_file)?;
    refuse_empty(shown, &file, &plans, &reports)?;
    let notes = describe(shown, &plans, &reports);
    encrypted(args, &input, text, notes)
}

/// A file of bytes, which only SOPS's rules are for.
fn bytes(
    args: &Args,
    (configs, keys): (&Configs, &Keys<'_>),
    policies: &Policies,
    path: &Path,
    input: &Input,
) -> Result<Option<Encrypted>, CommandError> {
    let governed = if path == Path::new(STDIN) { args.path.as_deref() } else { Some(path) };
    let Some(governed) = governed.filter(|path| Store::of(path) == Store::Binary) else { return Ok(None) };
    let creation = match args.format {
        Some(Codec::Sealwax) => return Ok(None),
        Some(Codec::Sops) if !args.write.to.is_empty() => args.for_recipients(&input.shown)?,
        Some(Codec::Sops) => configs.required(governed)?,
        None if !args.write.to.is_empty() || has_governed_text(governed, policies, input)? => return Ok(None),
        None => match configs.of(governed)? {
            Some(creation) => creation,
            None => return Ok(None),
        },
    };
    configs.agree(&creation, args.write.accept_recipients)?;
    let (text, notes) = crate::sops::encrypt_bytes(&input.shown, &input.bytes, &creation, keys)?;
    encrypted(args, input, text, notes).map(Some)
}

/// Whether the policy has a rule for it, read as documents: what it is called does not say that it holds none.
fn has_governed_text(path: &Path, policies: &Policies, input: &Input) -> Result<bool, CommandError> {
    let file = input.text().ok().and_then(|text| File::parse(text, files::syntax_of(Some(path))).ok());
    match file {
        Some(file) => is_governed(path, policies.of(path)?.as_deref(), &file),
        None => Ok(false),
    }
}

fn encrypted(args: &Args, input: &Input, text: Zeroizing<String>, notes: Vec<Note>) -> Result<Encrypted, CommandError> {
    let path = match &input.path {
        Some(path) if !args.stdout => path,
        _ => return Ok(Encrypted { staged: None, printed: Some(text), notes }),
    };
    let changed = text.as_bytes() != input.bytes.expose();
    let staged = changed.then(|| Staged::write(path, Some(&input.bytes), text.as_bytes())).transpose()?;
    Ok(Encrypted { staged, printed: None, notes })
}

/// kubectl's copy of a Secret in an annotation holds its values in the clear.
fn refuse_clear_copy(shown: &str, layout: &Layout<'_>) -> Result<(), CommandError> {
    let is_secret = layout.object.as_ref().is_some_and(|object| object.group.is_empty() && object.kind == "Secret");
    let copy = sealwax_format::Path::of_keys(&["metadata", "annotations", manifest::LAST_APPLIED]);
    if is_secret && layout.leaf(&copy).is_some() {
        return Err(CommandError::refused(format!("{shown}: {copy}: holds the values in the clear"))
            .hint("Remove this annotation; it is a copy that kubectl made of what was applied."));
    }
    Ok(())
}

/// A file named on the command line of which nothing is selected is a mistake, not a success.
fn refuse_empty(shown: &str, file: &File<'_>, plans: &[Option<Plan>], reports: &[Report]) -> Result<(), CommandError> {
    for ((plan, report), document) in plans.iter().zip(reports).zip(&file.documents) {
        let root = &document.root;
        let secret = root.get("kind").and_then(Node::string) == Some("Secret");
        let holds = |key: &&str| root.get(key).is_some_and(|node| !node.entries().is_empty());
        if plan.is_some() && report.selected == 0 && secret && ["data", "stringData"].iter().any(holds) {
            let line = file.line(root.span.start);
            return Err(CommandError::usage(format!("{shown}:{line}: the patterns select no value of this Secret"))
                .hint("Check the spelling of the patterns: data.* and stringData.* hold a Secret's items."));
        }
    }
    if plans.iter().all(Option::is_none) {
        return Err(CommandError::usage(format!("{shown}: no rule of the policy covers it"))
            .hint("Add a rule with a matching path (and kinds), or pass --to and --select."));
    }
    if reports.iter().all(|report| report.selected == 0) {
        return Err(CommandError::usage(format!("{shown}: the patterns select no value in it"))
            .hint("Check the spelling of the patterns; a selected null, {} or [] counts as a value to look at, not to encrypt."));
    }
    Ok(())
}

fn describe(shown: &str, plans: &[Option<Plan>], reports: &[Report]) -> Vec<Note> {
    let mut notes = Vec::new();
    for (plan, report) in plans.iter().zip(reports) {
        let Some(plan) = plan else { continue };
        if report.sealed.is_empty() {
            if report.selected > 0 {
                notes.push(Note::Done(format!("{shown}: nothing new to encrypt ({} encrypted)", report.kept)));
            }
        } else {
            let kept = if report.kept > 0 { format!(" ({} kept)", report.kept) } else { String::new() };
            notes.push(Note::Done(format!("{shown}: sealed {}{kept} for {}", report.sealed.len(), plan.describe())));
            notes.extend(plan.hints(shown));
        }
        for path in &report.nulls {
            notes.push(Note::Warning(format!("{shown}: {path} is null and stays in the clear")));
        }
        notes.extend(job::fold_hint(shown, report.own));
    }
    notes
}
