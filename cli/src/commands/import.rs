//! `sealwax import`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sealwax_format::document::{File, Syntax};
use sealwax_format::native::{self, Layout};
use sealwax_format::{OsRandom, SecretBytes};
use zeroize::Zeroizing;

use crate::error::{Code, CommandError};
use crate::files::{self, Input, STDIN};
use crate::import::{self, Imported, Shape, Wishes};
use crate::job::{Plan, Policies, WriteArgs};
use crate::ui::{Note, Ui};

/// Read values from Vault or AWS, with your own credentials, and write them as EncryptedSecrets
///
/// FILEs hold ExternalSecrets and their stores, of sealwax or of External Secrets Operator. Each
/// ExternalSecret becomes an EncryptedSecret that makes the same Secret. All are written, or none.
///
/// How a store says to log in is not used. Vault is read as `vault` would: by `VAULT_ADDR`,
/// `VAULT_TOKEN` or what `vault login` left, `VAULT_NAMESPACE`, `VAULT_CACERT`; AWS as `aws` would.
///
/// Examples:
///   sealwax import externalsecret.yaml store.yaml -o clusters/prod/db.yaml --dry-run
///   kubectl get externalsecrets,secretstores -n prod -o yaml | sealwax import - -o prod.yaml
///   sealwax import --from vault:secret/prod/db --namespace prod --name db -o db.yaml
///   sealwax import --from password=aws-parameter:/prod/db -o db.yaml --namespace prod --name db
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Manifests with ExternalSecrets and their stores; - for standard input
    #[arg(value_name = "FILE", required_unless_present = "from", conflicts_with = "from")]
    files: Vec<PathBuf>,
    /// Read this, without a manifest: SOURCE is vault, vault-v1, aws-secret or aws-parameter (repeatable)
    #[arg(long, value_name = "[ITEM=]SOURCE:KEY[#PROPERTY]")]
    from: Vec<String>,
    /// Where to write the EncryptedSecrets; standard output if absent
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace the output if it exists
    #[arg(long, requires = "output")]
    force: bool,
    /// Read, say what would be written, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Where the result will be in the repository, to find its rule
    #[arg(long, value_name = "FILE")]
    path: Option<PathBuf>,
    #[command(flatten)]
    write: WriteArgs,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Code, CommandError> {
    let before = outputs(args)?;
    let (namespace, name) = (args.write.place.namespace.as_deref(), args.write.place.name.as_deref());
    let wishes = if args.from.is_empty() {
        import::of_files(&args.files)?
    } else {
        import::of_command_line(&args.from, namespace, name)?
    };
    ui.notes(&wishes.warnings.iter().cloned().map(Note::Warning).collect::<Vec<_>>());
    if wishes.all.len() > 1 && name.is_some() {
        return Err(CommandError::usage(format!("--name is one name, and there are {} objects", wishes.all.len())));
    }
    let shapes = wishes.all.iter().map(|wish| Shape::new(wish, namespace, name)).collect::<Result<Vec<_>, _>>()?;
    // What would keep the values from being written is found out before any is read.
    let plans = plans(args, &wishes, &shapes)?;
    let (mut done, mut code) = (Vec::new(), Code::Done);
    for ((shape, plan), imported) in shapes.iter().zip(&plans).zip(import::read_all(&wishes)?) {
        let checked = imported.and_then(|imported| Ok((shape.content(&imported.items)?, imported)));
        match checked {
            Ok((content, imported)) => done.push(Done { shape, plan, content, imported }),
            Err(error) => {
                ui.error(&error);
                code = code.max(error.code());
            }
        }
    }
    if args.dry_run {
        let report: String = done.iter().map(Done::describe).collect();
        ui.data(report.as_bytes())?;
    } else if code == Code::Done {
        let text = encrypt(&done)?;
        publish(args, before.as_ref(), &text, ui)?;
        ui.notes(&done.iter().flat_map(|done| done.notes(args)).collect::<Vec<_>>());
    }
    if code != Code::Done || args.dry_run {
        ui.notes(&[Note::Done("nothing was written".to_owned())]);
    }
    Ok(code)
}

/// What the output holds now, if it is to be replaced.
fn outputs(args: &Args) -> Result<Option<Input>, CommandError> {
    let Some(output) = &args.output else { return Ok(None) };
    let shown = output.display();
    if files::syntax_of(Some(output)) != Syntax::Yaml {
        return Err(CommandError::usage(format!("{shown}: EncryptedSecrets are written as YAML")));
    }
    let real = output.canonicalize().ok();
    let is_input = |input: &PathBuf| input != Path::new(STDIN) && input.canonicalize().ok() == real;
    if real.is_some() && args.files.iter().any(is_input) {
        return Err(CommandError::usage(format!("{shown}: is read as well; what else it holds would be lost")));
    }
    match real {
        None => Ok(None),
        Some(_) if args.force => Input::read(output).map(Some),
        Some(_) => Err(CommandError::refused(format!("{shown}: exists already"))
            .hint("Choose another name, or replace it with --force.")),
    }
}

/// For whom and for which place each object is encrypted.
fn plans(args: &Args, wishes: &Wishes, shapes: &[Shape<'_>]) -> Result<Vec<Plan>, CommandError> {
    let governed = args.path.as_deref().or(args.output.as_deref());
    let policy = governed.map(|path| Policies::default().of(path)).transpose()?.flatten();
    let mut plans = Vec::with_capacity(shapes.len());
    for (wish, shape) in wishes.all.iter().zip(shapes) {
        let in_file = |error: sealwax_format::Error| CommandError::in_file(&wish.shown, &error);
        let empty = shape.render(&BTreeMap::new())?;
        let file = File::parse(&empty, Syntax::Yaml).map_err(|error| in_file(error.into()))?;
        let layout = Layout::read(&file, 0).map_err(in_file)?;
        let plan = args.write.plan(&wish.shown, governed, policy.as_deref(), &layout)?;
        plans.push(plan.ok_or_else(|| {
            CommandError::usage(format!("{}: no rule of the policy covers it", wish.shown))
                .hint("Pass --path with the place in the repository, or --to RECIPIENT.")
        })?);
    }
    Ok(plans)
}

/// An object whose values are there.
struct Done<'d> {
    shape: &'d Shape<'d>,
    plan: &'d Plan,
    /// The items that its Secret will have.
    content: Vec<String>,
    imported: Imported,
}

fn encrypt(done: &[Done<'_>]) -> Result<Zeroizing<String>, CommandError> {
    let mut plain = Zeroizing::new(String::new());
    for (index, done) in done.iter().enumerate() {
        if index > 0 {
            plain.push_str("---\n");
        }
        plain.push_str(&done.shape.render(&done.imported.items)?);
    }
    let in_file = |error: sealwax_format::Error| CommandError::in_file("what was read", &error);
    let file = File::parse(&plain, Syntax::Yaml).map_err(|error| in_file(error.into()))?;
    let items: Vec<&BTreeMap<String, SecretBytes>> = done.iter().map(|done| &done.imported.items).collect();
    let requests: Vec<_> = done.iter().map(|done| Some(done.plan.request(None))).collect();
    let (text, reports) = native::encrypt(&file, &requests, &mut OsRandom).map_err(in_file)?;
    let sealed = reports.iter().zip(&items).all(|(report, items)| report.sealed.len() == items.len());
    if import::holds(&file, &items) && sealed {
        return Ok(text);
    }
    Err(CommandError::refused("what was read cannot be written so that it is read back the same"))
}

fn publish(args: &Args, before: Option<&Input>, text: &str, ui: &Ui) -> Result<(), CommandError> {
    match (&args.output, before) {
        (Some(output), Some(before)) => files::replace(output, &before.bytes, text.as_bytes()),
        (Some(output), None) => files::create(output, text.as_bytes(), false),
        (None, _) => ui.data(text.as_bytes()),
    }
}

impl Done<'_> {
    /// What would be written; names only.
    fn describe(&self) -> String {
        let mut text = format!("{}\n", self.plan.describe());
        let mut line = |what: &str, names: &[String]| {
            if !names.is_empty() {
                text.push_str(&format!("  {what}: {}\n", names.join(", ")));
            }
        };
        let items: Vec<_> = self.imported.items.keys().cloned().collect();
        let empty = self.imported.items.iter().filter(|(_, value)| value.is_empty());
        line("Secret", &self.shape.secret_name().map(str::to_owned).into_iter().collect::<Vec<_>>());
        line("items", &items);
        line("empty", &empty.map(|(item, _)| item.clone()).collect::<Vec<_>>());
        line("left out, as there is nothing", &self.imported.left_out);
        if self.content != items {
            line("in the Secret, by its templates", &self.content);
        }
        text
    }

    fn notes(&self, args: &Args) -> Vec<Note> {
        let target = args.output.as_ref().map_or("imported".to_owned(), |output| output.display().to_string());
        let sealed = self.imported.items.len();
        let mut notes = vec![Note::Done(format!("{target}: sealed {sealed} for {}", self.plan.describe()))];
        let left_out = &self.imported.left_out;
        if !left_out.is_empty() {
            notes.push(Note::Warning(format!("left out, as there is nothing: {}", left_out.join(", "))));
        }
        if self.shape.joins_another() {
            notes.push(Note::Hint(
                "It adds to a Secret of somebody else's, who allows it by the annotation sealwax.dev/adopt-by on that \
                 Secret."
                    .to_owned(),
            ));
        }
        notes
    }
}
