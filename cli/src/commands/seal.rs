//! `sealwax seal`.

use std::collections::BTreeMap;
use std::path::{Path as FilePath, PathBuf};

use sealwax_format::document::{File, Syntax};
use sealwax_format::native::{self, API_GROUP, ENCRYPTED_SECRET, Layout, Object, Place};
use sealwax_format::{OsRandom, Path, Plaintext, SecretBytes};
use zeroize::Zeroizing;

use crate::error::{Code, CommandError};
use crate::files::{self, Input, STDIN};
use crate::job::{Policies, WriteArgs};
use crate::manifest::{self, Secret};
use crate::ui::{Note, Ui};

/// Turn a Secret into an EncryptedSecret for Git; no private key is needed
///
/// Comments and layout stay; data is decoded, so that you can edit it later.
///
/// Examples:
///   kubectl create secret generic db -n prod --from-literal=user=admin --dry-run=client -o yaml \
///     | sealwax seal --path clusters/prod/db.yaml -o clusters/prod/db.yaml
///   sealwax seal --namespace prod --name tls --from-file tls.key=key.pem -o tls.yaml
///   sealwax seal secret.yaml --into db.yaml            adds its items to an EncryptedSecret
///   sealwax seal --raw --namespace prod --name db --item password < password.txt
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The Secret; standard input if absent or -
    #[arg(value_name = "FILE", conflicts_with = "from_file")]
    file: Option<PathBuf>,
    /// Take an item from a file instead of a manifest (repeatable)
    #[arg(long, value_name = "ITEM=FILE")]
    from_file: Vec<String>,
    /// Where to write the EncryptedSecret; standard output if absent
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["into", "raw"])]
    output: Option<PathBuf>,
    /// Add the items to this EncryptedSecret
    #[arg(long, value_name = "FILE", conflicts_with = "raw")]
    into: Option<PathBuf>,
    /// Print one token for --item, of standard input, for a template that builds the EncryptedSecret
    #[arg(long, requires = "item")]
    raw: bool,
    /// The item that --raw is for
    #[arg(long, value_name = "ITEM", requires = "raw")]
    item: Option<String>,
    /// Where the result will be in the repository, to find its rule
    #[arg(long, value_name = "FILE")]
    path: Option<PathBuf>,
    #[command(flatten)]
    write: WriteArgs,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Code, CommandError> {
    if let Some(item) = &args.item {
        return raw(args, item, ui);
    }
    if let Some(into) = &args.into {
        return append(args, into, ui);
    }
    let (shown, plain) = plain(args)?;
    let governed = args.path.as_deref().or(args.output.as_deref()).or(args.file.as_deref());
    let governed = governed.filter(|path| *path != FilePath::new(STDIN));
    let in_file = |error: sealwax_format::Error| CommandError::in_file(&shown, &error);
    let file = File::parse(&plain, Syntax::Yaml).map_err(|error| in_file(error.into()))?;
    let layout = Layout::read(&file, 0).map_err(in_file)?;
    let policy = governed.map(|path| Policies::default().of(path)).transpose()?.flatten();
    let plan = args.write.plan(&shown, governed, policy.as_deref(), &layout)?;
    let plan = plan.ok_or_else(|| no_rule(&shown))?;
    let request = plan.request(None);
    let (text, reports) = native::encrypt(&file, &[Some(request)], &mut OsRandom).map_err(in_file)?;
    let sealed: usize = reports.iter().map(|report| report.sealed.len()).sum();
    if sealed == 0 {
        return Err(CommandError::refused(format!("{shown}: the Secret holds no items")));
    }
    match &args.output {
        Some(output) => files::create(output, text.as_bytes(), false)?,
        None => ui.data(text.as_bytes())?,
    }
    let target = args.output.as_ref().map_or(shown, |output| output.display().to_string());
    ui.notes(&[Note::Done(format!("{target}: sealed {sealed} for {}", plan.describe()))]);
    Ok(Code::Done)
}

/// The `EncryptedSecret` in the clear.
fn plain(args: &Args) -> Result<(String, Zeroizing<String>), CommandError> {
    let (namespace, name) = (args.write.place.namespace.as_deref(), args.write.place.name.as_deref());
    if !args.from_file.is_empty() {
        return Ok(("--from-file".to_owned(), Secret::of_items(items_of_files(args)?).render(namespace, name)));
    }
    let input = Input::read(args.file.as_deref().unwrap_or(FilePath::new(STDIN)))?;
    let text = manifest::convert(&input.shown, input.text()?, namespace, name)?;
    Ok((input.shown.clone(), text))
}

fn items_of_files(args: &Args) -> Result<BTreeMap<String, SecretBytes>, CommandError> {
    let mut items = BTreeMap::new();
    for pair in &args.from_file {
        let (item, path) = pair.split_once('=').ok_or_else(|| {
            CommandError::usage(format!("--from-file {pair}: write ITEM=FILE, such as tls.key=key.pem"))
        })?;
        items.insert(item.to_owned(), Input::read(FilePath::new(path))?.bytes);
    }
    Ok(items)
}

/// Adds items to an `EncryptedSecret`, each under a key of its own.
fn append(args: &Args, into: &FilePath, ui: &Ui) -> Result<Code, CommandError> {
    let items = if args.from_file.is_empty() {
        let source = Input::read(args.file.as_deref().unwrap_or(FilePath::new(STDIN)))?;
        let file = source.parse()?;
        let layout = crate::paths::DocumentArgs::default().choose(&source.shown, &file)?;
        Secret::read(&source.shown, &layout, &file.documents[0].root)?.items
    } else {
        items_of_files(args)?
    };
    let target = Input::read(into)?;
    let shown = target.shown.as_str();
    let in_file = |error: sealwax_format::Error| CommandError::in_file(shown, &error);
    let policy = Policies::default().of(into)?;
    let mut text = Zeroizing::new(target.text()?.to_owned());
    let mut notes = Vec::new();
    for (item, value) in items {
        let file = File::parse(&text, target.syntax()).map_err(|error| in_file(error.into()))?;
        let layout = crate::paths::DocumentArgs::default().choose(shown, &file)?;
        if !layout.in_spec() {
            return Err(CommandError::refused(format!("{shown}: is no EncryptedSecret")));
        }
        let plan = args.write.plan(shown, Some(into), policy.as_deref(), &layout)?.ok_or_else(|| no_rule(shown))?;
        let request = plan.request(None);
        let path = Path::of_keys(&["spec", "data", &item]);
        let plaintext = Plaintext::canonical(manifest::type_of(&value), value);
        let changed = native::set_value(&file, &layout, &request, &path, &plaintext, &mut OsRandom).map_err(in_file)?;
        notes.push(Note::Done(format!("{shown}: sealed {path} for {}", plan.describe())));
        text = changed;
    }
    files::replace(into, &target.bytes, text.as_bytes())?;
    ui.notes(&notes);
    Ok(Code::Done)
}

/// One token on standard output.
fn raw(args: &Args, item: &str, ui: &Ui) -> Result<Code, CommandError> {
    let value = Input::read(args.file.as_deref().unwrap_or(FilePath::new(STDIN)))?.bytes;
    let place_args = &args.write.place;
    let object = Object {
        group: API_GROUP.to_owned(),
        kind: ENCRYPTED_SECRET.to_owned(),
        namespace: place_args.namespace.clone(),
        name: place_args.name.clone(),
    };
    let layout = Layout { index: 0, object: Some(object), block: None, host: None, leaves: Vec::new() };
    let policy = args.path.as_deref().map(|path| Policies::default().of(path)).transpose()?.flatten();
    let plan = args.write.plan("--raw", args.path.as_deref(), policy.as_deref(), &layout)?;
    let plan = plan.ok_or_else(|| no_rule("--raw"))?;
    let path = Path::of_keys(&["spec", "data", item]);
    let plaintext = Plaintext::canonical(manifest::type_of(&value), value);
    let token = native::seal_alone(&mut OsRandom, plan.readers.as_slice(), &plan.place, &path, &plaintext);
    let token = token.map_err(|problem| CommandError::in_file("--raw", &sealwax_format::Error::of_file(problem)))?;
    ui.data(format!("{token}\n").as_bytes())?;
    let block = if let Place::Object { namespace, name, .. } = &plan.place {
        format!("; spec.sealedFor must be {{namespace: {namespace}, name: {name}}}")
    } else {
        String::new()
    };
    ui.notes(&[Note::Done(format!("sealed {item} for {}{block}", plan.describe()))]);
    Ok(Code::Done)
}

fn no_rule(shown: &str) -> CommandError {
    CommandError::usage(format!("{shown}: no rule of the policy covers it"))
        .hint("Pass --path with the place in the repository, or --to RECIPIENT.")
}
