//! `sealwax edit`.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use sealwax_format::OsRandom;
use sealwax_format::document::File;
use sealwax_format::native::{self, Layout, Object, Opener, Previous};
use zeroize::Zeroizing;

use crate::editor::{self, Session};
use crate::error::{Code, CommandError};
use crate::exposure::{By, Guarded};
use crate::files::{self, Input};
use crate::job::{Policies, WriteArgs};
use crate::keyring::{Identities, IdentityArgs};
use crate::policy::Policy;
use crate::sops::Opened;
use crate::sops::config::{Configs, Selection};
use crate::ui::{self, Note, Ui};

/// Open a file's values in your editor and seal what you changed
///
/// The plain text lies in a private temporary file outside the repository while the editor runs ($VISUAL or
/// $EDITOR, else vi). Values that you leave alone keep their ciphertext, so the diff shows only what you changed.
///
/// Example: EDITOR='code --wait' sealwax edit db.yaml
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The file
    file: PathBuf,
    /// Of a file of SOPS: open it even if its checksum does not fit, and write it with one that does
    #[arg(long)]
    ignore_mac: bool,
    #[command(flatten)]
    write: WriteArgs,
    #[command(flatten)]
    identities: IdentityArgs,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Code, CommandError> {
    let input = Input::read(&args.file)?;
    let shown = input.shown.as_str();
    let Some(path) = input.path.as_deref() else {
        return Err(CommandError::usage("edit needs a file, not standard input"));
    };
    let identities = Identities::new(&args.identities);
    let subject = match Opened::with(&input, &identities, !args.ignore_mac)? {
        Some(opened) => Subject::Sops(Box::new(opened), Configs::default().selection(path)?),
        None => Subject::Ours(open(&input, path, &identities)?),
    };
    let plain = subject.plain();
    let session = Session::start(path.file_name().unwrap_or_default(), plain)?;
    loop {
        run_editor(&session)?;
        let edited = session.read()?;
        if edited.expose() == plain && !(args.ignore_mac && matches!(subject, Subject::Sops(..))) {
            ui.notes(&[Note::Done(format!("{shown}: nothing changed"))]);
            return Ok(Code::Done);
        }
        match subject.reseal(args, &input, path, edited.expose()) {
            Ok((text, notes)) => {
                files::replace(path, &input.bytes, text.as_bytes()).map_err(|e| editor::keep_beside(path, &text, e))?;
                ui.notes(&notes);
                return Ok(Code::Done);
            }
            Err(error) if ui::is_interactive() => {
                ui.error(&error);
                if !ui::confirm("Open the editor again? Otherwise your changes are dropped.") {
                    return Err(CommandError::refused(format!("{shown}: left as it was")));
                }
            }
            Err(error) => return Err(error.hint("The file was left as it was, and the changes were dropped.")),
        }
    }
}

/// What is edited.
enum Subject {
    Ours(Ours),
    Sops(Box<Opened>, Option<Selection>),
}

impl Subject {
    fn plain(&self) -> &[u8] {
        match self {
            Self::Ours(ours) => ours.plain.as_bytes(),
            Self::Sops(opened, _) => &opened.plain,
        }
    }

    /// The file with what it was edited into, and what is to be said of that.
    fn reseal(
        &self,
        args: &Args,
        input: &Input,
        path: &Path,
        edited: &[u8],
    ) -> Result<(Zeroizing<String>, Vec<Note>), CommandError> {
        match self {
            Self::Ours(ours) => {
                let text = std::str::from_utf8(edited);
                let text = text.map_err(|_| CommandError::unreadable(format!("{}: not UTF-8 text", input.shown)))?;
                reseal(args, input, path, ours, text)
            }
            Self::Sops(opened, rule) => opened.reseal(edited, rule.as_ref()),
        }
    }
}

/// A file of ours before the edit.
struct Ours {
    plain: Zeroizing<String>,
    policy: Option<Arc<Policy>>,
    documents: Vec<Before>,
    guarded: Guarded,
}

/// One document before the edit.
struct Before {
    object: Option<Object>,
    previous: Option<Previous>,
}

fn open(input: &Input, path: &Path, identities: &Identities<'_>) -> Result<Ours, CommandError> {
    let policies = Policies::default();
    let policy = policies.of(path)?;
    let in_file = |error: sealwax_format::Error| CommandError::in_file(&input.shown, &error);
    let file = input.parse()?;
    let keyring = crate::open::keyring(&input.shown, Some(path), &file, &policies, identities)?;
    let mut opener = Opener::new(&keyring);
    let plain = native::decrypt(&file, &mut opener).map_err(in_file)?.text;
    let mut documents = Vec::with_capacity(file.documents.len());
    for index in 0..file.documents.len() {
        let layout = Layout::read(&file, index).map_err(in_file)?;
        let opened = native::open_all(&file, &layout, &mut opener).map_err(in_file)?;
        documents.push(Before { previous: Previous::new(&layout, opened), object: layout.object });
    }
    let guarded = Guarded::of(&file, &mut opener, By::Object).map_err(in_file)?;
    Ok(Ours { plain, policy, documents, guarded })
}

fn reseal(
    args: &Args,
    input: &Input,
    path: &Path,
    ours: &Ours,
    edited: &str,
) -> Result<(Zeroizing<String>, Vec<Note>), CommandError> {
    let shown = input.shown.as_str();
    let in_file = |error: sealwax_format::Error| CommandError::in_file(shown, &error);
    let file = File::parse(edited, input.syntax()).map_err(|error| in_file(error.into()))?;
    let mut plans = Vec::with_capacity(file.documents.len());
    let mut earlier = Vec::with_capacity(file.documents.len());
    for index in 0..file.documents.len() {
        let layout = Layout::read(&file, index).map_err(in_file)?;
        plans.push(args.write.plan(shown, Some(path), ours.policy.as_deref(), &layout)?);
        // The same object, wherever it moved; a file that holds no objects goes by position.
        let same = ours.documents.iter().enumerate().find(|(position, document)| match &layout.object {
            Some(object) => document.object.as_ref() == Some(object),
            None => document.object.is_none() && *position == index,
        });
        earlier.push(same.and_then(|(_, document)| document.previous.as_ref()));
    }
    let requests: Vec<_> =
        plans.iter().zip(earlier).map(|(plan, previous)| plan.as_ref().map(|plan| plan.request(previous))).collect();
    let (text, reports) = native::encrypt(&file, &requests, &mut OsRandom).map_err(in_file)?;
    ours.guarded.check(shown, &text, &file)?;
    let mut notes = Vec::new();
    for (plan, report) in plans.iter().zip(&reports) {
        let Some(plan) = plan else { continue };
        if !report.sealed.is_empty() {
            let (sealed, kept) = (report.sealed.len(), report.kept);
            notes.push(Note::Done(format!("{shown}: sealed {sealed} ({kept} kept) for {}", plan.describe())));
        }
        notes.extend(crate::job::fold_hint(shown, report.own));
    }
    Ok((text, notes))
}

/// Runs the editor to its end.
fn run_editor(session: &Session) -> Result<(), CommandError> {
    let editor = ["VISUAL", "EDITOR"].into_iter().find_map(|name| std::env::var_os(name).filter(|e| !e.is_empty()));
    let editor = editor.unwrap_or_else(|| OsString::from("vi"));
    // Through the shell, as git does it: the variable may hold arguments. The shell makes way for the editor, so
    // that an order to end reaches the editor itself.
    let mut script = OsString::from(if is_simple(&editor) { "exec " } else { "" });
    script.push(editor);
    script.push(" \"$1\"");
    let mut shell = Command::new("sh");
    match session.run(shell.arg("-c").arg(&script).arg("sealwax").arg(session.file())) {
        Ok(Some(status)) if status.success() => Ok(()),
        Ok(Some(_)) => Err(CommandError::refused("the editor failed; the file was left as it was")
            .hint("Set $EDITOR to an editor that is installed and waits until you close the file.")),
        Ok(None) => Err(CommandError::refused("told to end; the file was left as it was")),
        Err(error) => Err(CommandError::refused(format!("the editor cannot be run: {error}"))),
    }
}

/// Whether a shell command is one program with arguments, which `exec` can stand in front of.
fn is_simple(command: &OsStr) -> bool {
    let text = command.to_string_lossy();
    text != ":" && !text.contains(['|', '&', ';', '<', '>', '(', ')', '=', '`', '$', '\n'])
}
