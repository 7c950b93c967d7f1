//! `sealwax keys create`: a key made offline, before there is a cluster.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use k8s_openapi::jiff::Timestamp;
use sealwax_format::OsRandom;
use sealwax_format::keys::cluster::{ControllerKey, KEY_NAME, State};
use sealwax_format::keys::published::{self, CLUSTER, Published, RECIPIENTS, SIGNATURE, SIGNING_KEY};
use sealwax_format::keys::{Fingerprint, IdentityFile, Label, Recipient, encrypt_file};

use crate::cluster::NAMESPACE;
use crate::cluster::bundle::{Bundle, KeySecret};
use crate::error::{Code, CommandError, chain};
use crate::ui::{Note, Ui};
use crate::{files, plugins, repo};

/// Make a cluster's first key offline, so that Git can be encrypted before the cluster exists
///
/// Writes a manifest with the private keys, readable by you only: `kubectl create -f FILE` it before or after the
/// controller starts, and keep it as a backup. Beside it a file with the public key, endorsed, ends in .pub: commit that one and
/// name it in the policy. With --escrow, a file that ends in .age holds the key wrapped for these recipients, fit for
/// Git.
///
/// Example: sealwax keys create --cluster prod -o ~/prod.yaml && cp ~/prod.pub keys/
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name of the key Secret
    #[arg(long, value_name = "NAME", default_value_t = format!("{KEY_NAME}1"), value_parser = super::key_name)]
    name: String,
    /// What people call the cluster: the controller's --cluster-name
    #[arg(long, value_name = "NAME", default_value = "cluster")]
    cluster: String,
    /// Namespace of the controller
    #[arg(long, value_name = "NAMESPACE", default_value = NAMESPACE)]
    namespace: String,
    /// The manifest, or an existing folder to put all files into
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Wrap the key for this public key too (repeatable)
    #[arg(long, value_name = "RECIPIENT")]
    escrow: Vec<String>,
    /// Write the manifest even into a Git work tree
    #[arg(long)]
    force: bool,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Code, CommandError> {
    if Label::new(&args.cluster, Fingerprint::of("")).is_err() {
        let message = format!("--cluster {}: 1 to 63 characters of a-z, 0-9 and -", args.cluster);
        return Err(CommandError::usage(message));
    }
    let manifest =
        if args.output.is_dir() { args.output.join(&args.cluster).with_extension("yaml") } else { args.output.clone() };
    let (public, wrapped) = (manifest.with_extension("pub"), manifest.with_extension("age"));
    check(args, &manifest)?;
    let escrow = recipients("escrow", &args.escrow)?;
    let (file, recipient) = IdentityFile::generate(&Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    let cannot = |error: &dyn std::error::Error| CommandError::refused(format!("the key: {}", chain(error)));
    let controller = ControllerKey::generate(&mut OsRandom).map_err(|error| cannot(&error))?;
    let key = KeySecret::new(args.name.clone(), State::Active, file).map_err(|error| cannot(&error))?;
    let publication = endorsed(&args.cluster, &key, &controller);
    let copies = escrow.iter().map(|one| {
        let copy = encrypt_file(std::slice::from_ref(one), key.file.expose()).map_err(|error| cannot(&error))?;
        Ok((format!("{}.age", one.label().fingerprint()), copy))
    });
    let copies = copies.collect::<Result<BTreeMap<_, _>, CommandError>>()?;
    // One file for all of them, as `age -r A -r B` makes it.
    let together = (!escrow.is_empty()).then(|| encrypt_file(&escrow, key.file.expose())).transpose();
    let together = together.map_err(|error| CommandError::usage(format!("--escrow: {}", chain(&error))))?;
    let fingerprint = key.fingerprint.clone();
    let signing = controller.signing_key().public().fingerprint();
    let bundle = Bundle { controller: Some(controller), keys: vec![key], escrow: copies };

    files::create(&manifest, bundle.manifest(&args.namespace).as_bytes(), true)?;
    files::create(&public, publication.to_file().as_bytes(), false)?;
    let mut notes = vec![
        Note::Done(format!("private keys written to {}", manifest.display())),
        Note::Done(format!(
            "recipient, fingerprint {fingerprint}, and signing key, fingerprint {signing}, written to {}",
            public.display()
        )),
    ];
    if let Some(copy) = together {
        files::create(&wrapped, copy.as_bytes(), false)?;
        notes.push(Note::Done(format!("escrow copy written to {}", wrapped.display())));
    }
    notes.push(Note::Hint(format!("Commit {}; never {}.", public.display(), manifest.display())));
    ui.data(format!("{recipient}\n").as_bytes())?;
    ui.notes(&notes);
    Ok(Code::Done)
}

/// Refuses what would be noticed only after some of the files were written.
fn check(args: &Args, manifest: &Path) -> Result<(), CommandError> {
    let folder = manifest.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder =
        folder.canonicalize().map_err(|error| CommandError::io(Code::Refused, "cannot be read", folder, &error))?;
    if let Some(root) = repo::work_tree(&folder).filter(|_| !args.force) {
        let message =
            format!("{}: private keys do not belong into the Git work tree {}", manifest.display(), root.display());
        return Err(CommandError::refused(message).hint("Choose a place outside, or pass --force."));
    }
    let taken = ["pub", "age"].map(|extension| manifest.with_extension(extension));
    if taken.iter().any(|path| path == manifest) {
        return Err(CommandError::usage("-o names the manifest: a name that ends in .yaml"));
    }
    match taken.into_iter().chain([manifest.to_owned()]).find(|path| path.exists()) {
        Some(path) => Err(CommandError::refused(format!("{}: exists", path.display()))
            .hint("The file exists and is never overwritten; choose another name.")),
        None => Ok(()),
    }
}

/// What the controller will publish of this key.
fn endorsed(cluster: &str, key: &KeySecret, controller: &ControllerKey) -> Published {
    let list = published::entry(published::SEALS, &key.recipient, key.created.as_deref());
    let signing = controller.signing_key();
    let signature = signing.endorse(cluster, &list);
    let items = [
        (CLUSTER, cluster.to_owned()),
        (RECIPIENTS, list),
        (SIGNING_KEY, signing.public().to_string()),
        (SIGNATURE, signature),
    ];
    Published::from_items(items.into_iter().map(|(item, text)| (item.to_owned(), text)).collect())
}

/// Recipients of the command line, of any kind.
pub(super) fn recipients(name: &str, texts: &[String]) -> Result<Vec<Recipient>, CommandError> {
    let read = |text: &String| plugins::recipient(name, text).map_err(|error| CommandError::usage(chain(&error)));
    texts.iter().map(read).collect()
}
