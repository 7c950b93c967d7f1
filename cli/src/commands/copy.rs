//! `sealwax copy`.

use std::path::PathBuf;

use sealwax_format::document::File;
use sealwax_format::document::present::{Expected, canonical};
use sealwax_format::document::rewrite::Rewrite;
use sealwax_format::document::walk::Around;
use sealwax_format::native::{self, Layout, Opener};
use sealwax_format::{OsRandom, Path, SecretBytes, ValueType};
use zeroize::Zeroizing;

use crate::error::{Code, CommandError};
use crate::exposure::{By, Guarded};
use crate::files::{self, Input};
use crate::job::{Policies, WriteArgs};
use crate::keyring::{Identities, IdentityArgs};
use crate::ui::{Note, Ui};

/// Copy a file and seal its values for the copy's own place and readers
///
/// --namespace and --name are written into the copy's metadata. You must be able to read the values.
///
/// Example: sealwax copy prod/db.yaml staging/db.yaml --namespace staging
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The file to copy
    source: PathBuf,
    /// The copy, which must not exist yet
    destination: PathBuf,
    #[command(flatten)]
    write: WriteArgs,
    #[command(flatten)]
    identities: IdentityArgs,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Code, CommandError> {
    let input = Input::read(&args.source)?;
    let in_source = |error: sealwax_format::Error| CommandError::in_file(&input.shown, &error);
    let file = File::parse(input.text()?, input.syntax()).map_err(|error| in_source(error.into()))?;
    let policies = Policies::default();
    let identities = Identities::new(&args.identities);
    let keyring = crate::open::keyring(&input.shown, input.path.as_deref(), &file, &policies, &identities)?;
    let mut opener = Opener::new(&keyring);
    let plain = native::decrypt(&file, &mut opener).map_err(in_source)?.text;
    let guarded = Guarded::of(&file, &mut opener, By::Position).map_err(in_source)?;
    let plain = rename(args, &input, &plain).map_err(in_source)?;

    let shown = args.destination.display().to_string();
    let in_copy = |error: sealwax_format::Error| CommandError::in_file(&shown, &error);
    let file = File::parse(&plain, files::syntax_of(Some(&args.destination))).map_err(|error| in_copy(error.into()))?;
    let policy = policies.of(&args.destination)?;
    let mut plans = Vec::new();
    for index in 0..file.documents.len() {
        let layout = Layout::read(&file, index).map_err(in_copy)?;
        plans.push(args.write.plan(&shown, Some(&args.destination), policy.as_deref(), &layout)?);
    }
    let requests: Vec<_> = plans.iter().map(|plan| plan.as_ref().map(|plan| plan.request(None))).collect();
    let (text, reports) = native::encrypt(&file, &requests, &mut OsRandom).map_err(in_copy)?;
    if reports.iter().all(|report| report.sealed.is_empty()) {
        // The source held secrets; a copy in the clear would be the worst outcome.
        return Err(CommandError::usage(format!("{shown}: its rule encrypts nothing of what the source encrypts")));
    }
    guarded.check(&shown, &text, &file)?;
    files::create(&args.destination, text.as_bytes(), false)?;
    let sealed = plans.iter().zip(&reports).filter_map(|(plan, report)| Some((plan.as_ref()?, report)));
    let notes: Vec<_> = sealed
        .map(|(plan, report)| Note::Done(format!("{shown}: sealed {} for {}", report.sealed.len(), plan.describe())))
        .collect();
    ui.notes(&notes);
    Ok(Code::Done)
}

/// Writes `--namespace` and `--name` into the metadata.
fn rename(args: &Args, input: &Input, plain: &str) -> Result<Zeroizing<String>, sealwax_format::Error> {
    let file = File::parse(plain, input.syntax())?;
    let mut rewrite = Rewrite::new(&file);
    for (index, document) in file.documents.iter().enumerate() {
        for (key, wanted) in [("namespace", &args.write.place.namespace), ("name", &args.write.place.name)] {
            let Some(wanted) = wanted else { continue };
            let node = document.root.at(&Path::of_keys(&["metadata", key]));
            let Some((node, scalar)) = node.and_then(|node| Some((node, node.scalar()?))) else { continue };
            let layout = Layout::read(&file, index)?;
            let target = layout.target(&file, Around { flow: true, column: 0 });
            if let Some(written) = canonical(ValueType::String, wanted.as_bytes(), target) {
                let value = SecretBytes::from(wanted.clone());
                rewrite.replace(index, node, scalar, written, Expected { value_type: ValueType::String, value });
            }
        }
    }
    rewrite.finish().map_err(sealwax_format::Error::of_file)
}
