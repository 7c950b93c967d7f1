//! `sealwax git merge`: the merge driver.
//!
//! Whatever happens, Git is told "merged" or "conflict" and finds a text in the file of our side: it takes an exit
//! status of 129 or more for a reason to abort the whole operation.

use std::panic::{self, AssertUnwindSafe, UnwindSafe};
use std::path::PathBuf;

use sealwax_format::native::{self, Conflict, Markers, Texts};
use zeroize::Zeroizing;

use crate::error::{Code, CommandError};
use crate::files::{self, Input, Store, syntax_of};
use crate::keyring::{Identities, IdentityArgs};
use crate::repo::{self, MergedText};
use crate::sops;
use crate::sops::keys::Keys;
use crate::ui::{Note, Ui};

/// Largest file that is merged value by value; larger ones are merged as text.
const MAX_BYTES: usize = 32 << 20;
/// Longest conflict marker: the length comes from the attributes of a repository, and could fill the memory.
const MAX_MARKER: usize = 1000;

/// Merge three versions of a file value by value; no private key is needed
///
/// Files of SOPS need one, since their checksum is over all of their values; without it they are merged as text, and
/// their checksums are a conflict.
///
/// Git calls this for files with the attribute merge=sealwax. The result goes into OURS, with conflict markers around
/// values that both sides changed. Files that are not encrypted, or not by sealwax, are merged as Git merges text.
///
/// Example: git config merge.sealwax.driver 'sealwax git merge %O %A %B --marker-size %L --path %P'
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The version that both sides started from (%O)
    #[arg(value_name = "BASE")]
    base: PathBuf,
    /// Our version, which is replaced by the result (%A)
    #[arg(value_name = "OURS")]
    ours: PathBuf,
    /// Their version (%B)
    #[arg(value_name = "THEIRS")]
    theirs: PathBuf,
    /// Length of the conflict markers (%L)
    #[arg(long, value_name = "NUMBER", default_value_t = 7)]
    marker_size: usize,
    /// Where the file is in the repository (%P)
    #[arg(long, value_name = "PATH")]
    path: Option<PathBuf>,
    /// What stands beside the conflict markers of base, ours and theirs (%S %X %Y, from Git 2.45 on)
    #[arg(long, num_args = 3, value_names = ["BASE", "OURS", "THEIRS"])]
    labels: Vec<String>,
    #[command(flatten)]
    identities: IdentityArgs,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Code, CommandError> {
    let shown = args.path.as_deref().unwrap_or(&args.ours).display().to_string();
    let sides = Sides::read(args)?;
    let merged = match sides.by_value(args).or_else(|| sides.of_sops(args)) {
        Some(merged) => merged,
        None => sides.as_text(args)?,
    };
    if merged.text.as_slice() != sides.ours.bytes.expose() {
        files::replace(&args.ours, &sides.ours.bytes, &merged.text)?;
    }
    // Last, because standard error may be closed.
    ui.notes(&merged.notes(&shown));
    Ok(if merged.is_clean { Code::Done } else { Code::Refused })
}

/// The three versions.
struct Sides {
    base: Input,
    ours: Input,
    theirs: Input,
}

/// What is written, and what is said of it.
struct Merged {
    text: Zeroizing<Vec<u8>>,
    is_clean: bool,
    conflicts: Vec<Conflict>,
    of_sops: bool,
}

impl Sides {
    fn read(args: &Args) -> Result<Self, CommandError> {
        let ours = Input::read(&args.ours)?;
        Ok(Self { base: Input::read(&args.base)?, ours, theirs: Input::read(&args.theirs)? })
    }

    /// The merge value by value; `None` for what is not encrypted by us or cannot be read.
    fn by_value(&self, args: &Args) -> Option<Merged> {
        let texts = self.texts()?;
        let labels = Labels::of(args);
        let size = args.marker_size.clamp(1, MAX_MARKER);
        let mut markers = Markers { size, ours: &labels.ours, theirs: &labels.theirs, base: None };
        let mut merged = merge(&texts, args, &markers)?;
        // Git's configuration is asked only where it matters: that takes longer than most merges.
        if !merged.conflicts.is_empty() && repo::shows_base() {
            markers.base = Some(&labels.base);
            merged = merge(&texts, args, &markers)?;
        }
        let text = Zeroizing::new(merged.text.as_bytes().to_vec());
        Some(Merged { text, is_clean: merged.conflicts.is_empty(), conflicts: merged.conflicts, of_sops: false })
    }

    /// The merge of files of SOPS; `None` for others, and for those that do not open.
    fn of_sops(&self, args: &Args) -> Option<Merged> {
        let texts = self.texts()?;
        let labels = Labels::of(args);
        let size = args.marker_size.clamp(1, MAX_MARKER);
        let mut markers = Markers { size, ours: &labels.ours, theirs: &labels.theirs, base: None };
        let store = Store::of_text(args.path.as_deref(), texts.ours);
        let identities = Identities::new(&args.identities);
        let keys = Keys::new(&identities);
        let merge =
            |markers: &Markers<'_>| guarded(AssertUnwindSafe(|| sops::merged(&texts, store, markers, &keys))).flatten();
        let mut merged = merge(&markers)?;
        if !merged.conflicts.is_empty() && repo::shows_base() {
            markers.base = Some(&labels.base);
            merged = merge(&markers)?;
        }
        let text = Zeroizing::new(merged.text.as_bytes().to_vec());
        Some(Merged { text, is_clean: merged.conflicts.is_empty(), conflicts: merged.conflicts, of_sops: true })
    }

    fn texts(&self) -> Option<Texts<'_>> {
        let inputs = [&self.base, &self.ours, &self.theirs];
        if inputs.iter().any(|input| input.bytes.len() > MAX_BYTES) {
            return None;
        }
        let [base, ours, theirs] = inputs.map(|input| input.text().ok());
        Some(Texts { base: base?, ours: ours?, theirs: theirs? })
    }

    /// The merge that Git itself would make. What Git does not take for text stays ours, and a conflict.
    fn as_text(&self, args: &Args) -> Result<Merged, CommandError> {
        let labels = Labels::of(args);
        let files = [&args.ours, &args.base, &args.theirs].map(PathBuf::as_path);
        let merged = repo::merge_file(
            files,
            [&labels.ours, &labels.base, &labels.theirs],
            args.marker_size.clamp(1, MAX_MARKER),
        )?;
        let Some(MergedText { text, is_clean }) = merged else {
            let text = Zeroizing::new(self.ours.bytes.expose().to_vec());
            return Ok(Merged { text, is_clean: false, conflicts: Vec::new(), of_sops: false });
        };
        // Lines that were merged without looking at what they mean could mix two keys.
        let lines = Zeroizing::new(String::from_utf8_lossy(&text).into_owned());
        let sound = guarded(|| native::is_sound(&lines, syntax_of(args.path.as_deref())));
        Ok(Merged { is_clean: is_clean && sound == Some(true), text, conflicts: Vec::new(), of_sops: false })
    }
}

fn merge(texts: &Texts<'_>, args: &Args, markers: &Markers<'_>) -> Option<native::Merged> {
    guarded(|| native::merge(texts, syntax_of(args.path.as_deref()), markers)).flatten()
}

/// A fault of ours must not end this process in a way that ends Git's work too, and its message could quote the file.
fn guarded<T>(work: impl FnOnce() -> T + UnwindSafe) -> Option<T> {
    panic::set_hook(Box::new(|_| {}));
    let done = panic::catch_unwind(work);
    let _ = panic::take_hook();
    done.ok()
}

impl Merged {
    fn notes(&self, shown: &str) -> Vec<Note> {
        let notes = self.conflicts.iter().map(|Conflict { line, path, reason, .. }| {
            let path = path.as_ref().map(|path| format!(": {path}")).unwrap_or_default();
            Note::Warning(format!("{shown}:{line}{path}: {reason}"))
        });
        let after = (self.of_sops && !self.is_clean).then(|| {
            Note::Hint(format!(
                "{shown}: keep one side of each and delete the markers, then write its checksum: `sealwax edit --ignore-mac \
                 {shown}`"
            ))
        });
        notes.chain(after).collect()
    }
}

/// What stands beside markers.
struct Labels {
    base: String,
    ours: String,
    theirs: String,
}

impl Labels {
    fn of(args: &Args) -> Self {
        let label = |position: usize, placeholder: &str, fallback: &str| {
            // A Git that does not know a placeholder leaves it as it is.
            let given = args.labels.get(position).filter(|label| *label != placeholder);
            given.cloned().unwrap_or_else(|| fallback.to_owned())
        };
        Self { base: label(0, "%S", "base"), ours: label(1, "%X", "ours"), theirs: label(2, "%Y", "theirs") }
    }
}
