//! `sealwax doctor`.

use std::path::Path;

use sealwax_format::document::File;
use sealwax_format::native::Layout;
use sealwax_format::sops;

use crate::error::{Code, CommandError};
use crate::files::{self, Input};
use crate::job::Policies;
use crate::keyring::{Identities, IdentityArgs};
use crate::policy::{self, Policy};
use crate::repo::Repository;
use crate::setup::{HookKind, PIECES, Setup, State};
use crate::sops::keys::Keys;
use crate::survey;
use crate::ui::{Note, Ui};

/// Say what is wrong on this machine and in this clone, and the command that mends it
///
/// Example: sealwax doctor
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    identities: IdentityArgs,
}

/// What a check found.
enum Verdict {
    Good(String),
    Bad(String, String),
}

type Check = fn(&Setup, &Args) -> Result<Verdict, CommandError>;

/// What is looked at besides the pieces that `init` makes.
const CHECKS: [(&str, Check); 4] =
    [("git", git), ("recipients", recipients), ("diff cache", diff_cache), ("access", access)];

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Code, CommandError> {
    let setup = Setup { repository: Repository::here()?, hook: HookKind::Plain, post_quantum: false };
    let mut code = Code::Done;
    let pieces = PIECES.iter().map(|piece| (piece.name, piece.look(&setup).map(verdict)));
    let more = CHECKS.iter().map(|(name, check)| (*name, check(&setup, args)));
    for (name, verdict) in pieces.chain(more) {
        let (what, mend) = match verdict {
            Ok(Verdict::Good(what)) => {
                ui.notes(&[Note::Done(format!("{name}: {what}"))]);
                continue;
            }
            Ok(Verdict::Bad(what, mend)) => (what, vec![mend]),
            Err(error) => (error.message().to_owned(), error.hints().to_vec()),
        };
        code = Code::Refused;
        ui.notes(&[Note::Warning(format!("{name}: {what}"))]);
        ui.notes(&mend.into_iter().map(Note::Hint).collect::<Vec<_>>());
    }
    Ok(code)
}

fn verdict(state: State) -> Verdict {
    match state {
        State::Good(what) => Verdict::Good(what),
        State::Missing(what) => Verdict::Bad(what, "`sealwax init` makes it.".to_owned()),
        State::Yours(what, mend) => Verdict::Bad(what, mend),
    }
}

/// Older ones know neither `merge-tree` nor all of what the drivers use.
const OLDEST_GIT: (u32, u32) = (2, 30);

fn git(setup: &Setup, _: &Args) -> Result<Verdict, CommandError> {
    let version = setup.repository.git_version()?;
    if version < OLDEST_GIT {
        let what = format!("Git {}.{} is older than {}.{}", version.0, version.1, OLDEST_GIT.0, OLDEST_GIT.1);
        return Ok(Verdict::Bad(what, "Install a newer Git.".to_owned()));
    }
    Ok(Verdict::Good(format!("Git {}.{}", version.0, version.1)))
}

fn recipients(setup: &Setup, _: &Args) -> Result<Verdict, CommandError> {
    let file = setup.repository.root().join(policy::FILE_NAME);
    let Some(policy) = policy::discover(&file, Policy::load)? else {
        return Ok(Verdict::Good("no policy yet".to_owned()));
    };
    let listed = policy.listed_recipients();
    for one in &listed {
        if let Err(error) = &one.recipient {
            return Err(error.clone());
        }
    }
    for rule in policy.rules() {
        let rule = rule?;
        if let Some(change) = policy.disagreement(&rule) {
            return Ok(Verdict::Bad(
                change,
                "See who changed it with `git log -p`; then pass --accept-recipients at the next write.".to_owned(),
            ));
        }
    }
    Ok(Verdict::Good(format!("{} can be used", listed.len())))
}

/// Git would keep what the driver shows in the object database, from where it is pushed with `--mirror`.
fn diff_cache(setup: &Setup, _: &Args) -> Result<Verdict, CommandError> {
    if setup.repository.setting("diff.sealwax.cachetextconv").is_some_and(|value| value != "false") {
        let mend = "`git config diff.sealwax.cachetextconv false`, in the configuration where it stands.";
        return Ok(Verdict::Bad("Git keeps what diffs show in its object database".to_owned(), mend.to_owned()));
    }
    if setup.repository.commit("refs/notes/textconv/sealwax").is_ok() {
        let mend = "`git update-ref -d refs/notes/textconv/sealwax && git gc --prune=now`";
        return Ok(Verdict::Bad(
            "Git kept what diffs showed, in refs/notes/textconv/sealwax".to_owned(),
            mend.to_owned(),
        ));
    }
    Ok(Verdict::Good("nothing that diffs show is kept".to_owned()))
}

/// How many encrypted files name a reader whose identity is at hand.
fn access(setup: &Setup, args: &Args) -> Result<Verdict, CommandError> {
    let found = survey::files(&[setup.repository.root().to_owned()])?;
    let (policies, identities) = (Policies::default(), Identities::new(&args.identities));
    let opened = files::each(&found, |file| readable(&file.path, &policies, &identities));
    let (all, open) = (opened.iter().flatten().count(), opened.iter().flatten().filter(|open| **open).count());
    if all > 0 && open == 0 {
        let mend =
            "Ask one of their readers to add you: `sealwax recipients add`, `sealwax team add`, `sealwax rekey`.";
        return Ok(Verdict::Bad(format!("you are a reader of none of {all} encrypted files"), mend.to_owned()));
    }
    Ok(Verdict::Good(format!("you are a named reader of {open} of {all} encrypted files")))
}

/// `None` for a file without encrypted values.
fn readable(path: &Path, policies: &Policies, identities: &Identities<'_>) -> Option<bool> {
    let input = Input::read(path).ok()?;
    if !survey::claims_values(input.bytes.expose()) {
        return None;
    }
    let file = File::parse(input.text().ok()?, input.syntax()).ok()?;
    if sops::Layout::is_one(&file) {
        let layout = sops::Layout::read(&file).ok()?;
        return Some(Keys::new(identities).open(&input.shown, &layout.metadata).is_ok());
    }
    let ring = crate::open::keyring(&input.shown, Some(path), &file, policies, identities).ok()?;
    let keys = (0..file.documents.len()).filter_map(|index| {
        let layout = Layout::read(&file, index).ok()?;
        Some(crate::open::fingerprints(&file, &layout))
    });
    Some(keys.flatten().any(|readers| ring.fingerprints().any(|own| readers.contains(own))))
}
