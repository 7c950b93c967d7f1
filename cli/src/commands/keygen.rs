//! `sealwax keygen`.

use std::path::PathBuf;

use age::secrecy::ExposeSecret as _;
use zeroize::Zeroizing;

use crate::error::{Code, CommandError};
use crate::files;
use crate::keyring;
use crate::ui::{Note, Ui};

/// Make a private key and print its public half, the recipient
///
/// The key goes to ~/.config/sealwax/identity.txt, where every command finds it, or to the file that -o names,
/// readable by you only. An existing file is never overwritten. It is an ordinary age identity file.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Make a post-quantum key (ML-KEM-768 with X25519); its recipient has 2,000 characters
    #[arg(long)]
    pq: bool,
    /// Where to write the private key
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Code, CommandError> {
    let path = match &args.output {
        Some(path) => path.clone(),
        None => keyring::configured()
            .ok_or_else(|| CommandError::usage("neither HOME nor XDG_CONFIG_HOME is set; pass -o FILE"))?,
    };
    if args.output.is_none()
        && let Some(folder) = path.parent()
    {
        std::fs::create_dir_all(folder)
            .map_err(|error| CommandError::io(Code::Refused, "cannot be created", folder, &error))?;
    }
    let (identity, recipient) = keyring::generate(args.pq);
    let text = Zeroizing::new(format!("# public key: {recipient}\n{}\n", identity.expose_secret()));
    files::create(&path, text.as_bytes(), true)?;
    ui.data(format!("{recipient}\n").as_bytes())?;
    ui.notes(&[Note::Done(format!("private key written to {}", path.display()))]);
    Ok(Code::Done)
}
