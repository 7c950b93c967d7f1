//! `sealwax diff`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use sealwax_format::keys::Keyring;
use sealwax_format::{SecretBytes, sops};

use crate::error::{Code, CommandError};
use crate::files::{self, Input, syntax_of};
use crate::job::Policies;
use crate::keyring::{Identities, IdentityArgs};
use crate::repo::Repository;
use crate::sops::keys::Keys;
use crate::survey;
use crate::ui::{Ui, count};
use crate::view::{Difference, Document, Snapshot, Tags, of_sops};

/// Show which values and readers changed, with every value masked
///
/// Compares the work tree with a commit (HEAD by default), or two commits. With a key, values are
/// compared; without, their ciphertexts: values that were all encrypted again under a new key then
/// count as unknown.
///
/// Examples:
///   sealwax diff
///   sealwax diff HEAD~3 -- clusters/prod
///   sealwax diff --summary origin/main...HEAD   what the branch changed since it began
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// A commit, two as A..B, or A...B for what B changed since it left A
    #[arg(value_name = "REVISION", default_value = "HEAD")]
    revision: String,
    /// Only these files and folders
    #[arg(value_name = "PATH", last = true)]
    paths: Vec<PathBuf>,
    /// One paragraph for a pull request, instead of every value
    #[arg(long)]
    summary: bool,
    /// Show values: they also reach the terminal's history and whoever looks on
    #[arg(long, conflicts_with = "summary")]
    reveal: bool,
    #[command(flatten)]
    identities: IdentityArgs,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Code, CommandError> {
    let repository = Repository::here()?;
    let pairs = pairs(&repository, args)?;
    let comparer = Comparer {
        args,
        repository: &repository,
        identities: Identities::unattended(&args.identities),
        policies: Policies::default(),
        tags: Tags::new(),
    };
    let compared = files::each_shown(ui, "comparing", &pairs, |pair| comparer.compare(pair));
    if args.summary {
        ui.data(summary(&compared).as_bytes())?;
    } else {
        for file in &compared {
            ui.data(file.text.as_bytes())?;
        }
    }
    // What could not be read may have changed in any way: no all-clear.
    let unread = compared.iter().filter_map(|file| file.unread.as_ref());
    Ok(unread.map(|error| ui.failed(error)).max().unwrap_or_default())
}

/// Two states of a file; the larger ones are held as secrets, since a state may be in the clear.
struct Pair {
    path: PathBuf,
    before: Option<SecretBytes>,
    after: Option<SecretBytes>,
}

fn pairs(repository: &Repository, args: &Args) -> Result<Vec<Pair>, CommandError> {
    let changes = match args.revision.split_once("..") {
        Some((before, after)) => {
            let commit = |name: &str| repository.commit(if name.is_empty() { "HEAD" } else { name });
            let since_it_began = after.strip_prefix('.');
            let (mut before, after) = (commit(before)?, commit(since_it_began.unwrap_or(after))?);
            if since_it_began.is_some() {
                before = repository.merge_base(&before, &after)?;
            }
            repository.changes(&before, &after)?
        }
        // There may be no commit yet.
        None if args.revision == "HEAD" => repository.unstaged_changes()?,
        None => repository.changes_on_disk(&repository.commit(&args.revision)?)?,
    };
    let wanted = args.paths.iter().map(|path| resolved(path)).collect::<Result<Vec<_>, _>>()?;
    let mut blobs = repository.blobs()?;
    let mut pairs = Vec::new();
    for change in changes {
        let path = repository.root().join(&change.path);
        if !survey::is_document(&path) || !(wanted.is_empty() || wanted.iter().any(|folder| path.starts_with(folder))) {
            continue;
        }
        let mut side = |object: &Option<String>| match object {
            None => Ok(None),
            Some(object) if object.bytes().all(|byte| byte == b'0') => {
                Ok(Input::read(&path).ok().map(|input| input.bytes))
            }
            Some(object) => blobs.read(object, files::MAX_INPUT),
        };
        let (before, after) = (side(&change.before)?, side(&change.after)?);
        let claims = |bytes: &Option<SecretBytes>| bytes.as_ref().is_some_and(|b| survey::claims_values(b.expose()));
        if claims(&before) || claims(&after) {
            pairs.push(Pair { path: change.path, before, after });
        }
    }
    Ok(pairs)
}

/// Where a path leads; what it names may be gone.
fn resolved(path: &Path) -> Result<PathBuf, CommandError> {
    let there = path.ancestors().find_map(|some| {
        let start = if some.as_os_str().is_empty() { Path::new(".") } else { some };
        Some((start.canonicalize().ok()?, path.strip_prefix(some).ok()?))
    });
    let (start, gone) = there.ok_or_else(|| CommandError::usage(format!("{}: leads nowhere", path.display())))?;
    Ok(if gone.as_os_str().is_empty() { start } else { start.join(gone) })
}

/// What was found of one file.
struct Compared {
    text: String,
    differences: Vec<Difference>,
    unread: Option<CommandError>,
}

struct Comparer<'a> {
    args: &'a Args,
    repository: &'a Repository,
    identities: Identities<'a>,
    policies: Policies,
    tags: Tags,
}

impl Comparer<'_> {
    fn compare(&self, pair: &Pair) -> Compared {
        let mut compared = Compared { text: String::new(), differences: Vec::new(), unread: None };
        let sides = self.snapshot(&pair.path, pair.before.as_ref());
        let sides = sides.and_then(|before| Ok((before, self.snapshot(&pair.path, pair.after.as_ref())?)));
        let (before, after) = match sides {
            Ok(sides) => sides,
            Err(error) => {
                compared.unread = Some(error);
                return compared;
            }
        };
        let titles: BTreeSet<_> = before.documents.keys().chain(after.documents.keys()).collect();
        for title in titles {
            let (old, new) = (before.documents.get(title), after.documents.get(title));
            let difference = Difference::between(old, new);
            if !difference.is_none() {
                let _ = writeln!(compared.text, "{}: {title}", pair.path.display());
                describe(&mut compared.text, &difference, old, new);
                compared.differences.push(difference);
            }
        }
        compared
    }

    fn snapshot(&self, path: &Path, bytes: Option<&SecretBytes>) -> Result<Snapshot, CommandError> {
        let Some(bytes) = bytes else { return Ok(Snapshot::default()) };
        let shown = path.display().to_string();
        let text = bytes.expose_str();
        let text = text.ok_or_else(|| CommandError::unreadable(format!("{shown}: not UTF-8 text")))?;
        let file = files::parse(&shown, text, syntax_of(Some(path)))?;
        if sops::Layout::is_one(&file) {
            let keys = Keys::new(&self.identities);
            return of_sops::snapshot(&shown, &file, &keys, &self.tags, self.args.reveal);
        }
        let real = self.repository.root().join(path);
        let ring = crate::open::keyring("", Some(&real), &file, &self.policies, &self.identities).ok();
        let none = Keyring::default();
        Snapshot::of(&file, ring.as_deref().unwrap_or(&none), &self.tags, self.args.reveal)
            .map_err(|error| CommandError::in_file(&shown, &error))
    }
}

fn describe(text: &mut String, difference: &Difference, old: Option<&Document>, new: Option<&Document>) {
    let show = |document: Option<&Document>, path: &String| {
        let value = document.and_then(|document| document.values.get(path));
        value.map_or_else(String::new, |value| match value.plain.as_ref().map(SecretBytes::expose) {
            Some(plain) => format!("\"{}\"", String::from_utf8_lossy(plain).escape_debug()),
            None => format!("<sealed {}>", value.tag),
        })
    };
    for path in &difference.added {
        let _ = writeln!(text, "  + {path}  {}", show(new, path));
    }
    for path in &difference.removed {
        let _ = writeln!(text, "  - {path}  {}", show(old, path));
    }
    for path in &difference.changed {
        let _ = writeln!(text, "  ~ {path}  {} -> {}", show(old, path), show(new, path));
    }
    for path in &difference.unknown {
        let _ =
            writeln!(text, "  ? {path}  {} -> {}  encrypted again, and not opened", show(old, path), show(new, path));
    }
    for path in &difference.exposed {
        let _ = writeln!(text, "  ! {path}  {} -> in the clear", show(old, path));
    }
    if !difference.same.is_empty() {
        let _ = writeln!(text, "  = {}  the same, encrypted again", difference.same.join(", "));
    }
    if let Some((before, after)) = &difference.place {
        let _ = writeln!(text, "  sealed for {after}; was {before}");
    }
    for label in &difference.came {
        let _ = writeln!(text, "  reader came: {label}");
    }
    for label in &difference.went {
        let _ = writeln!(text, "  reader went: {label}");
    }
}

/// The whole as one paragraph: "0 values changed in 500 files; alice@… no longer named".
fn summary(compared: &[Compared]) -> String {
    let files = compared.iter().filter(|file| !file.differences.is_empty()).count();
    let all: Vec<_> = compared.iter().flat_map(|file| &file.differences).collect();
    let sum = |list: fn(&Difference) -> usize| all.iter().map(|difference| list(difference)).sum::<usize>();
    let mut parts = vec![format!("{} changed in {}", count(sum(|d| d.changed.len()), "value"), count(files, "file"))];
    let more = [
        (sum(|d| d.added.len()), "added"),
        (sum(|d| d.removed.len()), "removed"),
        (sum(|d| d.same.len()), "encrypted again, the same"),
        (sum(|d| d.unknown.len()), "encrypted again, not compared"),
        (sum(|d| d.exposed.len()), "now in the clear"),
        (all.iter().filter(|difference| difference.place.is_some()).count(), "documents sealed for another place"),
    ];
    parts.extend(more.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")));
    let labels = |pick: fn(&Difference) -> &BTreeSet<String>| {
        let all: BTreeSet<_> = all.iter().flat_map(|difference| pick(difference)).collect();
        all.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    for (who, what) in [(labels(|d| &d.came), "newly named"), (labels(|d| &d.went), "no longer named")] {
        if !who.is_empty() {
            parts.push(format!("{who} {what}"));
        }
    }
    let unread = compared.iter().filter(|file| file.unread.is_some()).count();
    if unread > 0 {
        parts.push(format!("{} could not be read", count(unread, "file")));
    }
    parts.join("; ") + "\n"
}
