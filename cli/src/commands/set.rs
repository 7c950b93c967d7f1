//! `sealwax set`.

use std::io::Read as _;
use std::path::PathBuf;

use sealwax_format::document::{File, entry};
use sealwax_format::native::{self, Layout};
use sealwax_format::{OsRandom, Path, Plaintext, Random as _, SecretBytes, ValueType};
use zeroize::Zeroizing;

use crate::error::{Code, CommandError};
use crate::files::{self, Input};
use crate::job::{Policies, WriteArgs};
use crate::keyring::{Identities, IdentityArgs};
use crate::paths::{self, DocumentArgs};
use crate::sops::{self, Opened};
use crate::ui::{self, Note, Ui};

/// Seal a value and write it at a path; no private key is needed
///
/// Only files of SOPS need one: their checksum is over all of their values.
///
/// The value comes from standard input (which loses one final line break, and says so), a hidden
/// prompt, a file, an environment variable, or chance; never from an argument, which other users
/// could see. A lone key that does not exist yet goes where the object keeps its items.
///
/// Examples:
///   sealwax set db.yaml password                      asks for it
///   printf %s hunter2 | sealwax set db.yaml password
///   sealwax set db.yaml password --generate 32
///   sealwax set tls.yaml 'data."tls.key"' --value-file tls.key
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The file
    file: PathBuf,
    /// Paths of the values, or their ends where those are unambiguous
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<String>,
    /// Take the value from this file, exactly
    #[arg(long, value_name = "FILE", group = "source")]
    value_file: Option<PathBuf>,
    /// Take the value from this environment variable
    #[arg(long, value_name = "NAME", group = "source")]
    from_env: Option<String>,
    /// Make up a value of this many letters and digits, a different one for each path
    #[arg(long, value_name = "LENGTH", group = "source", value_parser = clap::value_parser!(u16).range(1..=4096))]
    generate: Option<u16>,
    /// Keep the final line break of standard input
    #[arg(long)]
    keep_newline: bool,
    #[command(flatten)]
    document: DocumentArgs,
    #[command(flatten)]
    write: WriteArgs,
    #[command(flatten)]
    identities: IdentityArgs,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Code, CommandError> {
    let input = Input::read(&args.file)?;
    let shown = input.shown.as_str();
    let Some(path) = input.path.as_deref() else {
        return Err(CommandError::usage("set needs a file, not standard input"));
    };
    let mut notes = Vec::new();
    let shared = shared_value(args, &mut notes)?;
    if let Some(opened) = Opened::of(&input, &Identities::new(&args.identities))? {
        let text = set_in_sops(args, &opened, shared.as_ref(), &mut notes)?;
        files::replace(path, &input.bytes, text.as_bytes())?;
        ui.notes(&notes);
        return Ok(Code::Done);
    }
    let policy = Policies::default().of(path)?;
    let mut text = Zeroizing::new(input.text()?.to_owned());
    for written in &args.paths {
        let in_file = |error: sealwax_format::Error| CommandError::in_file(shown, &error);
        let file = files::parse(shown, &text, input.syntax())?;
        let layout = args.document.choose(shown, &file)?;
        let target = paths::for_writing(shown, &file, &layout, written)?;
        let plan = args.write.plan(shown, Some(path), policy.as_deref(), &layout)?;
        let plan = plan.ok_or_else(|| CommandError::usage(format!("{shown}: no rule of the policy covers it")))?;
        refuse_unselected(shown, &layout, &plan.select, &target)?;
        let (value_type, value) = value_for(args, shared.as_ref(), &layout, &target)?;
        let request = plan.request(None);
        let plaintext = Plaintext::canonical(value_type, value);
        let changed =
            native::set_value(&file, &layout, &request, &target, &plaintext, &mut OsRandom).map_err(in_file)?;
        notes.push(Note::Done(format!("{shown}: sealed {target} for {}", plan.describe())));
        notes.extend(plan.hints(shown));
        text = changed;
    }
    files::replace(path, &input.bytes, text.as_bytes())?;
    let after = File::parse(&text, input.syntax()).map_err(|error| CommandError::in_file(shown, &error.into()))?;
    let own = args.document.choose(shown, &after)?.own_tokens();
    notes.extend(crate::job::fold_hint(shown, own));
    ui.notes(&notes);
    Ok(Code::Done)
}

/// The value for a path, as it is to stand there.
fn value_for(
    args: &Args,
    shared: Option<&SecretBytes>,
    layout: &Layout<'_>,
    target: &Path,
) -> Result<(ValueType, SecretBytes), CommandError> {
    let value = match shared {
        Some(value) => value.duplicate(),
        None => own_value(args, target)?,
    };
    let value = if paths::is_base64_item(layout, target) { encode(&value) } else { value };
    let value_type = if value.expose_str().is_some() { ValueType::String } else { ValueType::Binary };
    Ok((value_type, value))
}

/// Puts the values into the plain form of a file of SOPS, and encrypts that.
fn set_in_sops(
    args: &Args,
    opened: &Opened,
    shared: Option<&SecretBytes>,
    notes: &mut Vec<Note>,
) -> Result<Zeroizing<String>, CommandError> {
    let shown = opened.shown.as_str();
    let mut plain = Zeroizing::new(opened.text()?.to_owned());
    let mut targets = Vec::new();
    for written in &args.paths {
        let file = files::parse(shown, &plain, opened.store.syntax())?;
        let layout = args.document.choose(shown, &file)?;
        let target = paths::for_writing(shown, &file, &layout, written)?;
        let (value_type, value) = value_for(args, shared, &layout, &target)?;
        let index = layout.index;
        let changed = sops::put(shown, &file, index, &target, &entry::Value::Scalar(value_type, value.expose()))?;
        targets.push((index, target));
        plain = changed;
    }
    let text = opened.seal(plain.as_bytes())?.text;
    opened.refuse_clear(&text, targets.iter().map(|(index, target)| (*index, target)))?;
    opened.refuse_exposed(plain.as_bytes(), &text, sops::LEAVE_IT)?;
    for (_, target) in &targets {
        notes.push(Note::Done(format!("{shown}: sealed {target} for {}", opened.creation().readers())));
    }
    Ok(text)
}

/// A value that no rule selects would be left in the clear by the next `encrypt` after a `decrypt`.
fn refuse_unselected(
    shown: &str,
    layout: &Layout<'_>,
    select: &[sealwax_format::Pattern],
    path: &Path,
) -> Result<(), CommandError> {
    if native::is_selected(layout, select, path) {
        return Ok(());
    }
    Err(CommandError::usage(format!("{shown}: {path}: no pattern of the rule selects it"))
        .hint("Add it to encrypt in the policy's rule, or pass --select PATTERN."))
}

/// The value for all paths, where there is one.
fn shared_value(args: &Args, notes: &mut Vec<Note>) -> Result<Option<SecretBytes>, CommandError> {
    if let Some(path) = &args.value_file {
        return Ok(Some(Input::read(path)?.bytes));
    }
    if let Some(name) = &args.from_env {
        let value = std::env::var_os(name).map(std::ffi::OsString::into_encoded_bytes);
        return value
            .map(|value| Some(SecretBytes::from(value)))
            .ok_or_else(|| CommandError::usage(format!("the environment variable {name} is not set")));
    }
    if args.generate.is_some() || ui::is_interactive() {
        return Ok(None);
    }
    let mut value = Zeroizing::new(Vec::new());
    std::io::stdin()
        .lock()
        .take(sealwax_format::MAX_VALUE as u64 + 2)
        .read_to_end(&mut value)
        .map_err(|error| CommandError::unreadable(format!("standard input: {error}")))?;
    if !args.keep_newline && value.ends_with(b"\n") {
        value.pop();
        if value.ends_with(b"\r") {
            value.pop();
        }
        notes.push(Note::Done(
            "one final line break of standard input was dropped (--keep-newline keeps it)".to_owned(),
        ));
    }
    Ok(Some(SecretBytes::from(value)))
}

/// A value for one path: made up, or asked for.
fn own_value(args: &Args, path: &Path) -> Result<SecretBytes, CommandError> {
    match args.generate {
        Some(length) => generate(usize::from(length)),
        None => ui::hidden_prompt(&format!("Value of {path}"))
            .map(|value| SecretBytes::from(value.as_bytes().to_vec()))
            .ok_or_else(|| CommandError::usage("there is no terminal to ask for the value")),
    }
}

/// Letters and digits, each equally likely.
fn generate(length: usize) -> Result<SecretBytes, CommandError> {
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut value = Zeroizing::new(Vec::with_capacity(length));
    let mut random = Zeroizing::new([0; 64]);
    while value.len() < length {
        OsRandom.fill(&mut *random).map_err(|error| CommandError::refused(error.to_string()))?;
        // Bytes of 248 and more would make the first letters likelier.
        let fair = random.iter().filter(|&&byte| byte < 248).map(|byte| ALPHABET[usize::from(byte % 62)]);
        let missing = length - value.len();
        value.extend(fair.take(missing));
    }
    Ok(SecretBytes::from(value))
}

fn encode(value: &SecretBytes) -> SecretBytes {
    SecretBytes::from(sealwax_format::base64::encode(value.expose()))
}
