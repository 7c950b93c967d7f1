//! `sealwax exec`.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use sealwax_format::SecretBytes;
use sealwax_format::document::Syntax;
use sealwax_format::native::{self, Opener};
use zeroize::Zeroizing;

use crate::error::CommandError;
use crate::files::{self, Input};
use crate::job::Policies;
use crate::keyring::{self, Identities, IdentityArgs};
use crate::obeyed::is_obeyed;
use crate::paths::DocumentArgs;
use crate::sops::Opened;
use crate::ui::Ui;
use crate::{mask, unix, values};

/// Run a command with the values of a file, which never lie on a disk
///
/// As environment variables: items of a Secret or EncryptedSecret by their keys, of other files all
/// values, the keys of nested ones joined by _. Or as private files in memory, which are gone when
/// the command ends; {} in the command is replaced by the folder, or the file. The exit code is the
/// command's.
///
/// A private key in the environment is not passed on: the command has these values, and not all others.
/// Other programs of the same user can read the environment and the files of a process.
///
/// Examples:
///   sealwax exec db.yaml -- ./migrate
///   sealwax exec --as file values.yaml -- helm upgrade shop ./chart -f {}
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The file; - for standard input
    file: PathBuf,
    /// The command and its arguments
    #[arg(required = true, last = true, value_name = "COMMAND")]
    command: Vec<std::ffi::OsString>,
    /// How the command gets the values
    #[arg(long = "as", value_enum, default_value_t = Form::Env, value_name = "FORM")]
    form: Form,
    /// What the names of environment variables start with
    #[arg(long, value_name = "TEXT", default_value = "")]
    prefix: String,
    /// Start from an empty environment
    #[arg(long)]
    pristine: bool,
    /// Hide the values in the log of GitHub Actions
    #[arg(long)]
    mask: bool,
    /// Put files on a disk where there is no folder in memory
    #[arg(long)]
    allow_disk: bool,
    #[command(flatten)]
    document: DocumentArgs,
    #[command(flatten)]
    identities: IdentityArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// An environment variable for each value
    Env,
    /// A file for each value, in one folder
    Files,
    /// The whole file, decrypted
    File,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<ExitCode, CommandError> {
    let input = Input::read(&args.file)?;
    let shown = input.shown.as_str();
    let in_file = |error: sealwax_format::Error| CommandError::in_file(shown, &error);
    let file = input.parse()?;
    let (policies, identities) = (Policies::default(), Identities::new(&args.identities));
    let mut secrets = Vec::new();
    let plain = if let Some(opened) = Opened::of(&input, &identities)? {
        secrets.extend(opened.secrets());
        opened.plain
    } else {
        let ring = crate::open::keyring(shown, input.path.as_deref(), &file, &policies, &identities)?;
        if args.mask {
            secrets = values::sealed(&file, &mut Opener::new(&ring)).map_err(in_file)?;
        }
        let text = native::decrypt(&file, &mut Opener::new(&ring)).map_err(in_file)?.text;
        Zeroizing::new(text.as_bytes().to_vec())
    };
    // Bytes are no values, and have no names.
    let text = std::str::from_utf8(&plain).ok().filter(|_| args.form != Form::File);
    let values = match text {
        Some(text) => values::named(shown, &files::parse(shown, text, input.syntax())?, &args.document)?,
        None => BTreeMap::new(),
    };
    if args.mask {
        mask::on_github(&secrets, ui)?;
    }
    if values.is_empty() && args.form != Form::File {
        return Err(CommandError::refused(format!("{shown}: holds no values for a command"))
            .hint("Items of Secrets and EncryptedSecrets, or all values of a file that is no Kubernetes object."));
    }
    match args.form {
        Form::Env => with_variables(args, shown, values),
        Form::Files => with_files(args, &values, None),
        Form::File => with_files(args, &BTreeMap::new(), Some(&plain)),
    }
}

fn command(args: &Args, place: Option<&Path>) -> Result<Command, CommandError> {
    let mut words = args.command.iter().map(|word| match place {
        // As text only where it is text: a name is bytes.
        Some(place) => OsStr::from_bytes(&replaced(word.as_bytes(), place.as_os_str().as_bytes())).to_owned(),
        None => word.clone(),
    });
    let program = words.next().ok_or_else(|| CommandError::usage("there is no command to run"))?;
    let mut command = Command::new(program);
    command.args(words);
    if args.pristine {
        command.env_clear();
    }
    // It gets these values, and not the key to all others.
    command.env_remove(keyring::KEY_VARIABLE).env_remove("SOPS_AGE_KEY");
    Ok(command)
}

fn replaced(word: &[u8], place: &[u8]) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::with_capacity(word.len()), word);
    while let Some(at) = rest.windows(2).position(|pair| pair == b"{}") {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(place);
        rest = &rest[at + 2..];
    }
    out.extend_from_slice(rest);
    out
}

fn with_variables(args: &Args, shown: &str, values: BTreeMap<String, SecretBytes>) -> Result<ExitCode, CommandError> {
    let mut command = command(args, None)?;
    for (name, value) in &values {
        let name = format!("{}{name}", args.prefix);
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if !name.chars().all(is_name) || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(CommandError::refused(format!("{shown}: {name} cannot be the name of a variable"))
                .hint("Take the values as files instead: --as files."));
        }
        if is_obeyed(&name, value.expose()) {
            return Err(CommandError::refused(format!("{shown}: {name} decides what programs run, and is not set"))
                .hint("Whoever can write the file could run programs here. Give the names a --prefix, rename it, or take the values as files: --as files."));
        }
        if value.expose().contains(&0) {
            return Err(CommandError::refused(format!("{shown}: {name}: a variable cannot hold a zero byte"))
                .hint("Take the values as files instead: --as files."));
        }
        command.env(name, std::ffi::OsString::from_vec(value.expose().to_vec()));
    }
    drop(values);
    Err(cannot_run(args, &unix::become_command(&mut command)))
}

fn with_files(
    args: &Args,
    values: &BTreeMap<String, SecretBytes>,
    whole: Option<&[u8]>,
) -> Result<ExitCode, CommandError> {
    let failed = |error: std::io::Error| CommandError::refused(format!("a private file cannot be written: {error}"));
    let forwarder = unix::Forwarder::new().map_err(failed)?;
    let folder = files::private_folder()?;
    if !args.allow_disk && !unix::is_in_memory(folder.path()) {
        return Err(CommandError::refused("there is no folder in memory, so the values would lie on a disk")
            .hint("Pass --allow-disk if that is good enough here."));
    }
    for (name, value) in values {
        if name.is_empty() || name.contains(['/', '\0']) || name.starts_with("..") {
            return Err(CommandError::refused(format!("{name:?} cannot be the name of a file")));
        }
        files::write_new_private(&folder.path().join(name), value.expose()).map_err(failed)?;
    }
    let mut place = folder.path().to_owned();
    if let Some(whole) = whole {
        place.push(name_of(&args.file));
        files::write_new_private(&place, whole).map_err(failed)?;
    }
    let status = forwarder.run(&mut command(args, Some(&place))?).map_err(|error| cannot_run(args, &error))?;
    folder.close().map_err(failed)?;
    Ok(ExitCode::from(unix::exit_code(status)))
}

/// The file's own name, if it means nothing to a shell: `{}` may stand in a script.
fn name_of(file: &Path) -> &str {
    let is_plain = |name: &&str| {
        !name.starts_with('-') && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
    };
    let is_json = files::syntax_of(Some(file)) == Syntax::Json;
    let name = file.file_name().and_then(OsStr::to_str).filter(is_plain);
    name.unwrap_or(if is_json { "values.json" } else { "values.yaml" })
}

fn cannot_run(args: &Args, error: &std::io::Error) -> CommandError {
    let program = args.command.first().map(|program| program.to_string_lossy().into_owned()).unwrap_or_default();
    CommandError::refused(format!("{program}: cannot be run: {error}"))
}
